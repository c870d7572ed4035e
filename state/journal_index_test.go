package state

import (
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

func TestIndexesEqualMaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y := newAddressIndex(), newSlotIndex()
	for range 400 {
		addresses, slots := make(map[common.Address]int32), make(map[slotKey]int32)
		for range 1 << r.IntN(11) {
			// Keys are alike: they differ in any one byte.
			var addr common.Address
			var slot common.Hash
			addr[r.IntN(20)], slot[r.IntN(32)] = byte(r.Uint32()), byte(r.Uint32())
			key := slotKey{slot, int32(r.IntN(3))}
			at, ok := addresses[addr]
			if got := x.find(&addr); ok && got != at || !ok && got != -1 {
				t.Fatalf("address %v: %d, want %d, %t", addr, got, at, ok)
			}
			if !ok {
				at = int32(len(addresses))
				addresses[addr] = at
			}
			if got, isNew := x.add(&addr); got != at || isNew == ok || x.keys[got] != addr {
				t.Fatalf("address %v is added at %d, new %t, want %d", addr, got, isNew, at)
			}
			at, ok = slots[key]
			if got := y.find(key.account, &key.slot); ok && got != at || !ok && got != -1 {
				t.Fatalf("slot %v: %d, want %d, %t", key, got, at, ok)
			}
			if !ok {
				at = int32(len(slots))
				slots[key] = at
			}
			if got, isNew := y.add(key.account, &key.slot); got != at || isNew == ok || y.keys[got] != key {
				t.Fatalf("slot %v is added at %d, new %t, want %d", key, got, isNew, at)
			}
		}
		if r.IntN(20) == 0 { // the next reset begins with the first generation again
			x.generation, y.generation = maxGeneration, maxGeneration
		}
		keep := 1 << r.IntN(12)
		x.reset(keep)
		y.reset(keep)
		if limit := max(minIndexCells, 2*cellsPerKey*keep); len(x.cells) > limit || len(y.cells) > limit || cap(x.keys) > 2*keep || cap(y.keys) > 2*keep {
			t.Fatalf("kept %d and %d cells of %d", len(x.cells), len(y.cells), limit)
		}
	}
}

// A cell of the last generation but 2^20 must not count as one of this.
func TestAnIndexForgetsWhenGenerationsBeginAgain(t *testing.T) {
	x := newAddressIndex()
	addr := common.Address{1}
	for range maxGeneration + 10 {
		if x.find(&addr) != -1 {
			t.Fatalf("generation %d has an address", x.generation)
		}
		if x.generation == freeGeneration+1 {
			x.add(&addr)
		}
		x.reset(1000)
	}
}

func TestSameAddressAndSameWordCompareEveryByte(t *testing.T) {
	var a, b common.Address
	var v, w common.Hash
	if !sameAddress(&a, &b) || !sameWord(&v, &w) {
		t.Error("equal values differ")
	}
	for i := range b {
		b[i] = 1
		if sameAddress(&a, &b) {
			t.Errorf("byte %d of an address is not compared", i)
		}
		b[i] = 0
	}
	for i := range w {
		w[i] = 1
		if sameWord(&v, &w) {
			t.Errorf("byte %d of a word is not compared", i)
		}
		w[i] = 0
	}
}
