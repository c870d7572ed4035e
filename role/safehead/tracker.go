package safehead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// stateName is under which the tracker keeps its state, unless told otherwise.
const stateName = "safehead"

// Adopter makes a derived block the chain's, in place of what the node has from its
// number on. An error that wraps node.ErrInvalid says that the block does not execute.
type Adopter interface {
	Adopt(ctx context.Context, in *derive.BlockInput) (common.Hash, error)
}

// Options of a tracker.
type Options struct {
	L1       l1feed.L1
	Resolver l1feed.Resolver // finds batch data that is not on L1; nil: nothing does
	Adopter  Adopter         // nil: a difference ends the tracker with ErrDiverged
	// Waits is told why a block cannot be adopted yet, and with nil when it can; nil: nobody is.
	Waits func(error)
	// States is the name under which the node keeps what the tracker needs to go on
	// ["safehead"].
	States string
	Poll   time.Duration // how often L1 is asked for its head [250 ms]
	Log    *slog.Logger  // [slog.Default()]
}

// Tracker follows what L1 holds of a node's chain.
type Tracker struct {
	node *node.Node
	opts Options

	mu    sync.Mutex
	state derive.State
	tip   uint64 // newest L1 block read
	stuck error  // why a derived block cannot be adopted yet; nil: none waits
	goal  uint64 // L1's head when the first block was read; 0: not known

	heads   derivation.Heads
	headsAt time.Time // when they were read

	cancel context.CancelFunc
	done   chan struct{}
}

// headsPeriod is how often L1's heads are asked for at the most.
const headsPeriod = 500 * time.Millisecond

// Start begins to track, from where the last run stopped.
func Start(n *node.Node, opts Options) (*Tracker, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.States == "" {
		opts.States = stateName
	}
	states, err := derivation.LoadStates(n.DerivationStates(opts.States))
	if err != nil {
		return nil, err
	}
	t := &Tracker{node: n, opts: opts, done: make(chan struct{}), state: states.Newest()}
	t.heads = derivation.Heads{L1: opts.L1, States: states}
	if err := t.setFinality(t.state); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	driver := &derivation.Driver{L1: opts.L1, Resolver: opts.Resolver, Config: n.Config(), States: states, Handler: t, Poll: opts.Poll, Log: opts.Log}
	go func() {
		defer close(t.done)
		if err := driver.Run(ctx); err != nil {
			// What L1 holds is not this chain, or cannot be told: nothing may be built on it.
			n.Fail(fmt.Errorf("compare with L1: %w", err))
		}
	}()
	return t, nil
}

// Close stops tracking and waits for it.
func (t *Tracker) Close() {
	t.cancel()
	<-t.done
}

// Head is the newest block that L1 decides, and the newest L1 block read so far; 0 before
// the first. It is caught up when it has read what L1 had at the start.
func (t *Tracker) Head() (head derive.Head, tip uint64, caughtUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.Head, t.tip, t.goal > 0 && t.tip >= t.goal
}

// Safe is the newest block that needs no posting, and the newest L1 block read so far: L1
// holds it, or derivation is about to make it from deposits alone, as the sequencer did.
func (t *Tracker) Safe() (block, l1Tip uint64) {
	head, tip, _ := t.Head()
	return derive.BehindForced(t.node.Config(), head, tip, func(number uint64) (*chain.Block, error) {
		return t.node.BlockByNumber(context.Background(), number)
	}), tip
}

// ErrDiverged means that L1 holds another chain than the node. It needs an operator.
var ErrDiverged = errors.New("L1 holds another chain than this node")

// Execute implements derivation.Handler: a block that the node has is executed already.
func (t *Tracker) Execute(ctx context.Context, in *derive.BlockInput) (common.Hash, error) {
	hash, held, err := t.node.Holds(in)
	if err != nil || held {
		return hash, err
	}
	if t.opts.Adopter == nil {
		return hash, fmt.Errorf("%w: block %d was derived from L1 block %d", ErrDiverged, in.Number, in.PostedIn.Number)
	}
	if err := t.confirm(ctx, in); err != nil {
		return hash, err
	}
	return t.opts.Adopter.Adopt(ctx, in)
}

// Settled implements derivation.Handler.
func (t *Tracker) Settled(after derive.State, tip chain.L1Origin) error {
	var heads *rpc.L1Status
	if time.Since(t.headsAt) >= headsPeriod {
		var err error
		if heads, err = t.readHeads(tip); err != nil {
			return err
		}
	}
	t.mu.Lock()
	t.state, t.tip = after, tip.Number
	t.mu.Unlock()
	if err := t.setFinality(after); err != nil {
		return err
	}
	// Nobody may see that an L1 block is read before what it holds: a batcher elsewhere would
	// post that again.
	t.publish(heads)
	return nil
}

// publish tells how far L1 is read; nil: it is not known.
func (t *Tracker) publish(heads *rpc.L1Status) {
	if heads == nil {
		return
	}
	t.node.SetL1Status(*heads)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.goal == 0 {
		t.goal = heads.Head.Number
	}
}

// readHeads asks L1 for its heads; nil: it does not answer. An error says that tip is gone.
func (t *Tracker) readHeads(tip chain.L1Origin) (*rpc.L1Status, error) {
	t.headsAt = time.Now()
	status, err := t.heads.Read(context.Background(), tip)
	switch {
	case errors.Is(err, derive.ErrReorg):
		return nil, err
	case err != nil:
		t.opts.Log.Debug("L1's heads are not known", "err", err)
		return nil, nil
	}
	return &status, nil
}

// setFinality publishes what is safe and final, as far as the node has it: it may be on
// its own way back to another block.
func (t *Tracker) setFinality(state derive.State) error {
	return t.node.SetFinality(state.Head.ID(), t.heads.States.Oldest().Head.ID())
}

// Rewound implements derivation.Handler.
func (t *Tracker) Rewound(state derive.State) error {
	t.mu.Lock()
	t.state, t.tip = state, state.PostedIn.Number
	t.mu.Unlock()
	if err := t.setFinality(state); err != nil {
		return err
	}
	heads, _ := t.readHeads(state.PostedIn) // that it is gone, too, shows when L1 is read on
	t.publish(heads)
	return nil
}
