package feed

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

func TestAFollowerReadsWhatIsPublishedInOrder(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "leader")
	publish(t, leader, run(1, 0, 300, 2000)...)
	flush(t, leader)

	reader := dial(t, s.URL(), "")
	want(t, read(t, reader, 0, 300), [3]uint64{1, 0, 300})
	want(t, read(t, reader, 211, 89), [3]uint64{1, 211, 300})

	// Stored ones, then live ones.
	got := make(chan []string)
	go func() { got <- read(t, reader, 250, 150) }()
	publish(t, leader, run(1, 300, 400, 2000)...)
	want(t, <-got, [3]uint64{1, 250, 400})
}

func TestALargeMiniBlockComesInParts(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "", func(o *ClientOptions) { o.URL, o.Server, o.Publish = "", s, &StreamOptions{} })
	large := small(1, 7, 9_000_000)
	publish(t, leader, small(1, 6, 10), large, small(1, 8, 10))
	flush(t, leader)
	reader := dial(t, s.URL(), "")
	seen := 0
	err := reader.MiniBlocks(t.Context(), 7, func(m *MiniBlock) error {
		if m.Header.Number == 7 && !bytes.Equal(m.Diff, large.Diff) {
			t.Error("its diff is another")
		}
		if seen++; m.Header.Number == 8 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || seen != 2 {
		t.Fatalf("%d mini-blocks, %v", seen, err)
	}
	want(t, read(t, reader, 8, 1), [3]uint64{1, 8, 9})
	if mark, err := leader.ResumeMiniBlocks(t.Context()); err != nil || mark.Number != 8 || mark.ID != MiniBlockID(&small(1, 8, 10).Header) {
		t.Errorf("the stream ends with %+v, %v", mark, err)
	}
}

func TestTheOtherKinds(t *testing.T) {
	s := serve(t)
	leader, validator, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "validator"), dial(t, s.URL(), "friend")
	for n := range uint64(5) {
		b, w := sampleBlock(n), sampleWitness(n)
		if err := errors.Join(leader.PublishBlock(b), leader.PublishWitness(w), validator.PublishAttestation(&Attestation{Number: n, Hash: common.Hash{byte(n)}})); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, leader)
	flush(t, validator)
	ctx := t.Context()
	n := uint64(2)
	err := reader.Blocks(ctx, n, func(b *Block) error {
		if b.Header.Number.Uint64() != n {
			t.Errorf("block %d, want %d", b.Header.Number, n)
		}
		if n++; n == 5 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
	n = 3
	err = reader.Witnesses(ctx, n, func(w *Witness) error {
		if w.Number != n || len(w.Witness.State) != 1 {
			t.Errorf("witness %d, want %d", w.Number, n)
		}
		if n++; n == 5 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
	n = 1
	err = reader.Attestations(ctx, n, func(a *Attestation) error {
		if a.Number != n {
			t.Errorf("attestation of %d, want %d", a.Number, n)
		}
		if n++; n == 5 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

func TestABranchComesBehindTheOneItReplaces(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 60, 10)...)
	publish(t, leader, run(2, 40, 50, 800_000)...) // in parts
	publish(t, leader, run(3, 45, 80, 10)...)
	flush(t, leader)
	all := [][3]uint64{{1, 0, 60}, {2, 40, 50}, {3, 45, 80}}
	want(t, read(t, reader, 0, 105), all...)
	// What was taken back before is not read by who begins behind it.
	want(t, read(t, reader, 70, 10), [3]uint64{3, 70, 80})
	want(t, read(t, reader, 46, 34), [3]uint64{3, 46, 80})
	want(t, read(t, reader, 42, 43), [3]uint64{2, 42, 50}, [3]uint64{3, 45, 80})
	want(t, read(t, reader, 39, 66), [3]uint64{1, 39, 60}, [3]uint64{2, 40, 50}, [3]uint64{3, 45, 80})
}

func TestAGapIsNoReasonToLoseTheWay(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 40, 10)...)
	publish(t, leader, run(1, 90, 100, 10)...)
	flush(t, leader)
	for _, from := range []uint64{0, 7, 38, 39} {
		want(t, read(t, reader, from, 50-int(from)), [3]uint64{1, from, 40}, [3]uint64{1, 90, 100})
	}
	want(t, read(t, reader, 90, 10), [3]uint64{1, 90, 100})
	for _, from := range []uint64{40, 60, 89} {
		if err := reader.MiniBlocks(t.Context(), from, func(m *MiniBlock) error { return errEnough }); !errors.Is(err, ErrGone) {
			t.Errorf("from %d: %v", from, err)
		}
	}
}

func TestWhoIsAheadOfTheFeedSeesWhereItIs(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 10, 10)...)
	flush(t, leader)
	want(t, read(t, reader, 20, 1), [3]uint64{1, 9, 10})
	got := make(chan []string)
	go func() { got <- read(t, reader, 10, 1) }()
	publish(t, leader, small(1, 10, 10))
	want(t, <-got, [3]uint64{1, 10, 11})
}

func TestWhatIsNotHeldAnyMoreIsGone(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "leader", func(o *ClientOptions) { o.Publish.MaxBytes = 1 << 20 })
	reader := dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 100, 50_000)...)
	flush(t, leader)
	for _, from := range []uint64{0, 3, 70} {
		err := reader.MiniBlocks(t.Context(), from, func(m *MiniBlock) error { return errEnough })
		if !errors.Is(err, ErrGone) {
			t.Errorf("from %d: %v", from, err)
		}
	}
	want(t, read(t, reader, 95, 5), [3]uint64{1, 95, 100})
}

func TestAFeedThatIsEmptyBeginsWhereItBegins(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	got, gone := make(chan []string), make(chan error)
	go func() { got <- read(t, reader, 5, 3) }()
	go func() {
		gone <- reader.MiniBlocks(t.Context(), 4, func(m *MiniBlock) error { return errEnough })
	}()
	publish(t, leader, run(1, 5, 8, 10)...)
	want(t, <-got, [3]uint64{1, 5, 8})
	if err := <-gone; !errors.Is(err, ErrGone) {
		t.Errorf("a number before the first: %v", err)
	}
}

func TestAServerThatRestartsLosesNothing(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	start := func() *Server {
		s, err := StartServer(ServerOptions{ChainID: testChain, Dir: dir, Host: "127.0.0.1", Port: port, Users: testUsers, Public: true, Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	got := make(chan []string)
	go func() { got <- read(t, reader, 0, 900) }()
	for n := uint64(0); n < 900; n += 300 {
		publish(t, leader, run(1, n, n+300, 5000)...)
		if n < 600 {
			s.Close()
			s = start()
		}
	}
	want(t, <-got, [3]uint64{1, 0, 900})
	s.Close()
}

func TestAFeedThatBeginsAnewIsFollowed(t *testing.T) {
	port := freePort(t)
	start := func() *Server {
		s, err := StartServer(ServerOptions{ChainID: testChain, Dir: t.TempDir(), Host: "127.0.0.1", Port: port, Users: testUsers, Public: true, Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 50, 100)...)
	flush(t, leader)
	got, begun := make(chan []string), make(chan struct{})
	go func() {
		var once bool
		names := []string{}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		err := reader.MiniBlocks(ctx, 0, func(m *MiniBlock) error {
			names = append(names, MiniBlockID(&m.Header))
			if len(names) == 50 && !once {
				once = true
				close(begun)
			}
			if m.Header.Number == 59 {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Error(err)
		}
		got <- names
	}()
	<-begun
	s.Close()
	s = start() // with another directory
	defer s.Close()
	again := dial(t, s.URL(), "leader")
	publish(t, again, run(1, 45, 60, 100)...)
	flush(t, again)
	if names := <-got; len(names) != 60 {
		t.Errorf("%d mini-blocks, want 60", len(names))
	}
}

func TestTwoPublishersDoNotMix(t *testing.T) {
	s := serve(t)
	one, two := dial(t, s.URL(), "leader"), dial(t, s.URL(), "leader")
	publish(t, one, run(1, 0, 10, 10)...)
	flush(t, one)
	if mark, err := two.ResumeMiniBlocks(t.Context()); err != nil || mark.Number != 9 {
		t.Fatalf("it ends with %+v, %v", mark, err)
	}
	publish(t, two, run(2, 10, 20, 10)...)
	flush(t, two)
	publish(t, one, run(1, 10, 12, 10)...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := one.Flush(ctx); !errors.Is(err, ErrOvertaken) {
		t.Fatalf("who was overtaken: %v", err)
	}
	if err := one.PublishMiniBlock(small(1, 12, 10)); !errors.Is(err, ErrOvertaken) {
		t.Errorf("publishes on: %v", err)
	}
	if mark, err := one.ResumeMiniBlocks(t.Context()); err != nil || mark.Number != 19 {
		t.Errorf("it ends with %+v, %v", mark, err)
	}
	publish(t, one, small(3, 20, 10))
	want(t, read(t, dial(t, s.URL(), ""), 0, 21), [3]uint64{1, 0, 10}, [3]uint64{2, 10, 20}, [3]uint64{3, 20, 21})
}

func TestAQueueThatIsFullSaysSo(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "leader")
	publish(t, leader, small(1, 0, 10))
	flush(t, leader)
	s.Close()
	m := small(1, 1, 1000)
	for range 2 * maxQueue {
		if err := leader.PublishMiniBlock(m); err != nil {
			if !errors.Is(err, ErrBehind) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("it takes for ever")
}
