package state

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

func TestOverlayShowsTheStateAndYieldsOneDiff(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, db := newModel(), NewDB()
		o := NewOverlay(db.Head())
		for block := range 10 {
			before := m.clone()
			for step := range 10 {
				d := m.randomDiff(r, 1+r.IntN(20))
				m.apply(d)
				o.Apply(d)
				addr, amount := modelAddress(r.IntN(modelAddresses)), uint256.NewInt(1+r.Uint64N(9))
				a, _ := m.account(addr)
				a.Balance.Add(&a.Balance, amount)
				m.apply(Diff{{Address: addr, Balance: &a.Balance}})
				if got := o.Credit(addr, amount); got != a.Balance {
					t.Fatalf("seed %d block %d: %s has %v after a credit, want %v", seed, block, addr, &got, &a.Balance)
				}
				if a, _ := m.account(addr); o.CodeHash(addr) != a.CodeHash {
					t.Fatalf("seed %d block %d: code hash of %s differs", seed, block, addr)
				}
				if err := compare(o, m); err != nil {
					t.Fatalf("seed %d block %d step %d: %v", seed, block, step, err)
				}
			}
			merged := o.Diff()
			if again := o.Diff(); !reflect.DeepEqual(merged, again) {
				t.Fatal("two calls of Diff differ")
			}
			checkDiff(t, before, merged)
			stacked := NewOverlay(db.Head())
			stacked.Apply(merged)
			if err := compare(NewOverlay(stacked), m); err != nil {
				t.Fatalf("seed %d block %d: an overlay on an overlay: %v", seed, block, err)
			}
			db.Apply(merged)
			o.Reset()
			if err := compare(db.Head(), m); err != nil {
				t.Fatalf("seed %d block %d: applied: %v", seed, block, err)
			}
			if err := compare(o, m); err != nil {
				t.Fatalf("seed %d block %d: reset: %v", seed, block, err)
			}
		}
	}
}

// checkDiff checks order, and that all that is listed differs from the model.
func checkDiff(t *testing.T, m *model, d Diff) {
	t.Helper()
	for i, a := range d {
		if i > 0 && d[i-1].Address.Cmp(a.Address) >= 0 {
			t.Fatalf("account %s after %s", a.Address, d[i-1].Address)
		}
		if a.Nonce == nil && a.Balance == nil && !a.CodeChanged && len(a.Storage) == 0 {
			t.Fatalf("account %s is listed without a change", a.Address)
		}
		before, _ := m.account(a.Address)
		if a.Nonce != nil && *a.Nonce == before.Nonce || a.Balance != nil && *a.Balance == before.Balance {
			t.Fatalf("account %s is listed with its nonce or balance", a.Address)
		}
		for j, s := range a.Storage {
			if j > 0 && a.Storage[j-1].Slot.Cmp(s.Slot) >= 0 {
				t.Fatalf("slot %s after %s", s.Slot, a.Storage[j-1].Slot)
			}
			if m.slots[SlotKey{a.Address, s.Slot}] == s.Value {
				t.Fatalf("slot %s of %s is listed with its value", s.Slot, a.Address)
			}
		}
	}
}

func TestOverlayDiffOmitsWhatReturned(t *testing.T) {
	addr, other := common.Address{1}, common.Address{2}
	db := NewDB()
	db.Apply(Diff{{Address: addr, Balance: uint256.NewInt(7), Storage: []SlotDiff{{Value: common.Hash{1}}}}})
	o := NewOverlay(db.Head())
	o.Apply(Diff{
		{Address: addr, Balance: uint256.NewInt(8), Code: []byte{1}, CodeChanged: true, Storage: []SlotDiff{{Value: common.Hash{2}}}},
		{Address: other, Nonce: new(uint64), Balance: uint256.NewInt(1)},
	})
	if d := o.Diff(); len(d) != 2 {
		t.Errorf("diff %+v", d)
	}
	o.Apply(Diff{
		{Address: addr, Balance: uint256.NewInt(7), CodeChanged: true, Storage: []SlotDiff{{Value: common.Hash{1}}}},
		{Address: other, Balance: new(uint256.Int)},
	})
	if d := o.Diff(); len(d) != 0 {
		t.Errorf("diff %+v of values that all returned", d)
	}
}

// foreignView cannot count slots.
type foreignView struct{ View }

func TestOverlayOverAForeignViewFindsStorage(t *testing.T) {
	had, gets := common.Address{1}, common.Address{2}
	db := NewDB()
	db.Apply(Diff{{Address: had, Storage: []SlotDiff{{Value: common.Hash{1}}}}})
	o := NewOverlay(foreignView{db.Head()})
	o.Apply(Diff{{Address: gets, Storage: []SlotDiff{{Value: common.Hash{1}}}}})
	for addr, want := range map[common.Address]bool{had: true, gets: true, {3}: false} {
		if got := o.HasStorage(addr); got != want {
			t.Errorf("storage of %s: %t, want %t", addr, got, want)
		}
	}
	o.Apply(Diff{{Address: gets, Storage: []SlotDiff{{}}}})
	if o.HasStorage(gets) {
		t.Error("storage of the overlay was not deleted")
	}
}

func TestAnOverlayAndAnAccessListUsedAgainAllocateNothing(t *testing.T) {
	db := NewDB()
	r := rand.New(rand.NewPCG(1, 1))
	d := manyAccounts(r, 300)
	for i := range d {
		d[i].Storage = []SlotDiff{{common.Hash{1}, common.Hash{2}}, {common.Hash{2}, common.Hash{byte(i)}}}
	}
	o, l := NewOverlay(db.Head()), NewAccessList()
	fee := uint256.NewInt(1)
	step := func() {
		o.Reset()
		l.Reset()
		for i := range d {
			o.Apply(d[i : i+1])
			l.Add(uint32(i), d[i:i+1])
			l.AddBalance(uint32(i), common.Address{}, o.Credit(common.Address{}, fee))
		}
	}
	step()
	if allocs := testing.AllocsPerRun(100, step); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if balance, _ := o.Account(common.Address{}); balance.Balance.Uint64() != uint64(len(d)) || l.Len() != len(d)+1 {
		t.Errorf("balance %v, %d accounts", &balance.Balance, l.Len())
	}
}

func BenchmarkOverlayApply(b *testing.B) {
	for _, n := range []int{4, 1000} {
		b.Run(fmt.Sprintf("%d accounts", n), func(b *testing.B) {
			db := NewDB()
			d := manyAccounts(rand.New(rand.NewPCG(1, 1)), n)
			o := NewOverlay(db.Head())
			b.ReportAllocs()
			for b.Loop() {
				o.Reset()
				o.Apply(d)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/account")
			if got := o.Diff(); len(got) != n {
				b.Errorf("%d accounts changed, want %d", len(got), n)
			}
		})
	}
}
