package exits

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// place is where a withdrawal was made on L2.
type place struct {
	withdrawal   *bridge.Withdrawal
	tx           common.Hash
	index, count uint64 // among the withdrawals of its transaction
	block        uint64
	time         uint64 // of the block, in seconds
	sealed       bool
}

// find looks a withdrawal up by its transaction or by its own hash.
func (r *Reader) find(ctx context.Context, hash common.Hash, index uint64) (*place, error) {
	t, err := r.Chain.TxByHash(ctx, hash)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return r.findByHash(ctx, hash)
	}
	var list []*bridge.Withdrawal
	if t.Receipt != nil {
		list = bridge.Withdrawals(t.Receipt.Logs)
	}
	if index >= uint64(len(list)) {
		return nil, rpc.Errorf(rpc.CodeInvalidParams, "transaction %s has %d withdrawals, there is no number %d (the first one is 0)", hash, len(list), index)
	}
	return &place{
		withdrawal: list[index], tx: hash, index: index, count: uint64(len(list)),
		block: t.BlockNumber, time: t.BlockTime, sealed: t.BlockHash != (common.Hash{}),
	}, nil
}

// findByHash finds the block in which the message passer has noted a withdrawal. What it
// notes stays, so that halving finds it.
func (r *Reader) findByHash(ctx context.Context, hash common.Hash) (*place, error) {
	slot := bridge.Slot(hash)
	noted := func(ref rpc.StateRef) (bool, error) {
		v, err := r.Chain.Storage(ctx, chain.MessagePasserAddr, slot, ref)
		return v != (common.Hash{}), err
	}
	if ok, err := noted(rpc.StateRef{Newest: true}); err != nil || !ok {
		return nil, err
	}
	head := r.Chain.Head().Number.Uint64()
	if ok, err := noted(rpc.StateRef{Number: head}); err != nil {
		return nil, err
	} else if !ok {
		if open := r.Chain.Pending(); open != nil {
			return search(hash, open.Header, open.Txs, open.Receipts, false), nil
		}
		return nil, nil
	}
	low, high := uint64(0), head
	for low < high {
		middle := (low + high) / 2
		ok, err := noted(rpc.StateRef{Number: middle})
		if err != nil {
			return nil, fmt.Errorf("find withdrawal %s: %w", hash, err)
		}
		if ok {
			high = middle
		} else {
			low = middle + 1
		}
	}
	b, err := r.Chain.BlockByNumber(ctx, low)
	if err != nil || b == nil {
		return nil, err
	}
	return search(hash, b.Header, b.Txs, b.Receipts, true), nil
}

// search goes through the receipts of a block; nil: the withdrawal is not there.
func search(hash common.Hash, h *types.Header, txs []*chain.Tx, receipts []*chain.Receipt, sealed bool) *place {
	for i, receipt := range receipts {
		list := bridge.Withdrawals(receipt.Logs)
		for k, w := range list {
			if w.Hash() == hash {
				return &place{
					withdrawal: w, tx: txs[i].Hash(), index: uint64(k), count: uint64(len(list)),
					block: h.Number.Uint64(), time: h.Time, sealed: sealed,
				}
			}
		}
	}
	return nil
}
