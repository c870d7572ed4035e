package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// diffCache keeps the diffs of the blocks that were last executed again for streams, the
// last one first: several that replay at once ask for mini-blocks of different blocks by
// turns, and each would have its block executed for every mini-block.
type diffCache struct {
	mu     sync.Mutex
	blocks []blockDiffs
}

// maxDiffBlocks is twice as many as streams read at once.
const maxDiffBlocks = 8

type blockDiffs struct {
	block common.Hash
	diffs [][]byte // of its mini-blocks
}

// MiniBlocksFrom implements rpc.Streamer.
func (n *Node) MiniBlocksFrom(ctx context.Context, number uint64) ([]*rpc.MiniBlock, error) {
	n.mu.RLock()
	list := n.memoryMiniBlocks(number)
	n.mu.RUnlock()
	if list != nil {
		return list, nil
	}
	h, _, err := n.store.MiniBlockHeader(number)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, pruned(err)
	}
	b, err := n.BlockByNumber(ctx, h.BlockNumber)
	if b == nil || err != nil {
		return nil, err
	}
	signatures, err := n.store.MiniBlockSignatures(h.BlockNumber)
	if err != nil {
		return nil, err
	}
	if len(signatures) != len(b.MiniBlocks) || h.Index >= uint64(len(b.MiniBlocks)) || b.MiniBlocks[h.Index] != h {
		return nil, nil // the chain was taken back meanwhile
	}
	minis := make([]*chain.MiniBlock, 0, uint64(len(b.MiniBlocks))-h.Index)
	for i := h.Index; i < uint64(len(b.MiniBlocks)); i++ {
		header := b.MiniBlocks[i]
		first, end := header.FirstTxIndex, header.FirstTxIndex+header.TxCount
		minis = append(minis, &chain.MiniBlock{Header: header, Signature: signatures[i], Txs: b.Txs[first:end], Receipts: b.Receipts[first:end]})
	}
	return n.allInBlock(minis, b), nil
}

// memoryMiniBlocks are the mini-block and those after it in its block, if the store may
// not hold them yet. n.mu is held.
func (n *Node) memoryMiniBlocks(number uint64) (list []*rpc.MiniBlock) {
	if o := n.pub.open; o != nil {
		if first, ok := position(o.minis, number); ok {
			for i := first; i < len(o.minis); i++ {
				m := o.minis[i]
				list = append(list, &rpc.MiniBlock{MiniBlock: m, Hash: m.Header.Hash(), Attributes: o.attrs, BlockTime: o.header.Time, BaseFee: o.header.BaseFee, FirstLogIndex: o.firstLog[i]})
			}
			return list
		}
	}
	for _, r := range n.pub.recent {
		if first, ok := position(r.minis, number); ok {
			return n.allInBlock(r.minis[first:], r.block)
		}
	}
	return nil
}

// allInBlock is inBlock for mini-blocks that follow each other.
func (n *Node) allInBlock(minis []*chain.MiniBlock, b *chain.Block) []*rpc.MiniBlock {
	logs := firstLog(b.Receipts, minis[0].Header.FirstTxIndex)
	hash, attrs := b.Hash(), n.attributes(b.Header)
	list := make([]*rpc.MiniBlock, len(minis))
	for i, m := range minis {
		list[i] = &rpc.MiniBlock{
			MiniBlock: m, Hash: m.Header.Hash(), Attributes: attrs, BlockTime: b.Header.Time, BaseFee: b.Header.BaseFee,
			FirstLogIndex: logs, BlockHash: hash,
		}
		for _, r := range m.Receipts {
			logs += uint64(len(r.Logs))
		}
	}
	return list
}

// MiniBlockDiff implements rpc.Streamer.
func (n *Node) MiniBlockDiff(ctx context.Context, m *rpc.MiniBlock) ([]byte, error) {
	if len(m.Diff) > 0 {
		return m.Diff, nil
	}
	encoded, err := n.diffAgain(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("changes of mini-block %d: %w", m.Header.Number, err)
	}
	return encoded, nil
}

// AccountChanges implements rpc.Streamer.
func (n *Node) AccountChanges(ctx context.Context, m *rpc.MiniBlock) ([]rpc.AccountChange, error) {
	encoded, err := n.MiniBlockDiff(ctx, m)
	if err != nil {
		return nil, err
	}
	list, err := state.DecodeAccessList(encoded)
	if err != nil {
		return nil, fmt.Errorf("changes of mini-block %d: %w", m.Header.Number, err)
	}
	diff := list.Final()
	out := make([]rpc.AccountChange, len(diff))
	for i := range diff {
		d := &diff[i]
		c := &out[i]
		c.Address, c.Nonce = d.Address, d.Nonce
		if d.Balance != nil {
			c.Balance = d.Balance.ToBig()
		}
		if d.CodeChanged {
			hash := d.NewCodeHash()
			c.CodeHash = &hash
		}
		for _, s := range d.Storage {
			c.Storage = append(c.Storage, rpc.SlotChange(s))
		}
	}
	return out, nil
}

// diffAgain is the diff of a stored mini-block: its block is executed again.
func (n *Node) diffAgain(ctx context.Context, m *rpc.MiniBlock) ([]byte, error) {
	c := &n.diffs
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.blocks {
		if c.blocks[i].block == m.BlockHash {
			return c.blocks[i].diffs[m.Header.Index], nil
		}
	}
	b, err := n.BlockByNumber(ctx, m.Header.BlockNumber)
	if err != nil {
		return nil, err
	}
	if b == nil || b.Hash() != m.BlockHash {
		return nil, errors.New("the chain was taken back")
	}
	diffs, err := n.executeDiffs(ctx, b)
	if err != nil {
		return nil, err
	}
	c.blocks = slices.Insert(c.blocks, 0, blockDiffs{m.BlockHash, diffs})
	if len(c.blocks) > maxDiffBlocks {
		c.blocks[maxDiffBlocks] = blockDiffs{}
		c.blocks = c.blocks[:maxDiffBlocks]
	}
	return diffs[m.Header.Index], nil
}

// executeDiffs executes a sealed block again for the diffs of its mini-blocks, which
// must have the hashes in their headers.
func (n *Node) executeDiffs(ctx context.Context, b *chain.Block) ([][]byte, error) {
	again, err := n.tracedBlock(ctx, b.Number())
	if err != nil {
		return nil, err
	}
	lists := make([]*state.AccessList, len(b.MiniBlocks))
	for i := range lists {
		lists[i] = state.NewAccessList()
	}
	err = n.executeAgain(ctx, again, false, func(s *step) {
		lists[s.mini].Add(s.index-uint32(b.MiniBlocks[s.mini].FirstTxIndex), s.diff)
	})
	if err != nil {
		return nil, err
	}
	diffs := make([][]byte, len(lists))
	for i, list := range lists {
		diffs[i] = append([]byte(nil), list.Encode()...)
		if h := &b.MiniBlocks[i]; keccak.Sum256(diffs[i]) != h.DiffHash {
			return nil, fmt.Errorf("block %d executed again gives other changes than its mini-block %d has (derive the chain from L1 into a new data directory)", b.Number(), h.Number)
		}
	}
	return diffs, nil
}
