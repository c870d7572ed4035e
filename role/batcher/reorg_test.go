package batcher

import (
	"testing"
	"time"
)

// A batch moves to other L1 blocks with the reorganisation, and whoever reads L1 goes
// back: it is not posted again.
func TestWhatL1MovesIsNotPostedAgain(t *testing.T) {
	for depth := 1; depth <= 10; depth++ {
		run(t, 6, func(t *testing.T, w *world) {
			b := w.start(nil)
			defer b.Close()
			time.Sleep(9 * time.Second)
			w.grow(t, 4)
			time.Sleep(9 * time.Second)
			w.mu.Lock()
			var moved []Tx
			for i := max(1, len(w.l1)-depth); i < len(w.l1); i++ {
				moved = append(moved, w.l1[i].txs...)
				w.nonce -= uint64(len(w.l1[i].txs))
				w.l1[i] = l1Block{}
			}
			for _, tx := range moved {
				w.pool[tx.Nonce] = tx
			}
			w.read -= depth
			w.mu.Unlock()
			w.grow(t, 2)
			w.settle(t, b, 3*time.Minute)
		})
	}
}

// What L1 includes may be void all the same, for its origin was of another fork. Batches
// behind it follow quickly and wait for it: that does not hide it.
func TestAVoidBatchIsPostedAgainWhileOthersFollow(t *testing.T) {
	run(t, 6, func(t *testing.T, w *world) {
		b := w.start(nil)
		defer b.Close()
		voided := false
		for range 60 {
			time.Sleep(time.Second)
			w.grow(t, 1)
			w.mu.Lock()
			if newest := &w.l1[len(w.l1)-1]; !voided && len(w.l1) > 15 && len(newest.txs) > 0 {
				newest.txs, voided = nil, true // its nonce stays used
			}
			w.mu.Unlock()
		}
		w.mu.Lock()
		count := len(w.blocks) - 1
		w.mu.Unlock()
		if safe, _ := w.Safe(); !voided || safe+10 < uint64(count) {
			t.Fatalf("safe is %d of %d blocks", safe, count)
		}
	})
}
