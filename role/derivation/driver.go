package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
)

// Handler takes what derivation decides. Its methods are called from one goroutine.
type Handler interface {
	// Execute executes the next block and gives its hash. An error that wraps
	// node.ErrInvalid says that the block does not execute, and changed nothing; one that
	// wraps derive.ErrReorg, that L1 has taken back what the block follows from. Any other
	// ends the driver.
	Execute(ctx context.Context, in *derive.BlockInput) (common.Hash, error)
	// Settled says that the L1 block tip has given all it gives, so many blocks, and the
	// state after it. An error ends the driver.
	Settled(blocks int, after derive.State, tip chain.L1Origin) error
	// Rewound says that L1 reorganised and that derivation goes on from state: every
	// later block that came from derivation is void.
	Rewound(state derive.State) error
}

// Driver connects an L1 to a handler.
type Driver struct {
	L1       l1feed.L1
	Config   *chain.Config
	Genesis  derive.State // to fall back on
	Start    derive.State // where derivation goes on
	Resolver l1feed.Resolver
	Handler  Handler
	// Confirmations is how deep below the L1 head a block must be.
	Confirmations uint64
	Log           *slog.Logger
}

// blocks hands out L1 blocks in order; the feed.
type blocks interface {
	// Next takes the next block, waiting for it.
	Next(ctx context.Context) (*derive.L1Block, error)
	// Rewind continues with block number, after which the configuration is system.
	Rewind(number uint64, system chain.SystemConfig)
}

// Run drives until ctx ends, which is no error, or the handler fails. On an L1 that is
// not the chain's it ends with ErrForeignL1.
func (d *Driver) Run(ctx context.Context) error {
	feed := l1feed.Start(d.L1, l1feed.Options{
		From: d.Start.From, Confirmations: d.Confirmations, Log: d.Log,
		Batches: &l1feed.Batches{Config: d.Config, System: d.Start.Reading, Resolver: d.Resolver},
	})
	defer feed.Close()
	return d.drive(ctx, feed, d.L1)
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
		err = p.Push(*b)
		if err == nil {
			err = d.execute(ctx, p, b.ID())
		}
		if errors.Is(err, derive.ErrReorg) {
			err = d.goBack(ctx, p, b.Number, feed, l1)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// execute has everything executed that the L1 block tip makes derivable.
func (d *Driver) execute(ctx context.Context, p *derive.Pipeline, tip chain.L1Origin) error {
	blocks := 0
	for in := p.Next(); in != nil; in = p.Next() {
		if in.Kind == derive.Forced {
			d.Log.Warn("block made from deposits alone: no batch came in time", "block", in.Number, "l1Origin", in.L1Attributes.Number, "l1Block", tip.Number)
		}
		hash, err := d.Handler.Execute(ctx, in)
		switch {
		case errors.Is(err, node.ErrInvalid):
			if err := p.Invalid(err); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			blocks++
			p.Executed(hash)
		}
	}
	for _, drop := range p.TakeDrops() {
		level := slog.LevelWarn
		switch drop.Reason {
		case derive.DropOld:
			level = slog.LevelDebug // read again after a restart, or posted twice
		case derive.FalseClaim, derive.DropExecution:
			level = slog.LevelError // the batcher lies, or this software executes differently from the sequencer's
		}
		d.Log.Log(ctx, level, "batch data ignored", "why", drop.String())
	}
	return d.Handler.Settled(blocks, p.State(), tip)
}

// goBack finds the state that both forks share and goes on from there.
func (d *Driver) goBack(ctx context.Context, p *derive.Pipeline, number uint64, feed blocks, l1 headers) error {
	f := fork{l1: l1, genesis: d.Genesis, log: d.Log}
	state, err := f.find(ctx, p, number)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find where L1 forked at block %d: %w", number, err)
	}
	d.Log.Warn("L1 reorganised; going back", "l1Block", number, "l2Block", state.Head.Number)
	if err := d.Handler.Rewound(state); err != nil {
		return err
	}
	p.Reset(state)
	feed.Rewind(state.From, state.Reading)
	return nil
}
