package node

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// SetL1Status says how far L1 is, and how far it is read.
func (n *Node) SetL1Status(s rpc.L1Status) { n.l1.Store(&s) }

// L1Status implements rpc.Rollup.
func (n *Node) L1Status() (rpc.L1Status, bool) {
	s := n.l1.Load()
	if s == nil {
		return rpc.L1Status{}, false
	}
	return *s, true
}

// WithdrawalStatus implements rpc.Exits.
func (b *Backend) WithdrawalStatus(ctx context.Context, hash common.Hash, index uint64) (*rpc.WithdrawalStatus, error) {
	if b.Withdrawals == nil {
		return nil, rpc.Errorf(rpc.CodeServer, "this node reads no L1: ask one that derives the chain")
	}
	return b.Withdrawals(ctx, hash, index)
}

// Attestation implements rpc.Exits.
func (b *Backend) Attestation(ctx context.Context, number uint64) (*rpc.Attestation, error) {
	if b.Attestations == nil {
		return nil, rpc.Errorf(rpc.CodeServer, "this node signs no blocks: ask the sequencer")
	}
	return b.Attestations(ctx, number)
}

// L1Contracts implements rpc.Exits.
func (n *Node) L1Contracts() map[string]common.Address { return n.Genesis.L1Contracts }

// GenesisOrigin implements rpc.Rollup.
func (n *Node) GenesisOrigin() chain.L1Origin { return n.Genesis.L1Origin }
