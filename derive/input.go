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

// Kind is what a block was derived from.
type Kind string

// Kinds of blocks.
const (
	FromBatch Kind = "batch"
	// Forced is a block of deposits only, made because no batch came in time.
	Forced Kind = "forced"
	// Replaced is a block of deposits only, in place of one of a batch that does not
	// execute.
	Replaced Kind = "replaced"
)

// BlockInput is everything that executing one L2 block needs besides its parent.
type BlockInput struct {
	Number       uint64
	Timestamp    uint64 // seconds
	Kind         Kind
	L1Attributes chain.L1Attributes
	Params       chain.BlockParams
	Deposits     []*chain.Tx // user deposits, behind the L1-attributes deposit
	Txs          []*chain.Tx // user transactions, behind the deposits
	MiniBlocks   []MiniPlan  // their counts add up to 1 + deposits + user transactions

	ParentHash common.Hash // of the block that it builds on
	// ExpectHash is what the batcher says of this block, if it is the last of its
	// channel; else zero.
	ExpectHash common.Hash
	// PostedIn is the L1 block that made it derivable.
	PostedIn chain.L1Origin
}

// AllTxs are the transactions of the block in order.
func (in *BlockInput) AllTxs() []*chain.Tx {
	txs := make([]*chain.Tx, 0, 1+len(in.Deposits)+len(in.Txs))
	txs = append(txs, in.L1Attributes.Tx())
	txs = append(txs, in.Deposits...)
	return append(txs, in.Txs...)
}

// derived is an input and the head that it makes, but for the hash.
type derived struct {
	in   BlockInput
	head Head
}

// NextForced is the block that derivation makes on parent when the inclusion window of
// next, the L1 block behind parent's origin, is over, and the head that it makes, but for
// its hash. A sequencer that comes back makes those that are due before a batch of its
// own can arrive.
func NextForced(cfg *chain.Config, parent Head, next *L1Block) (BlockInput, Head) {
	d := forced(cfg, parent, next, chain.L1Origin{})
	return d.in, d.head
}

func forced(cfg *chain.Config, parent Head, next *L1Block, posted chain.L1Origin) derived {
	return depositsOnly(parent, open(cfg, parent, next), max(parent.Timestamp, next.Timestamp), Forced, posted)
}

// depositsOnly is the block on parent that has the opening's deposits and nothing else:
// one mini-block, in the parent's epoch, as early as the rules allow.
func depositsOnly(parent Head, o Opening, timestamp uint64, kind Kind, posted chain.L1Origin) derived {
	plan := MiniPlan{
		TimestampMicros: max(parent.LastMicros, chain.Micros(timestamp)*1_000_000),
		TxCount:         uint64(1 + len(o.Deposits)), Epoch: parent.Epoch,
	}
	return derived{
		in: BlockInput{
			Number: parent.Number + 1, Timestamp: timestamp, Kind: kind, L1Attributes: o.Attributes, Params: o.System.BlockParams,
			Deposits: o.Deposits, MiniBlocks: []MiniPlan{plan}, PostedIn: posted,
		},
		head: Head{
			Number: parent.Number + 1, Timestamp: timestamp, LastMicros: plan.TimestampMicros, Origin: o.Origin,
			SequenceNumber: o.Attributes.SequenceNumber, Epoch: parent.Epoch, System: o.System,
		},
	}
}
