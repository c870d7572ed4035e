package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// coldModel is a Cold in memory, which follows what is written to it.
type coldModel struct {
	mu    sync.RWMutex
	model *model
	reads atomic.Int64
	fault atomic.Pointer[error]
	// during is called once in the middle of a read.
	during func()
}

func newColdModel() *coldModel { return &coldModel{model: newModel()} }

func (c *coldModel) err() error {
	c.reads.Add(1)
	if f := c.during; f != nil {
		c.during = nil
		f()
	}
	if err := c.fault.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *coldModel) Account(addr common.Address) (Account, error) {
	err := c.err()
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, _ := c.model.account(addr)
	return a, err
}

func (c *coldModel) Slot(addr common.Address, slot common.Hash) (common.Hash, error) {
	err := c.err()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.model.slots[SlotKey{addr, slot}], err
}

func (c *coldModel) write(d Diff) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model.apply(d)
}

// open loads what was written, as a start does.
func (c *coldModel) open(cache uint64) (*DB, *Trie) {
	l := NewLoader(Tier{Cold: c, Cache: cache})
	for addr, a := range c.model.accounts {
		l.LoadAccount(addr, a)
	}
	for _, code := range c.model.codes {
		l.LoadCode(code)
	}
	for i := range modelAddresses {
		for j := range modelSlots {
			key := SlotKey{modelAddress(i), modelSlot(j)}
			if v, ok := c.model.slots[key]; ok {
				l.LoadSlot(key.Address, key.Slot, v)
			}
		}
	}
	return l.Finish()
}

// check compares everything that a view answers with the model.
func (m *model) check(t *testing.T, what string, v View) {
	t.Helper()
	counts := make(map[common.Address]uint64)
	for key := range m.slots {
		counts[key.Address]++
	}
	for i := range modelAddresses {
		addr := modelAddress(i)
		want, wantOk := m.account(addr)
		if got, ok := v.Account(addr); got != want || ok != wantOk {
			t.Fatalf("%s: account %s is %v %v, want %v %v", what, addr, got, ok, want, wantOk)
		}
		if got := CodeHash(v, addr); got != want.CodeHash {
			t.Fatalf("%s: code hash of %s is %s, want %s", what, addr, got, want.CodeHash)
		}
		if code := v.Code(want.CodeHash); !bytes.Equal(code, m.codes[want.CodeHash]) {
			t.Fatalf("%s: code of %s is %x", what, addr, code)
		}
		if got := v.(slotCounter).slotCount(addr); got != counts[addr] || v.HasStorage(addr) != (got > 0) {
			t.Fatalf("%s: %s has %d slots, want %d", what, addr, got, counts[addr])
		}
		for j := range modelSlots {
			key := SlotKey{addr, modelSlot(j)}
			if got := v.Storage(key.Address, key.Slot); got != m.slots[key] {
				t.Fatalf("%s: slot %v is %s, want %s", what, key, got, m.slots[key])
			}
		}
	}
}

// TestColdIsLikeMemory: with a cache for a small part of the state every answer and
// root is that of the model, also of old versions, whatever is written when, and after
// a start with what was written so far.
func TestColdIsLikeMemory(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 71))
		cold, now := newColdModel(), newModel()
		db, tree := cold.open(1)
		type version struct {
			model *model
			diff  Diff
			snap  *Snapshot
		}
		versions := []version{{model: newModel(), snap: db.Latest()}}
		written := 0
		for step := range 120 {
			d := now.randomDiff(r, 1+r.IntN(20))
			if r.IntN(40) == 0 {
				d = now.clearing()
			}
			now.apply(d)
			db.Apply(d)
			tree.Apply(d)
			versions = append(versions, version{now.clone(), d, db.Latest()})
			for written < len(versions)-1 && r.IntN(3) > 0 {
				written++
				cold.write(versions[written].diff)
				if r.IntN(2) == 0 {
					db.Written(uint64(written))
				}
			}
			what := fmt.Sprintf("seed %d step %d", seed, step)
			if step%4 == 0 {
				now.check(t, what+" head", db.Head())
			}
			i := r.IntN(len(versions))
			if v := &versions[i]; v.snap != nil {
				v.model.check(t, fmt.Sprintf("%s version %d", what, i), v.snap)
				if r.IntN(2) == 0 {
					v.snap.Close()
					v.snap = nil
				}
			}
			db.Trim(db.Version() - min(db.Version(), 3))
			if accounts, slots := db.Counts(); accounts != len(now.accounts) || slots != len(now.slots) {
				t.Fatalf("%s: %d accounts and %d slots, want %d and %d", what, accounts, slots, len(now.accounts), len(now.slots))
			}
			if r.IntN(30) > 0 {
				continue
			}
			db, tree = cold.open(1)
			last := versions[written].model
			last.check(t, what+" opened", db.Head())
			memory := NewDB()
			for addr, a := range last.accounts {
				memory.LoadAccount(addr, a)
			}
			for key, value := range last.slots {
				memory.LoadSlot(key.Address, key.Slot, value)
			}
			if got, want := tree.Root(), BuildTrie(memory).Root(); got != want {
				t.Fatalf("%s: root after start is %s, want %s", what, got, want)
			}
			now, versions, written = last.clone(), []version{{model: last, snap: db.Latest()}}, 0
			cold.model = last.clone()
		}
		if cold.reads.Load() == 0 {
			t.Fatal("nothing was read from the cold tier")
		}
	}
}

// TestColdForgets: what was written leaves the memory, up to the cache.
func TestColdForgets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 72))
	cold := newColdModel()
	db, _ := cold.open(64 << 10)
	const n = 20_000
	d := manyAccounts(r, n)
	for i := range d {
		d[i].Storage = []SlotDiff{{Value: common.Hash{31: 1}}}
	}
	version := db.Apply(d)
	held := func() (accounts, slots int) {
		for i := range db.shards {
			accounts += db.shards[i].cold.accounts.len()
			slots += db.shards[i].cold.slots.len()
		}
		return accounts, slots
	}
	if a, s := held(); a != n || s != n {
		t.Fatalf("%d accounts and %d slots are unwritten, want all", a, s)
	}
	cold.write(d)
	db.Written(version)
	for range 2*n/1024 + 1 {
		db.Apply(nil) // each moves some
	}
	if a, s := held(); a != 0 || s != 0 {
		t.Fatalf("%d accounts and %d slots are still held as unwritten", a, s)
	}
	head := db.Head()
	for i := range d {
		if a, ok := head.Account(d[i].Address); !ok || a.Nonce != *d[i].Nonce {
			t.Fatalf("account %d is %v", i, a)
		}
		if v := head.Storage(d[i].Address, common.Hash{}); v != (common.Hash{31: 1}) {
			t.Fatalf("slot of account %d is %s", i, v)
		}
	}
	if reads := cold.reads.Load(); reads < n {
		t.Errorf("%d reads of the cold tier: the cache holds more than it may", reads)
	}
	cold.reads.Store(0)
	for range 5 {
		head.Account(d[7].Address)
	}
	if reads := cold.reads.Load(); reads > 1 {
		t.Errorf("%d reads of the cold tier for one account", reads)
	}
}

// TestColdReaders: snapshots do not change while the writer goes on, blocks are
// written, and caches turn over. All slots of a version have one value.
func TestColdReaders(t *testing.T) {
	const keys, rounds = 300, 120
	cold := newColdModel()
	db, _ := cold.open(8 << 10)
	diff := func(n uint64) Diff {
		d := make(Diff, keys)
		for i := range d {
			d[i] = AccountDiff{Address: common.Address{0: byte(i >> 8), 1: byte(i), 19: byte(i)}, Nonce: &n, Balance: uint256.NewInt(n)}
			d[i].Storage = []SlotDiff{{common.Hash{31: byte(i)}, uint256.NewInt(n).Bytes32()}}
			if n%5 == 0 {
				d[i].Nonce, d[i].Balance, d[i].Storage[0].Value = new(uint64), new(uint256.Int), common.Hash{}
			}
		}
		return d
	}
	first := diff(1)
	type job struct {
		version uint64
		diff    Diff
	}
	writes := make(chan job, 4)
	var all sync.WaitGroup
	all.Go(func() {
		for w := range writes {
			cold.write(w.diff)
			db.Written(w.version)
		}
	})
	var done atomic.Bool
	for i := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 73))
			for !done.Load() {
				s := db.Latest()
				want := s.Version()
				if want%5 == 0 {
					want = 0
				}
				for range 50 {
					a := &first[r.IntN(keys)]
					got, ok := s.Account(a.Address)
					if got.Nonce != want || ok != (want > 0) {
						t.Errorf("version %d: account has nonce %d", s.Version(), got.Nonce)
					}
					if v := s.Storage(a.Address, a.Storage[0].Slot); v != uint256.NewInt(want).Bytes32() {
						t.Errorf("version %d: slot is %s", s.Version(), v)
					}
					if s.HasStorage(a.Address) != (want > 0) {
						t.Errorf("version %d: storage is there: %v", s.Version(), want == 0)
					}
				}
				s.Close()
			}
		})
	}
	for n := uint64(1); n <= rounds; n++ {
		d := diff(n)
		version := db.Apply(d)
		writes <- job{version, d}
		db.Trim(version)
		want := n
		if n%5 == 0 {
			want = 0
		}
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				for i := range d {
					if a, _ := db.Head().Account(d[i].Address); a.Nonce != want {
						t.Errorf("round %d: head has nonce %d", n, a.Nonce)
					}
				}
			})
		}
		workers.Wait()
	}
	done.Store(true)
	close(writes)
	all.Wait()
}

// TestColdChangesDuringRead: a snapshot does not see what is applied and written
// between its look into the memory and its read of the cold tier, and the next one does.
func TestColdChangesDuringRead(t *testing.T) {
	addr, slot := common.Address{1}, common.Hash{2}
	diff := func(n uint64) Diff {
		return Diff{{Address: addr, Nonce: &n, Storage: []SlotDiff{{slot, uint256.NewInt(n).Bytes32()}}}}
	}
	nonce := func(s *Snapshot) common.Hash {
		a, _ := s.Account(addr)
		return uint256.NewInt(a.Nonce).Bytes32()
	}
	value := func(s *Snapshot) common.Hash { return s.Storage(addr, slot) }
	for name, read := range map[string]func(*Snapshot) common.Hash{"account": nonce, "slot": value} {
		for _, settled := range []bool{false, true} {
			cold := newColdModel()
			cold.write(diff(1))
			l := NewLoader(Tier{Cold: cold, Cache: 1 << 20})
			l.LoadSlot(addr, slot, common.Hash{31: 1})
			db, _ := l.Finish()
			before := db.Latest()
			cold.during = func() {
				version := db.Apply(diff(2))
				cold.write(diff(2))
				if settled {
					db.Written(version)
					db.Apply(nil)
				}
			}
			if got := read(before); got != (common.Hash{31: 1}) {
				t.Errorf("%s, settled %v: snapshot sees %s", name, settled, got)
			}
			if cold.during != nil {
				t.Fatalf("%s: the cold tier was not read", name)
			}
			if got := read(db.Latest()); got != (common.Hash{31: 2}) {
				t.Errorf("%s, settled %v: newest is %s", name, settled, got)
			}
			before.Close()
		}
	}
}

// TestColdFails: an error of the cold tier goes to Fail, and nobody gets an answer.
func TestColdFails(t *testing.T) {
	broken := errors.New("disk")
	addr := common.Address{1}
	for name, read := range map[string]func(*DB){
		"head account":     func(db *DB) { db.Head().Account(addr) },
		"head slot":        func(db *DB) { db.Head().Storage(addr, common.Hash{}) },
		"snapshot account": func(db *DB) { db.Latest().Account(addr) },
		"snapshot slot":    func(db *DB) { db.Latest().Storage(addr, common.Hash{}) },
		"apply":            func(db *DB) { db.Apply(Diff{{Address: addr, Balance: uint256.NewInt(1)}}) },
	} {
		cold := newColdModel()
		cold.fault.Store(&broken)
		var told error
		l := NewLoader(Tier{Cold: cold, Fail: func(err error) { told = err }})
		db, _ := l.Finish()
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || err != told {
					t.Errorf("%s: panic is %v", name, err)
				}
			}()
			read(db)
			t.Errorf("%s: was answered", name)
		}()
		if !errors.Is(told, ErrCold) || !errors.Is(told, broken) {
			t.Errorf("%s: told of %v", name, told)
		}
	}
}

// TestCache: a key keeps its value or is forgotten, and what is asked for stays.
func TestCache(t *testing.T) {
	var c cache[uint64, uint64]
	c.init(4 << 10)
	r := rand.New(rand.NewPCG(1, 74))
	model := make(map[uint64]uint64)
	held := 0
	for range 100_000 {
		key, value := r.Uint64N(1000), r.Uint64()
		switch r.IntN(3) {
		case 0:
			c.put(&key, &value)
			model[key] = value
		default:
			got, ok := c.get(&key)
			if want, there := model[key]; ok && (!there || got != want) {
				t.Fatalf("key %d is %d, want %d %v", key, got, want, there)
			}
			if ok {
				held++
			}
		}
	}
	if held == 0 {
		t.Fatal("the cache holds nothing")
	}
	for key := range uint64(1) << 12 {
		c.put(&key, &key)
		asked := uint64(1) << 40
		if key == 0 {
			c.put(&asked, &asked)
		}
		if _, ok := c.get(&asked); !ok {
			t.Fatalf("key that is always asked for is gone after %d others", key)
		}
	}
	sum := 0
	for key := range uint64(1) << 12 {
		if _, ok := c.get(&key); ok {
			sum++
		}
	}
	if limit := int(c.sets) * cacheWays; sum == 0 || sum > limit {
		t.Errorf("%d keys are held, the cache has room for %d", sum, limit)
	}
}
