package safehead

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// Pauses between questions to an L1 that fails.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 8 * time.Second
)

// confirm asks L1 whether it still has what a block follows from that the node does not
// have: it may be L1 that has changed, and then nothing is given up for the block. The
// error then wraps derive.ErrReorg. An L1 that fails is asked until it answers or ctx ends.
func (t *Tracker) confirm(ctx context.Context, in *derive.BlockInput) error {
	defer t.waits(nil)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		h, err := t.opts.L1.HeaderByNumber(ctx, in.PostedIn.Number)
		switch {
		case err == nil && h.Hash() == in.PostedIn.Hash:
			return nil
		case err == nil || errors.Is(err, l1.ErrNotFound):
			return fmt.Errorf("block %d is not this node's, and L1 block %d is gone: %w", in.Number, in.PostedIn.Number, derive.ErrReorg)
		}
		t.waits(fmt.Errorf("L1 holds another block %d than this node, and fails when asked again: %w", in.Number, err))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// waits notes why a derived block cannot be adopted yet; nil: none waits.
func (t *Tracker) waits(why error) {
	t.mu.Lock()
	before := t.stuck
	t.stuck = why
	t.mu.Unlock()
	if (before == nil) == (why == nil) {
		return
	}
	if why != nil {
		t.opts.Log.Error("a block of this node is void, perhaps: trying again", "err", why)
	}
	if t.opts.Waits != nil {
		t.opts.Waits(why)
	}
}

// Stuck is why a derived block cannot be adopted yet; nil: none waits. Nothing should be
// built on the node's blocks meanwhile.
func (t *Tracker) Stuck() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stuck
}
