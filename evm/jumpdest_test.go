package evm

import (
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
)

func TestTheJumpCacheKeepsWhatIsUsedAndForgetsTheRest(t *testing.T) {
	c := newJumpCache()
	name := func(n uint32) (h common.Hash) {
		binary.BigEndian.PutUint32(h[:], n)
		return h
	}
	const size = 64 << 10
	used := name(0)
	c.Store(used, vm.BitVec{1})
	const stores = 10 * jumpCacheBytes / size
	for n := uint32(1); n <= stores; n++ {
		c.Store(name(n), make(vm.BitVec, size))
		if vec, ok := c.Load(used); !ok || vec[0] != 1 {
			t.Fatalf("lost after %d stores", n)
		}
		if held := (len(c.young) + len(c.old)) * size; held > 3*jumpCacheBytes {
			t.Fatalf("holds %d bytes", held)
		}
	}
	if _, ok := c.Load(name(1)); ok {
		t.Error("kept what was not used")
	}
}
