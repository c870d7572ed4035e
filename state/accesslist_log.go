package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// accessLog is the changes of an AccessList in the order in which they came, so that
// adding one is a search for its key and an append. Those of one account, field or slot
// form a chain. Everything lies in a few slices that reset keeps.
//
// A block may write hundreds of thousands of slots of one account in any order: keeping
// them sorted from diff to diff would be quadratic, so they are sorted once, when the
// list is read.
type accessLog struct {
	index    addressIndex
	accounts []accountChains // by number

	slotIndex slotIndex
	slots     []slotChain // by number

	balances changeLog[uint256.Int]
	nonces   changeLog[uint64]
	codes    changeLog[[]byte]
	values   changeLog[common.Hash]

	// The sorted form.
	order        []int32 // of accounts, then of the slots of one
	sorted       []accountChanges
	sortedSlots  []slotChanges
	sortedValues []change[common.Hash]
	sortedCodes  []change[[]byte]
	sortedNonces []change[uint64]
	sortedWei    []change[uint256.Int]
}

// keepChanges bounds the memory for changes that is kept from list to list.
const keepChanges = 1 << 16

// chain is a part of a log that is linked backwards.
type chain struct{ last, count int32 }

type accountChains struct {
	balance, nonce, code chain
	slots                chain
}

type slotChain struct {
	values chain
	before int32 // of the same account
}

type changeLog[V any] []chained[V]

type chained[V any] struct {
	change[V]
	before int32
}

// add appends a value to the chain c, or changes its last if that has the same index.
func (l *changeLog[V]) add(c *chain, index uint32, value *V) {
	if c.count > 0 {
		if last := &(*l)[c.last]; last.index == index {
			last.value = *value
			return
		} else if last.index > index {
			panic("state: access list indexes fall")
		}
	}
	*l = append(*l, chained[V]{change[V]{index, *value}, c.last})
	c.last = int32(len(*l) - 1)
	c.count++
}

// appendTo appends the chain c to out, which has room, in order, and returns the chain
// there and out.
func (l changeLog[V]) appendTo(out []change[V], c chain) (part, all []change[V]) {
	first, end := len(out), len(out)+int(c.count)
	if first == end {
		return nil, out
	}
	out = out[:end]
	for n, at := end-1, c.last; n >= first; n-- {
		out[n] = l[at].change
		at = l[at].before
	}
	return out[first:end:end], out
}

func newAccessLog() accessLog { return accessLog{index: newAddressIndex(), slotIndex: newSlotIndex()} }

func (l *accessLog) reset() {
	clear(l.codes)
	clear(l.sortedCodes)
	l.index.reset(keepChanges)
	l.slotIndex.reset(keepChanges)
	l.accounts, l.slots = emptied(l.accounts, keepChanges), emptied(l.slots, keepChanges)
	l.balances, l.nonces = emptied(l.balances, keepChanges), emptied(l.nonces, keepChanges)
	l.codes, l.values = emptied(l.codes, keepChanges), emptied(l.values, keepChanges)
}

func (l *accessLog) account(addr *common.Address) int32 {
	i, isNew := l.index.add(addr)
	if isNew {
		l.accounts = append(l.accounts, accountChains{})
	}
	return i
}

func (l *accessLog) slot(account int32, slot *common.Hash) int32 {
	i, isNew := l.slotIndex.add(account, slot)
	if isNew {
		c := &l.accounts[account].slots
		l.slots = append(l.slots, slotChain{before: c.last})
		c.last = i
		c.count++
	}
	return i
}

func (l *accessLog) add(index uint32, a *AccountDiff) {
	if a.Nonce == nil && a.Balance == nil && !a.CodeChanged && len(a.Storage) == 0 {
		return
	}
	account := l.account(&a.Address)
	c := &l.accounts[account]
	if a.Nonce != nil {
		l.nonces.add(&c.nonce, index, a.Nonce)
	}
	if a.Balance != nil {
		l.balances.add(&c.balance, index, a.Balance)
	}
	if a.CodeChanged {
		l.codes.add(&c.code, index, &a.Code)
	}
	for i := range a.Storage {
		s := &a.Storage[i]
		l.values.add(&l.slots[l.slot(account, &s.Slot)].values, index, &s.Value)
	}
}

// addSorted adds an account with all its changes.
func (l *accessLog) addSorted(a *accountChanges) {
	account := l.account(&a.address)
	c := &l.accounts[account]
	for i := range a.nonce {
		l.nonces.add(&c.nonce, a.nonce[i].index, &a.nonce[i].value)
	}
	for i := range a.balance {
		l.balances.add(&c.balance, a.balance[i].index, &a.balance[i].value)
	}
	for i := range a.code {
		l.codes.add(&c.code, a.code[i].index, &a.code[i].value)
	}
	for i := range a.storage {
		s := &a.storage[i]
		slot := l.slot(account, &s.slot)
		for j := range s.values {
			l.values.add(&l.slots[slot].values, s.values[j].index, &s.values[j].value)
		}
	}
}

// sort returns the accounts in the order of the encoding, in memory of the log.
func (l *accessLog) sort() []accountChanges {
	l.order = sized(l.order, len(l.accounts)+len(l.slots), keepChanges)
	l.sorted = sized(l.sorted, len(l.accounts), keepChanges)
	l.sortedSlots = sized(l.sortedSlots, len(l.slots), keepChanges)[:0]
	l.sortedValues = sized(l.sortedValues, len(l.values), keepChanges)[:0]
	l.sortedCodes = sized(l.sortedCodes, len(l.codes), keepChanges)[:0]
	l.sortedNonces = sized(l.sortedNonces, len(l.nonces), keepChanges)[:0]
	l.sortedWei = sized(l.sortedWei, len(l.balances), keepChanges)[:0]

	order := l.order[:len(l.accounts)]
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return bytes.Compare(l.index.keys[x][:], l.index.keys[y][:]) })
	for n, i := range order {
		c, out := &l.accounts[i], &l.sorted[n]
		out.address = l.index.keys[i]
		out.storage = l.sortSlots(c.slots)
		out.balance, l.sortedWei = l.balances.appendTo(l.sortedWei, c.balance)
		out.nonce, l.sortedNonces = l.nonces.appendTo(l.sortedNonces, c.nonce)
		out.code, l.sortedCodes = l.codes.appendTo(l.sortedCodes, c.code)
	}
	return l.sorted
}

// sortSlots appends the slots of one account to sortedSlots and returns them.
func (l *accessLog) sortSlots(c chain) []slotChanges {
	if c.count == 0 {
		return nil
	}
	order := l.order[len(l.accounts):][:c.count]
	for n := range order {
		order[n] = c.last
		c.last = l.slots[c.last].before
	}
	slices.SortFunc(order, func(x, y int32) int {
		return bytes.Compare(l.slotIndex.keys[x].slot[:], l.slotIndex.keys[y].slot[:])
	})
	first := len(l.sortedSlots)
	for _, i := range order {
		s := slotChanges{slot: l.slotIndex.keys[i].slot}
		s.values, l.sortedValues = l.values.appendTo(l.sortedValues, l.slots[i].values)
		l.sortedSlots = append(l.sortedSlots, s)
	}
	return l.sortedSlots[first:len(l.sortedSlots):len(l.sortedSlots)]
}
