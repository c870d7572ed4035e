package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
)

// Handler takes what derivation decides. Its methods are called from one goroutine.
type Handler interface {
	// Derived takes what the L1 block tip made derivable, possibly nothing, and the
	// state after it. An error ends the driver.
	Derived(inputs []derive.BlockInput, after derive.State, tip chain.L1Origin) error
	// Rewound says that L1 reorganised and that derivation goes on from state: every
	// later block that came from derivation is void.
	Rewound(state derive.State) error
}

// Driver connects an L1 to a handler.
type Driver struct {
	Client  *l1.Client
	Source  *l1.Source
	Config  *chain.Config
	Genesis derive.State // to fall back on
	Start   derive.State // where derivation goes on
	Handler Handler
	// Confirmations is how deep below the L1 head a block must be.
	Confirmations uint64
	Log           *slog.Logger
}

// blocks hands out L1 blocks in order; the feed.
type blocks interface {
	// Next takes the next block, waiting for it.
	Next(ctx context.Context) (*derive.L1Block, error)
	// Rewind continues with block number.
	Rewind(number uint64)
}

// Run drives until ctx ends, which is no error, or the handler fails. On an L1 that is
// not the chain's it ends with ErrForeignL1.
func (d *Driver) Run(ctx context.Context) error {
	feed := l1feed.Start(d.Client, d.Source, l1feed.Options{From: d.Start.FirstL1(), Confirmations: d.Confirmations, Log: d.Log})
	defer feed.Close()
	return d.drive(ctx, feed, d.Client)
}

func (d *Driver) drive(ctx context.Context, feed blocks, l1 headers) error {
	p := derive.New(d.Config, d.Start, derive.Settings{})
	for {
		b, err := feed.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		inputs, err := p.Push(*b)
		for _, drop := range p.TakeDrops() {
			level := slog.LevelWarn
			if drop.Reason == derive.DropOld {
				level = slog.LevelDebug // read again after a restart, or posted twice
			}
			d.Log.Log(ctx, level, "batch data ignored", "why", drop.String())
		}
		switch {
		case errors.Is(err, derive.ErrReorg):
			f := fork{l1: l1, genesis: d.Genesis, log: d.Log}
			state, err := f.find(ctx, p, b.Number)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("find where L1 forked at block %d: %w", b.Number, err)
			}
			d.Log.Warn("L1 reorganised; going back", "l1Block", b.Number, "l2Block", state.Head.Number)
			if err := d.Handler.Rewound(state); err != nil {
				return err
			}
			p.Reset(state)
			feed.Rewind(p.NextL1())
		case err != nil:
			return err
		default:
			if err := d.Handler.Derived(inputs, p.State(), b.ID()); err != nil {
				return err
			}
		}
	}
}
