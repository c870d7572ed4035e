package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Steps is the highest index of a step that changed something, 0 if there is none.
func (l *AccessList) Steps() uint32 {
	l.sort()
	last := uint32(0)
	for i := range l.accounts {
		c := &l.accounts[i]
		last = max(last, lastIndex(c.balance), lastIndex(c.nonce), lastIndex(c.code))
		for k := range c.storage {
			last = max(last, lastIndex(c.storage[k].values))
		}
	}
	return last
}

// lastIndex is that of the last of changes, 0 if there is none.
func lastIndex[V any](changes []change[V]) uint32 {
	if n := len(changes); n > 0 {
		return changes[n-1].index
	}
	return 0
}

// Nonces calls f with each new nonce: ascending by account, then by index.
func (l *AccessList) Nonces(f func(addr *common.Address, index uint32, nonce uint64)) {
	l.sort()
	for i := range l.accounts {
		c := &l.accounts[i]
		for k := range c.nonce {
			f(&c.address, c.nonce[k].index, c.nonce[k].value)
		}
	}
}

// StorageAfter is the value of a slot after the step with the index; false if no step up
// to that one wrote it.
func (l *AccessList) StorageAfter(addr common.Address, slot common.Hash, index uint32) (value common.Hash, ok bool) {
	c := l.account(&addr)
	if c == nil {
		return value, false
	}
	at, found := slices.BinarySearchFunc(c.storage, slot, func(s slotChanges, want common.Hash) int { return bytes.Compare(s.slot[:], want[:]) })
	if !found {
		return value, false
	}
	for _, v := range c.storage[at].values {
		if v.index > index {
			break
		}
		value, ok = v.value, true
	}
	return value, ok
}

// account finds what changed in an account, nil if nothing did.
func (l *AccessList) account(addr *common.Address) *accountChanges {
	l.sort()
	at, found := slices.BinarySearchFunc(l.accounts, addr, func(c accountChanges, want *common.Address) int { return bytes.Compare(c.address[:], want[:]) })
	if !found {
		return nil
	}
	return &l.accounts[at]
}
