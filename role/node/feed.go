package node

import (
	"context"
	"fmt"

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
