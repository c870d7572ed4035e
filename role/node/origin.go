package node

import (
	"context"
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
