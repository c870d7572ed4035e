package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Overlay is a View over a base view with diffs applied on top: what a mini-block
// sees before it is cut. The base must not change meanwhile. For one goroutine.
type Overlay struct {
	base View

	index    addressIndex
	accounts []overlayAccount // by number

	slotIndex slotIndex
	slots     []overlaySlot // by number

	codes map[common.Hash][]byte
}

// overlayAccount is an account that was written, with its values in the base.
type overlayAccount struct {
	before, after Account
	added         int // slots that became non-zero, less those that became zero
}

type overlaySlot struct{ before, after common.Hash }

// keepWritten bounds the accounts and slots whose memory Reset keeps.
const keepWritten = 1 << 16

// NewOverlay returns an overlay that shows the base.
func NewOverlay(base View) *Overlay {
	return &Overlay{base: base, index: newAddressIndex(), slotIndex: newSlotIndex(), codes: make(map[common.Hash][]byte)}
}

// Reset forgets all applied diffs and shows the base as it is now. It keeps the memory.
func (o *Overlay) Reset() {
	o.index.reset(keepWritten)
	o.accounts = emptied(o.accounts, keepWritten)
	o.slotIndex.reset(keepWritten)
	o.slots = emptied(o.slots, keepWritten)
	clear(o.codes)
}

// Apply puts the diff's values over what the overlay shows. It keeps the code
// slices, nothing else of the diff.
func (o *Overlay) Apply(d Diff) {
	for i := range d {
		a := &d[i]
		account := o.written(&a.Address)
		after := &o.accounts[account].after
		if a.Nonce != nil {
			after.Nonce = *a.Nonce
		}
		if a.Balance != nil {
			after.Balance = *a.Balance
		}
		if a.CodeChanged {
			if after.CodeHash = a.NewCodeHash(); len(a.Code) > 0 {
				o.codes[after.CodeHash] = a.Code
			}
		}
		for j := range a.Storage {
			o.setSlot(account, &a.Address, &a.Storage[j])
		}
	}
}

// Credit adds amount wei to a balance, modulo 2^256, and returns the balance after.
func (o *Overlay) Credit(addr common.Address, amount *uint256.Int) uint256.Int {
	balance := &o.accounts[o.written(&addr)].after.Balance
	return *balance.Add(balance, amount)
}

// written is the number of an account that is being written.
func (o *Overlay) written(addr *common.Address) int32 {
	i, isNew := o.index.add(addr)
	if isNew {
		o.accounts = extended(o.accounts)
		a := &o.accounts[i]
		a.before, _ = o.base.Account(*addr)
		a.after, a.added = a.before, 0
	}
	return i
}

func (o *Overlay) setSlot(account int32, addr *common.Address, s *SlotDiff) {
	i, isNew := o.slotIndex.add(account, &s.Slot)
	if isNew {
		before := o.base.Storage(*addr, s.Slot)
		o.slots = append(o.slots, overlaySlot{before, before})
	}
	after, zero := &o.slots[i].after, common.Hash{}
	if was, is := *after != zero, s.Value != zero; is && !was {
		o.accounts[account].added++
	} else if was && !is {
		o.accounts[account].added--
	}
	*after = s.Value
}

// Account implements View.
func (o *Overlay) Account(addr common.Address) (Account, bool) {
	if i := o.index.find(&addr); i >= 0 {
		a := &o.accounts[i].after
		return *a, !a.IsEmpty()
	}
	return o.base.Account(addr)
}

// CodeHash is the code hash of Account.
func (o *Overlay) CodeHash(addr common.Address) common.Hash {
	if i := o.index.find(&addr); i >= 0 {
		return o.accounts[i].after.CodeHash
	}
	return CodeHash(o.base, addr)
}

// Storage implements View.
func (o *Overlay) Storage(addr common.Address, slot common.Hash) common.Hash {
	if len(o.slots) > 0 {
		if account := o.index.find(&addr); account >= 0 {
			if i := o.slotIndex.find(account, &slot); i >= 0 {
				return o.slots[i].after
			}
		}
	}
	return o.base.Storage(addr, slot)
}

// Code implements View.
func (o *Overlay) Code(hash common.Hash) []byte {
	if len(o.codes) > 0 {
		if code, ok := o.codes[hash]; ok {
			return code
		}
	}
	return o.base.Code(hash)
}

// HasStorage implements View. It is exact over the views of this package. Over a
// foreign one, which cannot count, an account whose slots in the base were all set
// to zero in the overlay still counts as having storage.
func (o *Overlay) HasStorage(addr common.Address) bool { return o.slotCount(addr) > 0 }

func (o *Overlay) slotCount(addr common.Address) uint64 {
	added := 0
	if i := o.index.find(&addr); i >= 0 {
		added = o.accounts[i].added
	}
	if base, ok := o.base.(slotCounter); ok {
		return base.slotCount(addr) + uint64(added)
	}
	if o.base.HasStorage(addr) || added > 0 {
		return 1
	}
	return 0
}

// Diff returns all applied diffs as one: the values that differ from the base. It
// shares no memory with the overlay except code.
func (o *Overlay) Diff() Diff {
	slots := o.changedSlots()
	accounts := make([]int32, len(o.accounts))
	for i := range accounts {
		accounts[i] = int32(i)
	}
	slices.SortFunc(accounts, o.byAddress)
	d, finals, storage := make(Diff, 0, len(accounts)), make([]Account, len(accounts)), make([]SlotDiff, len(slots))
	next := 0
	for _, i := range accounts {
		first := next
		for ; next < len(slots) && o.slotIndex.keys[slots[next]].account == i; next++ {
			s := slots[next]
			storage[next] = SlotDiff{o.slotIndex.keys[s].slot, o.slots[s].after}
		}
		before, after := &o.accounts[i].before, &finals[i]
		if *after = o.accounts[i].after; *after == *before && next == first {
			continue
		}
		a := AccountDiff{Address: o.index.keys[i]}
		if after.Nonce != before.Nonce {
			a.Nonce = &after.Nonce
		}
		if after.Balance != before.Balance {
			a.Balance = &after.Balance
		}
		if after.CodeHash != before.CodeHash {
			a.Code, a.CodeChanged, a.CodeHash = o.Code(after.CodeHash), true, after.CodeHash
		}
		if next > first {
			a.Storage = storage[first:next:next]
		}
		d = append(d, a)
	}
	return d
}

// changedSlots are the slots that differ from the base, by address and slot.
func (o *Overlay) changedSlots() []int32 {
	slots := make([]int32, 0, len(o.slots))
	for i := range o.slots {
		if s := &o.slots[i]; s.after != s.before {
			slots = append(slots, int32(i))
		}
	}
	slices.SortFunc(slots, func(x, y int32) int {
		a, b := &o.slotIndex.keys[x], &o.slotIndex.keys[y]
		if a.account != b.account {
			return o.byAddress(a.account, b.account)
		}
		return bytes.Compare(a.slot[:], b.slot[:])
	})
	return slots
}

func (o *Overlay) byAddress(x, y int32) int {
	return bytes.Compare(o.index.keys[x][:], o.index.keys[y][:])
}
