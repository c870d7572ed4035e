package replica

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// logFile is the newest log of the database, which it writes in order: what a crash leaves
// is a beginning of it.
func logFile(t *testing.T, dir string) (path string, size int64) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*", "*.log")) // ascending
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs of the database: %v %v", logs, err)
	}
	path = logs[len(logs)-1]
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info.Size()
}

// A follower is killed anywhere between its first writes and the end of a rewind that takes
// back several states: whatever of its writes is left, it starts right, near where it was,
// and reaches the same chain.
func TestAKillAtEveryStepOfARewindStartsRight(t *testing.T) {
	w := newWorld(t)
	w.l1.final = 14
	sync := func() (log string, size int64) {
		t.Helper()
		if err := w.node.Store().Sync(); err != nil {
			t.Fatal(err)
		}
		return logFile(t, w.dir)
	}
	var log string
	var before, rewound int64
	var floor, target uint64
	for first := "none"; first != log; { // again if the database began another log in between
		for goal := w.l1.tip() + 40; w.l1.tip() < goal; {
			w.advance()
		}
		floor = w.finalise()
		first, before = sync()
		top := w.node.PublishedHead().Number.Uint64()
		w.l1.reorg(12, isLost)
		w.rest()
		log, rewound = sync()
		target = w.node.PublishedHead().Number.Uint64()
		if target < floor || target+5 > top {
			t.Fatalf("the rewind goes from block %d to %d, final is %d", top, target, floor)
		}
	}
	image := t.TempDir()
	if err := os.CopyFS(image, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	w.maker.make(1)
	w.advance()
	head := w.node.PublishedHead()
	try := func(cut int64) {
		dir := filepath.Join(t.TempDir(), "cut")
		if err := os.CopyFS(dir, os.DirFS(image)); err != nil {
			t.Fatal(err)
		}
		path, _ := logFile(t, dir)
		if err := os.Truncate(path, cut); err != nil {
			t.Fatal(err)
		}
		n := openNodeAt(t, dir, w.g)
		defer func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		r, err := Start(n, Options{L1: w.l1, Poll: 2 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, rewound, err)
		}
		defer r.Close()
		if cut >= before && r.Status().Starting < target {
			t.Errorf("cut at %d, the rewind is from %d to %d: starts at block %d, the rewind's end is %d", cut, before, rewound, r.Status().Starting, target)
		}
		safe, finalized := n.Finality()
		if newest := n.PublishedHead().Number.Uint64(); safe > newest || finalized > safe || cut >= before && finalized < floor {
			t.Errorf("cut at %d: head %d, safe %d, finalized %d", cut, newest, safe, finalized)
		}
		for deadline := time.Now().Add(20 * time.Second); n.PublishedHead().Hash() != head.Hash(); time.Sleep(time.Millisecond) {
			select {
			case <-n.Failed():
				t.Fatalf("cut at %d: %v", cut, n.Failure())
			default:
			}
			if time.Now().After(deadline) {
				t.Fatalf("cut at %d: is at %d, want %d", cut, n.PublishedHead().Number, head.Number)
			}
		}
	}
	for i := range int64(10) {
		try(before * i / 10)
	}
	for i := range int64(41) {
		try(before + (rewound-before)*i/40)
	}
}
