package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/state"
)

// Account returns the account after the newest block, state.EmptyAccount if there is
// none. With Slot it makes a DB a state.Cold.
func (db *DB) Account(addr common.Address) (state.Account, error) {
	a := state.EmptyAccount
	err := db.read(accountKey(addr), func(value []byte) (err error) {
		a, err = decodeAccount(value)
		return err
	})
	return a, err
}

// Slot returns the slot's value after the newest block, zero when it was never
// written.
func (db *DB) Slot(addr common.Address, slot common.Hash) (value common.Hash, err error) {
	err = db.read(slotKey(addr, slot), func(raw []byte) (err error) {
		value, err = decodeSlot(raw)
		return err
	})
	return value, err
}

// read calls f with the key's value if it has one.
func (db *DB) read(key []byte, f func(value []byte) error) error {
	value, closer, err := db.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	return errors.Join(f(value), closer.Close())
}

// Fail ends the process because of an error of the database after which nothing may go
// on, as Options.Fatal says. Everything acknowledged is in the write-ahead log.
func (db *DB) Fail(err error) { db.log.Fatalf("%v", err) }
