package store

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
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
		return nil, fmt.Errorf("changes of block %d: %w", number, err)
	}
	changes := make([]Change, len(records))
	for i, r := range records {
		changes[i] = Change(r)
	}
	return changes, nil
}
