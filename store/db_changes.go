package store

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// Change names what a block changed in one account; the values are in the views of
// the blocks before and after it.
type Change struct {
	Address common.Address
	Account bool          // nonce, balance or code
	Slots   []common.Hash // ascending
}

// Changes returns what the block with the number changed, ascending by address, or
// ErrNotFound.
func (db *DB) Changes(number uint64) ([]Change, error) {
	var records []changeRecord
	if err := db.getRLP(numberKey(tableChanges, number), &records); err != nil {
		if base := db.Base(); base > 0 && number == base {
			number-- // what it changed is not part of a snapshot
		}
		return nil, fmt.Errorf("changes of block %d: %w", number, db.absent(number, err))
	}
	changes := make([]Change, len(records))
	for i, r := range records {
		changes[i] = Change(r)
	}
	return changes, nil
}

// MiniBlockSignatures returns the signatures of the block's mini-blocks, in order, or
// ErrNotFound.
func (db *DB) MiniBlockSignatures(number uint64) ([]chain.Signature, error) {
	records, err := db.minis(number)
	if err != nil {
		return nil, fmt.Errorf("mini-blocks of block %d: %w", number, err)
	}
	signatures := make([]chain.Signature, len(records))
	for i := range records {
		signatures[i] = records[i].Signature
	}
	return signatures, nil
}
