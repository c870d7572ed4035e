package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// AccessList is the sequence of diffs of a mini-block or block, in the encoding of
// EIP-7928's block access list: per account and per field every new value with the
// index of the step that wrote it. Only changes are in it: the lists of storage
// reads stay empty and accounts that were merely read are absent.
type AccessList struct {
	accounts []accountChanges // ascending, if sorted
	sorted   bool
	log      accessLog // what accounts are made from; empty in a decoded list
	encoded  []byte    // scratch of Encode
}

// accountChanges is an account in the order of the encoding.
type accountChanges struct {
	address common.Address
	storage []slotChanges
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
func NewAccessList() *AccessList { return &AccessList{log: newAccessLog()} }

// Reset makes the list empty; it keeps its memory. What Encode and Final returned stays
// as it is.
func (l *AccessList) Reset() {
	l.log.reset()
	l.accounts, l.sorted = l.accounts[:0], false
}

// Add appends the diff of the step with the index. Indexes must not fall from call
// to call; diffs with the same index count as one step, of which the last values
// hold. The list keeps the code slices, nothing else of the diff.
func (l *AccessList) Add(index uint32, d Diff) {
	l.change()
	for i := range d {
		l.log.add(index, &d[i])
	}
}

// AddBalance appends a new balance as Add does.
func (l *AccessList) AddBalance(index uint32, addr common.Address, balance uint256.Int) {
	l.change()
	account := l.log.account(&addr)
	l.log.balances.add(&l.log.accounts[account].balance, index, &balance)
}

// change prepares for changes.
func (l *AccessList) change() {
	if len(l.log.index.cells) == 0 {
		l.log = newAccessLog()
		for i := range l.accounts {
			l.log.addSorted(&l.accounts[i])
		}
	}
	l.sorted = false
}

// Len returns the number of accounts that changed.
func (l *AccessList) Len() int {
	if l.sorted {
		return len(l.accounts)
	}
	return len(l.log.accounts)
}

// sort makes the accounts from the log.
func (l *AccessList) sort() {
	if !l.sorted {
		l.accounts, l.sorted = l.log.sort(), true
	}
}

// Final returns the last value of everything written, as one diff. Unlike an
// Overlay's diff it also lists values that returned to what they were before the
// list. The code slices are shared with the list.
func (l *AccessList) Final() Diff {
	l.sort()
	slots := 0
	for i := range l.accounts {
		slots += len(l.accounts[i].storage)
	}
	d, values, storage := make(Diff, len(l.accounts)), make([]Account, len(l.accounts)), make([]SlotDiff, 0, slots)
	for i := range l.accounts {
		c, a, v := &l.accounts[i], &d[i], &values[i]
		a.Address = c.address
		if n := len(c.nonce); n > 0 {
			v.Nonce = c.nonce[n-1].value
			a.Nonce = &v.Nonce
		}
		if n := len(c.balance); n > 0 {
			v.Balance = c.balance[n-1].value
			a.Balance = &v.Balance
		}
		if n := len(c.code); n > 0 {
			a.Code, a.CodeChanged = c.code[n-1].value, true
			a.CodeHash = a.NewCodeHash()
		}
		first := len(storage)
		for j := range c.storage {
			s := &c.storage[j]
			storage = append(storage, SlotDiff{s.slot, s.values[len(s.values)-1].value})
		}
		if n := len(storage); n > first {
			a.Storage = storage[first:n:n]
		}
	}
	return d
}
