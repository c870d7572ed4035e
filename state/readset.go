package state

import "github.com/ethereum/go-ethereum/common"

// Reads are what one step looked at in the state and left as it was: what it changed is
// in its Diff and not here. The slices are lent by whoever filled them.
type Reads struct {
	Accounts []common.Address // absent ones included, without those of Codes
	Codes    []common.Address // accounts of which the code itself was looked at, changed or not
	Slots    []SlotKey        // also of accounts that are absent
}

// Reset forgets everything and keeps the memory.
func (r *Reads) Reset() { r.Accounts, r.Codes, r.Slots = r.Accounts[:0], r.Codes[:0], r.Slots[:0] }

// ReadsInto appends what the transaction has looked at and not changed so far. Accounts
// that were only credited, or put into the access list, were not looked at.
func (j *Journal) ReadsInto(r *Reads) {
	for i := range j.accounts {
		a := &j.accounts[i]
		switch {
		case a.codeUsed:
			r.Codes = append(r.Codes, j.accountIndex.keys[i])
		case a.loaded && a.final().equals(&a.original), !a.loaded && a.hashed:
			r.Accounts = append(r.Accounts, j.accountIndex.keys[i])
		}
	}
	for i := range j.slots {
		if s := &j.slots[i]; s.loaded && sameWord(j.finalSlot(int32(i)), &s.original) {
			k := &j.slotIndex.keys[i]
			r.Slots = append(r.Slots, SlotKey{j.accountIndex.keys[k.account], k.slot})
		}
	}
}

// ReadSet is what the steps of a block looked at, each account and slot once. It is used
// by one goroutine; the zero value is empty.
type ReadSet struct {
	index addressIndex
	codes []bool // by number of the account: its code was looked at
	slots slotIndex
}

// keepReads bounds the memory that is kept from block to block: that of so many accounts
// and slots.
const keepReads = 1 << 16

// Reset makes the set empty.
func (s *ReadSet) Reset() {
	if len(s.index.cells) == 0 {
		s.index, s.slots = newAddressIndex(), newSlotIndex()
	}
	s.index.reset(keepReads)
	s.slots.reset(keepReads)
	s.codes = emptied(s.codes, keepReads)
}

// Account adds an account.
func (s *ReadSet) Account(addr common.Address) { s.account(&addr) }

// Slot adds a slot and with it its account.
func (s *ReadSet) Slot(addr common.Address, slot common.Hash) { s.slots.add(s.account(&addr), &slot) }

// Code adds an account and its code.
func (s *ReadSet) Code(addr common.Address) { s.codes[s.account(&addr)] = true }

func (s *ReadSet) account(addr *common.Address) int32 {
	if len(s.index.cells) == 0 {
		s.Reset()
	}
	i, isNew := s.index.add(addr)
	if isNew {
		s.codes = append(s.codes, false)
	}
	return i
}

// Add adds what a step looked at.
func (s *ReadSet) Add(r *Reads) {
	for i := range r.Accounts {
		s.account(&r.Accounts[i])
	}
	for i := range r.Codes {
		s.codes[s.account(&r.Codes[i])] = true
	}
	for i := range r.Slots {
		s.slots.add(s.account(&r.Slots[i].Address), &r.Slots[i].Slot)
	}
}

// Len returns the numbers of accounts and slots.
func (s *ReadSet) Len() (accounts, slots int) { return len(s.index.keys), len(s.slots.keys) }
