package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

// AccessList is the sequence of diffs of a mini-block or block, in the encoding of
// EIP-7928's block access list: per account and per field every new value with the
// index of the step that wrote it. Only changes are in it: the lists of storage
// reads stay empty and accounts that were merely read are absent.
type AccessList struct {
	accounts []accountChanges
	byAddr   map[common.Address]int // index in accounts; nil in a decoded list
}

type accountChanges struct {
	address common.Address
	storage []slotChanges         // in order of first write until sort
	bySlot  map[common.Hash]int32 // index in storage; nil while that is short, and after sort
	balance []change[uint256.Int]
	nonce   []change[uint64]
	code    []change[[]byte]
}

type slotChanges struct {
	slot   common.Hash
	values []change[common.Hash]
}

// change is the value after the step with the index.
type change[V any] struct {
	index uint32
	value V
}

// NewAccessList returns an empty list.
func NewAccessList() *AccessList { return &AccessList{byAddr: make(map[common.Address]int)} }

// Add appends the diff of the step with the index. Indexes must not fall from call
// to call; diffs with the same index count as one step, of which the last values
// hold. The list keeps the code slices, nothing else of the diff.
func (l *AccessList) Add(index uint32, d Diff) {
	for i := range d {
		a := &d[i]
		if a.Nonce == nil && a.Balance == nil && !a.CodeChanged && len(a.Storage) == 0 {
			continue
		}
		c := l.account(a.Address)
		if a.Nonce != nil {
			c.nonce = appendChange(c.nonce, index, *a.Nonce)
		}
		if a.Balance != nil {
			c.balance = appendChange(c.balance, index, *a.Balance)
		}
		if a.CodeChanged {
			c.code = appendChange(c.code, index, a.Code)
		}
		if len(a.Storage) > 0 {
			c.addSlots(index, a.Storage)
		}
	}
}

func (l *AccessList) account(addr common.Address) *accountChanges {
	if l.byAddr == nil {
		l.byAddr = make(map[common.Address]int, len(l.accounts))
		for i := range l.accounts {
			l.byAddr[l.accounts[i].address] = i
		}
	}
	i, ok := l.byAddr[addr]
	if !ok {
		i = len(l.accounts)
		l.byAddr[addr] = i
		l.accounts = append(l.accounts, accountChanges{address: addr})
	}
	return &l.accounts[i]
}

func appendChange[V any](changes []change[V], index uint32, value V) []change[V] {
	if n := len(changes); n > 0 {
		if last := &changes[n-1]; last.index == index {
			last.value = value
			return changes
		} else if last.index > index {
			panic("state: access list indexes fall")
		}
	}
	return append(changes, change[V]{index, value})
}

// maxScan is the number of slots up to which looking at each is cheaper than a map.
const maxScan = 16

// addSlots adds the values of slots. A block may write hundreds of thousands of slots
// of one account in any order: keeping them sorted from diff to diff would be
// quadratic, so they are sorted once, when they are read.
func (c *accountChanges) addSlots(index uint32, slots []SlotDiff) {
	if c.storage == nil {
		c.storage = make([]slotChanges, 0, len(slots))
	}
	for i := range slots {
		s := c.slot(slots[i].Slot, len(slots)-i)
		s.values = appendChange(s.values, index, slots[i].Value)
	}
}

// slot finds the changes of a slot or makes them; at most more new slots follow.
func (c *accountChanges) slot(slot common.Hash, more int) *slotChanges {
	if len(c.storage) <= maxScan {
		for i := range c.storage {
			if c.storage[i].slot == slot {
				return &c.storage[i]
			}
		}
	} else {
		if c.bySlot == nil {
			c.bySlot = make(map[common.Hash]int32, len(c.storage)+more)
			for i := range c.storage {
				c.bySlot[c.storage[i].slot] = int32(i)
			}
		}
		if i, ok := c.bySlot[slot]; ok {
			return &c.storage[i]
		}
		c.bySlot[slot] = int32(len(c.storage))
	}
	c.storage = append(c.storage, slotChanges{slot: slot})
	return &c.storage[len(c.storage)-1]
}

// Len returns the number of accounts that changed.
func (l *AccessList) Len() int { return len(l.accounts) }

// sort puts the accounts and their slots in the order of the encoding.
func (l *AccessList) sort() {
	for i := range l.accounts {
		l.accounts[i].sort()
	}
	byAddress := func(a, b accountChanges) int { return bytes.Compare(a.address[:], b.address[:]) }
	if slices.IsSortedFunc(l.accounts, byAddress) {
		return
	}
	slices.SortFunc(l.accounts, byAddress)
	l.byAddr = nil
}

func (c *accountChanges) sort() {
	bySlot := func(a, b slotChanges) int { return bytes.Compare(a.slot[:], b.slot[:]) }
	if !slices.IsSortedFunc(c.storage, bySlot) {
		slices.SortFunc(c.storage, bySlot)
	}
	c.bySlot = nil
}

// Final returns the last value of everything written, as one diff. Unlike an
// Overlay's diff it also lists values that returned to what they were before the
// list. The code slices are shared with the list.
func (l *AccessList) Final() Diff {
	l.sort()
	d := make(Diff, len(l.accounts))
	for i := range l.accounts {
		c, a := &l.accounts[i], &d[i]
		a.Address = c.address
		if n := len(c.nonce); n > 0 {
			nonce := c.nonce[n-1].value
			a.Nonce = &nonce
		}
		if n := len(c.balance); n > 0 {
			a.Balance = new(uint256.Int).Set(&c.balance[n-1].value)
		}
		if n := len(c.code); n > 0 {
			a.Code, a.CodeChanged = c.code[n-1].value, true
		}
		if len(c.storage) > 0 {
			a.Storage = make([]SlotDiff, len(c.storage))
		}
		for j := range c.storage {
			s := &c.storage[j]
			a.Storage[j] = SlotDiff{s.slot, s.values[len(s.values)-1].value}
		}
	}
	return d
}

// Encode returns the RLP encoding, a list of
//
//	[address, [[slot, [[index, value]…]]…], [], [[index, balance]…], [[index, nonce]…], [[index, code]…]]
//
// ascending by address, slot and index, slots and values as integers.
func (l *AccessList) Encode() []byte {
	l.sort()
	w := rlp.NewEncoderBuffer(nil)
	all := w.List()
	for i := range l.accounts {
		l.accounts[i].encode(w)
	}
	w.ListEnd(all)
	return w.ToBytes()
}

func (c *accountChanges) encode(w rlp.EncoderBuffer) {
	account := w.List()
	w.WriteBytes(c.address[:])
	storage := w.List()
	for i := range c.storage {
		slot := w.List()
		writeWord(w, &c.storage[i].slot)
		encodeChanges(w, c.storage[i].values, writeWord)
		w.ListEnd(slot)
	}
	w.ListEnd(storage)
	w.ListEnd(w.List()) // storage reads
	encodeChanges(w, c.balance, func(w rlp.EncoderBuffer, v *uint256.Int) { w.WriteUint256(v) })
	encodeChanges(w, c.nonce, func(w rlp.EncoderBuffer, v *uint64) { w.WriteUint64(*v) })
	encodeChanges(w, c.code, func(w rlp.EncoderBuffer, v *[]byte) { w.WriteBytes(*v) })
	w.ListEnd(account)
}

func encodeChanges[V any](w rlp.EncoderBuffer, changes []change[V], write func(rlp.EncoderBuffer, *V)) {
	list := w.List()
	for i := range changes {
		c := w.List()
		w.WriteUint64(uint64(changes[i].index))
		write(w, &changes[i].value)
		w.ListEnd(c)
	}
	w.ListEnd(list)
}

// writeWord writes a 32-byte word as the integer that it is.
func writeWord(w rlp.EncoderBuffer, v *common.Hash) { w.WriteBytes(bytes.TrimLeft(v[:], "\x00")) }
