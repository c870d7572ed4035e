package replica

import (
	"context"
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

	heads   *derivation.Heads
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
	Log           *slog.Logger // [slog.Default()]
}

// Start begins to derive where the store ends.
func Start(n *node.Node, opts Options) (*Replica, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	genesis, err := n.GenesisState()
	if err != nil {
		return nil, err
	}
	start, err := n.DerivationState(stateName)
	if err != nil {
		return nil, err
	}
	// What was executed and not noted is derived again.
	if n.PublishedHead().Number.Uint64() > start.Head.Number {
		if err := n.Rewind(start.Head.Number); err != nil {
			return nil, err
		}
	}
	head := start.Head.Number
	ctx, cancel := context.WithCancel(context.Background())
	r := &Replica{node: n, log: opts.Log, cancel: cancel, done: make(chan struct{})}
	r.heads = derivation.NewHeads(opts.L1, head, start.PostedIn.Number)
	r.status = rpc.SyncStatus{Starting: head, Current: head, Highest: head}
	driver := &derivation.Driver{
		L1: opts.L1, Resolver: opts.Resolver, Config: n.Config(), Genesis: genesis, Start: start,
		Handler: r, Confirmations: opts.Confirmations, Log: opts.Log,
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
func (r *Replica) Settled(blocks int, after derive.State, tip chain.L1Origin) error {
	if blocks > 0 {
		r.heads.Add(after.Head.Number, tip.Number)
	}
	if time.Since(r.headsAt) >= headsPeriod {
		r.headsAt = time.Now()
		if status, err := r.heads.Read(context.Background(), tip); err != nil {
			r.log.Debug("L1's heads are not all known", "err", err)
		} else {
			r.node.SetL1Status(status)
		}
	}
	r.node.SetFinality(after.Head.Number, r.heads.Finalized())
	if blocks == 0 {
		return nil
	}
	r.mu.Lock()
	r.status.Syncing = false
	r.mu.Unlock()
	return r.node.AfterWrites(func() error { return r.node.SaveDerivationState(stateName, after) })
}

// Rewound implements derivation.Handler.
func (r *Replica) Rewound(state derive.State) error {
	r.mu.Lock()
	r.status.Current = state.Head.Number
	r.mu.Unlock()
	r.heads.Rewind(state.Head.Number, state.PostedIn.Number)
	r.node.SetFinality(state.Head.Number, r.heads.Finalized()) // first: never above the head
	if err := r.node.Rewind(state.Head.Number); err != nil {
		return err
	}
	return r.node.SaveDerivationState(stateName, state)
}
