package node

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
)

// FeedMiniBlocks are the published mini-block with the number and those after it in its
// block, as a feed holds them; none if there is none. The block is executed again if it is
// no longer in memory.
func (n *Node) FeedMiniBlocks(ctx context.Context, number uint64) ([]*feed.MiniBlock, error) {
	list, err := n.MiniBlocksFrom(ctx, number)
	if err != nil {
		return nil, err
	}
	out := make([]*feed.MiniBlock, len(list))
	for i, m := range list {
		if out[i], err = n.ForFeed(ctx, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ForFeed is a mini-block that this node published, as a feed holds it.
func (n *Node) ForFeed(ctx context.Context, m *rpc.MiniBlock) (*feed.MiniBlock, error) {
	whole := m.MiniBlock
	if len(whole.Diff) == 0 {
		diff, err := n.diffAgain(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("changes of mini-block %d: %w", m.Header.Number, err)
		}
		whole = &chain.MiniBlock{Header: m.Header, Signature: m.Signature, Txs: m.Txs, Receipts: m.Receipts, Diff: diff}
	}
	return &feed.MiniBlock{MiniBlock: whole, Attributes: m.Attributes}, nil
}

// MiniBlockEncodings implements rpc.FeedHolder.
func (n *Node) MiniBlockEncodings(ctx context.Context, from uint64, count, size int) (out [][]byte, err error) {
	var last common.Hash
	for len(out) < count && ctx.Err() == nil {
		list, err := n.FeedMiniBlocks(ctx, from)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || len(out) > 0 && list[0].Header.ParentHash != last {
			return out, nil // nothing more, or the chain was taken back meanwhile
		}
		for _, m := range list {
			enc := m.Encode()
			if size -= len(enc); len(out) == count || size < 0 && len(out) > 0 {
				return out, nil
			}
			out = append(out, enc)
		}
		newest := &list[len(list)-1].Header
		from, last = newest.Number+1, newest.Hash()
	}
	return out, ctx.Err()
}

// BlockEncodings implements rpc.FeedHolder. Genesis, which no mini-block makes, is not one
// of them.
func (n *Node) BlockEncodings(ctx context.Context, from uint64, count, size int) (out [][]byte, err error) {
	for number := max(from, 1); len(out) < count; number++ {
		b, err := n.BlockByNumber(ctx, number)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		enc := (&feed.Block{Header: b.Header, LastMiniBlock: b.MiniBlocks[len(b.MiniBlocks)-1].Number}).Encode()
		if size -= len(enc); size < 0 && len(out) > 0 {
			break
		}
		out = append(out, enc)
	}
	return out, nil
}
