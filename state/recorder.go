package state

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// Recorder is a View that notes what is read through it: what a witness of the
// reads must hold. Views that nobody records are not touched by it. It is safe for
// concurrent use if its base is.
type Recorder struct {
	base View

	mu       sync.Mutex
	accounts map[common.Address]struct{}
	slots    map[SlotKey]struct{}
	codes    map[common.Hash]struct{}
}

// NewRecorder returns a recorder of reads from the base.
func NewRecorder(base View) *Recorder {
	r := &Recorder{base: base}
	r.Reset()
	return r
}

// Reset forgets what was read.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accounts = make(map[common.Address]struct{})
	r.slots = make(map[SlotKey]struct{})
	r.codes = make(map[common.Hash]struct{})
}

// Account implements View.
func (r *Recorder) Account(addr common.Address) (Account, bool) {
	r.noteAccount(addr)
	return r.base.Account(addr)
}

// CodeHash is the code hash of Account.
func (r *Recorder) CodeHash(addr common.Address) common.Hash {
	r.noteAccount(addr)
	return CodeHash(r.base, addr)
}

// Storage implements View. A slot is read under its account, which is noted too.
func (r *Recorder) Storage(addr common.Address, slot common.Hash) common.Hash {
	r.mu.Lock()
	r.accounts[addr] = struct{}{}
	r.slots[SlotKey{addr, slot}] = struct{}{}
	r.mu.Unlock()
	return r.base.Storage(addr, slot)
}

// Code implements View.
func (r *Recorder) Code(hash common.Hash) []byte {
	r.mu.Lock()
	r.codes[hash] = struct{}{}
	r.mu.Unlock()
	return r.base.Code(hash)
}

// HasStorage implements View. It reads the account, of which the storage root is a
// part.
func (r *Recorder) HasStorage(addr common.Address) bool {
	r.noteAccount(addr)
	return r.base.HasStorage(addr)
}

// slotCount lets an Overlay count over the recorder. Of a foreign base it is only
// known whether there are slots; then the count is more than anybody can clear.
func (r *Recorder) slotCount(addr common.Address) uint64 {
	r.noteAccount(addr)
	if base, ok := r.base.(slotCounter); ok {
		return base.slotCount(addr)
	}
	if r.base.HasStorage(addr) {
		return 1 << 62
	}
	return 0
}

func (r *Recorder) noteAccount(addr common.Address) {
	r.mu.Lock()
	r.accounts[addr] = struct{}{}
	r.mu.Unlock()
}

// Accounts returns the addresses of the accounts that were read, ascending, absent
// ones included.
func (r *Recorder) Accounts() []common.Address {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.accounts), common.Address.Cmp)
}

// Slots returns the slots that were read, ascending by address and slot, zero ones
// included.
func (r *Recorder) Slots() []SlotKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.slots), func(a, b SlotKey) int {
		if c := bytes.Compare(a.Address[:], b.Address[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.Slot[:], b.Slot[:])
	})
}

// Codes returns the hashes of the codes that were read, ascending.
func (r *Recorder) Codes() []common.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.codes), common.Hash.Cmp)
}
