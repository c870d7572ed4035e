package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	// Settled says that the L1 blocks up to tip have given all they give, and the state after,
	// which is kept. Errors are those of Execute.
	Settled(after derive.State, tip chain.L1Origin) error
	// Rewound says that L1 reorganised and that derivation goes on from state: every
	// later block that came from derivation is void. States newer than it are gone for good.
	Rewound(state derive.State) error
}

// Driver connects an L1 to a handler.
type Driver struct {
	L1       l1feed.L1
	Config   *chain.Config
	States   *States // where derivation goes on, and goes back to
	Resolver l1feed.Resolver
	Handler  Handler
	// Confirmations is how deep below the L1 head a block must be.
	Confirmations uint64
	Poll          time.Duration // how often L1 is asked for its head [250 ms]
	Log           *slog.Logger
}

// blocks hands out L1 blocks in order; the feed.
type blocks interface {
	// Next takes the next block, waiting for it. An error that wraps derive.ErrReorg says
	// that L1 took back one that it gave.
	Next(ctx context.Context) (*derive.L1Block, error)
	// Rewind continues with block number, after which the configuration is system. L1 has
	// the block shared.
	Rewind(number uint64, system chain.SystemConfig, shared chain.L1Origin)
}

// Run drives until ctx ends, which is no error, or the handler fails. On an L1 that is
// not the chain's it ends with ErrForeignL1.
func (d *Driver) Run(ctx context.Context) error {
	start := d.States.Newest()
	feed := l1feed.Start(d.L1, l1feed.Options{
		From: start.From, Confirmations: d.Confirmations, Poll: d.Poll, Log: d.Log,
		Batches: &l1feed.Batches{Config: d.Config, System: start.Reading, Resolver: d.Resolver},
	})
	defer feed.Close()
	return d.drive(ctx, feed, d.L1)
}

func (d *Driver) drive(ctx context.Context, feed blocks, l1 headers) error {
	p := derive.New(d.Config, d.States.Newest(), derive.Settings{})
	err := d.checkStart(ctx, p, feed, l1)
	for ctx.Err() == nil && err == nil {
		err = d.step(ctx, p, feed, l1)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// checkStart goes back if L1 reorganised while nobody looked.
func (d *Driver) checkStart(ctx context.Context, p *derive.Pipeline, feed blocks, l1 headers) error {
	posted := d.States.Newest().PostedIn
	h, err := l1.HeaderByNumber(ctx, posted.Number)
	if err != nil || h.Hash() == posted.Hash {
		return nil // or it shows when the block is read
	}
	return d.goBack(ctx, p, posted.Number, feed, l1)
}

// step reads one L1 block.
func (d *Driver) step(ctx context.Context, p *derive.Pipeline, feed blocks, l1 headers) error {
	at := p.NextL1()
	b, err := feed.Next(ctx)
	if err == nil {
		err = p.Push(*b)
	}
	if err == nil {
		err = d.execute(ctx, p, b.ID())
	}
	if errors.Is(err, derive.ErrReorg) {
		return d.goBack(ctx, p, at, feed, l1)
	}
	return err
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
	if blocks > 0 {
		if err := d.States.Add(p.State()); err != nil {
			return err
		}
	}
	after := p.State()
	if tip.Number < after.PostedIn.Number { // read once more, for the frames in it
		tip = after.PostedIn
	}
	return d.Handler.Settled(after, tip)
}

// goBack finds the newest state that L1 still decides and goes on from there.
func (d *Driver) goBack(ctx context.Context, p *derive.Pipeline, number uint64, feed blocks, l1 headers) error {
	f := fork{l1: l1, log: d.Log}
	state, err := f.find(ctx, d.States)
	if err != nil {
		return fmt.Errorf("find where L1 forked before block %d: %w", number, err)
	}
	d.Log.Warn("L1 reorganised; going back", "l1Block", number, "l2Block", state.Head.Number)
	if err := d.States.BackTo(state); err != nil {
		return err
	}
	if err := d.Handler.Rewound(state); err != nil {
		return err
	}
	p.Reset(state)
	feed.Rewind(state.From, state.Reading, state.PostedIn)
	return nil
}
