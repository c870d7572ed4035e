package state

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrNoVersion tells that a version is not held: it was trimmed, or is yet to come.
var ErrNoVersion = errors.New("state version not held")

// SlotKey names one storage slot of one account.
type SlotKey struct {
	Address common.Address
	Slot    common.Hash
}

// DB is the flat state of the chain. One goroutine, the writer, calls Apply and the
// Load methods and reads through Head; any number of others read through
// Snapshots, each of which sees exactly one version for as long as it is open.
//
// The newest values live in pointer-free tables. Each Apply also keeps the values
// that it replaced, its undo layer: a Snapshot takes a key's value from the oldest
// layer newer than itself that changed the key, and from the table if there is
// none. Trim drops the layers that nobody needs.
type DB struct {
	mu       sync.RWMutex
	accounts table[common.Address, accountRecord]
	slots    table[SlotKey, common.Hash] // no zero values
	codes    map[common.Hash][]byte      // never shrinks: any version may need it
	existing int                         // accounts that are not empty

	version      uint64
	oldest       uint64      // smallest version that can be viewed
	layers       []undoLayer // of the versions oldest+1 to version
	pastAccounts history[common.Address, accountRecord]
	pastSlots    history[SlotKey, common.Hash]

	pinsMu sync.Mutex     // taken after mu
	pins   map[uint64]int // open snapshots by version
}

// accountRecord is an account and the number of its slots that are not zero. It is
// kept while either is there: genesis may hold storage without an account.
type accountRecord struct {
	Account
	slots uint64
}

var absentRecord = accountRecord{Account: EmptyAccount}

// undoLayer names what one version changed; the old values are in the histories.
type undoLayer struct {
	accounts []common.Address
	slots    []SlotKey
}

// NewDB returns an empty state at version 0.
func NewDB() *DB {
	return &DB{
		codes:        make(map[common.Hash][]byte),
		pastAccounts: newHistory[common.Address, accountRecord](),
		pastSlots:    newHistory[SlotKey, common.Hash](),
		pins:         make(map[uint64]int),
	}
}

// Apply makes the diff's values the newest and returns the version they have, one
// more than before. It keeps nothing of the diff's memory.
func (db *DB) Apply(d Diff) uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.version++
	var layer undoLayer
	for i := range d {
		db.applyAccount(&d[i], &layer)
	}
	db.layers = append(db.layers, layer)
	return db.version
}

func (db *DB) applyAccount(a *AccountDiff, layer *undoLayer) {
	before := absentRecord
	if r := db.accounts.at(&a.Address); r != nil {
		before = *r
	}
	after := before
	if a.Nonce != nil {
		after.Nonce = *a.Nonce
	}
	if a.Balance != nil {
		after.Balance = *a.Balance
	}
	if a.CodeChanged {
		after.CodeHash = db.addCode(a.Code)
	}
	for _, s := range a.Storage {
		key := SlotKey{a.Address, s.Slot}
		old := db.setSlot(&key, s.Value, &after)
		if old != s.Value && db.pastSlots.record(key, db.version, old) {
			layer.slots = append(layer.slots, key)
		}
	}
	if after == before {
		return
	}
	if db.pastAccounts.record(a.Address, db.version, before) {
		layer.accounts = append(layer.accounts, a.Address)
	}
	db.setRecord(&a.Address, &before, &after)
}

// setSlot stores the value, counts it in the record, and returns the value before.
func (db *DB) setSlot(key *SlotKey, value common.Hash, r *accountRecord) (old common.Hash) {
	if v := db.slots.at(key); v != nil {
		old = *v
	}
	switch zero := (common.Hash{}); {
	case value == old:
	case value == zero:
		db.slots.remove(key)
		r.slots--
	default:
		db.slots.put(key, &value)
		if old == zero {
			r.slots++
		}
	}
	return old
}

func (db *DB) setRecord(addr *common.Address, before, after *accountRecord) {
	if *after == absentRecord {
		db.accounts.remove(addr)
	} else {
		db.accounts.put(addr, after)
	}
	if !before.IsEmpty() {
		db.existing--
	}
	if !after.IsEmpty() {
		db.existing++
	}
}

func (db *DB) addCode(code []byte) common.Hash {
	if len(code) == 0 {
		return types.EmptyCodeHash
	}
	hash := crypto.Keccak256Hash(code)
	if _, ok := db.codes[hash]; !ok {
		db.codes[hash] = bytes.Clone(code) // which may be a part of a large message
	}
	return hash
}

// Version returns the newest version.
func (db *DB) Version() uint64 {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.version
}

// Trim drops every undo layer that serves only versions before keepFrom which no
// open snapshot holds. Versions below keepFrom may then no longer be viewed.
func (db *DB) Trim(keepFrom uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	keep := min(keepFrom, db.version)
	db.pinsMu.Lock()
	for version := range db.pins {
		keep = min(keep, version)
	}
	db.pinsMu.Unlock()
	if keep <= db.oldest {
		return
	}
	n := keep - db.oldest
	for i := range db.layers[:n] {
		version := db.oldest + 1 + uint64(i)
		for _, addr := range db.layers[i].accounts {
			db.pastAccounts.forget(addr, version)
		}
		for _, key := range db.layers[i].slots {
			db.pastSlots.forget(key, version)
		}
	}
	clear(db.layers[:n])
	db.layers = db.layers[n:]
	db.oldest = keep
}

// Counts returns the number of accounts and of slots that are not zero.
func (db *DB) Counts() (accounts, slots int) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.existing, db.slots.len()
}

// Reserve makes room for that many accounts and slots in an empty DB.
func (db *DB) Reserve(accounts, slots int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.accounts.reserve(accounts)
	db.slots.reserve(slots)
}

// LoadAccount sets an account at start-up, without an undo layer: only before the
// first Apply and the first View.
func (db *DB) LoadAccount(addr common.Address, a Account) {
	db.load(func() {
		before := db.recordOf(addr)
		db.setRecord(&addr, &before, &accountRecord{a, before.slots})
	})
}

// LoadSlot sets a storage slot at start-up, on the terms of LoadAccount. Accounts
// and slots may come in any order.
func (db *DB) LoadSlot(addr common.Address, slot, value common.Hash) {
	db.load(func() {
		before := db.recordOf(addr)
		after := before
		db.setSlot(&SlotKey{addr, slot}, value, &after)
		db.setRecord(&addr, &before, &after)
	})
}

// LoadCode adds a code at start-up, on the terms of LoadAccount, and returns its
// hash. It copies the code.
func (db *DB) LoadCode(code []byte) (hash common.Hash) {
	db.load(func() { hash = db.addCode(code) })
	return hash
}

func (db *DB) load(f func()) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.version != 0 {
		panic(fmt.Sprintf("state: load into version %d", db.version))
	}
	f()
}

func (db *DB) recordOf(addr common.Address) accountRecord {
	if r := db.accounts.at(&addr); r != nil {
		return *r
	}
	return absentRecord
}
