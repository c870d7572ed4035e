package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// ErrForeignL1 means that the L1 does not have the block that the chain began on, or one
// that it had called final: it is another L1, perhaps one that was started afresh with the
// same chain id. Nothing was rewound.
var ErrForeignL1 = errors.New("this is another L1 than the chain's")

// headers is what finding a fork asks an L1; *l1.Client is one. An error that wraps
// l1.ErrNotFound means that there is no such block.
type headers interface {
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	HeaderByTag(ctx context.Context, tag l1.Tag) (*types.Header, error)
}

// fork finds where an L1 left the chain of blocks that states were derived from.
type fork struct {
	l1  headers
	log *slog.Logger
}

// find is the newest state whose deciding block, and so every block before it, is on L1.
// It waits for an L1 that cannot be read.
func (f *fork) find(ctx context.Context, states *States) (derive.State, error) {
	for i := len(states.list) - 1; i > 0; i-- {
		if there, err := f.isThere(ctx, states.list[i].PostedIn); there || err != nil {
			return states.list[i], err
		}
	}
	return states.Oldest(), f.checkOldest(ctx, states.Oldest())
}

// isThere tells whether L1 has the block.
func (f *fork) isThere(ctx context.Context, block chain.L1Origin) (bool, error) {
	h, err := f.ask(ctx, func() (*types.Header, error) { return f.l1.HeaderByNumber(ctx, block.Number) })
	if errors.Is(err, l1.ErrNotFound) {
		return false, nil
	}
	return err == nil && h.Hash() == block.Hash, err
}

// checkOldest fails unless L1 has the block that decides the oldest state: no other fits
// this L1, and going back further would erase what was final for nothing.
func (f *fork) checkOldest(ctx context.Context, oldest derive.State) error {
	want, why := oldest.PostedIn, "the genesis file says"
	if oldest.Head.Number > 0 {
		why = "when it was final it was"
	}
	const hint = "(start the L1 again with the data that it had, connect to the right one, or begin with this L1's genesis file in a new directory)"
	for wait := f.newBackoff(); ; {
		// The head first: a block that is not there although an older head was beyond it
		// will not come.
		head, err := f.ask(ctx, func() (*types.Header, error) { return f.l1.HeaderByTag(ctx, l1.Latest) })
		if err != nil && !errors.Is(err, l1.ErrNotFound) {
			return err
		}
		h, err := f.ask(ctx, func() (*types.Header, error) { return f.l1.HeaderByNumber(ctx, want.Number) })
		switch {
		case err == nil && h.Hash() == want.Hash:
			return nil
		case err == nil:
			return fmt.Errorf("%w: block %d is %s, %s %s %s", ErrForeignL1, want.Number, h.Hash(), why, want.Hash, hint)
		case !errors.Is(err, l1.ErrNotFound):
			return err
		case head != nil && head.Number.Uint64() > want.Number:
			return fmt.Errorf("%w: it has no block %d, %s %s %s", ErrForeignL1, want.Number, why, want.Hash, hint)
		}
		if err := wait.pause(ctx, fmt.Errorf("L1 ends before block %d, on which the chain is built", want.Number)); err != nil {
			return err
		}
	}
}

// ask repeats a question until L1 answers, if only that there is no such block, or
// ctx ends.
func (f *fork) ask(ctx context.Context, question func() (*types.Header, error)) (*types.Header, error) {
	for wait := f.newBackoff(); ; {
		h, err := question()
		if err == nil || errors.Is(err, l1.ErrNotFound) {
			return h, err
		}
		if err := wait.pause(ctx, err); err != nil {
			return nil, err
		}
	}
}

// Pauses between attempts.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 8 * time.Second
)

// backoff makes pauses, each twice as long as the one before.
type backoff struct {
	log  *slog.Logger
	next time.Duration
}

func (f *fork) newBackoff() *backoff { return &backoff{log: f.log, next: firstPause} }

// pause waits, or fails when ctx ends. The first one says why.
func (b *backoff) pause(ctx context.Context, why error) error {
	if b.next == firstPause && ctx.Err() == nil {
		b.log.Warn("L1 may have reorganised and cannot be read; trying again", "err", why)
	}
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, maxPause)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
