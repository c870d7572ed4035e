package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// ErrForeignL1 means that the L1 does not have the block that the chain began on: it
// is another L1, perhaps one that was started afresh with the same chain id. Nothing
// was rewound.
var ErrForeignL1 = errors.New("this is another L1 than the chain's")

// headers is what finding a fork asks an L1; *l1.Client is one. An error that wraps
// l1.ErrNotFound means that there is no such block.
type headers interface {
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	HeaderByTag(ctx context.Context, tag l1.Tag) (*types.Header, error)
}

// fork finds where an L1 left the chain of blocks that a pipeline knows.
type fork struct {
	l1      headers
	genesis derive.State
	log     *slog.Logger
}

// find finds the last L1 block that the pipeline and L1 share, at or below number,
// and the state that it decides. It waits for an L1 that cannot be read.
func (f *fork) find(ctx context.Context, p *derive.Pipeline, number uint64) (derive.State, error) {
	for n := number; n > f.genesis.PostedIn.Number; n-- {
		known, ok := p.L1Hash(n)
		if !ok {
			if n == number {
				continue
			}
			break
		}
		h, err := f.ask(ctx, func() (*types.Header, error) { return f.l1.HeaderByNumber(ctx, n) })
		if errors.Is(err, l1.ErrNotFound) {
			continue
		}
		if err != nil {
			return derive.State{}, err
		}
		if h.Hash() == known {
			if state, ok := p.StateBefore(n); ok {
				return state, nil
			}
			break
		}
	}
	return f.genesis, f.checkGenesis(ctx)
}

// checkGenesis fails unless L1 has the block that the chain began on: no state fits
// another L1, and going back to genesis for it would erase the chain for nothing.
func (f *fork) checkGenesis(ctx context.Context) error {
	want := f.genesis.PostedIn
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
			return fmt.Errorf("%w: block %d is %s, the genesis file says %s %s", ErrForeignL1, want.Number, h.Hash(), want.Hash, hint)
		case !errors.Is(err, l1.ErrNotFound):
			return err
		case head != nil && head.Number.Uint64() > want.Number:
			return fmt.Errorf("%w: it has no block %d, the genesis file says %s %s", ErrForeignL1, want.Number, want.Hash, hint)
		}
		if err := wait.pause(ctx, fmt.Errorf("L1 ends before block %d, on which the chain began", want.Number)); err != nil {
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
		b.log.Warn("L1 reorganised and cannot be read; trying again", "err", why)
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
