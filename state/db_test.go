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
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compare reports the first difference between the view and the model.
func compare(v View, m *model) error {
	for i := range modelAddresses {
		addr := modelAddress(i)
		want, wantOK := m.account(addr)
		if got, ok := v.Account(addr); got != want || ok != wantOK {
			return fmt.Errorf("account %s is %+v, %t; want %+v, %t", addr, got, ok, want, wantOK)
		}
		if got, want := v.Code(want.CodeHash), m.codes[want.CodeHash]; !bytes.Equal(got, want) {
			return fmt.Errorf("code of %s is %x, want %x", addr, got, want)
		}
		if got, want := v.HasStorage(addr), m.hasStorage(addr); got != want {
			return fmt.Errorf("storage of %s: %t, want %t", addr, got, want)
		}
		for j := range modelSlots {
			key := SlotKey{addr, modelSlot(j)}
			if got, want := v.Storage(addr, key.Slot), m.slots[key]; got != want {
				return fmt.Errorf("slot %s of %s is %s, want %s", key.Slot, addr, got, want)
			}
		}
	}
	return nil
}

func TestViewsSeeTheirVersionWhateverIsAppliedAndTrimmed(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, db := newModel(), NewDB()
		past := []*model{m.clone()}
		views := make(map[uint64]*Snapshot)
		oldest := uint64(0)
		for step := range 120 {
			d := m.randomDiff(r, 1+r.IntN(20))
			m.apply(d)
			past = append(past, m.clone())
			if got := db.Apply(d); got != uint64(step+1) || db.Version() != got {
				t.Fatalf("version %d, want %d", got, step+1)
			}
			if version := oldest + r.Uint64N(db.Version()-oldest+1); r.IntN(3) == 0 && views[version] == nil {
				v, err := db.View(version)
				if err != nil {
					t.Fatal(err)
				}
				views[version] = v
			}
			for version, v := range views {
				if r.IntN(5) == 0 {
					v.Close()
					v.Close()
					delete(views, version)
				}
			}
			if r.IntN(4) == 0 {
				oldest = max(oldest, uint64(r.IntN(step+2)))
				db.Trim(oldest)
			}
			if err := compare(db.Head(), m); err != nil {
				t.Fatalf("seed %d version %d: head: %v", seed, step+1, err)
			}
			for version, v := range views {
				if err := compare(v, past[version]); err != nil {
					t.Fatalf("seed %d version %d: view of %d: %v", seed, step+1, version, err)
				}
			}
			accounts, slots := db.Counts()
			if accounts != len(m.accounts) || slots != len(m.slots) {
				t.Fatalf("%d accounts, %d slots, want %d, %d", accounts, slots, len(m.accounts), len(m.slots))
			}
		}
		for _, v := range views {
			v.Close()
		}
		db.Trim(db.Version())
		n := len(db.layers) + len(db.pins)
		for i := range db.shards {
			n += len(db.shards[i].pastAccounts.past) + len(db.shards[i].pastSlots.past)
		}
		if n != 0 {
			t.Errorf("seed %d: %d undo entries are left after everything was trimmed", seed, n)
		}
		checkSorted(t, db, m)
	}
}

func checkSorted(t *testing.T, db *DB, m *model) {
	t.Helper()
	var last common.Address
	n := 0
	for addr, a := range db.Accounts() {
		if n > 0 && addr.Cmp(last) <= 0 || m.accounts[addr] != a {
			t.Fatalf("account %s after %s is %+v, want %+v", addr, last, a, m.accounts[addr])
		}
		last, n = addr, n+1
	}
	if n != len(m.accounts) {
		t.Fatalf("%d accounts, want %d", n, len(m.accounts))
	}
	var key SlotKey
	n = 0
	for k, v := range db.Slots() {
		order := k.Address.Cmp(key.Address)
		if order == 0 {
			order = k.Slot.Cmp(key.Slot)
		}
		if n > 0 && order <= 0 || m.slots[k] != v {
			t.Fatalf("slot %v after %v is %s, want %s", k, key, v, m.slots[k])
		}
		key, n = k, n+1
	}
	if n != len(m.slots) {
		t.Fatalf("%d slots, want %d", n, len(m.slots))
	}
}

func TestVersionsOutsideTheHeldOnesCannotBeViewed(t *testing.T) {
	db := NewDB()
	for range 10 {
		db.Apply(Diff{})
	}
	pinned, err := db.View(3)
	if err != nil {
		t.Fatal(err)
	}
	db.Trim(7)
	for version, want := range map[uint64]error{2: ErrNoVersion, 3: nil, 10: nil, 11: ErrNoVersion} {
		v, err := db.View(version)
		if !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", version, err, want)
		}
		if err == nil {
			v.Close()
		}
	}
	pinned.Close()
	db.Trim(7)
	if _, err := db.View(6); !errors.Is(err, ErrNoVersion) {
		t.Errorf("trimmed version 6: %v", err)
	}
	db.Trim(100)
	if latest := db.Latest(); latest.Version() != 10 {
		t.Errorf("latest is %d", latest.Version())
	}
}

func TestReadOfAClosedSnapshotPanics(t *testing.T) {
	v := NewDB().Latest()
	v.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	v.Account(common.Address{})
}

func TestLoadedStateEqualsAppliedState(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	m, applied, loaded := newModel(), NewDB(), NewDB()
	for range 20 {
		d := m.randomDiff(r, 30)
		m.apply(d)
		applied.Apply(d)
	}
	loaded.Reserve(len(m.accounts), len(m.slots))
	for key, value := range m.slots { // slots before and after accounts, as they come
		if r.IntN(2) == 0 {
			loaded.LoadSlot(key.Address, key.Slot, value)
		}
	}
	for addr, a := range m.accounts {
		loaded.LoadAccount(addr, a)
	}
	for key, value := range m.slots {
		loaded.LoadSlot(key.Address, key.Slot, value)
	}
	for hash, code := range m.codes {
		if got := loaded.LoadCode(code); got != hash {
			t.Errorf("code hash %s, want %s", got, hash)
		}
	}
	if err := compare(loaded.Head(), m); err != nil {
		t.Error(err)
	}
	if got, want := BuildTrie(loaded).Root(), BuildTrie(applied).Root(); got != want {
		t.Errorf("root %s, want %s", got, want)
	}
	checkSorted(t, loaded, m)
}

// An account that genesis gives storage and nothing else does not exist, but a
// contract must not be created over its storage (EIP-7610).
func TestStorageWithoutAnAccountIsSeen(t *testing.T) {
	addr := common.Address{1}
	db := NewDB()
	db.Apply(Diff{{Address: addr, Storage: []SlotDiff{{Slot: common.Hash{1}, Value: common.Hash{2}}}}})
	if a, ok := db.Head().Account(addr); ok || a != EmptyAccount {
		t.Errorf("account %+v, %t", a, ok)
	}
	if !db.Head().HasStorage(addr) {
		t.Error("no storage")
	}
	if n, _ := db.Counts(); n != 0 {
		t.Errorf("%d accounts", n)
	}
	v := db.Latest()
	defer v.Close()
	db.Apply(Diff{{Address: addr, Storage: []SlotDiff{{Slot: common.Hash{1}}}}})
	if db.Head().HasStorage(addr) || !v.HasStorage(addr) {
		t.Errorf("storage at the head: %t, before: %t", db.Head().HasStorage(addr), v.HasStorage(addr))
	}
	if db.shardOf(&addr).accounts.len() != 0 {
		t.Error("the record outlived the storage")
	}
}

// Readers open, read and close views while the writer applies and trims. Each
// version is stamped: account i has the nonce of the last version divisible by i+1,
// the slots likewise, so every view can be checked without a copy of the state.
func TestViewsAreConsistentWhileTheWriterApplies(t *testing.T) {
	const accounts, versions, readers = 12, 2000, 4
	last := func(version uint64, i int) uint64 { return version - version%uint64(i+1) }
	word := func(n uint64) common.Hash { return uint256.NewInt(n).Bytes32() }
	check := func(v *Snapshot) error {
		for i := range accounts {
			want := last(v.Version(), i)
			addr := common.Address{byte(i)}
			a, ok := v.Account(addr)
			if a.Nonce != want || ok != (want != 0) || v.HasStorage(addr) != ok {
				return fmt.Errorf("version %d: account %d has nonce %d, %t; want %d", v.Version(), i, a.Nonce, ok, want)
			}
			if got := v.Storage(addr, common.Hash{byte(i)}); got != word(want) {
				return fmt.Errorf("version %d: slot %d is %s, want %d", v.Version(), i, got, want)
			}
			if code := v.Code(a.CodeHash); ok && crypto.Keccak256Hash(code) != a.CodeHash {
				return fmt.Errorf("version %d: code %s is %x", v.Version(), a.CodeHash, code)
			}
		}
		return nil
	}
	db := NewDB()
	var finished atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			var held []*Snapshot
			for back := uint64(0); !finished.Load(); back = (back + 1) % 40 {
				v := db.Latest()
				held = append(held, v)
				old, err := db.View(v.Version() - min(v.Version(), back))
				switch {
				case err == nil:
					held = append(held, old)
				case !errors.Is(err, ErrNoVersion):
					t.Error(err)
				}
				for _, v := range held {
					if err := check(v); err != nil {
						t.Error(err)
						return
					}
				}
				for len(held) > 6 {
					held[0].Close()
					held = held[1:]
				}
			}
			for _, v := range held {
				v.Close()
			}
		})
	}
	for version := uint64(1); version <= versions; version++ {
		var d Diff
		for i := range accounts {
			if version%uint64(i+1) == 0 {
				d = append(d, AccountDiff{
					Address: common.Address{byte(i)}, Nonce: &version,
					Code: word(version).Bytes(), CodeChanged: true,
					Storage: []SlotDiff{{common.Hash{byte(i)}, word(version)}},
				})
			}
		}
		db.Apply(d)
		if version%16 == 0 {
			db.Trim(version - min(version, 32))
		}
	}
	finished.Store(true)
	wg.Wait()
	db.Trim(versions)
	if len(db.pins) != 0 || len(db.layers) != 0 {
		t.Errorf("%d pins and %d layers are left", len(db.pins), len(db.layers))
	}
}

func BenchmarkDBApply(b *testing.B) {
	for _, retained := range []uint64{0, 1000} {
		b.Run(fmt.Sprintf("%d versions kept", retained), func(b *testing.B) {
			const changed = 1000 // accounts and slots a diff, of a million each
			r := rand.New(rand.NewPCG(1, 1))
			db := NewDB()
			d := manyAccounts(r, 1_000_000)
			for i := range d {
				d[i].Storage = []SlotDiff{{Value: common.Hash{1}}}
			}
			db.Trim(db.Apply(d))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				start := r.IntN(len(d) - changed)
				step := d[start : start+changed]
				for i := range step {
					step[i].Balance.AddUint64(step[i].Balance, 1)
					step[i].Storage[0].Value[31]++
				}
				b.StartTimer()
				version := db.Apply(step)
				db.Trim(version - min(version, retained))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changed), "ns/account")
			if accounts, slots := db.Counts(); accounts != len(d) || slots != len(d) {
				b.Errorf("%d accounts and %d slots, want %d", accounts, slots, len(d))
			}
		})
	}
}

func BenchmarkDBRead(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	db := NewDB()
	d := manyAccounts(r, 1_000_000)
	db.Trim(db.Apply(d))
	v := db.Latest()
	defer v.Close()
	for i := range 1000 {
		d[i].Balance.AddUint64(d[i].Balance, 1)
		db.Apply(d[i : i+1])
	}
	for name, view := range map[string]View{"head": db.Head(), "1000 versions back": v} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if a, _ := view.Account(d[i].Address); a.CodeHash != types.EmptyCodeHash || a.Nonce == 0 {
					b.Fatal("wrong account")
				}
				if i += 997; i >= len(d) {
					i -= len(d)
				}
			}
		})
	}
}
