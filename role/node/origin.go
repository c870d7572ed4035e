package node

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// ParentHead is what derivation's rules need to know of the last sealed block.
func (n *Node) ParentHead() (derive.Head, error) {
	parent := n.exec.Parent()
	if parent.Number.Sign() == 0 {
		return derive.GenesisState(n.Genesis, parent.Hash()).Head, nil
	}
	block, err := n.BlockByNumber(context.Background(), parent.Number.Uint64())
	if err != nil {
		return derive.Head{}, err
	}
	if block == nil {
		return derive.Head{}, fmt.Errorf("block %d: sealed but not held", parent.Number)
	}
	return derive.HeadOf(n.cfg, block)
}

// Origin is the L1 origin of the newest block, open or sealed. Whoever drives the
// node calls it before the first change.
func (n *Node) Origin() (chain.L1Origin, error) {
	if n.exec.IsOpen() {
		txs, _, _ := n.exec.OpenBlock()
		attrs, err := chain.ParseL1Attributes(txs[0])
		if err != nil {
			return chain.L1Origin{}, fmt.Errorf("L1 origin of the open block: %w", err)
		}
		return chain.L1Origin{Number: attrs.Number, Hash: attrs.Hash}, nil
	}
	head, err := n.ParentHead()
	return head.Origin, err
}

// GenesisState is where derivation of the chain begins.
func (n *Node) GenesisState() (derive.State, error) {
	h, err := n.HeaderByNumber(context.Background(), 0)
	if err != nil {
		return derive.State{}, err
	}
	return derive.GenesisState(n.Genesis, h.Hash()), nil
}

// DerivationStates is a place in the node's store for the points from which derivation
// can go on.
type DerivationStates struct {
	node   *Node
	prefix string
}

// DerivationStates is the place with the name.
func (n *Node) DerivationStates(name string) *DerivationStates {
	return &DerivationStates{n, name + "/"}
}

// key orders states by the L1 block that decides them. No two of one L1 have the same.
func (d *DerivationStates) key(s *derive.State) string {
	return fmt.Sprintf("%s%016x", d.prefix, s.PostedIn.Number)
}

// Load is what was put and not dropped, ascending, as far as it is of the chain that the
// node holds; the rest is dropped. It is genesis if nothing was put. Blocks and states are
// written in one order, of which a crash leaves a beginning, and states are dropped before
// their blocks are undone.
func (d *DerivationStates) Load() ([]derive.State, error) {
	stored, err := d.node.store.MetaUnder(d.prefix)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		genesis, err := d.node.GenesisState()
		return []derive.State{genesis}, err
	}
	states := make([]derive.State, 0, len(stored))
	for _, raw := range stored {
		var s derive.State
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("derivation state under %q in the store: %w", d.prefix, err)
		}
		h, err := d.node.HeaderByNumber(context.Background(), s.Head.Number)
		if err != nil {
			return nil, err
		}
		if h != nil && h.Hash() == s.Head.Hash {
			states = append(states, s)
		} else if err := d.Drop(s); err != nil {
			return nil, err
		}
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("data directory %s: none of its %d derivation states is of the chain that it holds (restore a backup, or derive the chain from L1 into a new directory)",
			d.node.dir.Path(), len(stored))
	}
	return states, nil
}

// Put stores a state behind all blocks published so far. It is durable after Sync.
func (d *DerivationStates) Put(s derive.State) error {
	raw, err := json.Marshal(&s)
	if err != nil {
		return fmt.Errorf("encode derivation state: %w", err)
	}
	return d.node.AfterWrites(func() error { return d.node.store.PutMeta(d.key(&s), raw) })
}

// Drop removes a state. That is durable after Sync.
func (d *DerivationStates) Drop(s derive.State) error { return d.node.store.DropMeta(d.key(&s)) }

// Sync makes durable what was put and dropped.
func (d *DerivationStates) Sync() error { return d.node.store.Sync() }
