package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Overlay is a View over a base view with diffs applied on top: what a mini-block
// sees before it is cut. The base must not change meanwhile. For one goroutine.
type Overlay struct {
	base     View
	accounts map[common.Address]*overlayAccount
	codes    map[common.Hash][]byte
}

// overlayAccount is an account that was written, with its values in the base.
type overlayAccount struct {
	before, after Account
	slots         map[common.Hash]overlaySlot
	added         int // slots that became non-zero, less those that became zero
}

type overlaySlot struct{ before, after common.Hash }

// NewOverlay returns an overlay that shows the base.
func NewOverlay(base View) *Overlay {
	return &Overlay{
		base:     base,
		accounts: make(map[common.Address]*overlayAccount),
		codes:    make(map[common.Hash][]byte),
	}
}

// Reset forgets all applied diffs and shows the base as it is now.
func (o *Overlay) Reset() {
	clear(o.accounts)
	clear(o.codes)
}

// Apply puts the diff's values over what the overlay shows. It keeps the code
// slices, nothing else of the diff.
func (o *Overlay) Apply(d Diff) {
	for i := range d {
		a := &d[i]
		entry := o.entry(a.Address)
		if a.Nonce != nil {
			entry.after.Nonce = *a.Nonce
		}
		if a.Balance != nil {
			entry.after.Balance = *a.Balance
		}
		if a.CodeChanged {
			entry.after.CodeHash = types.EmptyCodeHash
			if len(a.Code) > 0 {
				entry.after.CodeHash = crypto.Keccak256Hash(a.Code)
				o.codes[entry.after.CodeHash] = a.Code
			}
		}
		for _, s := range a.Storage {
			o.setSlot(a.Address, entry, s)
		}
	}
}

func (o *Overlay) entry(addr common.Address) *overlayAccount {
	entry := o.accounts[addr]
	if entry == nil {
		entry = new(overlayAccount)
		entry.before, _ = o.base.Account(addr)
		entry.after = entry.before
		o.accounts[addr] = entry
	}
	return entry
}

func (o *Overlay) setSlot(addr common.Address, entry *overlayAccount, s SlotDiff) {
	slot, ok := entry.slots[s.Slot]
	if !ok {
		slot.before = o.base.Storage(addr, s.Slot)
		slot.after = slot.before
		if entry.slots == nil {
			entry.slots = make(map[common.Hash]overlaySlot)
		}
	}
	zero := common.Hash{}
	if slot.after == zero && s.Value != zero {
		entry.added++
	}
	if slot.after != zero && s.Value == zero {
		entry.added--
	}
	slot.after = s.Value
	entry.slots[s.Slot] = slot
}

// Account implements View.
func (o *Overlay) Account(addr common.Address) (Account, bool) {
	if entry := o.accounts[addr]; entry != nil {
		return entry.after, !entry.after.IsEmpty()
	}
	return o.base.Account(addr)
}

// CodeHash is the code hash of Account.
func (o *Overlay) CodeHash(addr common.Address) common.Hash {
	if entry := o.accounts[addr]; entry != nil {
		return entry.after.CodeHash
	}
	return CodeHash(o.base, addr)
}

// Storage implements View.
func (o *Overlay) Storage(addr common.Address, slot common.Hash) common.Hash {
	if entry := o.accounts[addr]; entry != nil {
		if s, ok := entry.slots[slot]; ok {
			return s.after
		}
	}
	return o.base.Storage(addr, slot)
}

// Code implements View.
func (o *Overlay) Code(hash common.Hash) []byte {
	if code, ok := o.codes[hash]; ok {
		return code
	}
	return o.base.Code(hash)
}

// HasStorage implements View. It is exact over the views of this package. Over a
// foreign one, which cannot count, an account whose slots in the base were all set
// to zero in the overlay still counts as having storage.
func (o *Overlay) HasStorage(addr common.Address) bool { return o.slotCount(addr) > 0 }

func (o *Overlay) slotCount(addr common.Address) uint64 {
	entry := o.accounts[addr]
	if base, ok := o.base.(slotCounter); ok {
		n := base.slotCount(addr)
		if entry != nil {
			n += uint64(entry.added)
		}
		return n
	}
	if o.base.HasStorage(addr) || entry != nil && entry.added > 0 {
		return 1
	}
	return 0
}

// Diff returns all applied diffs as one: the values that differ from the base.
func (o *Overlay) Diff() Diff {
	d := make(Diff, 0, len(o.accounts))
	for addr, entry := range o.accounts {
		if a, changed := o.accountDiff(addr, entry); changed {
			d = append(d, a)
		}
	}
	slices.SortFunc(d, func(a, b AccountDiff) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	return d
}

func (o *Overlay) accountDiff(addr common.Address, entry *overlayAccount) (AccountDiff, bool) {
	a := AccountDiff{Address: addr}
	before, after := &entry.before, &entry.after
	if after.Nonce != before.Nonce {
		nonce := after.Nonce
		a.Nonce = &nonce
	}
	if after.Balance != before.Balance {
		a.Balance = new(uint256.Int).Set(&after.Balance)
	}
	if after.CodeHash != before.CodeHash {
		a.Code, a.CodeChanged = o.Code(after.CodeHash), true
	}
	for slot, s := range entry.slots {
		if s.after != s.before {
			a.Storage = append(a.Storage, SlotDiff{slot, s.after})
		}
	}
	slices.SortFunc(a.Storage, func(a, b SlotDiff) int { return bytes.Compare(a.Slot[:], b.Slot[:]) })
	return a, *after != *before || len(a.Storage) > 0
}
