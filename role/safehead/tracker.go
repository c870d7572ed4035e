package safehead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/node"
)

// stateName is under which the tracker keeps its state.
const stateName = "safehead"

// Tracker follows what L1 holds of a node's chain.
type Tracker struct {
	node   *node.Node
	client *l1.Client
	log    *slog.Logger

	mu    sync.Mutex
	state derive.State
	tip   uint64 // newest L1 block read
	// posted are the derived blocks whose L1 block is not final yet, ascending.
	posted    []posted
	finalized uint64

	cancel context.CancelFunc
	done   chan struct{}
}

type posted struct {
	block uint64 // L2
	in    uint64 // L1
}

// Start begins to track, from where the last run stopped.
func Start(n *node.Node, client *l1.Client, source *l1.Source, log *slog.Logger) (*Tracker, error) {
	genesis, err := n.GenesisState()
	if err != nil {
		return nil, err
	}
	t := &Tracker{node: n, client: client, log: log, done: make(chan struct{})}
	if t.state, err = n.DerivationState(stateName); err != nil {
		return nil, err
	}
	n.SetFinality(t.state.Head.Number, 0)
	t.posted = append(t.posted, posted{t.state.Head.Number, t.state.PostedIn.Number})
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	driver := &derivation.Driver{Client: client, Source: source, Config: n.Config(), Genesis: genesis, Start: t.state, Handler: t, Log: log}
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

// Safe is the newest block that L1 holds, and the newest L1 block read so far.
func (t *Tracker) Safe() (block, l1Tip uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.Head.Number, t.tip
}

// ErrDiverged means that L1 holds another chain than the node. It needs an operator.
var ErrDiverged = errors.New("L1 holds another chain than this node")

// Derived implements derivation.Handler.
func (t *Tracker) Derived(inputs []derive.BlockInput, after derive.State, tip chain.L1Origin) error {
	for i := range inputs {
		in := &inputs[i]
		if in.ExpectHash == (common.Hash{}) {
			continue
		}
		block, err := t.node.BlockByNumber(context.Background(), in.Number)
		if err != nil {
			return err
		}
		if block == nil || block.Hash() != in.ExpectHash {
			return fmt.Errorf("%w: block %d is %s on L1", ErrDiverged, in.Number, in.ExpectHash)
		}
	}
	finalL1, err := t.finalL1()
	if err != nil {
		t.log.Debug("L1 finality is not known", "err", err)
	}
	t.mu.Lock()
	t.state, t.tip = after, tip.Number
	if len(inputs) > 0 {
		t.posted = append(t.posted, posted{after.Head.Number, tip.Number})
	}
	for len(t.posted) > 0 && t.posted[0].in <= finalL1 {
		t.finalized = max(t.finalized, t.posted[0].block)
		t.posted = t.posted[1:]
	}
	safe, finalized := t.state.Head.Number, t.finalized
	t.mu.Unlock()
	t.node.SetFinality(safe, finalized)
	if len(inputs) == 0 {
		return nil
	}
	return t.node.SaveDerivationState(stateName, after)
}

func (t *Tracker) finalL1() (uint64, error) {
	h, err := t.client.HeaderByTag(context.Background(), l1.Finalized)
	if err != nil {
		return 0, err
	}
	return h.Number.Uint64(), nil
}

// Rewound implements derivation.Handler.
func (t *Tracker) Rewound(state derive.State) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = state
	t.posted = []posted{{state.Head.Number, state.PostedIn.Number}}
	t.node.SetFinality(state.Head.Number, min(t.finalized, state.Head.Number))
	return nil
}
