package state

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
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
// The newest values live in pointer-free tables, or with a Tier in part. Each Apply also keeps the values
// that it replaced, its undo layer: a Snapshot takes a key's value from the oldest
// layer newer than itself that changed the key, and from the table if there is
// none. Trim drops the layers that nobody needs.
//
// Keys are spread over shards with a lock each, which the writer takes to change one
// key. Because every value carries the version that replaced it, a view is
// consistent although a later version is being applied: there is no lock that
// readers of the whole state and its writer share.
type DB struct {
	shards   [dbShards]shard
	existing atomic.Int64 // accounts that are not empty
	nonZero  atomic.Int64 // slots

	codesMu sync.RWMutex           // the writer reads without
	codes   map[common.Hash][]byte // never shrinks: any version may need it

	mu      sync.Mutex // guards what follows, for moments
	version uint64
	oldest  uint64         // smallest version that can be viewed
	layers  []undoLayer    // of the versions oldest+1 to version
	pins    map[uint64]int // open snapshots by version

	trimming sync.Mutex // taken before all others

	tier *tier // nil: everything is in memory
}

const dbShards = 64 // a power of two

// shard is a part of the state. The writer alone changes the tables, and so may read
// them without the lock; Trim changes the histories too.
type shard struct {
	mu           sync.RWMutex
	accounts     table[common.Address, accountRecord]
	slots        table[SlotKey, common.Hash] // no zero values
	pastAccounts history[common.Address, accountRecord]
	pastSlots    history[SlotKey, common.Hash]
	cold         *coldShard // nil without a tier; with one the tables are empty
}

// shardOf returns where the account is. Chosen addresses may meet in one shard: that
// costs what one lock for all did.
func (db *DB) shardOf(addr *common.Address) *shard { return &db.shards[addr[19]%dbShards] }

// shardOfSlot spreads the slots of one account.
func (db *DB) shardOfSlot(key *SlotKey) *shard {
	return &db.shards[(key.Address[19]^key.Slot[31])%dbShards]
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
	db := &DB{codes: make(map[common.Hash][]byte), pins: make(map[uint64]int)}
	for i := range db.shards {
		db.shards[i].pastAccounts = newHistory[common.Address, accountRecord]()
		db.shards[i].pastSlots = newHistory[SlotKey, common.Hash]()
	}
	return db
}

// Apply makes the diff's values the newest and returns the version they have, one
// more than before. It keeps nothing of the diff's memory.
func (db *DB) Apply(d Diff) uint64 {
	version := db.Version() + 1
	var layer undoLayer
	for i := range d {
		db.applyAccount(&d[i], version, &layer)
	}
	if t := db.tier; t != nil {
		t.queue = append(t.queue, coldLayer{version, layer})
		t.settle(db, 1024+2*(len(layer.accounts)+len(layer.slots)))
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.version = version
	db.layers = append(db.layers, layer)
	return version
}

func (db *DB) applyAccount(a *AccountDiff, version uint64, layer *undoLayer) {
	before := db.recordOf(a.Address)
	after := before
	if a.Nonce != nil {
		after.Nonce = *a.Nonce
	}
	if a.Balance != nil {
		after.Balance = *a.Balance
	}
	if a.CodeChanged {
		after.CodeHash = a.NewCodeHash()
		db.addCode(after.CodeHash, a.Code)
	}
	for i := range a.Storage {
		key := SlotKey{a.Address, a.Storage[i].Slot}
		if db.setSlot(&key, &a.Storage[i].Value, version, &after) {
			layer.slots = append(layer.slots, key)
		}
	}
	if after == before {
		return
	}
	s := db.shardOf(&a.Address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pastAccounts.record(a.Address, version, before) {
		layer.accounts = append(layer.accounts, a.Address)
	}
	db.setRecord(s, &a.Address, &before, &after, version)
}

// setSlot stores the value, counts it in the record, and reports whether the version
// has an undo entry for the slot that it had not. Version 0 has none.
func (db *DB) setSlot(key *SlotKey, value *common.Hash, version uint64, r *accountRecord) bool {
	s := db.shardOfSlot(key)
	old := db.slotOf(key)
	if *value == old {
		return false
	}
	zero := common.Hash{}
	if old == zero {
		r.slots++
		db.nonZero.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *value == zero {
		r.slots--
		db.nonZero.Add(-1)
	}
	switch {
	case s.cold != nil:
		s.cold.slots.put(key, &unwritten[common.Hash]{*value, version})
	case *value == zero:
		s.slots.remove(key)
	default:
		s.slots.put(key, value)
	}
	return version > 0 && s.pastSlots.record(*key, version, old)
}

// setRecord changes the account in its shard, which is locked.
func (db *DB) setRecord(s *shard, addr *common.Address, before, after *accountRecord, version uint64) {
	switch {
	case s.cold != nil:
		s.cold.set(addr, before, after, version)
	case *after == absentRecord:
		s.accounts.remove(addr)
	default:
		s.accounts.put(addr, after)
	}
	if !before.IsEmpty() {
		db.existing.Add(-1)
	}
	if !after.IsEmpty() {
		db.existing.Add(1)
	}
}

func (db *DB) addCode(hash common.Hash, code []byte) {
	if _, ok := db.codes[hash]; !ok && len(code) > 0 {
		db.codesMu.Lock()
		defer db.codesMu.Unlock()
		db.codes[hash] = bytes.Clone(code) // which may be a part of a large message
	}
}

// Version returns the newest version.
func (db *DB) Version() uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.version
}

// Trim drops every undo layer that serves only versions before keepFrom which no
// open snapshot holds. Versions below keepFrom may then no longer be viewed. Any
// goroutine may call it.
func (db *DB) Trim(keepFrom uint64) {
	db.trimming.Lock()
	defer db.trimming.Unlock()
	first, layers := db.takeLayers(keepFrom)
	for i := range layers {
		version := first + uint64(i)
		for j := range layers[i].accounts {
			addr := &layers[i].accounts[j]
			s := db.shardOf(addr)
			s.mu.Lock()
			s.pastAccounts.forget(*addr, version)
			s.mu.Unlock()
		}
		for j := range layers[i].slots {
			key := &layers[i].slots[j]
			s := db.shardOfSlot(key)
			s.mu.Lock()
			s.pastSlots.forget(*key, version)
			s.mu.Unlock()
		}
	}
	clear(layers)
}

// takeLayers takes off the layers that Trim is to drop; first is the version of the
// first of them.
func (db *DB) takeLayers(keepFrom uint64) (first uint64, layers []undoLayer) {
	db.mu.Lock()
	defer db.mu.Unlock()
	keep := min(keepFrom, db.version)
	for version := range db.pins {
		keep = min(keep, version)
	}
	if keep <= db.oldest {
		return 0, nil
	}
	n := keep - db.oldest
	first, layers = db.oldest+1, db.layers[:n:n]
	db.layers, db.oldest = db.layers[n:], keep
	return first, layers
}

// Counts returns the number of accounts and of slots that are not zero.
func (db *DB) Counts() (accounts, slots int) {
	return int(db.existing.Load()), int(db.nonZero.Load())
}

// Reserve makes room for that many accounts and slots in an empty DB.
func (db *DB) Reserve(accounts, slots int) {
	for i := range db.shards {
		s := &db.shards[i]
		s.mu.Lock()
		s.accounts.reserve(shardShare(accounts))
		s.slots.reserve(shardShare(slots))
		s.mu.Unlock()
	}
}

// shardShare is how many of n keys a shard may get, as far as they are random.
func shardShare(n int) int { return n/dbShards + n/dbShards/16 }

// LoadAccount sets an account at start-up, without an undo layer: only before the
// first Apply and the first View.
func (db *DB) LoadAccount(addr common.Address, a Account) {
	db.mustLoad()
	before := db.recordOf(addr)
	db.loadRecord(&addr, &before, &accountRecord{a, before.slots})
}

// LoadSlot sets a storage slot at start-up, on the terms of LoadAccount. Accounts
// and slots may come in any order.
func (db *DB) LoadSlot(addr common.Address, slot, value common.Hash) {
	db.mustLoad()
	before := db.recordOf(addr)
	after := before
	db.setSlot(&SlotKey{addr, slot}, &value, 0, &after)
	db.loadRecord(&addr, &before, &after)
}

// LoadCode adds a code at start-up, on the terms of LoadAccount, and returns its
// hash. It copies the code.
func (db *DB) LoadCode(code []byte) common.Hash {
	db.mustLoad()
	hash := (&AccountDiff{Code: code}).NewCodeHash()
	db.addCode(hash, code)
	return hash
}

func (db *DB) mustLoad() {
	if version := db.Version(); version != 0 {
		panic(fmt.Sprintf("state: load into version %d", version))
	}
	if db.tier != nil {
		panic("state: load into a tier without its Loader")
	}
}

func (db *DB) loadRecord(addr *common.Address, before, after *accountRecord) {
	s := db.shardOf(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	db.setRecord(s, addr, before, after, 0)
}

// recordOf returns the newest record without a lock: for the writer.
func (db *DB) recordOf(addr common.Address) accountRecord {
	s := db.shardOf(&addr)
	if r := s.accounts.at(&addr); r != nil {
		return *r
	}
	if s.cold != nil {
		return accountRecord{db.newestAccount(s, addr), s.cold.count(&addr)}
	}
	return absentRecord
}

// eachAccount and eachSlot call f for everything, in an order that differs from run
// to run. They are for the writer of a DB without a tier.
func (db *DB) eachAccount(f func(*common.Address, *accountRecord)) {
	db.mustHoldAll()
	for i := range db.shards {
		db.shards[i].accounts.each(f)
	}
}

func (db *DB) mustHoldAll() {
	if db.tier != nil {
		panic("state: not everything is in memory")
	}
}

func (db *DB) eachSlot(f func(*SlotKey, *common.Hash)) {
	db.mustHoldAll()
	for i := range db.shards {
		db.shards[i].slots.each(f)
	}
}

// slotOf returns the newest value without a lock: for the writer.
func (db *DB) slotOf(key *SlotKey) common.Hash {
	s := db.shardOfSlot(key)
	if v := s.slots.at(key); v != nil {
		return *v
	}
	if s.cold != nil {
		return db.newestSlot(s, *key)
	}
	return common.Hash{}
}
