package verify

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Input is a sealed block with what is needed to check it. It is only read.
type Input struct {
	// Header is the sealed header.
	Header *types.Header
	// MiniBlocks are those of the block in order. Senders are hints, checked against the
	// signatures. Receipts and Diff are what is claimed: nil Receipts of a mini-block with
	// transactions, or a nil Diff, are not compared, only their hashes in the header.
	MiniBlocks []*chain.RawMiniBlock
	// Before is the header of the mini-block before the first; nil only for block 1.
	Before *chain.MiniBlockHeader
	// Witness holds at least the parent's header.
	Witness *chain.Witness
	// Leader signs the mini-blocks; zero: whom the configuration names. L1 may have named
	// another since: a caller that reads L1 knows.
	Leader common.Address
	// Genesis is the L1 origin of block 0, which block 1 is checked against; zero: it is not.
	Genesis chain.L1Origin
}

// Result says what was checked.
type Result struct {
	Number  uint64
	Hash    common.Hash
	Txs     int
	GasUsed chain.Gas
	L1      chain.L1Attributes // of the block
	// Unsigned is set for a block of deposits only that no leader signed: derivation from L1
	// makes such blocks, and only L1 tells whether it did.
	Unsigned bool
	// Nodes and Codes are what the witness has of them, Used and UsedCodes how many were
	// looked at.
	Nodes, Used int
	Codes       int
}

// ErrInput is wrapped where an Input is no block at all, so that nothing can be said of it.
var ErrInput = errors.New("input is incomplete")

func (in *Input) check() error {
	switch {
	case in.Header == nil || in.Header.Number == nil || !in.Header.Number.IsUint64() || in.Header.Number.Uint64() == 0:
		return fmt.Errorf("%w: no header of a block above 0", ErrInput)
	case in.Witness == nil || len(in.Witness.Headers) == 0:
		return fmt.Errorf("%w: no witness with the parent's header", ErrInput)
	case in.Before == nil && in.Header.Number.Uint64() > 1:
		return fmt.Errorf("%w: no mini-block before those of the block", ErrInput)
	case in.Header.BaseFee == nil || in.Header.Difficulty == nil:
		return fmt.Errorf("%w: header without base fee or difficulty", ErrInput)
	}
	for i, h := range in.Witness.Headers {
		if h == nil || h.Number == nil || !h.Number.IsUint64() || h.BaseFee == nil || h.Difficulty == nil {
			return fmt.Errorf("%w: header %d of the witness", ErrInput, i)
		}
	}
	for i, m := range in.MiniBlocks {
		if m == nil {
			return fmt.Errorf("%w: mini-block %d", ErrInput, i)
		}
		if len(m.Senders) != len(m.Txs) {
			return fmt.Errorf("%w: mini-block %d has %d transactions and %d senders", ErrInput, i, len(m.Txs), len(m.Senders))
		}
	}
	return nil
}
