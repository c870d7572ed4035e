package state

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
)

// addressIndex and slotIndex number the keys that they are given, from 0 in the order
// of arrival. Values lie in slices beside them, by number. They never delete: reset
// forgets everything in a few instructions, since a cell is in use only if it carries
// the present generation. That suits what lives for one transaction or mini-block and
// then starts again in the same memory.
//
// Hashes are keyed: nobody outside can choose keys that collide.

// hashKeys are random odd numbers.
type hashKeys [5]uint64

func newHashKeys() (k hashKeys) {
	seed := maphash.MakeSeed()
	for i := range k {
		k[i] = maphash.Comparable(seed, i) | 1
	}
	return k
}

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func (k *hashKeys) address(a *common.Address) uint64 {
	x, y, z := binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:16]), binary.LittleEndian.Uint32(a[16:])
	return fold(fold(x^k[0], y^k[1])^uint64(z)^k[2], k[3])
}

func (k *hashKeys) slot(account int32, s *common.Hash) uint64 {
	a := fold(binary.LittleEndian.Uint64(s[:8])^k[0], binary.LittleEndian.Uint64(s[8:16])^k[1])
	b := fold(binary.LittleEndian.Uint64(s[16:24])^k[2], binary.LittleEndian.Uint64(s[24:])^k[3])
	return fold(a^uint64(account), b^k[4])
}

// sameAddress and sameWord compare in place, where == would call the runtime.
func sameAddress(a, b *common.Address) bool {
	return binary.LittleEndian.Uint64(a[:8]) == binary.LittleEndian.Uint64(b[:8]) &&
		binary.LittleEndian.Uint64(a[8:16]) == binary.LittleEndian.Uint64(b[8:16]) &&
		binary.LittleEndian.Uint32(a[16:]) == binary.LittleEndian.Uint32(b[16:])
}

func sameWord(a, b *common.Hash) bool {
	return binary.LittleEndian.Uint64(a[24:]) == binary.LittleEndian.Uint64(b[24:]) &&
		binary.LittleEndian.Uint64(a[:8]) == binary.LittleEndian.Uint64(b[:8]) &&
		binary.LittleEndian.Uint64(a[8:16]) == binary.LittleEndian.Uint64(b[8:16]) &&
		binary.LittleEndian.Uint64(a[16:24]) == binary.LittleEndian.Uint64(b[16:24])
}

// indexCell is the number of a key. stamp holds the generation in its upper bits and
// the top bits of the key's hash in its lower ones.
type indexCell struct {
	stamp uint32
	at    int32
}

const (
	stampTagBits   = 12
	maxGeneration  = 1<<(32-stampTagBits) - 1
	minIndexCells  = 64
	cellsPerKey    = 2 // at least
	freeGeneration = 0
)

// indexCells is the part that does not depend on the kind of key. Its length is a power
// of two, at least minIndexCells.
type indexCells struct {
	cells      []indexCell
	generation uint32 // not freeGeneration
}

func (c *indexCells) stamp(hash uint64) uint32 {
	return c.generation<<stampTagBits | uint32(hash>>(64-stampTagBits))
}

// reset frees all cells, and gives back those that serve more than keep keys.
func (c *indexCells) reset(keep int) {
	if len(c.cells) == 0 || len(c.cells) > max(minIndexCells, 2*cellsPerKey*keep) {
		c.cells, c.generation = make([]indexCell, minIndexCells), freeGeneration+1
		return
	}
	if c.generation++; c.generation > maxGeneration {
		clear(c.cells)
		c.generation = freeGeneration + 1
	}
}

// grow makes twice as many cells, all of them free.
func (c *indexCells) grow() {
	c.cells, c.generation = make([]indexCell, 2*len(c.cells)), freeGeneration+1
}

// place sets the first free cell for the hash.
func (c *indexCells) place(hash uint64, at int32) {
	mask := uint64(len(c.cells) - 1)
	p := hash & mask
	for c.cells[p].stamp>>stampTagBits == c.generation {
		p = (p + 1) & mask
	}
	c.cells[p] = indexCell{c.stamp(hash), at}
}

// addressIndex numbers addresses.
type addressIndex struct {
	indexCells
	hash hashKeys
	keys []common.Address // by number
}

func newAddressIndex() addressIndex {
	x := addressIndex{hash: newHashKeys()}
	x.indexCells.reset(0)
	return x
}

// reset forgets all keys and keeps the memory of keep of them.
func (x *addressIndex) reset(keep int) {
	x.indexCells.reset(keep)
	x.keys = emptied(x.keys, keep)
}

// find returns the number of addr, or -1.
func (x *addressIndex) find(addr *common.Address) int32 {
	h := x.hash.address(addr)
	stamp, cells := x.stamp(h), x.cells
	mask := uint64(len(cells) - 1)
	for p := h & mask; ; p = (p + 1) & mask {
		c := &cells[p]
		if c.stamp == stamp {
			if sameAddress(&x.keys[c.at], addr) {
				return c.at
			}
		} else if c.stamp>>stampTagBits != x.generation {
			return -1
		}
	}
}

// add returns the number of addr, a new one if there was none.
func (x *addressIndex) add(addr *common.Address) (at int32, isNew bool) {
	h := x.hash.address(addr)
	stamp, cells := x.stamp(h), x.cells
	mask := uint64(len(cells) - 1)
	p := h & mask
	for ; cells[p].stamp>>stampTagBits == x.generation; p = (p + 1) & mask {
		if c := &cells[p]; c.stamp == stamp && sameAddress(&x.keys[c.at], addr) {
			return c.at, false
		}
	}
	at = int32(len(x.keys))
	cells[p] = indexCell{stamp, at}
	x.keys = append(x.keys, *addr)
	if cellsPerKey*len(x.keys) > len(cells) {
		x.grow()
		for i := range x.keys {
			x.place(x.hash.address(&x.keys[i]), int32(i))
		}
	}
	return at, true
}

// slotKey is a slot of an account, which is given by its number.
type slotKey struct {
	slot    common.Hash
	account int32
}

// slotIndex numbers slots of numbered accounts.
type slotIndex struct {
	indexCells
	hash hashKeys
	keys []slotKey // by number
}

func newSlotIndex() slotIndex {
	x := slotIndex{hash: newHashKeys()}
	x.indexCells.reset(0)
	return x
}

// reset forgets all keys and keeps the memory of keep of them.
func (x *slotIndex) reset(keep int) {
	x.indexCells.reset(keep)
	x.keys = emptied(x.keys, keep)
}

// find returns the number of the slot, or -1.
func (x *slotIndex) find(account int32, slot *common.Hash) int32 {
	h := x.hash.slot(account, slot)
	stamp, cells := x.stamp(h), x.cells
	mask := uint64(len(cells) - 1)
	for p := h & mask; ; p = (p + 1) & mask {
		c := &cells[p]
		if c.stamp == stamp {
			if k := &x.keys[c.at]; k.account == account && sameWord(&k.slot, slot) {
				return c.at
			}
		} else if c.stamp>>stampTagBits != x.generation {
			return -1
		}
	}
}

// add returns the number of the slot, a new one if there was none.
func (x *slotIndex) add(account int32, slot *common.Hash) (at int32, isNew bool) {
	h := x.hash.slot(account, slot)
	stamp, cells := x.stamp(h), x.cells
	mask := uint64(len(cells) - 1)
	p := h & mask
	for ; cells[p].stamp>>stampTagBits == x.generation; p = (p + 1) & mask {
		if cells[p].stamp != stamp {
			continue
		}
		if k := &x.keys[cells[p].at]; k.account == account && sameWord(&k.slot, slot) {
			return cells[p].at, false
		}
	}
	at = int32(len(x.keys))
	cells[p] = indexCell{stamp, at}
	x.keys = append(x.keys, slotKey{*slot, account})
	if cellsPerKey*len(x.keys) > len(cells) {
		x.grow()
		for i := range x.keys {
			k := &x.keys[i]
			x.place(x.hash.slot(k.account, &k.slot), int32(i))
		}
	}
	return at, true
}

// emptied is s without elements, in its memory unless it takes that of more than keep.
func emptied[T any](s []T, keep int) []T {
	if cap(s) > 2*keep {
		return nil
	}
	return s[:0]
}

// extended is s with one more element, whose value is whatever is in its memory.
func extended[T any](s []T) []T {
	if n := len(s); n < cap(s) {
		return s[:n+1]
	}
	var zero T
	return append(s, zero)
}

// sized is a slice of n elements in the memory of s, unless that is too small, or far
// too large to be kept. Elements hold whatever is in their memory.
func sized[T any](s []T, n, keep int) []T {
	if cap(s) < n || cap(s) > 2*keep && n <= keep {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}
