package state

import (
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

func TestRecorderNotesEveryReadOnceAndAnswersAsItsBase(t *testing.T) {
	a, b, c := common.Address{1}, common.Address{2}, common.Address{3}
	one, two := common.Hash{31: 1}, common.Hash{31: 2}
	code := []byte{0x60, 0x01}
	db := NewDB()
	db.Apply(Diff{
		{Address: a, Balance: uint256.NewInt(7), Code: code, CodeChanged: true, Storage: []SlotDiff{{one, two}}},
		{Address: c, Balance: uint256.NewInt(8)},
	})
	r := NewRecorder(db.Head())
	if len(r.Accounts())+len(r.Slots())+len(r.Codes()) != 0 {
		t.Fatal("a new recorder is not empty")
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			if got := r.Storage(a, one); got != two {
				t.Errorf("slot is %s, want %s", got, two)
			}
			if got := r.Storage(a, two); got != (common.Hash{}) {
				t.Errorf("slot is %s, want zero", got)
			}
			if _, ok := r.Account(b); ok {
				t.Error("an absent account exists")
			}
			if !r.HasStorage(a) {
				t.Error("no storage")
			}
			account, _ := r.Account(a)
			if account.Balance.Uint64() != 7 || !slices.Equal(r.Code(account.CodeHash), code) {
				t.Errorf("account is %+v", account)
			}
		})
	}
	readers.Wait()
	if got, want := r.Accounts(), []common.Address{a, b}; !slices.Equal(got, want) {
		t.Errorf("accounts %v, want %v", got, want)
	}
	if got, want := r.Slots(), []SlotKey{{a, one}, {a, two}}; !slices.Equal(got, want) {
		t.Errorf("slots %v, want %v", got, want)
	}
	account, _ := db.Head().Account(a)
	if got, want := r.Codes(), []common.Hash{account.CodeHash}; !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
	r.Reset()
	if len(r.Accounts())+len(r.Slots())+len(r.Codes()) != 0 {
		t.Error("the recorder remembers")
	}
}

func TestAnOverlayCountsStorageThroughARecorder(t *testing.T) {
	addr := common.Address{1}
	db := NewDB()
	db.Apply(Diff{{Address: addr, Storage: []SlotDiff{{common.Hash{1}, common.Hash{1}}}}})
	for name, c := range map[string]struct {
		base View
		want bool // whether storage is left after the only slot was cleared
	}{
		"views of this package": {db.Head(), false},
		"a foreign view":        {struct{ View }{db.Head()}, true},
	} {
		r := NewRecorder(c.base)
		o := NewOverlay(r)
		if !o.HasStorage(addr) || o.HasStorage(common.Address{2}) {
			t.Errorf("%s: storage is not what the base has", name)
		}
		o.Apply(Diff{{Address: addr, Storage: []SlotDiff{{Slot: common.Hash{1}}}}})
		if got := o.HasStorage(addr); got != c.want {
			t.Errorf("%s: storage after clearing: %t, want %t", name, got, c.want)
		}
		if len(r.Accounts()) != 2 {
			t.Errorf("%s: %d accounts were read, want 2", name, len(r.Accounts()))
		}
	}
}

// A witness of what was recorded proves every value that was read.
func TestWhatWasRecordedIsProvable(t *testing.T) {
	db := NewDB()
	db.Apply(slotsDiff(10)(allLeaves(0, 1000), 1))
	r := NewRecorder(db.Head())
	for i := range 20 {
		r.Account(benchAddress(7 * i))
		r.Storage(benchAddress(i), benchSlot(10*i))
	}
	tree := BuildTrie(db)
	slots := make(map[common.Address][]common.Hash)
	for _, key := range r.Slots() {
		slots[key.Address] = append(slots[key.Address], key.Slot)
	}
	proved := 0
	for _, addr := range r.Accounts() {
		p := tree.Prove(addr, slots[addr])
		if want, _ := db.Head().Account(addr); p.Account != want {
			t.Errorf("proof shows %+v, want %+v", p.Account, want)
		}
		for _, s := range p.Storage {
			if want := db.Head().Storage(addr, s.Slot); s.Value != want || want == (common.Hash{}) {
				t.Errorf("proof shows %s, want %s", s.Value, want)
			}
			proved++
		}
	}
	if proved != 20 {
		t.Errorf("%d slots were proved", proved)
	}
}
