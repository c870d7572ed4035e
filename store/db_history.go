package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
)

// AccountChange is the newest block up to number that changed the account's nonce,
// balance or code, or with forward the oldest from number on. It is one seek: the
// history of accounts is an index of it. Not ok is none.
func (db *DB) AccountChange(addr common.Address, number uint64, forward bool) (block uint64, ok bool, err error) {
	flat := accountKey(addr)
	lower, upper := atKey(flat, math.MaxUint64), append(atKey(flat, 0), 0)
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return 0, false, fmt.Errorf("history of account %s: %w", addr, err)
	}
	if forward { // numbers are inverted: the next is before what is behind number
		ok = number == 0 && it.Last() || number > 0 && it.SeekLT(atKey(flat, number-1))
	} else {
		ok = it.SeekGE(atKey(flat, number))
	}
	if ok {
		block = ^binary.BigEndian.Uint64(it.Key()[len(flat):])
	}
	if err := it.Close(); err != nil {
		return 0, false, fmt.Errorf("history of account %s: %w", addr, err)
	}
	return block, ok, nil
}
