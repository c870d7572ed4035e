package store

import (
	"errors"
	"fmt"
)

// ErrPruned is wrapped by reads of what lies before the block with which the database
// begins: it was filled from a snapshot, and never held it.
var ErrPruned = errors.New("pruned history unavailable")

// Base is the number of the block with which the database begins, 0 if it holds the whole
// chain. Of blocks before it there are the headers of some (the last 255, and genesis).
func (db *DB) Base() uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.base
}

// pruned is an error for blocks before the base, but for genesis.
func (db *DB) pruned(number uint64) error {
	if base := db.Base(); number > 0 && number < base {
		return fmt.Errorf("%w: this node's history begins with block %d", ErrPruned, base)
	}
	return nil
}

// absent is err, ErrPruned where a block that was not found is before the base.
func (db *DB) absent(number uint64, err error) error {
	if p := db.pruned(number); p != nil && errors.Is(err, ErrNotFound) {
		return p
	}
	return err
}
