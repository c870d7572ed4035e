package state

import (
	"bytes"
	"iter"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Accounts returns the accounts of the newest version, ascending by address. Like
// Head it is for the writer only, which must not call Apply meanwhile. A DB with a
// Tier does not hold them: it panics.
func (db *DB) Accounts() iter.Seq2[common.Address, Account] {
	return func(yield func(common.Address, Account) bool) {
		keys := make([]common.Address, 0, db.existing.Load())
		db.eachAccount(func(addr *common.Address, r *accountRecord) {
			if !r.IsEmpty() {
				keys = append(keys, *addr)
			}
		})
		slices.SortFunc(keys, func(a, b common.Address) int { return bytes.Compare(a[:], b[:]) })
		for i := range keys {
			if !yield(keys[i], db.recordOf(keys[i]).Account) {
				return
			}
		}
	}
}

// Slots returns the slots that are not zero, ascending by address and slot, on the
// terms of Accounts.
func (db *DB) Slots() iter.Seq2[SlotKey, common.Hash] {
	return func(yield func(SlotKey, common.Hash) bool) {
		keys := make([]SlotKey, 0, db.nonZero.Load())
		db.eachSlot(func(key *SlotKey, _ *common.Hash) { keys = append(keys, *key) })
		slices.SortFunc(keys, func(a, b SlotKey) int {
			if c := bytes.Compare(a.Address[:], b.Address[:]); c != 0 {
				return c
			}
			return bytes.Compare(a.Slot[:], b.Slot[:])
		})
		for i := range keys {
			if !yield(keys[i], db.slotOf(&keys[i])) {
				return
			}
		}
	}
}
