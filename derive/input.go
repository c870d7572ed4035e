package derive

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/chain"
)

// MiniPlan is where one mini-block of a block ends.
type MiniPlan struct {
	TimestampMicros chain.Micros
	TxCount         uint64 // deposits included
	Epoch           uint64 // of the leader that cut it
}

// BlockInput is everything that executing one L2 block needs besides its parent.
type BlockInput struct {
	Number       uint64
	Timestamp    uint64 // seconds
	L1Attributes chain.L1Attributes
	Deposits     []*chain.Tx // user deposits, behind the L1-attributes deposit
	Txs          []*chain.Tx // user transactions, behind the deposits
	MiniBlocks   []MiniPlan  // their counts add up to 1 + deposits + user transactions

	// ParentHash is what the batcher says of the parent, if this is the first
	// block of its channel; else zero.
	ParentHash common.Hash
	// ExpectHash is what the batcher says of this block, if it is the last of its
	// channel; else zero.
	ExpectHash common.Hash
	// PostedIn is the L1 block that completed the channel.
	PostedIn chain.L1Origin
}
