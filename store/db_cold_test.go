package store

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/state"
)

// coldView reads a DB as a state.Cold.
type coldView struct {
	t  *testing.T
	db *DB
	state.View
}

func (v coldView) Account(addr common.Address) (state.Account, bool) {
	a, err := v.db.Account(addr)
	if err != nil {
		v.t.Fatal(err)
	}
	return a, !a.IsEmpty()
}

func (v coldView) Storage(addr common.Address, slot common.Hash) common.Hash {
	value, err := v.db.Slot(addr, slot)
	if err != nil {
		v.t.Fatal(err)
	}
	return value
}

// TestDBIsAColdState: after each block Account and Slot are the newest state; a state
// with almost no cache over the database answers like one in memory, at once and after
// the next start, and has the same root.
func TestDBIsAColdState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	defer func() { closeDB(t, db) }()
	c, r := newTestChain(7), rand.New(rand.NewPCG(7, 7))
	model, tree := state.NewDB(), state.NewTrie()
	load := func() (*state.DB, *state.Trie) {
		l := state.NewLoader(state.Tier{Cold: db, Cache: 1})
		if err := db.LoadState(l); err != nil {
			t.Fatal(err)
		}
		return l.Finish()
	}
	flat, _ := load()
	for n := range 60 {
		b := c.next()
		model.Apply(b.diff)
		tree.Apply(b.diff)
		version := flat.Apply(b.diff)
		write(t, db, b)
		equalViews(t, "database", coldView{t, db, model.Head()}, model.Head())
		equalViews(t, "not told", flat.Head(), model.Head())
		if r.IntN(2) == 0 {
			flat.Written(version)
			flat.Apply(nil)
			model.Apply(nil)
			equalViews(t, "told", flat.Head(), model.Head())
		}
		if n%10 != 9 {
			continue
		}
		closeDB(t, db)
		db = openDB(t, path)
		var root *state.Trie
		flat, root = load()
		equalViews(t, "opened", flat.Head(), model.Head())
		if got, want := root.Root(), tree.Root(); got != want {
			t.Fatalf("block %d: root after start is %s, want %s", n, got, want)
		}
		accounts, slots := flat.Counts()
		if a, s := model.Counts(); a != accounts || s != slots {
			t.Fatalf("%d accounts and %d slots after start, want %d and %d", accounts, slots, a, s)
		}
	}
}

// TestDBReportsMalformedState: a value that cannot be read is not an absent one.
func TestDBReportsMalformedState(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "db"))
	defer closeDB(t, db)
	addr, slot := common.Address{9}, common.Hash{9}
	for _, key := range [][]byte{accountKey(addr), slotKey(addr, slot)} {
		if err := db.db.Set(key, make([]byte, 99), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Account(addr); err == nil {
		t.Error("a malformed account was read")
	}
	if _, err := db.Slot(addr, slot); err == nil {
		t.Error("a malformed slot was read")
	}
}

// TestDBFailTellsWhy: Options.Fatal is told what Fail is, and of every damage that Pebble
// comes upon.
func TestDBFailTellsWhy(t *testing.T) {
	why := errors.New("cannot be read back")
	fatal := func(err error) { panic(err) }
	db, err := Open(filepath.Join(t.TempDir(), "db"), Options{Fatal: fatal})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	events := pebbleLog{fatal: fatal}.events()
	for name, f := range map[string]func(){
		"read":       func() { db.Fail(why) },
		"damage":     func() { events.DataCorruption(pebble.DataCorruptionInfo{Path: "000006.sst", Details: why}) },
		"background": func() { events.BackgroundError(why) },
	} {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), why.Error()) {
					t.Errorf("%s: Fatal was told %v", name, err)
				}
			}()
			f()
			t.Errorf("%s: it went on", name)
		}()
	}
}

// BenchmarkCold measures a state of a million accounts over the database: the memory
// that the flat part of it takes after a start, besides trie and database, and what a read
// takes that is in memory, in the cache, and in the database. Every third account has a
// slot.
func BenchmarkCold(b *testing.B) {
	const n = 1_000_000
	db := openDB(b, filepath.Join(b.TempDir(), "db"))
	defer func() { closeDB(b, db) }()
	r := rand.New(rand.NewPCG(1, 1))
	addrs := make([]common.Address, n)
	batch := db.db.NewBatch()
	for i := range addrs {
		for j := range addrs[i] {
			addrs[i][j] = byte(r.Uint32())
		}
		a := state.EmptyAccount
		a.Nonce = uint64(i)
		a.Balance.SetUint64(r.Uint64() | 1)
		err := batch.Set(accountKey(addrs[i]), encodeAccount(&a), nil)
		if err == nil && i%3 == 0 {
			err = batch.Set(slotKey(addrs[i], common.Hash{}), []byte{1}, nil)
		}
		if err == nil && i%10_000 == 9_999 {
			err = batch.Commit(pebble.NoSync)
			batch = db.db.NewBatch()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(batch.Close(), db.db.Flush()); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		cache uint64
		among int
	}{{"memory", 0, n}, {"cached", 16 << 20, 10_000}, {"database", 1, n}} {
		b.Run(c.name, func(b *testing.B) {
			before := heapBytes()
			var flat *state.DB
			if c.cache == 0 {
				flat = state.NewDB()
				if err := db.LoadState(flat); err != nil {
					b.Fatal(err)
				}
			} else {
				l := state.NewLoader(state.Tier{Cold: db, Cache: c.cache})
				if err := db.LoadState(l); err != nil {
					b.Fatal(err)
				}
				flat, _ = l.Finish()
			}
			held := heapBytes() - before
			head, r := flat.Head(), rand.New(rand.NewPCG(1, 2))
			for _, addr := range addrs[:c.among] {
				head.Account(addr)
			}
			for b.Loop() {
				if a, ok := head.Account(addrs[r.IntN(c.among)]); !ok || a.Balance.IsZero() {
					b.Fatal("an account is missing")
				}
			}
			b.ReportMetric(float64(held)/n, "B/account")
			runtime.KeepAlive(flat)
		})
	}
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
