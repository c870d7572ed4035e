package state

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// ErrCold is wrapped by what Tier.Fail is told.
var ErrCold = errors.New("state cannot be read back")

// Cold is the state after the newest block that was written to a disk, which the DB
// over it has applied before. Its methods are safe for concurrent use.
type Cold interface {
	// Account returns the account, or EmptyAccount.
	Account(common.Address) (Account, error)
	// Slot returns the slot's value, zero when it was never written.
	Slot(common.Address, common.Hash) (common.Hash, error)
}

// Tier lets a DB hold only a part of the state in memory: what is not written yet, and
// of the rest what was used lately. See NewLoader.
type Tier struct {
	Cold Cold
	// Cache is the memory in bytes for values that Cold has, too.
	Cache uint64
	// Fail is told when Cold fails, by any goroutine that reads. A View cannot return an
	// error and must not answer wrongly, so Fail must not return; if it does, or is nil,
	// the read panics with the error.
	Fail func(error)
}

// tier is what a DB with a Tier has besides.
type tier struct {
	Tier
	written atomic.Uint64 // newest version that Cold has
	queue   []coldLayer   // the writer's: what is to move to the caches, by version
}

// coldLayer names what a version changed.
type coldLayer struct {
	version uint64
	undoLayer
}

// coldShard holds the state of a shard instead of its tables. A value is among the
// unwritten ones, or else in Cold and perhaps in a cache. An unwritten value hides what a
// cache has, and takes its place when it is written.
//
// As with the tables the writer alone changes the unwritten values and counts, under
// the shard's lock, and goroutines that it waits for read them without.
type coldShard struct {
	accounts table[common.Address, unwritten[Account]] // also absent ones
	slots    table[SlotKey, unwritten[common.Hash]]    // also zero ones
	counts   table[common.Address, uint64]             // slots that are not zero, of accounts that have any

	cachedAccounts cache[common.Address, Account]
	cachedSlots    cache[SlotKey, common.Hash]
}

// unwritten is a value that Cold may not have, and the version that it is since.
type unwritten[V any] struct {
	value   V
	version uint64
}

func (db *DB) addTier(t Tier) {
	db.tier = &tier{Tier: t}
	share := t.Cache / dbShards / 2
	for i := range db.shards {
		c := new(coldShard)
		c.cachedAccounts.init(share)
		c.cachedSlots.init(share)
		db.shards[i].cold = c
	}
}

// Written tells a DB with a Tier that Cold has everything up to the version. Any
// goroutine may call it.
func (db *DB) Written(version uint64) {
	if db.tier != nil {
		db.tier.written.Store(version)
	}
}

// settle moves up to n values that were written to the caches.
func (t *tier) settle(db *DB, n int) {
	for n > 0 && len(t.queue) > 0 && t.queue[0].version <= t.written.Load() {
		l := &t.queue[0]
		accounts := l.accounts[:min(n, len(l.accounts))]
		for i := range accounts {
			db.shardOf(&accounts[i]).settleAccount(&accounts[i], l.version)
		}
		n, l.accounts = n-len(accounts), l.accounts[len(accounts):]
		slots := l.slots[:min(n, len(l.slots))]
		for i := range slots {
			db.shardOfSlot(&slots[i]).settleSlot(&slots[i], l.version)
		}
		n, l.slots = n-len(slots), l.slots[len(slots):]
		if len(l.accounts)+len(l.slots) == 0 {
			*l = coldLayer{}
			t.queue = t.queue[1:]
		}
	}
}

// settleAccount moves the account to the cache unless a later version changed it.
func (s *shard) settleAccount(addr *common.Address, version uint64) {
	u := s.cold.accounts.at(addr)
	if u == nil || u.version != version {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cold.cachedAccounts.put(addr, &u.value)
	s.cold.accounts.remove(addr)
}

func (s *shard) settleSlot(key *SlotKey, version uint64) {
	u := s.cold.slots.at(key)
	if u == nil || u.version != version {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cold.cachedSlots.put(key, &u.value)
	s.cold.slots.remove(key)
}

// set changes the account in its shard, which is locked.
func (c *coldShard) set(addr *common.Address, before, after *accountRecord, version uint64) {
	if after.Account != before.Account {
		c.accounts.put(addr, &unwritten[Account]{after.Account, version})
	}
	switch {
	case after.slots == before.slots:
	case after.slots == 0:
		c.counts.remove(addr)
	default:
		c.counts.put(addr, &after.slots)
	}
}

func (c *coldShard) count(addr *common.Address) uint64 {
	if n := c.counts.at(addr); n != nil {
		return *n
	}
	return 0
}

// account returns the newest account if it is in memory.
func (c *coldShard) account(addr *common.Address) (Account, bool) {
	if u := c.accounts.at(addr); u != nil {
		return u.value, true
	}
	return c.cachedAccounts.get(addr)
}

// slot returns the newest value of the slot if it is in memory.
func (c *coldShard) slot(key *SlotKey) (common.Hash, bool) {
	if u := c.slots.at(key); u != nil {
		return u.value, true
	}
	return c.cachedSlots.get(key)
}

// newestAccount returns the newest account without the shard's lock: for the writer.
// Keys come by value, so that those who do without a tier keep theirs on the stack.
func (db *DB) newestAccount(s *shard, addr common.Address) Account {
	a, ok := s.cold.account(&addr)
	if !ok {
		a = db.tier.readAccount(addr)
		s.cold.cachedAccounts.put(&addr, &a)
	}
	return a
}

// newestSlot is newestAccount for a slot.
func (db *DB) newestSlot(s *shard, key SlotKey) common.Hash {
	v, ok := s.cold.slot(&key)
	if !ok {
		v = db.tier.readSlot(key)
		s.cold.cachedSlots.put(&key, &v)
	}
	return v
}

func (t *tier) readAccount(addr common.Address) Account {
	a, err := t.Cold.Account(addr)
	if err != nil {
		t.fail(fmt.Errorf("%w: account %s: %w", ErrCold, addr, err))
	}
	return a
}

func (t *tier) readSlot(key SlotKey) common.Hash {
	v, err := t.Cold.Slot(key.Address, key.Slot)
	if err != nil {
		t.fail(fmt.Errorf("%w: slot %s of %s: %w", ErrCold, key.Slot, key.Address, err))
	}
	return v
}

func (t *tier) fail(err error) {
	if t.Fail != nil {
		t.Fail(err)
	}
	panic(err)
}

// coldRecord reads from the disk without a lock, during which the writer may change
// the account and Cold may get to know. But then the history has the account as the
// snapshot sees it, so that it is asked again. If it has nothing, then no version
// after the snapshot's changed the account: what was read is also the newest.
func (s *Snapshot) coldRecord(shard *shard, addr common.Address) accountRecord {
	if r, ok := s.warmRecord(shard, addr); ok {
		return r
	}
	a := s.db.tier.readAccount(addr)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if r := shard.pastAccounts.at(addr, s.version); r != nil {
		return *r
	}
	shard.cold.cachedAccounts.put(&addr, &a)
	return accountRecord{a, shard.cold.count(&addr)}
}

// warmRecord returns the record if it is in memory.
func (s *Snapshot) warmRecord(shard *shard, addr common.Address) (accountRecord, bool) {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if r := shard.pastAccounts.at(addr, s.version); r != nil {
		return *r, true
	}
	a, ok := shard.cold.account(&addr)
	return accountRecord{a, shard.cold.count(&addr)}, ok
}

// coldCount is the slotCount of a snapshot with a Tier. It does not read from the disk.
func (s *Snapshot) coldCount(shard *shard, addr common.Address) uint64 {
	r, _ := s.warmRecord(shard, addr)
	return r.slots
}

// coldSlot is coldRecord for a slot.
func (s *Snapshot) coldSlot(shard *shard, key SlotKey) common.Hash {
	if v, ok := s.warmSlot(shard, key); ok {
		return v
	}
	value := s.db.tier.readSlot(key)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if v := shard.pastSlots.at(key, s.version); v != nil {
		return *v
	}
	shard.cold.cachedSlots.put(&key, &value)
	return value
}

func (s *Snapshot) warmSlot(shard *shard, key SlotKey) (common.Hash, bool) {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if v := shard.pastSlots.at(key, s.version); v != nil {
		return *v, true
	}
	return shard.cold.slot(&key)
}
