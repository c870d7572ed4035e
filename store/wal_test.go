package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const testDir = "/wal"

type logged struct {
	kind    byte
	payload []byte
}

// payloadOf is what tests append as record seq.
func payloadOf(rng *rand.Rand, limit int) []byte {
	b := make([]byte, rng.IntN(limit))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// openTest opens a log with small segments and returns what it replayed.
func openTest(fs *memFS, opts WALOptions) (*WAL, []logged, error) {
	opts.fs = fs
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = minSegmentBytes
	}
	var got []logged
	var want uint64
	w, err := OpenWAL(testDir, opts, func(seq uint64, kind byte, payload []byte) error {
		if want != 0 && seq != want {
			return fmt.Errorf("record %d, want %d", seq, want)
		}
		want = seq + 1
		got = append(got, logged{kind, bytes.Clone(payload)})
		return nil
	})
	return w, got, err
}

func mustOpen(t testing.TB, fs *memFS, opts WALOptions) (*WAL, []logged) {
	t.Helper()
	w, got, err := openTest(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return w, got
}

func mustClose(t testing.TB, w *WAL) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendEach appends records one by one, each durable before the next.
func appendEach(t testing.TB, w *WAL, recs []logged) {
	t.Helper()
	for _, r := range recs {
		if _, err := w.Append(r.kind, r.payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func equalRecords(a, b []logged) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].kind != b[i].kind || !bytes.Equal(a[i].payload, b[i].payload) {
			return false
		}
	}
	return true
}

func TestMain(m *testing.M) {
	if runCrashChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestWALReplaysWhatWasAppended(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	fs := newMemFS()
	var all []logged
	for round := range 4 {
		var last atomic.Uint64
		w, got := mustOpen(t, fs, WALOptions{OnDurable: func(seq uint64) {
			if old := last.Swap(seq); seq <= old {
				t.Errorf("acknowledged %d after %d", seq, old)
			}
		}})
		if !equalRecords(got, all) {
			t.Fatalf("round %d: replayed %d records, want %d", round, len(got), len(all))
		}
		for range 200 {
			size := 3000
			if rng.IntN(50) == 0 {
				size = 3 * minSegmentBytes // larger than a segment
			}
			r := logged{byte(rng.Uint32()), payloadOf(rng, size)}
			seq, err := w.Append(r.kind, r.payload)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
			if seq != uint64(len(all)) {
				t.Fatalf("record %d got number %d", len(all), seq)
			}
		}
		mustClose(t, w)
		if last.Load() != uint64(len(all)) || w.Durable() != uint64(len(all)) {
			t.Fatalf("acknowledged %d of %d", last.Load(), len(all))
		}
		if _, err := w.Append(0, nil); !errors.Is(err, ErrClosed) {
			t.Fatalf("append to a closed log: %v", err)
		}
	}
}

func TestWALTruncateKeepsWhatIsNeeded(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, noSync := range []bool{false, true} {
		fs := newMemFS()
		w, _ := mustOpen(t, fs, WALOptions{NoSync: noSync})
		var all []logged
		for range 300 {
			all = append(all, logged{1, payloadOf(rng, 3000)})
		}
		appendEach(t, w, all)
		before, _ := fs.List(testDir)
		if err := w.Truncate(200); err != nil {
			t.Fatal(err)
		}
		after, _ := fs.List(testDir)
		if len(after) >= len(before) {
			t.Fatalf("%d segments before, %d after", len(before), len(after))
		}
		if err := w.Truncate(1 << 60); err != nil {
			t.Fatal(err)
		}
		mustClose(t, w)
		w, got := mustOpen(t, fs, WALOptions{NoSync: noSync})
		r := w.Recovery()
		if r.LastSeq != 300 || r.FirstSeq < 200 || len(got) != int(300-r.FirstSeq+1) || !equalRecords(got, all[r.FirstSeq-1:]) {
			t.Fatalf("recovery %+v with %d records", r, len(got))
		}
		if seq, err := w.Append(1, nil); err != nil || seq != 301 {
			t.Fatalf("appended %d, %v", seq, err)
		}
		mustClose(t, w)
	}
}

// After a crash that keeps any subset of the unsynced sectors, every acknowledged
// record is there and none was invented, over many lives of one log.
func TestWALCrashLosesNothingAcknowledged(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(7, seed))
		fs := newMemFS()
		var written []logged
		for life := range 8 {
			var acked atomic.Uint64
			acked.Store(uint64(len(written)))
			w, got := mustOpen(t, fs, WALOptions{OnDurable: func(seq uint64) { acked.Store(seq) }})
			if !equalRecords(got, written[:len(got)]) {
				t.Fatalf("seed %d life %d: invented records", seed, life)
			}
			written = written[:len(got)]
			stopAt := int64(rng.IntN(60))
			var calls atomic.Int64
			fs.mu.Lock()
			fs.fault = func(op, name string) error {
				if (op == "datasync" || op == "write") && calls.Add(1) > stopAt {
					return syscall.EIO
				}
				return nil
			}
			fs.mu.Unlock()
			for range 80 {
				r := logged{byte(rng.Uint32()), payloadOf(rng, 4000)}
				if _, err := w.Append(r.kind, r.payload); err != nil {
					break
				}
				written = append(written, r)
				if rng.IntN(3) == 0 && w.Flush() != nil {
					break
				}
			}
			w.Close() // fails as the device does
			fs.crash(rng)
			w, got = mustOpen(t, fs, WALOptions{})
			if uint64(len(got)) < acked.Load() {
				t.Fatalf("seed %d life %d: %d records, %d were acknowledged", seed, life, len(got), acked.Load())
			}
			if len(got) > len(written) || !equalRecords(got, written[:len(got)]) {
				t.Fatalf("seed %d life %d: invented records", seed, life)
			}
			written = written[:len(got)]
			mustClose(t, w)
		}
	}
}

func TestWALFailureIsFinal(t *testing.T) {
	for _, tc := range []struct {
		op  string
		err error
	}{
		{"datasync", syscall.EIO},
		{"write", syscall.ENOSPC}, // after half of the bytes
		{"write", syscall.EIO},
	} {
		t.Run(tc.op+" "+tc.err.Error(), func(t *testing.T) {
			fs := newMemFS()
			var acked atomic.Uint64
			reported := make(chan error, 2)
			w, _ := mustOpen(t, fs, WALOptions{
				OnDurable: func(seq uint64) { acked.Store(seq) },
				OnError:   func(err error) { reported <- err },
			})
			first := []logged{{1, []byte("one")}, {2, []byte("two")}}
			appendEach(t, w, first)
			<-prepared(w)
			var failed atomic.Bool
			fs.mu.Lock()
			fs.fault = func(op, name string) error {
				if op == tc.op && failed.CompareAndSwap(false, true) {
					return tc.err // once: a retry would succeed
				}
				return nil
			}
			fs.mu.Unlock()
			if _, err := w.Append(3, []byte("three")); err != nil {
				t.Fatal(err)
			}
			if err := <-reported; !errors.Is(err, tc.err) {
				t.Fatalf("reported %v", err)
			}
			if _, err := w.Append(4, nil); !errors.Is(err, tc.err) {
				t.Fatalf("append after failure: %v", err)
			}
			if err := w.Flush(); !errors.Is(err, tc.err) {
				t.Fatalf("flush after failure: %v", err)
			}
			if err := w.Close(); !errors.Is(err, tc.err) {
				t.Fatalf("close after failure: %v", err)
			}
			if acked.Load() != 2 || len(reported) != 0 {
				t.Fatalf("acknowledged %d, %d more reports", acked.Load(), len(reported))
			}
			w, got := mustOpen(t, fs, WALOptions{})
			if len(got) < 2 || !equalRecords(got[:2], first) {
				t.Fatalf("%d records after the failure", len(got))
			}
			mustClose(t, w)
		})
	}
}

// prepared tells when the next segment is ready, so that faults hit the writer.
func prepared(w *WAL) <-chan struct{} {
	done := make(chan struct{})
	r := <-w.segmentReady
	w.segmentReady <- r
	close(done)
	return done
}

func TestWALDiskFullAtTheNextSegment(t *testing.T) {
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{})
	<-prepared(w)
	fs.mu.Lock()
	fs.fault = func(op, name string) error {
		if op == "allocate" {
			return syscall.ENOSPC
		}
		return nil
	}
	fs.mu.Unlock()
	n := 0
	var err error
	for err == nil {
		if _, err = w.Append(1, make([]byte, 8000)); err == nil {
			if err = w.Flush(); err == nil {
				n++
			}
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	fs.mu.Lock()
	fs.fault = nil
	fs.mu.Unlock()
	w, got := mustOpen(t, fs, WALOptions{})
	if len(got) != n {
		t.Fatalf("%d records, %d were acknowledged", len(got), n)
	}
	mustClose(t, w)
}

func TestWALAppendWaitsWhenTheQueueIsFull(t *testing.T) {
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{QueueBytes: minQueueBytes})
	<-prepared(w)
	release := make(chan struct{})
	fs.mu.Lock()
	fs.fault = func(op, name string) error {
		if op == "datasync" {
			<-release
		}
		return nil
	}
	fs.mu.Unlock()
	var appended atomic.Int64
	done := make(chan error)
	go func() {
		for range 50 {
			if _, err := w.Append(1, make([]byte, 10_000)); err != nil {
				done <- err
				return
			}
			appended.Add(1)
		}
		done <- nil
	}()
	release <- struct{}{} // the first group is on the device
	// By now one group can be done, one with the writer, and one in the queue.
	if n := appended.Load(); n > 3*minQueueBytes/10_000 {
		t.Fatalf("%d records of 10,000 bytes accepted by a queue of %d", n, minQueueBytes)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mustClose(t, w)
	w, got := mustOpen(t, fs, WALOptions{})
	if len(got) != 50 {
		t.Fatalf("%d records", len(got))
	}
	mustClose(t, w)
}

func TestWALReplayErrorEndsOpen(t *testing.T) {
	fs, _ := smallLog(t, 3)
	want := errors.New("no")
	_, err := OpenWAL(testDir, WALOptions{fs: fs}, func(seq uint64, _ byte, _ []byte) error {
		if seq == 2 {
			return want
		}
		return nil
	})
	if !errors.Is(err, want) {
		t.Fatal(err)
	}
}

func TestWALPayloadCannotForgeARecord(t *testing.T) {
	// A payload that holds the bytes of a record of another log proves nothing.
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{})
	forged := appendRecord(nil, 1, 99, []byte("x"))
	seal(forged, w.id+1, 98)
	appendEach(t, w, []logged{{1, []byte("a")}, {1, forged}})
	mustClose(t, w)
	end := ends([]logged{{1, []byte("a")}})[1]
	fs.files[segmentPath(1)].now[end] ^= 0xff
	w, got := mustOpen(t, fs, WALOptions{})
	if len(got) != 1 {
		t.Fatalf("%d records", len(got))
	}
	mustClose(t, w)
}

func TestWALOptionsAreChecked(t *testing.T) {
	for _, o := range []WALOptions{{SegmentBytes: 1}, {SegmentBytes: minSegmentBytes + 1}, {SegmentBytes: 2 << 30}, {QueueBytes: 5}} {
		if _, err := OpenWAL(t.TempDir(), o, nil); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
}

func TestWALOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "wal")
	for life := range 3 {
		n := 0
		w, err := OpenWAL(dir, WALOptions{SegmentBytes: 1 << 20}, func(uint64, byte, []byte) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if n != life*300 {
			t.Fatalf("life %d: %d records", life, n)
		}
		for range 300 {
			if _, err := w.Append(1, make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, w)
	}
}
