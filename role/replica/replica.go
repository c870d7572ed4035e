package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// stateName is under which the replica keeps the state of derivation.
const stateName = "derivation"

// ErrMismatch means that executing a batch gives another block than the batcher
// claims: this software differs from the sequencer's, or the batcher lies.
var ErrMismatch = errors.New("derived block differs from the batcher's claim")

// Replica derives the chain of one node.
type Replica struct {
	node *node.Node
	log  *slog.Logger

	mu     sync.Mutex
	status rpc.SyncStatus

	cancel context.CancelFunc
	done   chan struct{}
}

// Options of a replica.
type Options struct {
	Client *l1.Client
	Source *l1.Source
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
	head := n.PublishedHead().Number.Uint64()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Replica{node: n, log: opts.Log, cancel: cancel, done: make(chan struct{})}
	r.status = rpc.SyncStatus{Starting: head, Current: head, Highest: head}
	driver := &derivation.Driver{
		Client: opts.Client, Source: opts.Source, Config: n.Config(), Genesis: genesis, Start: start,
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

// Derived implements derivation.Handler.
func (r *Replica) Derived(inputs []derive.BlockInput, after derive.State, tip chain.L1Origin) error {
	r.progress(inputs)
	for i := range inputs {
		if err := r.execute(&inputs[i]); err != nil {
			return err
		}
		r.mu.Lock()
		r.status.Current = inputs[i].Number
		r.mu.Unlock()
	}
	if len(inputs) == 0 {
		return nil
	}
	r.mu.Lock()
	r.status.Syncing = false
	r.mu.Unlock()
	r.node.SetFinality(after.Head.Number, 0)
	return r.node.AfterWrites(func() error { return r.node.SaveDerivationState(stateName, after) })
}

func (r *Replica) progress(inputs []derive.BlockInput) {
	if len(inputs) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Highest = inputs[len(inputs)-1].Number
	r.status.Syncing = true
}

// execute turns one input into a published block. A block that the store already
// holds, because the last run stopped between writing it and noting it, is only
// compared.
func (r *Replica) execute(in *derive.BlockInput) error {
	c := r.node.Exec()
	if next := c.Parent().Number.Uint64() + 1; in.Number < next {
		return r.compare(in)
	} else if in.Number > next {
		return fmt.Errorf("derived block %d, the chain needs %d", in.Number, next)
	}
	a := in.L1Attributes
	if err := c.Open(exec.Attributes{Timestamp: in.Timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon}); err != nil {
		return err
	}
	txs := append([]*chain.Tx{a.Tx()}, in.Deposits...)
	txs = append(txs, in.Txs...)
	for _, plan := range in.MiniBlocks {
		if i, err := c.ApplyAll(txs[:plan.TxCount]); err != nil {
			return fmt.Errorf("block %d: transaction %s of the batch: %w", in.Number, txs[i].Hash(), err)
		}
		txs = txs[plan.TxCount:]
		c.SetEpoch(plan.Epoch)
		m, version := c.Cut(plan.TimestampMicros)
		r.node.PublishMiniBlock(m, c.OpenHeader(), version)
	}
	block, diff, err := c.Seal()
	if err != nil {
		return err
	}
	if in.ExpectHash != (common.Hash{}) && block.Hash() != in.ExpectHash {
		return fmt.Errorf("%w: block %d is %s here, %s there", ErrMismatch, in.Number, block.Hash(), in.ExpectHash)
	}
	return r.node.PublishBlock(block, diff, nil)
}

func (r *Replica) compare(in *derive.BlockInput) error {
	if in.ExpectHash == (common.Hash{}) {
		return nil
	}
	block, err := r.node.BlockByNumber(context.Background(), in.Number)
	if err != nil {
		return err
	}
	if block == nil || block.Hash() != in.ExpectHash {
		return fmt.Errorf("%w: block %d is %s on L1", ErrMismatch, in.Number, in.ExpectHash)
	}
	return nil
}

// Rewound implements derivation.Handler.
func (r *Replica) Rewound(state derive.State) error {
	r.mu.Lock()
	r.status.Current = state.Head.Number
	r.mu.Unlock()
	r.node.SetFinality(state.Head.Number, 0) // first: never above the head
	if err := r.node.Rewind(state.Head.Number); err != nil {
		return err
	}
	return r.node.SaveDerivationState(stateName, state)
}
