package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

func TestTableEqualsMap(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		var tab table[[4]byte, uint64]
		want := make(map[[4]byte]uint64)
		if r.IntN(2) == 0 {
			tab.reserve(r.IntN(2000))
		}
		space := uint32(1 + r.IntN(5000))
		for step := range 10_000 {
			var key [4]byte
			binary.BigEndian.PutUint32(key[:], r.Uint32N(space))
			if growing := step/2500%2 == 0; r.IntN(10) < 2 || !growing && r.IntN(10) < 7 {
				tab.remove(&key)
				delete(want, key)
			} else {
				value := r.Uint64()
				tab.put(&key, &value)
				want[key] = value
			}
			binary.BigEndian.PutUint32(key[:], r.Uint32N(space))
			checkTableKey(t, &tab, want, key)
		}
		for i := range space {
			var key [4]byte
			binary.BigEndian.PutUint32(key[:], i)
			checkTableKey(t, &tab, want, key)
		}
		seen := make(map[[4]byte]bool)
		tab.each(func(key *[4]byte, value *uint64) {
			if seen[*key] || want[*key] != *value {
				t.Errorf("each shows %x = %d (before: %t), want %d", *key, *value, seen[*key], want[*key])
			}
			seen[*key] = true
		})
		if len(seen) != len(want) || tab.len() != len(want) {
			t.Fatalf("each shows %d entries, len %d, want %d", len(seen), tab.len(), len(want))
		}
	}
}

func checkTableKey(t *testing.T, tab *table[[4]byte, uint64], want map[[4]byte]uint64, key [4]byte) {
	t.Helper()
	value, ok := want[key]
	switch got := tab.at(&key); {
	case got == nil && ok:
		t.Fatalf("key %x is missing", key)
	case got != nil && !ok:
		t.Fatalf("key %x = %d was deleted", key, *got)
	case got != nil && *got != value:
		t.Fatalf("key %x = %d, want %d", key, *got, value)
	}
}

func TestTableThatWasReservedDoesNotGrow(t *testing.T) {
	var tab table[uint64, uint64]
	tab.reserve(1000)
	size := len(tab.live.tags)
	for i := range uint64(1000) {
		tab.put(&i, &i)
	}
	if len(tab.live.tags) != size || len(tab.old.tags) != 0 {
		t.Errorf("%d and %d cells, reserved were %d", len(tab.live.tags), len(tab.old.tags), size)
	}
	tab.reserve(1 << 20)
	if tab.len() != 1000 || *tab.at(&[]uint64{7}[0]) != 7 {
		t.Error("reserve changed a table that is in use")
	}
}

// Growing must not happen at once: after any change, at most a few cells moved.
func TestTableGrowsInSmallSteps(t *testing.T) {
	var tab table[uint64, uint64]
	for i := range uint64(100_000) {
		before, cursor := len(tab.old.tags), tab.cursor
		tab.put(&i, &i)
		if before > 0 && len(tab.old.tags) == before && tab.cursor-cursor > tableMovesPerChange {
			t.Fatalf("put %d moved %d cells", i, tab.cursor-cursor)
		}
		if before > 0 && len(tab.old.tags) > before {
			t.Fatalf("put %d doubled the table while cells were left to move", i)
		}
	}
}

func BenchmarkTableLookup(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("%d slots", n), func(b *testing.B) {
			var tab table[SlotKey, common.Hash]
			tab.reserve(n)
			keys := make([]SlotKey, n)
			for i := range keys {
				binary.BigEndian.PutUint64(keys[i].Slot[:], uint64(i)*0x9e3779b97f4a7c15)
				tab.put(&keys[i], &common.Hash{1})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if tab.at(&keys[i]) == nil {
					b.Fatal("missing")
				}
				if i += 997; i >= n {
					i -= n
				}
			}
		})
	}
}
