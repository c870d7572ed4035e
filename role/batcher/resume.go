package batcher

import (
	"context"
	"time"
)

// resume finds out where to go on: after a start, and after a transaction whose fate is
// not known. It has to be called until resumed is set: derivation must have read what L1
// holds now, and transactions that L1's pool still has are given time to be included.
func (b *Batcher) resume(ctx context.Context) error {
	latest, pending, err := b.opts.L1.Nonces(ctx)
	if err != nil {
		return err
	}
	if pending > latest {
		if b.waiting.IsZero() {
			b.waiting = time.Now()
			b.opts.Log.Info("waiting for transactions of an earlier run", "transactions", pending-latest)
		}
		if time.Since(b.waiting) < b.opts.Patience {
			return nil
		}
		// Stuck. The first batch takes their first nonce: one of both is included.
	}
	if b.goal == 0 {
		if b.goal, err = b.opts.L1.Head(ctx); err != nil {
			return err
		}
	}
	if _, tip := b.opts.Tracker.Safe(); tip < b.goal {
		return nil
	}
	// Nothing may have been included between the two looks.
	again, _, err := b.opts.L1.Nonces(ctx)
	if err != nil {
		return err
	}
	if again != latest {
		b.goal = 0
		return nil
	}
	b.nonce, b.resumed, b.goal, b.waiting = latest, true, 0, time.Time{}
	b.sent = nil
	return nil
}
