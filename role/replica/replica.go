package replica

import (
	"context"
	"errors"
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

// stateName is under which the replica keeps the state of derivation.
const stateName = "derivation"

// headsPeriod is how often L1's heads are asked for at the most.
const headsPeriod = 500 * time.Millisecond

// Replica derives the chain of one node.
type Replica struct {
	node *node.Node
	log  *slog.Logger

	heads   derivation.Heads
	headsAt time.Time // when they were read

	mu     sync.Mutex
	status rpc.SyncStatus

	cancel context.CancelFunc
	done   chan struct{}
}

// Options of a replica.
type Options struct {
	L1 l1feed.L1
	// Resolver finds batch data that is not on L1; nil: there is none to be found.
	Resolver l1feed.Resolver
	// Confirmations is how deep below the L1 head a block must be [0].
	Confirmations uint64
	Poll          time.Duration // how often L1 is asked for its head [250 ms]
	Log           *slog.Logger  // [slog.Default()]
}

// Start begins to derive where the store ends.
func Start(n *node.Node, opts Options) (*Replica, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	states, err := derivation.LoadStates(n.DerivationStates(stateName))
	if err != nil {
		return nil, err
	}
	// What was executed and not noted is derived again, and a way back that was interrupted
	// is gone to its end.
	start := states.Newest()
	if n.PublishedHead().Number.Uint64() > start.Head.Number {
		if err := n.Rewind(start.Head.Number); err != nil {
			return nil, err
		}
	}
	head := start.Head.Number
	ctx, cancel := context.WithCancel(context.Background())
	r := &Replica{node: n, log: opts.Log, cancel: cancel, done: make(chan struct{})}
	r.heads = derivation.Heads{L1: opts.L1, States: states}
	r.status = rpc.SyncStatus{Starting: head, Current: head, Highest: head}
	if err := r.setFinality(start); err != nil {
		return nil, err
	}
	driver := &derivation.Driver{
		L1: opts.L1, Resolver: opts.Resolver, Config: n.Config(), States: states,
		Handler: r, Confirmations: opts.Confirmations, Poll: opts.Poll, Log: opts.Log,
	}
	go func() {
		defer close(r.done)
		if err := driver.Run(ctx); err != nil {
			n.Fail(err)
		}
	}()
	return r, nil
}

// Close stops deriving and waits for it.
func (r *Replica) Close() {
	r.cancel()
	<-r.done
}

// Status is how far the replica is.
func (r *Replica) Status() rpc.SyncStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Execute implements derivation.Handler.
func (r *Replica) Execute(_ context.Context, in *derive.BlockInput) (common.Hash, error) {
	r.mu.Lock()
	r.status.Highest, r.status.Syncing = max(r.status.Highest, in.Number), true
	r.mu.Unlock()
	hash, err := r.node.Execute(in)
	if err != nil {
		return hash, err
	}
	r.mu.Lock()
	r.status.Current = in.Number
	r.mu.Unlock()
	return hash, nil
}

// Settled implements derivation.Handler.
func (r *Replica) Settled(after derive.State, tip chain.L1Origin) error {
	if time.Since(r.headsAt) >= headsPeriod {
		if err := r.readHeads(tip); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.status.Syncing = false
	r.mu.Unlock()
	return r.setFinality(after)
}

// readHeads asks L1 for its heads. An error says that tip is gone.
func (r *Replica) readHeads(tip chain.L1Origin) error {
	r.headsAt = time.Now()
	status, err := r.heads.Read(context.Background(), tip)
	switch {
	case errors.Is(err, derive.ErrReorg):
		return err
	case err != nil:
		r.log.Debug("L1's heads are not known", "err", err)
	default:
		r.node.SetL1Status(status)
	}
	return nil
}

// setFinality publishes what is safe and final: never above the newest block.
func (r *Replica) setFinality(state derive.State) error {
	return r.node.SetFinality(state.Head.ID(), r.heads.States.Oldest().Head.ID())
}

// Rewound implements derivation.Handler.
func (r *Replica) Rewound(state derive.State) error {
	r.mu.Lock()
	r.status.Current = state.Head.Number
	r.mu.Unlock()
	if err := r.setFinality(state); err != nil {
		return err
	}
	if r.node.PublishedHead().Number.Uint64() > state.Head.Number {
		if err := r.node.Rewind(state.Head.Number); err != nil {
			return err
		}
	}
	_ = r.readHeads(state.PostedIn) // that it is gone, too, shows when L1 is read on
	return nil
}
