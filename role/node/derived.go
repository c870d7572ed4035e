package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// ErrInvalid is wrapped when a derived block does not execute: a transaction of it is not
// valid where it stands.
var ErrInvalid = errors.New("a transaction is not valid where it stands")

// Execute makes a derived block the newest one. If a transaction is not valid, ErrInvalid,
// the node is as it was before. Whoever drives the node calls it, with no block open.
func (n *Node) Execute(in *derive.BlockInput) (common.Hash, error) {
	if next := n.exec.Parent().Number.Uint64() + 1; in.Number != next {
		return common.Hash{}, fmt.Errorf("derived block %d, the chain needs %d", in.Number, next)
	}
	if parent := n.exec.Parent().Hash(); in.ParentHash != parent {
		return common.Hash{}, fmt.Errorf("derived block %d builds on %s, the chain is at %s", in.Number, in.ParentHash, parent)
	}
	a := in.L1Attributes
	c := n.exec
	before := n.state.Latest()
	defer before.Close()
	attrs := chain.Attributes{Timestamp: in.Timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon, Params: in.Params}
	if err := c.Open(attrs); err != nil {
		return common.Hash{}, err
	}
	// Nothing is published before all of it is known to be valid.
	type cut struct {
		mini    *chain.MiniBlock
		version uint64
	}
	cuts := make([]cut, 0, len(in.MiniBlocks))
	txs := in.AllTxs()
	for _, plan := range in.MiniBlocks {
		if i, err := c.ApplyAll(txs[:plan.TxCount]); err != nil {
			c.Discard(before)
			return common.Hash{}, fmt.Errorf("block %d: transaction %s: %w: %w", in.Number, txs[i].Hash(), ErrInvalid, err)
		}
		txs = txs[plan.TxCount:]
		c.SetEpoch(plan.Epoch)
		m, version := c.Cut(plan.TimestampMicros)
		cuts = append(cuts, cut{m, version})
	}
	header := c.OpenHeader()
	for _, made := range cuts {
		n.PublishMiniBlock(made.mini, header, attrs, made.version)
	}
	block, diff, err := c.Seal()
	if err != nil {
		return common.Hash{}, err
	}
	if err := n.PublishBlock(block, diff, nil); err != nil {
		return block.Hash(), err
	}
	n.PublishWitness(block, c.Witness())
	return block.Hash(), nil
}

// Holds tells whether the node's block of that number is what the input gives, and its
// hash. It is false if there is none.
func (n *Node) Holds(in *derive.BlockInput) (common.Hash, bool, error) {
	b, err := n.BlockByNumber(context.Background(), in.Number)
	if err != nil || b == nil {
		return common.Hash{}, false, err
	}
	h, a := b.Header, &in.L1Attributes
	params := chain.ParamsOf(n.cfg, h)
	if h.ParentHash != in.ParentHash || h.Time != in.Timestamp || h.MixDigest != a.PrevRandao || *h.ParentBeaconRoot != a.ParentBeacon || params != in.Params ||
		len(b.MiniBlocks) != len(in.MiniBlocks) || len(b.Txs) != 1+len(in.Deposits)+len(in.Txs) {
		return common.Hash{}, false, nil
	}
	for i, plan := range in.MiniBlocks {
		if m := &b.MiniBlocks[i]; m.TimestampMicros != plan.TimestampMicros || m.TxCount != plan.TxCount || m.Epoch != plan.Epoch {
			return common.Hash{}, false, nil
		}
	}
	for i, tx := range in.AllTxs() {
		if tx.Hash() != b.Txs[i].Hash() {
			return common.Hash{}, false, nil
		}
	}
	return b.Hash(), true, nil
}
