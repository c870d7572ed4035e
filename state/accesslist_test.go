package state

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types/bal"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

// sampleList returns a list with every kind of change.
func sampleList() *AccessList {
	one, two := uint64(1), uint64(2)
	l := NewAccessList()
	l.Add(0, Diff{
		{Address: common.Address{1}, Storage: []SlotDiff{{common.Hash{31: 1}, common.Hash{31: 0x80}}, {common.Hash{1}, common.Hash{}}}},
		{Address: common.Address{2}, Nonce: &one, Balance: uint256.NewInt(1e18), Code: []byte{0x60, 0, 0xfd}, CodeChanged: true},
		{Address: common.Address{9}}, // without changes
	})
	l.Add(1, Diff{
		{Address: common.Address{0: 1, 19: 1}, Balance: new(uint256.Int)},
		{Address: common.Address{2}, Nonce: &two, CodeChanged: true},
	})
	l.Add(1<<20, Diff{{Address: common.Address{1}, Storage: []SlotDiff{{common.Hash{}, common.Hash{31: 1}}, {common.Hash{31: 1}, common.Hash{31: 2}}}}})
	return l
}

func TestAccessListEncodingIsStable(t *testing.T) {
	const want = "f8ac" +
		"f857" + "940100000000000000000000000000000000000000" +
		"f83c" + // slot 0, slot 1, slot 2^248
		"c880" + "c6" + "c58310000001" +
		"cc01" + "ca" + "c3808180" + "c58310000002" +
		"e5a00100000000000000000000000000000000000000000000000000000000000000" + "c3" + "c28080" +
		"c0" + "c0" + "c0" + "c0" +
		"dd" + "940100000000000000000000000000000000000001" + "c0" + "c0" +
		"c3" + "c20180" + // balance 0
		"c0" + "c0" +
		"f4" + "940200000000000000000000000000000000000000" + "c0" + "c0" +
		"cb" + "ca80880de0b6b3a7640000" + // 1 ether
		"c6" + "c28001" + "c20102" + // nonces 1 and 2
		"c9" + "c580836000fd" + "c20180" // a code, no code
	if got := hex.EncodeToString(sampleList().Encode()); got != want {
		t.Errorf("encoding\n%s, want\n%s", got, want)
	}
}

func TestAccessListEqualsGeths(t *testing.T) {
	for seed := range uint64(50) {
		l, _ := randomList(seed)
		enc := l.Encode()
		var geth bal.BlockAccessList
		if err := rlp.DecodeBytes(enc, &geth); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := geth.Validate(math.MaxUint64, math.MaxInt32); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again, err := rlp.EncodeToBytes(geth)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, enc) {
			t.Fatalf("seed %d: go-ethereum encodes\n%x, we\n%x", seed, again, enc)
		}
		if len(geth) != l.Len() {
			t.Fatalf("seed %d: go-ethereum sees %d accounts, we %d", seed, len(geth), l.Len())
		}
	}
}

// The same changes given to go-ethereum's builder yield our bytes.
func TestAccessListEqualsGethsBuilder(t *testing.T) {
	for seed := range uint64(50) {
		l, diffs := randomList(seed)
		builder := bal.NewConstructionBlockAccessList()
		for i, d := range diffs {
			index := uint32(i)
			for _, a := range d {
				if a.Nonce != nil {
					builder.NonceChange(a.Address, index, *a.Nonce)
				}
				if a.Balance != nil {
					builder.BalanceChange(index, a.Address, a.Balance)
				}
				if a.CodeChanged {
					builder.CodeChange(a.Address, index, a.Code)
				}
				for _, s := range a.Storage {
					builder.StorageWrite(index, a.Address, s.Slot, s.Value)
				}
			}
		}
		want, err := rlp.EncodeToBytes(builder)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Encode(); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: encoding\n%x, want\n%x", seed, got, want)
		}
	}
}

// randomList returns the list of a sequence of diffs, and the diffs.
func randomList(seed uint64) (*AccessList, []Diff) {
	r := rand.New(rand.NewPCG(seed, 1))
	m, l := newModel(), NewAccessList()
	diffs := make([]Diff, r.IntN(12))
	for i := range diffs {
		diffs[i] = m.randomDiff(r, 1+r.IntN(20))
		m.apply(diffs[i])
		l.Add(uint32(i), diffs[i])
	}
	return l, diffs
}

func TestAccessListDecodesToWhatWasEncoded(t *testing.T) {
	for seed := range uint64(50) {
		l, _ := randomList(seed)
		enc := l.Encode()
		decoded, err := DecodeAccessList(enc)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := decoded.Encode(); !bytes.Equal(got, enc) {
			t.Fatalf("seed %d: encoding\n%x, want\n%x", seed, got, enc)
		}
		if len(l.accounts) > 0 {
			for i := range l.accounts { // empty codes decode as empty, not as nil
				for j, c := range l.accounts[i].code {
					l.accounts[i].code[j].value = append([]byte{}, c.value...)
				}
			}
			if !reflect.DeepEqual(decoded.accounts, l.accounts) {
				t.Fatalf("seed %d: decoded %+v, want %+v", seed, decoded.accounts, l.accounts)
			}
		}
	}
}

func TestAccessListFinalIsTheStateAfterAllDiffs(t *testing.T) {
	for seed := range uint64(50) {
		l, diffs := randomList(seed)
		want, got := newModel(), newModel()
		o := NewOverlay(NewDB().Head())
		for _, d := range diffs {
			want.apply(d)
			o.Apply(d)
		}
		decoded, err := DecodeAccessList(l.Encode())
		if err != nil {
			t.Fatal(err)
		}
		got.apply(decoded.Final())
		if !reflect.DeepEqual(got.accounts, want.accounts) || !reflect.DeepEqual(got.slots, want.slots) {
			t.Fatalf("seed %d: final diff %+v", seed, decoded.Final())
		}
		db := NewDB()
		db.Apply(l.Final())
		if err := compare(db.Head(), want); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestDiffsOfOneIndexMerge(t *testing.T) {
	addr := common.Address{1}
	diff := func(balance uint64, slot, value byte) Diff {
		return Diff{{Address: addr, Balance: uint256.NewInt(balance), Storage: []SlotDiff{{common.Hash{slot}, common.Hash{value}}}}}
	}
	merged, want := NewAccessList(), NewAccessList()
	merged.Add(3, diff(1, 1, 1))
	merged.Add(3, diff(2, 2, 2))
	merged.Add(3, diff(3, 1, 3))
	want.Add(3, Diff{{Address: addr, Balance: uint256.NewInt(3), Storage: []SlotDiff{
		{common.Hash{1}, common.Hash{3}}, {common.Hash{2}, common.Hash{2}},
	}}})
	if got, want := merged.Encode(), want.Encode(); !bytes.Equal(got, want) {
		t.Errorf("encoding %x, want %x", got, want)
	}
}

func TestADecodedListTakesMore(t *testing.T) {
	l := sampleList()
	decoded, err := DecodeAccessList(l.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*AccessList{l, decoded} {
		l.Add(1<<21, Diff{{Address: common.Address{2}, Balance: uint256.NewInt(5)}, {Address: common.Address{}, Balance: uint256.NewInt(6)}})
	}
	if got, want := decoded.Encode(), l.Encode(); !bytes.Equal(got, want) {
		t.Errorf("encoding %x, want %x", got, want)
	}
}

// Few and many slots of one account, written in any order and again, and read in
// between, give the bytes of go-ethereum's builder.
func TestSlotsWrittenInAnyOrder(t *testing.T) {
	for _, slots := range []int{1, 15, 16, 17, minIndexCells / cellsPerKey, minIndexCells/cellsPerKey + 1, 40, 1000} {
		for _, perDiff := range []int{1, 3, 100} {
			r := rand.New(rand.NewPCG(uint64(slots), uint64(perDiff)))
			l, builder := NewAccessList(), bal.NewConstructionBlockAccessList()
			for index := range uint32(20) {
				for _, s := range randomSlots(r, slots, perDiff) {
					builder.StorageWrite(index, common.Address{1}, s.Slot, s.Value)
					l.Add(index, Diff{{Address: common.Address{1}, Storage: []SlotDiff{s}}})
				}
				d := randomSlots(r, slots, perDiff)
				for _, s := range d {
					builder.StorageWrite(index, common.Address{1}, s.Slot, s.Value)
				}
				l.Add(index, Diff{{Address: common.Address{1}, Storage: d}})
				if index%7 != 3 {
					continue
				}
				want, err := rlp.EncodeToBytes(builder)
				if err != nil {
					t.Fatal(err)
				}
				if got := l.Encode(); !bytes.Equal(got, want) {
					t.Fatalf("%d slots, %d per diff, index %d: encoding\n%x, want\n%x", slots, perDiff, index, got, want)
				}
			}
		}
	}
}

// randomSlots returns at most n writes to the slots, whose keys are hashes, ascending.
func randomSlots(r *rand.Rand, slots, n int) []SlotDiff {
	var out []SlotDiff
	for range n {
		key := crypto.Keccak256Hash(binary.BigEndian.AppendUint32(nil, uint32(r.IntN(slots))))
		out = append(out, SlotDiff{key, common.Hash{31: byte(r.IntN(256))}})
	}
	bySlot := func(a, b SlotDiff) int { return a.Slot.Cmp(b.Slot) }
	slices.SortStableFunc(out, bySlot)
	return slices.CompactFunc(out, func(a, b SlotDiff) bool { return a.Slot == b.Slot })
}

// hashedSlots returns n diffs of one account, each of other slots, whose keys are
// hashes: what a contract with a large mapping writes.
func hashedSlots(n, slotsPerDiff int) []Diff {
	diffs := make([]Diff, n)
	for i := range diffs {
		slots := make([]SlotDiff, slotsPerDiff)
		for j := range slots {
			key := binary.BigEndian.AppendUint32(nil, uint32(i*slotsPerDiff+j))
			slots[j] = SlotDiff{crypto.Keccak256Hash(key), common.Hash{31: byte(1 + i)}}
		}
		slices.SortFunc(slots, func(a, b SlotDiff) int { return a.Slot.Cmp(b.Slot) })
		diffs[i] = Diff{{Address: common.Address{1}, Storage: slots}}
	}
	return diffs
}

// Were slots kept in order from diff to diff, this would move 6·10^10 of them
// and not end.
func TestAccessListOfManySlotsOfOneAccount(t *testing.T) {
	const diffs, slotsPerDiff = 200, 2_500
	l := NewAccessList()
	for i, d := range hashedSlots(diffs, slotsPerDiff) {
		l.Add(uint32(i), d)
	}
	final := l.Final()
	if len(final) != 1 || len(final[0].Storage) != diffs*slotsPerDiff {
		t.Fatalf("%d accounts", len(final))
	}
	if !slices.IsSortedFunc(final[0].Storage, func(a, b SlotDiff) int { return a.Slot.Cmp(b.Slot) }) {
		t.Fatal("slots of the final diff do not ascend")
	}
	if decoded, err := DecodeAccessList(l.Encode()); err != nil || !reflect.DeepEqual(decoded.Final(), final) {
		t.Fatalf("decoded list differs: %v", err)
	}
}

func TestFallingIndexPanics(t *testing.T) {
	d := Diff{{Address: common.Address{1}, Balance: uint256.NewInt(1)}}
	l := NewAccessList()
	l.Add(2, d)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	l.Add(1, d)
}

// list and str build RLP by hand, right or wrong.
func list(items ...[]byte) []byte {
	content := bytes.Join(items, nil)
	if len(content) < 56 {
		return append([]byte{0xc0 + byte(len(content))}, content...)
	}
	if len(content) > 255 {
		panic("no case is that long")
	}
	return append([]byte{0xf8, byte(len(content))}, content...)
}

func str(b ...byte) []byte { return append([]byte{0x80 + byte(len(b))}, b...) }

func TestMalformedAccessListsAreRefused(t *testing.T) {
	none := list()
	num := func(b byte) []byte { return []byte{b} }
	address := func(first byte) []byte { return str(append([]byte{first}, make([]byte, 19)...)...) }
	balance := list(list(num(1), num(5)))
	account := func(first byte) []byte { return list(address(first), none, none, balance, none, none) }
	slot := func(key []byte, changes ...[]byte) []byte { return list(key, list(changes...)) }
	withStorage := func(slots ...[]byte) []byte {
		return list(list(address(1), list(slots...), none, none, none, none))
	}
	write := func(index byte) []byte { return list(num(index), num(7)) }
	for name, raw := range map[string][]byte{
		"accounts": list(account(1), account(2)),
		"slots":    withStorage(slot(num(1), write(1), write(2)), slot(num(2), write(1))),
	} {
		if _, err := DecodeAccessList(raw); err != nil {
			t.Errorf("well-formed %s: %v", name, err)
		}
	}
	tests := map[string][]byte{
		"nothing":                       {},
		"an account that repeats":       list(account(1), account(1)),
		"accounts that fall":            list(account(2), account(1)),
		"a list in long form":           append([]byte{0xf8, byte(len(account(1)))}, account(1)...),
		"a string":                      str(1, 2),
		"a length beyond the end":       {0xc5, 1},
		"an account that is no list":    list(num(1)),
		"an account without fields":     list(none),
		"a short address":               list(list(str(1, 2), none, none, balance, none, none)),
		"an account without changes":    list(list(address(1), none, none, none, none, none)),
		"storage reads":                 list(list(address(1), none, list(num(1)), balance, none, none)),
		"a missing field":               list(list(address(1), none, none, balance, none)),
		"a field too many":              list(list(address(1), none, none, balance, none, none, none)),
		"a change without a value":      list(list(address(1), none, none, list(list(num(1))), none, none)),
		"a change with two values":      list(list(address(1), none, none, list(list(num(1), num(2), num(3))), none, none)),
		"an index of 33 bits":           list(list(address(1), none, none, list(list(str(1, 0, 0, 0, 0), num(2))), none, none)),
		"an index with a leading zero":  list(list(address(1), none, none, list(list(str(0, 1), num(2))), none, none)),
		"an index that repeats":         list(list(address(1), none, none, list(write(1), write(1)), none, none)),
		"an index that falls":           list(list(address(1), none, none, list(write(2), write(1)), none, none)),
		"a balance with a leading zero": list(list(address(1), none, none, list(list(num(1), str(0, 1))), none, none)),
		"a balance of 33 bytes":         list(list(address(1), none, none, list(list(num(1), str(bytes.Repeat([]byte{1}, 33)...))), none, none)),
		"a nonce of 9 bytes":            list(list(address(1), none, none, none, list(list(num(1), str(bytes.Repeat([]byte{1}, 9)...))), none)),
		"a code that is a list":         list(list(address(1), none, none, none, none, list(list(num(1), none)))),
		"a slot without changes":        withStorage(slot(num(1))),
		"a slot with a leading zero":    withStorage(slot(str(0, 1), write(1))),
		"a slot that repeats":           withStorage(slot(num(1), write(1)), slot(num(1), write(2))),
		"slots that fall":               withStorage(slot(num(2), write(1)), slot(num(1), write(1))),
		"a slot with a third field":     withStorage(list(num(1), list(write(1)), none)),
		"a number in long form":         withStorage(slot(str(1), write(1))),
		"a zero byte for zero":          withStorage(slot(num(0), write(1))),
	}
	for name, raw := range tests {
		if _, err := DecodeAccessList(raw); !errors.Is(err, ErrAccessList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, raw := range map[string][]byte{
		"bytes after the list":   append(sampleList().Encode(), 0),
		"a list that is too big": make([]byte, MaxAccessListBytes+1),
	} {
		if _, err := DecodeAccessList(raw); !errors.Is(err, ErrAccessList) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeAccessList(f *testing.F) {
	f.Add([]byte{0xc0})
	f.Add(sampleList().Encode())
	for seed := range uint64(3) {
		l, _ := randomList(seed)
		f.Add(l.Encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := DecodeAccessList(raw)
		if err != nil {
			if !errors.Is(err, ErrAccessList) {
				t.Fatal(err)
			}
			return
		}
		if got := l.Encode(); !bytes.Equal(got, raw) {
			t.Fatalf("encoding\n%x, want\n%x", got, raw)
		}
		var geth bal.BlockAccessList
		if err := rlp.DecodeBytes(raw, &geth); err != nil {
			t.Fatalf("go-ethereum refuses %x: %v", raw, err)
		}
		NewDB().Apply(l.Final())
	})
}

func BenchmarkAccessList(b *testing.B) {
	d := manyAccounts(rand.New(rand.NewPCG(1, 1)), 1000)
	for i := range d {
		d[i].Storage = []SlotDiff{{common.Hash{1}, common.Hash{2}}}
	}
	l := NewAccessList()
	l.Add(1, d)
	enc := l.Encode()
	b.Run("add and encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(enc)))
		for b.Loop() {
			l := NewAccessList()
			l.Add(1, d)
			if len(l.Encode()) != len(enc) {
				b.Fatal("another encoding")
			}
		}
	})
	b.Run("add to a list that is used again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Reset()
			l.Add(1, d)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(d)), "ns/account")
	})
	b.Run("encode a list that is used again", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(enc)))
		for b.Loop() {
			l.sorted = false
			l.Encode()
		}
	})
	for _, n := range []int{1, 12, 1000} {
		const slots = 500_000
		diffs := hashedSlots(n, slots/n)
		b.Run(fmt.Sprintf("500k slots of one account in %d diffs", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l := NewAccessList()
				for i, d := range diffs {
					l.Add(uint32(i), d)
				}
				if got := l.Final(); len(got[0].Storage) != slots/n*n {
					b.Fatal(len(got[0].Storage))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/slots, "ns/slot")
		})
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(enc)))
		for b.Loop() {
			if _, err := DecodeAccessList(enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
