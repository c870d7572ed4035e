package state

import "github.com/ethereum/go-ethereum/common"

// nodeRef names a node of a forest: its kind in the top two bits, its index in the
// arena of that kind in the others. The zero nodeRef is the empty trie.
type nodeRef uint32

const (
	kindNone nodeRef = iota << 30
	kindLeaf
	kindExt
	kindBranch

	kindMask = 3 << 30
	noNode   = nodeRef(0)

	keyNibbles = 64 // every key has 32 bytes
)

func (r nodeRef) kind() nodeRef { return r & kindMask }
func (r nodeRef) index() uint32 { return uint32(r &^ kindMask) }

// nodeSum is how a node appears in its parent: its hash, or its RLP if shorter than
// a hash. Zero length: it changed since it was computed, and so did its ancestors'.
type nodeSum struct {
	bytes  [32]byte
	length uint8
}

// Leaves and extensions hold whole keys rather than the part of the path that is
// theirs, which follows from their depth; so a node keeps its key when a change
// above moves it up or down.
type leafNode[V any] struct {
	sum   nodeSum
	key   common.Hash
	value V
}

type extNode struct {
	sum   nodeSum
	end   uint8       // first nibble after the path; the child's depth
	key   common.Hash // meaningful up to end
	child nodeRef     // a branch
}

// A branch with many children holds copies of their sums, so that encoding it does
// not reach for sixteen distant nodes: that, not the hash, is what an update of a
// large trie would wait for. Branches near the leaves, most of all branches, have
// few children and go without.
type branchNode struct {
	sum      nodeSum
	stale    uint16      // bit i: the copy of child i's sum is out of date
	copies   uint32      // 1 + index in forest.copies; 0: none
	children [16]nodeRef // at least two
}

// From this many children on a branch holds copies.
const copiesFromChildren = 10

// forest is a set of tries over 32-byte keys that share arenas of pointer-free
// nodes. A trie is named by the nodeRef of its root, which each change returns anew.
type forest[V any] struct {
	leaves   arena[leafNode[V]]
	exts     arena[extNode]
	branches arena[branchNode]
	copies   arena[[16]nodeSum]
	// encode appends the leaf value that goes into the trie; the hasher is free for
	// hashing other tries on the way.
	encode func(*trieHasher, *V) []byte
}

// arena allocates values by index, in chunks that never move.
type arena[T any] struct {
	chunks []*[arenaChunk]T
	next   uint32
	free   []uint32
}

const arenaChunk = 1 << 9

func (a *arena[T]) at(i uint32) *T { return &a.chunks[i/arenaChunk][i%arenaChunk] }

// alloc returns the index of a zero value.
func (a *arena[T]) alloc() uint32 {
	if n := len(a.free); n > 0 {
		i := a.free[n-1]
		a.free = a.free[:n-1]
		return i
	}
	if a.next == uint32(len(a.chunks))*arenaChunk {
		if a.next >= 1<<30 {
			panic("state: trie arena is full")
		}
		a.chunks = append(a.chunks, new([arenaChunk]T))
	}
	a.next++
	return a.next - 1
}

func (a *arena[T]) release(i uint32) {
	var zero T
	*a.at(i) = zero
	a.free = append(a.free, i)
}

func (f *forest[V]) leaf(r nodeRef) *leafNode[V]  { return f.leaves.at(r.index()) }
func (f *forest[V]) ext(r nodeRef) *extNode       { return f.exts.at(r.index()) }
func (f *forest[V]) branch(r nodeRef) *branchNode { return f.branches.at(r.index()) }

func (f *forest[V]) newLeaf(key *common.Hash) (nodeRef, *leafNode[V]) {
	r := kindLeaf | nodeRef(f.leaves.alloc())
	l := f.leaf(r)
	l.key = *key
	return r, l
}

func (f *forest[V]) newExt(key *common.Hash, end int, child nodeRef) nodeRef {
	r := kindExt | nodeRef(f.exts.alloc())
	*f.ext(r) = extNode{key: *key, end: uint8(end), child: child}
	return r
}

func (f *forest[V]) newBranch() (nodeRef, *branchNode) {
	r := kindBranch | nodeRef(f.branches.alloc())
	return r, f.branch(r)
}

// soil marks the node changed.
func (f *forest[V]) soil(r nodeRef) {
	switch r.kind() {
	case kindLeaf:
		f.leaf(r).sum.length = 0
	case kindExt:
		f.ext(r).sum.length = 0
	case kindBranch:
		f.branch(r).sum.length = 0
	}
}

func nibble(key *common.Hash, i int) byte {
	if i%2 == 0 {
		return key[i/2] >> 4
	}
	return key[i/2] & 15
}

// commonNibbles returns the first nibble from start on in which the keys differ,
// at most end.
func commonNibbles(a, b *common.Hash, start, end int) int {
	for start < end && nibble(a, start) == nibble(b, start) {
		start++
	}
	return start
}

// get returns the key's leaf, or nil.
func (f *forest[V]) get(r nodeRef, key *common.Hash) *leafNode[V] {
	for depth := 0; ; {
		switch r.kind() {
		case kindLeaf:
			if l := f.leaf(r); l.key == *key {
				return l
			}
			return nil
		case kindExt:
			e := f.ext(r)
			if commonNibbles(&e.key, key, depth, int(e.end)) < int(e.end) {
				return nil
			}
			r, depth = e.child, int(e.end)
		case kindBranch:
			r, depth = f.branch(r).children[nibble(key, depth)], depth+1
		default:
			return nil
		}
	}
}

// upsert returns the key's leaf, which the caller is about to change and which is
// new, with a zero value, if the key was absent; and the node to put in place of r.
func (f *forest[V]) upsert(r nodeRef, depth int, key *common.Hash) (nodeRef, *leafNode[V]) {
	switch r.kind() {
	case kindLeaf:
		l := f.leaf(r)
		l.sum.length = 0
		if l.key == *key {
			return r, l
		}
		split := commonNibbles(&l.key, key, depth, keyNibbles)
		return f.fork(depth, split, r, nibble(&l.key, split), key)
	case kindExt:
		e := f.ext(r)
		e.sum.length = 0
		end := int(e.end)
		split := commonNibbles(&e.key, key, depth, end)
		if split == end {
			child, leaf := f.upsert(e.child, end, key)
			e.child = child
			return r, leaf
		}
		side := nibble(&e.key, split)
		if split+1 == end {
			child := e.child
			f.exts.release(r.index())
			r = child
		}
		return f.fork(depth, split, r, side, key)
	case kindBranch:
		b := f.branch(r)
		b.sum.length = 0
		i := nibble(key, depth)
		b.stale |= 1 << i
		if b.children[i] == noNode {
			child, leaf := f.newLeaf(key)
			b.children[i] = child
			f.addCopies(b)
			return r, leaf
		}
		child, leaf := f.upsert(b.children[i], depth+1, key)
		b.children[i] = child
		return r, leaf
	default:
		return f.newLeaf(key)
	}
}

// addCopies gives a branch that got a child its copies when it has enough children.
func (f *forest[V]) addCopies(b *branchNode) {
	if b.copies != 0 {
		return
	}
	n := 0
	for _, child := range b.children {
		if child != noNode {
			n++
		}
	}
	if n >= copiesFromChildren {
		b.copies = 1 + f.copies.alloc()
		b.stale = 1<<16 - 1
	}
}

// fork puts a branch at split with the node old on one side and a new leaf for the
// key on the other, under an extension if split is deeper than depth.
func (f *forest[V]) fork(depth, split int, old nodeRef, side byte, key *common.Hash) (nodeRef, *leafNode[V]) {
	leafRef, leaf := f.newLeaf(key)
	r, b := f.newBranch()
	b.children[side] = old
	b.children[nibble(key, split)] = leafRef
	if split > depth {
		r = f.newExt(key, split, r)
	}
	return r, leaf
}

// remove deletes the key's leaf. It returns the node to put in place of r, and
// whether anything changed.
func (f *forest[V]) remove(r nodeRef, depth int, key *common.Hash) (nodeRef, bool) {
	switch r.kind() {
	case kindLeaf:
		if f.leaf(r).key != *key {
			return r, false
		}
		f.leaves.release(r.index())
		return noNode, true
	case kindExt:
		e := f.ext(r)
		end := int(e.end)
		if commonNibbles(&e.key, key, depth, end) < end {
			return r, false
		}
		child, changed := f.remove(e.child, end, key)
		if !changed {
			return r, false
		}
		if child.kind() != kindBranch { // it takes over the path
			f.exts.release(r.index())
			f.soil(child)
			return child, true
		}
		e.child = child
		e.sum.length = 0
		return r, true
	case kindBranch:
		b := f.branch(r)
		i := nibble(key, depth)
		child, changed := f.remove(b.children[i], depth+1, key)
		if !changed {
			return r, false
		}
		b.children[i] = child
		b.stale |= 1 << i
		b.sum.length = 0
		if child != noNode {
			return r, true
		}
		return f.collapse(r, depth, key), true
	default:
		return noNode, false
	}
}

// collapse replaces a branch that has one child left; key leads to the branch.
func (f *forest[V]) collapse(r nodeRef, depth int, key *common.Hash) nodeRef {
	last := -1
	for i, child := range f.branch(r).children {
		if child == noNode {
			continue
		}
		if last >= 0 {
			return r
		}
		last = i
	}
	child := f.branch(r).children[last]
	if copies := f.branch(r).copies; copies != 0 {
		f.copies.release(copies - 1)
	}
	f.branches.release(r.index())
	if child.kind() != kindBranch {
		f.soil(child)
		return child
	}
	path := *key
	if depth%2 == 0 {
		path[depth/2] = byte(last) << 4
	} else {
		path[depth/2] = path[depth/2]&0xf0 | byte(last)
	}
	return f.newExt(&path, depth+1, child)
}
