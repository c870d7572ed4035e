package state

import (
	"fmt"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// slotCounter is what this package's views offer beyond View: the number of slots
// of the account that are not zero.
type slotCounter interface {
	slotCount(common.Address) uint64
}

// Snapshot is a View of one version of a DB, whatever is applied meanwhile. It is
// safe for concurrent use. Close it when done: an open snapshot keeps the undo
// layers of all later versions in memory.
type Snapshot struct {
	db      *DB
	version uint64
	closed  atomic.Bool
}

// View returns a snapshot of the version, or ErrNoVersion.
func (db *DB) View(version uint64) (*Snapshot, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if version < db.oldest || version > db.version {
		return nil, fmt.Errorf("view version %d: %w (held: %d to %d)", version, ErrNoVersion, db.oldest, db.version)
	}
	return db.pin(version), nil
}

// Latest returns a snapshot of the newest version.
func (db *DB) Latest() *Snapshot {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.pin(db.version)
}

func (db *DB) pin(version uint64) *Snapshot {
	db.pins[version]++
	return &Snapshot{db: db, version: version}
}

// Version returns the version that the snapshot sees.
func (s *Snapshot) Version() uint64 { return s.version }

// Close lets go of the version; the snapshot must not be read afterwards. Only the
// first call has an effect.
func (s *Snapshot) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.db.pins[s.version]--; s.db.pins[s.version] == 0 {
		delete(s.db.pins, s.version)
	}
}

func (s *Snapshot) record(addr common.Address) accountRecord {
	s.check()
	shard := s.db.shardOf(&addr)
	if shard.cold != nil {
		return s.coldRecord(shard, addr)
	}
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if r := shard.pastAccounts.at(addr, s.version); r != nil {
		return *r
	}
	if r := shard.accounts.at(&addr); r != nil {
		return *r
	}
	return absentRecord
}

// check guards the versions whose layers Trim may have dropped: a closed snapshot
// would silently answer with newer values.
func (s *Snapshot) check() {
	if s.closed.Load() {
		panic(fmt.Sprintf("state: read of the closed snapshot of version %d", s.version))
	}
}

// Account implements View.
func (s *Snapshot) Account(addr common.Address) (Account, bool) {
	r := s.record(addr)
	return r.Account, !r.IsEmpty()
}

// CodeHash is the code hash of Account.
func (s *Snapshot) CodeHash(addr common.Address) common.Hash { return s.record(addr).CodeHash }

// Storage implements View.
func (s *Snapshot) Storage(addr common.Address, slot common.Hash) common.Hash {
	s.check()
	key := SlotKey{addr, slot}
	shard := s.db.shardOfSlot(&key)
	if shard.cold != nil {
		return s.coldSlot(shard, key)
	}
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if v := shard.pastSlots.at(key, s.version); v != nil {
		return *v
	}
	if v := shard.slots.at(&key); v != nil {
		return *v
	}
	return common.Hash{}
}

// Code implements View.
func (s *Snapshot) Code(hash common.Hash) []byte {
	s.db.codesMu.RLock()
	defer s.db.codesMu.RUnlock()
	return s.db.codes[hash]
}

// HasStorage implements View.
func (s *Snapshot) HasStorage(addr common.Address) bool { return s.slotCount(addr) > 0 }

func (s *Snapshot) slotCount(addr common.Address) uint64 {
	if shard := s.db.shardOf(&addr); shard.cold != nil {
		s.check()
		return s.coldCount(shard, addr)
	}
	return s.record(addr).slots
}

// Head returns a view of whatever is newest. It takes no lock: only the writer, and
// goroutines that it starts and waits for between two calls of Apply, may use it.
func (db *DB) Head() View { return head{db} }

type head struct{ db *DB }

func (h head) Account(addr common.Address) (Account, bool) {
	s := h.db.shardOf(&addr)
	if r := s.accounts.at(&addr); r != nil {
		return r.Account, !r.IsEmpty()
	}
	if s.cold != nil {
		a := h.db.newestAccount(s, addr)
		return a, !a.IsEmpty()
	}
	return EmptyAccount, false
}

func (h head) Storage(addr common.Address, slot common.Hash) common.Hash {
	return h.db.slotOf(&SlotKey{addr, slot})
}

func (h head) Code(hash common.Hash) []byte { return h.db.codes[hash] }

func (h head) HasStorage(addr common.Address) bool { return h.slotCount(addr) > 0 }

func (h head) slotCount(addr common.Address) uint64 {
	if s := h.db.shardOf(&addr); s.cold != nil {
		return s.cold.count(&addr)
	}
	return h.db.recordOf(addr).slots
}
