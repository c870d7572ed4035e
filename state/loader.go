package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// loadPart bounds the accounts and slots that a Loader holds.
const loadPart = 1 << 16

// Loader makes a DB with a Tier and its trie at start-up out of everything that
// Tier.Cold holds, in memory for trie and counts only. Accounts come first, then the
// slots, ascending, each once; codes come at any time.
type Loader struct {
	db   *DB
	trie *TrieLoader
}

// NewLoader returns a loader for a state of that tier.
func NewLoader(t Tier) *Loader {
	db := NewDB()
	db.addTier(t)
	return &Loader{db: db, trie: NewTrieLoader(NewTrie())}
}

// LoadAccount takes an account.
func (l *Loader) LoadAccount(addr common.Address, a Account) {
	if !a.IsEmpty() {
		l.db.existing.Add(1)
	}
	l.trie.LoadAccount(addr, a)
}

// LoadCode takes a code, which it copies, and returns its hash.
func (l *Loader) LoadCode(code []byte) common.Hash {
	hash := (&AccountDiff{Code: code}).NewCodeHash()
	l.db.addCode(hash, code)
	return hash
}

// LoadSlot takes a slot, which is not zero.
func (l *Loader) LoadSlot(addr common.Address, slot, value common.Hash) {
	counts := &l.db.shardOf(&addr).cold.counts
	count := uint64(1)
	if n := counts.at(&addr); n != nil {
		count += *n
	}
	counts.put(&addr, &count)
	l.db.nonZero.Add(1)
	l.trie.LoadSlot(addr, slot, value)
}

// Finish returns what was loaded, at version 0. The loader is of no use afterwards.
func (l *Loader) Finish() (*DB, *Trie) { return l.db, l.trie.Finish() }

// TrieLoader makes accounts and slots of a trie what it is told, in large parts:
// the whole state for an empty trie, or the changes between two states. Accounts come
// first, then the slots, ascending, each once; Finish ends one such pass, and another
// may follow.
type TrieLoader struct {
	trie     *Trie
	addrs    []common.Address
	accounts []Account
	slots    Diff
	pending  int // slots
}

// NewTrieLoader returns a loader of t, which nobody else may use meanwhile.
func NewTrieLoader(t *Trie) *TrieLoader { return &TrieLoader{trie: t} }

// LoadAccount sets all of an account but its storage; an empty one is removed.
func (l *TrieLoader) LoadAccount(addr common.Address, a Account) {
	l.addrs, l.accounts = append(l.addrs, addr), append(l.accounts, a)
	if len(l.addrs) == loadPart {
		l.flushAccounts()
	}
}

// LoadCode returns the code's hash: a trie holds no code.
func (l *TrieLoader) LoadCode(code []byte) common.Hash {
	return (&AccountDiff{Code: code}).NewCodeHash()
}

// LoadSlot sets a slot; zero removes it.
func (l *TrieLoader) LoadSlot(addr common.Address, slot, value common.Hash) {
	if n := len(l.slots); n == 0 || l.slots[n-1].Address != addr {
		l.slots = append(l.slots, AccountDiff{Address: addr})
	}
	a := &l.slots[len(l.slots)-1]
	a.Storage = append(a.Storage, SlotDiff{slot, value})
	if l.pending++; l.pending == loadPart {
		l.flushSlots()
	}
}

// Finish returns the trie with everything loaded so far.
func (l *TrieLoader) Finish() *Trie {
	l.flushAccounts()
	l.flushSlots()
	return l.trie
}

func (l *TrieLoader) flushAccounts() {
	t := l.trie
	t.mu.Lock()
	defer t.mu.Unlock()
	in := &t.in
	in.ends, in.slotKeys, in.values = resize(in.ends, len(l.addrs)), in.slotKeys[:0], in.values[:0]
	clear(in.ends)
	in.codes = make(map[uint32]uint32)
	for i := range l.accounts {
		if hash := l.accounts[i].CodeHash; hash != types.EmptyCodeHash {
			in.codes[uint32(i)] = t.codeNum(hash)
		}
	}
	in.account = func(i uint32, leaf *accountLeaf) {
		a := &l.accounts[i]
		leaf.nonce, leaf.balance, leaf.code = a.Nonce, a.Balance, in.codes[i]
	}
	t.applyBatch(len(l.addrs), func(i int) []byte { return l.addrs[i][:] })
	in.account = nil
	l.addrs, l.accounts = l.addrs[:0], l.accounts[:0]
}

func (l *TrieLoader) flushSlots() {
	l.trie.Apply(l.slots)
	l.slots, l.pending = l.slots[:0], 0
}
