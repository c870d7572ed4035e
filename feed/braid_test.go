package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/talaria-l2/talaria/chain"
)

// strand is a connection that gives all of a list, late by whatever it likes.
type strand struct {
	Source
	all    []*MiniBlock
	random *rand.Rand
	calls  atomic.Int64
	goneAt uint64 // once, before the mini-block with this number; 0: never
	given  atomic.Int64
}

func (s *strand) MiniBlocks(ctx context.Context, from uint64, f func(*MiniBlock) error) error {
	first := s.calls.Add(1) == 1
	begun := false
	for _, m := range s.all {
		if begun = begun || m.Header.Number == from; !begun {
			continue
		}
		if first && s.goneAt > 0 && m.Header.Number == s.goneAt {
			time.Sleep(time.Minute) // the others are at the end
			return fmt.Errorf("%w %d", ErrGone, s.goneAt)
		}
		if s.random.IntN(10) == 0 {
			time.Sleep(time.Duration(s.random.IntN(100)) * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
		s.given.Add(1)
		if err := f(m); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// feedOf has numbers up to 300, then again from 250 in another epoch. All are new.
func feedOf() (all []*MiniBlock) {
	add := func(epoch, from, to uint64) {
		for n := from; n <= to; n++ {
			all = append(all, &MiniBlock{MiniBlock: &chain.MiniBlock{Header: chain.MiniBlockHeader{Epoch: epoch, Number: n, TimestampMicros: chain.Micros(time.Now().UnixMicro())}}})
		}
	}
	add(1, 10, 300)
	add(2, 250, 400)
	return all
}

func TestOfEachMiniBlockTheFirstIsTaken(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			all := feedOf()
			var strands []*strand
			var b Braid
			for i := range 3 {
				s := &strand{all: all, random: rand.New(rand.NewPCG(seed, uint64(i)))}
				strands, b = append(strands, s), append(b, s)
			}
			strands[2].goneAt = 100
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var got []*MiniBlock
			if err := b.MiniBlocks(ctx, 10, func(m *MiniBlock) error { got = append(got, m); return nil }); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if !slices.Equal(got, all) {
				t.Errorf("seed %d: %d mini-blocks of %d, or in another order", seed, len(got), len(all))
			}
			if strands[2].calls.Load() != 2 {
				t.Errorf("seed %d: who fell behind was asked %d times", seed, strands[2].calls.Load())
			}
		})
	}
}

// What is old comes over one connection; the others are read when that is up with the
// chain, or gives nothing.
func TestWhatIsOldIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := feedOf()
		for _, m := range all[:200] {
			m.Header.TimestampMicros -= 1_000_000_000
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var froms [3]uint64
		var b Braid
		for i := range froms {
			s := &strand{all: all, random: rand.New(rand.NewPCG(7, uint64(i)))}
			b = append(b, sourceFunc(func(ctx context.Context, from uint64, f func(*MiniBlock) error) error {
				froms[i] = from
				return s.MiniBlocks(ctx, from, f)
			}))
		}
		var got []*MiniBlock
		if err := b.MiniBlocks(ctx, 10, func(m *MiniBlock) error { got = append(got, m); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if !slices.Equal(got, all) {
			t.Errorf("%d mini-blocks of %d, or in another order", len(got), len(all))
		}
		if first := all[200].Header.Number + 1; froms[0] != 10 || froms[1] < first || froms[2] < first {
			t.Errorf("the three are read from %v on, new ones begin with %d", froms, first-1)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		all := feedOf()
		silent := sourceFunc(func(ctx context.Context, _ uint64, _ func(*MiniBlock) error) error { <-ctx.Done(); return ctx.Err() })
		begun, n := time.Now(), 0
		err := Braid{silent, &strand{all: all, random: rand.New(rand.NewPCG(1, 1))}}.MiniBlocks(t.Context(), 10, func(*MiniBlock) error {
			if n++; n == len(all) {
				return errEnough
			}
			return nil
		})
		if took := time.Since(begun); !errors.Is(err, errEnough) || took > braidPatience+time.Minute {
			t.Errorf("%d mini-blocks of %d after %v: %v", n, len(all), took, err)
		}
	})
}

func TestABraidEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, enough := feedOf(), errors.New("enough")
		b := Braid{&strand{all: all, random: rand.New(rand.NewPCG(1, 1))}, &strand{all: all, random: rand.New(rand.NewPCG(2, 2))}}
		n := 0
		err := b.MiniBlocks(t.Context(), 10, func(*MiniBlock) error {
			if n++; n == 50 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || n != 50 {
			t.Errorf("after %d: %v", n, err)
		}
	})
}

func TestABraidOfNothingIsGone(t *testing.T) {
	gone := sourceFunc(func(context.Context, uint64, func(*MiniBlock) error) error { return fmt.Errorf("%w 5", ErrGone) })
	if err := (Braid{gone, gone}).MiniBlocks(t.Context(), 5, func(*MiniBlock) error { return nil }); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

type sourceFunc func(context.Context, uint64, func(*MiniBlock) error) error

func (sourceFunc) Blocks(context.Context, uint64, func(*Block) error) error      { return nil }
func (sourceFunc) Witnesses(context.Context, uint64, func(*Witness) error) error { return nil }
func (sourceFunc) Attestations(context.Context, uint64, func(*Attestation) error) error {
	return nil
}
func (s sourceFunc) MiniBlocks(ctx context.Context, from uint64, f func(*MiniBlock) error) error {
	return s(ctx, from, f)
}
