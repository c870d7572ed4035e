package node

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/rpc"
)

// PoolContent implements rpc.TxPool.
func (b *Backend) PoolContent(ctx context.Context, caller string, all bool) (*rpc.PoolContent, error) {
	if b.Pool == nil {
		return new(rpc.PoolContent), nil
	}
	return b.Pool(ctx, caller, all)
}

// VoidTx implements rpc.VoidTransactions.
func (b *Backend) VoidTx(ctx context.Context, hash common.Hash) (*rpc.VoidTx, error) {
	if b.Void == nil {
		return nil, nil
	}
	return b.Void(ctx, hash)
}
