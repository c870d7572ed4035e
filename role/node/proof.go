package node

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// StorageValues implements rpc.Prover.
func (n *Node) StorageValues(ctx context.Context, slots []rpc.StorageSlot, ref rpc.StateRef) ([]common.Hash, error) {
	values := make([]common.Hash, len(slots))
	err := n.read(ref, func(v state.View, _ *types.Header) error {
		for i := range slots {
			values[i] = v.Storage(slots[i].Address, slots[i].Slot)
		}
		return ctx.Err()
	})
	return values, err
}
