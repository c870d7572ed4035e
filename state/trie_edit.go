package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// item is one change of a batch: the key with the index i, ordered by the key, of
// which prefix has the first eight bytes.
type item struct {
	prefix uint64
	i      uint32
}

func newItem(key *common.Hash, i int) item {
	return item{binary.BigEndian.Uint64(key[:8]), uint32(i)}
}

// From this many items on, sortItems counts digits instead of comparing.
const radixItems = 512

// sortItems sorts by key. It uses scratch, which it returns for use again.
func sortItems(items, scratch []item, compare func(i, j uint32) int) []item {
	if len(items) >= radixItems {
		scratch = radixSort(items, scratch)
	}
	if !slices.IsSortedFunc(items, func(a, b item) int { return cmp.Compare(a.prefix, b.prefix) }) {
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.prefix, b.prefix) })
	}
	for len(items) > 1 { // equal prefixes are rare
		n := 1
		for n < len(items) && items[n].prefix == items[0].prefix {
			n++
		}
		if n > 1 {
			slices.SortFunc(items[:n], func(a, b item) int { return compare(a.i, b.i) })
		}
		items = items[n:]
	}
	return scratch
}

// radixSort sorts by the first four bytes.
func radixSort(items, scratch []item) []item {
	scratch = slices.Grow(scratch[:0], len(items))[:len(items)]
	from, to := items, scratch
	for shift := 32; shift < 64; shift += 8 {
		var starts [257]int
		for i := range from {
			starts[from[i].prefix>>shift&0xff+1]++
		}
		for i := 1; i < len(starts); i++ {
			starts[i] += starts[i-1]
		}
		for i := range from {
			digit := from[i].prefix >> shift & 0xff
			to[starts[digit]] = from[i]
			starts[digit]++
		}
		from, to = to, from
	}
	return scratch // an even number of passes ends in items
}

// edit changes tries of a forest by batches of items, in one goroutine.
type edit[V any] struct {
	forest *forest[V]
	space  forestSpace
	keys   []common.Hash // by the index of the item
	// change makes the item's change of the value, which is arbitrary if the leaf is
	// fresh, and reports whether the leaf stays.
	change func(i uint32, value *V, fresh bool) bool
	leaves []nodeRef // that build is to put into a trie
}

func (e *edit[V]) nibble(it *item, depth int) int {
	if depth < 16 {
		return int(it.prefix >> (60 - 4*depth) & 15)
	}
	return nibble(&e.keys[it.i], depth)
}

// group returns how many of the sorted items agree with the first one's nibble.
func (e *edit[V]) group(items []item, depth int) (n, count int) {
	n = e.nibble(&items[0], depth)
	for count = 1; count < len(items) && e.nibble(&items[count], depth) == n; count++ {
	}
	return n, count
}

// update changes the trie under r, a node at depth, by items that are sorted, one
// or more, and agree up to depth. It returns the node to put in place of r.
func (e *edit[V]) update(r nodeRef, depth int, items []item) nodeRef {
	switch {
	case r == noNode:
		start := len(e.leaves)
		for i := range items {
			e.addLeaf(items[i].i)
		}
		return e.built(start, depth)
	case r.kind() == kindLeaf:
		return e.updateLeaf(r, depth, items)
	case r.kind() == kindExt:
		return e.updateExt(r, depth, items)
	default:
		return e.updateBranch(r, depth, items)
	}
}

// addLeaf makes a leaf for an item whose key is new, unless it is a removal.
func (e *edit[V]) addLeaf(i uint32) {
	r := e.forest.newLeaf(&e.space)
	l := e.forest.leaf(r)
	l.key = e.keys[i]
	if e.change(i, &l.value, true) {
		e.leaves = append(e.leaves, r)
	} else {
		e.space.release(r)
	}
}

func (e *edit[V]) changeLeaf(r nodeRef, i uint32) bool {
	if e.change(i, &e.forest.leaf(r).value, false) {
		return true
	}
	e.space.release(r)
	return false
}

func (e *edit[V]) updateLeaf(r nodeRef, depth int, items []item) nodeRef {
	key := e.forest.leaf(r).key
	if len(items) == 1 && e.keys[items[0].i] == key {
		if e.changeLeaf(r, items[0].i) {
			return r
		}
		return noNode
	}
	start, placed := len(e.leaves), false
	for i := range items {
		order := -1
		if !placed {
			order = bytes.Compare(key[:], e.keys[items[i].i][:])
		}
		if !placed && order <= 0 {
			placed = true
			if order < 0 || e.changeLeaf(r, items[i].i) {
				e.leaves = append(e.leaves, r)
			}
			if order == 0 {
				continue
			}
		}
		e.addLeaf(items[i].i)
	}
	if !placed {
		e.leaves = append(e.leaves, r)
	}
	return e.built(start, depth)
}

// built takes the leaves from start on, which are sorted, off the stack and returns
// the trie of them.
func (e *edit[V]) built(start, depth int) nodeRef {
	r := e.build(e.leaves[start:], depth)
	e.leaves = e.leaves[:start]
	return r
}

func (e *edit[V]) build(leaves []nodeRef, depth int) nodeRef {
	f := e.forest
	switch len(leaves) {
	case 0:
		return noNode
	case 1:
		return leaves[0]
	}
	first := &f.leaf(leaves[0]).key
	split := commonNibbles(first, &f.leaf(leaves[len(leaves)-1]).key, depth, keyNibbles)
	var children [16]nodeRef
	var mask uint16
	for len(leaves) > 0 {
		n, count := nibble(&f.leaf(leaves[0]).key, split), 1
		for count < len(leaves) && nibble(&f.leaf(leaves[count]).key, split) == n {
			count++
		}
		children[n] = e.build(leaves[:count], split+1)
		mask |= 1 << n
		leaves = leaves[count:]
	}
	r := f.newBranch(&e.space, bits.OnesCount16(mask))
	b := f.branch(r)
	b.setFlags(mask, mask, 0)
	p := 0
	for _, child := range children {
		if child != noNode {
			b.set(p, child)
			p++
		}
	}
	return e.wrap(r, first, depth, split)
}

// wrap returns what leads from depth to the node at split; key goes there.
func (e *edit[V]) wrap(r nodeRef, key *common.Hash, depth, split int) nodeRef {
	if split == depth || !r.isBranch() {
		return r
	}
	return e.forest.newExt(&e.space, key, split, r)
}

func (e *edit[V]) updateExt(r nodeRef, depth int, items []item) nodeRef {
	x := e.forest.ext(r)
	end := int(x.end)
	split := min(
		commonNibbles(&x.key, &e.keys[items[0].i], depth, end),
		commonNibbles(&x.key, &e.keys[items[len(items)-1].i], depth, end),
	)
	if split == end {
		child := e.updateBranch(x.child, end, items)
		if child.isBranch() {
			x.child, x.dirty = child, true
			return r
		}
		e.space.release(r) // the child takes over the path
		return child
	}
	key := x.key
	rest := r // of which the upper part of the path goes to a new branch
	if split+1 == end {
		rest = x.child
		e.space.release(r)
	}
	fork := e.forest.newBranch(&e.space, 2)
	b := e.forest.branch(fork)
	side := nibble(&key, split)
	b.setFlags(1<<side, 1<<side, 0)
	b.set(0, rest)
	return e.wrap(e.updateBranch(fork, split, items), &key, depth, split)
}

func (e *edit[V]) updateBranch(r nodeRef, depth int, items []item) nodeRef {
	b := e.forest.branch(r)
	var moves reshaping
	key := &e.keys[items[0].i]
	for len(items) > 0 {
		n, count := e.group(items, depth)
		moves.place(b, n, e.update(b.child(n), depth+1, items[:count]))
		items = items[count:]
	}
	return e.reshape(r, &moves, key, depth)
}

// reshaping is what changes in the set of a branch's children.
type reshaping struct {
	added       [16]nodeRef
	fresh, gone uint16
}

// place notes the child that is now to be at the nibble.
func (m *reshaping) place(b branch, n int, child nodeRef) {
	present := b.mask()>>n&1 != 0
	switch {
	case present && child != noNode:
		b.set(b.position(n), child)
		b.soil(n)
	case present:
		m.gone |= 1 << n
	case child != noNode:
		m.added[n] = child
		m.fresh |= 1 << n
	}
}

// reshape gives the branch the children that it is to have; key leads to it.
func (e *edit[V]) reshape(r nodeRef, m *reshaping, key *common.Hash, depth int) nodeRef {
	if m.fresh|m.gone == 0 && bits.OnesCount16(e.forest.branch(r).mask()) > 1 {
		return r
	}
	b := e.forest.branch(r)
	var children [16]nodeRef
	var sums [16]common.Hash
	count := 0
	mask := b.mask()&^m.gone | m.fresh
	for left := mask; left != 0; left &= left - 1 {
		n := bits.TrailingZeros16(left)
		if m.fresh>>n&1 != 0 {
			children[count] = m.added[n]
		} else {
			p := b.position(n)
			children[count], sums[count] = b.at(p), b.sums[p]
		}
		count++
	}
	if count < 2 {
		e.space.release(r)
		if count == 1 && children[0].isBranch() {
			path := *key
			setNibble(&path, depth, bits.TrailingZeros16(mask))
			return e.forest.newExt(&e.space, &path, depth+1, children[0])
		}
		return children[0]
	}
	dirty, short := b.dirty()&^m.gone|m.fresh, b.short()&^(m.gone|m.fresh)
	if int(widthOf[count]) != r.width() {
		e.space.release(r)
		r = e.forest.newBranch(&e.space, count)
		b = e.forest.branch(r)
	}
	b.setFlags(mask, dirty, short)
	for i := range count {
		b.set(i, children[i])
	}
	copy(b.sums, sums[:count])
	return r
}

func setNibble(key *common.Hash, i, n int) {
	if i%2 == 0 {
		key[i/2] = key[i/2]&0x0f | byte(n)<<4
	} else {
		key[i/2] = key[i/2]&0xf0 | byte(n)
	}
}
