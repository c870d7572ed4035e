package node

import (
	"context"

	"github.com/talaria-l2/talaria/rpc"
)

// PoolContent implements rpc.TxPool.
func (b *Backend) PoolContent(ctx context.Context, caller string, all bool) (*rpc.PoolContent, error) {
	if b.Pool == nil {
		return new(rpc.PoolContent), nil
	}
	return b.Pool(ctx, caller, all)
}
