package state

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// nodeRef names a node of a forest: its kind in the top four bits, its index in the
// arena of that kind in the others. The zero nodeRef is the empty trie.
type nodeRef uint32

const (
	noNode      nodeRef = 0
	kindLeaf    nodeRef = 1 << kindShift
	kindExt     nodeRef = 2 << kindShift
	kindBranch0 nodeRef = 3 << kindShift // and one kind for each width of branches
	kindTrie    nodeRef = 15 << kindShift

	kindShift  = 28
	kindMask   = 15 << kindShift
	keyNibbles = 64 // every key has 32 bytes
)

func (r nodeRef) kind() nodeRef  { return r & kindMask }
func (r nodeRef) index() uint32  { return uint32(r &^ kindMask) }
func (r nodeRef) isBranch() bool { return r >= kindBranch0 && r < kindTrie }
func (r nodeRef) width() int     { return int(r>>kindShift) - int(kindBranch0>>kindShift) }

// branchWidths are the numbers of children that there are branches for; widthOf is
// the index of the least that is enough.
var (
	branchWidths = [...]uint32{2, 3, 4, 6, 8, 12, 16}
	widthOf      = [17]uint8{0, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6}
)

// A node does not hold its own sum, which is its hash or, if that is shorter, its
// RLP: its parent does. So a node that changed is encoded without reaching for its
// siblings, which are distant in memory; that, not the hash, is what an update of a
// large trie would wait for.
//
// A short sum has its length in the last byte.

// A leaf and an extension hold whole keys rather than the part of the path that is
// theirs, which follows from their depth; so a node keeps its key when a change
// above moves it up or down.
type leafNode[V any] struct {
	key   common.Hash
	value V
}

type extNode struct {
	key   common.Hash // meaningful up to end
	sum   common.Hash // of the child
	child nodeRef     // a branch
	end   uint8       // first nibble after the path; the child's depth
	dirty bool        // sum is out of date
	short bool        // sum is RLP
}

// branch is a branch node in its arena: two words of flags and the children's refs,
// and the children's sums, both without gaps, ascending by nibble.
type branch struct {
	meta []uint32
	sums []common.Hash
}

// The flags have one bit for each nibble.
func (b branch) mask() uint16  { return uint16(b.meta[0]) }
func (b branch) dirty() uint16 { return uint16(b.meta[0] >> 16) }
func (b branch) short() uint16 { return uint16(b.meta[1]) }

func (b branch) setFlags(mask, dirty, short uint16) {
	b.meta[0] = uint32(mask) | uint32(dirty)<<16
	b.meta[1] = uint32(short)
}

func (b branch) soil(n int)           { b.meta[0] |= 1 << (16 + n) }
func (b branch) clean()               { b.meta[0] &= 1<<16 - 1 }
func (b branch) at(p int) nodeRef     { return nodeRef(b.meta[2+p]) }
func (b branch) set(p int, r nodeRef) { b.meta[2+p] = uint32(r) }

// position returns where the child with the nibble is among those that are there.
func (b branch) position(n int) int { return bits.OnesCount16(b.mask() & (1<<n - 1)) }

// child returns the child with the nibble.
func (b branch) child(n int) nodeRef {
	if b.mask()>>n&1 == 0 {
		return noNode
	}
	return b.at(b.position(n))
}

const arenaChunk = 1 << 9

// arena holds values by index, in chunks that never move, so that goroutines which
// own different values need no lock. Who allocates has a freeList of his own.
type arena[T any] struct {
	grow   sync.Mutex
	chunks atomic.Pointer[[]T] // a T is a whole chunk
}

// chunk returns the chunk that index i lies in.
func (a *arena[T]) chunk(i uint32) *T { return &(*a.chunks.Load())[i/arenaChunk] }

// add adds a chunk and returns its first index.
func (a *arena[T]) add(chunk T) uint32 {
	a.grow.Lock()
	defer a.grow.Unlock()
	var chunks []T
	if p := a.chunks.Load(); p != nil {
		chunks = *p
	}
	first := uint32(len(chunks)) * arenaChunk
	if first >= 1<<kindShift {
		panic("state: trie arena is full")
	}
	chunks = append(chunks, chunk)
	a.chunks.Store(&chunks)
	return first
}

// size returns the number of values that the arena has room for.
func (a *arena[T]) size() int {
	if p := a.chunks.Load(); p != nil {
		return len(*p) * arenaChunk
	}
	return 0
}

// freeList is what one goroutine may allocate from an arena: released values and
// the rest of a chunk.
type freeList struct {
	free      []uint32
	next, end uint32
}

// take returns a free index, or false if a chunk must be added.
func (l *freeList) take() (uint32, bool) {
	if n := len(l.free); n > 0 {
		i := l.free[n-1]
		l.free = l.free[:n-1]
		return i, true
	}
	if l.next == l.end {
		return 0, false
	}
	l.next++
	return l.next - 1, true
}

func (l *freeList) put(i uint32) { l.free = append(l.free, i) }

// len returns the number of free indices.
func (l *freeList) len() int { return len(l.free) + int(l.end-l.next) }

// extend adds the chunk that begins at first and returns that.
func (l *freeList) extend(first uint32) uint32 {
	l.next, l.end = first+1, first+arenaChunk
	return first
}

// forest is a set of tries over 32-byte keys that share arenas of nodes without
// pointers, which the garbage collector never walks. A trie is named by the nodeRef
// of its root, which each change returns anew.
type forest[V any] struct {
	leaves   arena[*[arenaChunk]leafNode[V]]
	exts     arena[*[arenaChunk]extNode]
	branches [len(branchWidths)]arena[branch] // a branch as large as a chunk of them
}

// forestSpace is what one goroutine may allocate in a forest.
type forestSpace struct {
	leaves, exts freeList
	branches     [len(branchWidths)]freeList
}

func (f *forest[V]) leaf(r nodeRef) *leafNode[V] {
	return &(*f.leaves.chunk(r.index()))[r.index()%arenaChunk]
}

func (f *forest[V]) ext(r nodeRef) *extNode {
	return &(*f.exts.chunk(r.index()))[r.index()%arenaChunk]
}

func (f *forest[V]) branch(r nodeRef) branch {
	w := r.width()
	c := f.branches[w].chunk(r.index())
	n, i := branchWidths[w], r.index()%arenaChunk
	return branch{c.meta[i*(n+2) : (i+1)*(n+2)], c.sums[i*n : (i+1)*n]}
}

// newLeaf returns a leaf whose content is to be overwritten.
func (f *forest[V]) newLeaf(s *forestSpace) nodeRef {
	i, ok := s.leaves.take()
	if !ok {
		i = s.leaves.extend(f.leaves.add(new([arenaChunk]leafNode[V])))
	}
	return kindLeaf | nodeRef(i)
}

// newExt returns an extension over the branch; key leads to it.
func (f *forest[V]) newExt(s *forestSpace, key *common.Hash, end int, child nodeRef) nodeRef {
	i, ok := s.exts.take()
	if !ok {
		i = s.exts.extend(f.exts.add(new([arenaChunk]extNode)))
	}
	r := kindExt | nodeRef(i)
	*f.ext(r) = extNode{key: *key, child: child, end: uint8(end), dirty: true}
	return r
}

// newBranch returns a branch for n children, whose content is to be overwritten.
func (f *forest[V]) newBranch(s *forestSpace, n int) nodeRef {
	w := widthOf[n]
	i, ok := s.branches[w].take()
	if !ok {
		n := branchWidths[w]
		i = s.branches[w].extend(f.branches[w].add(branch{
			make([]uint32, arenaChunk*(n+2)), make([]common.Hash, arenaChunk*n),
		}))
	}
	return kindBranch0 + nodeRef(w)<<kindShift | nodeRef(i)
}

func (s *forestSpace) release(r nodeRef) {
	switch {
	case r.kind() == kindLeaf:
		s.leaves.put(r.index())
	case r.kind() == kindExt:
		s.exts.put(r.index())
	default:
		s.branches[r.width()].put(r.index())
	}
}

func nibble(key *common.Hash, i int) int {
	if i%2 == 0 {
		return int(key[i/2] >> 4)
	}
	return int(key[i/2] & 15)
}

// commonNibbles returns the first nibble from start on in which the keys differ,
// at most end.
func commonNibbles(a, b *common.Hash, start, end int) int {
	for start < end && nibble(a, start) == nibble(b, start) {
		start++
	}
	return start
}

// get returns the value of the key, or nil.
func (f *forest[V]) get(r nodeRef, key *common.Hash) *V {
	for depth := 0; ; {
		switch {
		case r == noNode:
			return nil
		case r.kind() == kindLeaf:
			if l := f.leaf(r); l.key == *key {
				return &l.value
			}
			return nil
		case r.kind() == kindExt:
			e := f.ext(r)
			if commonNibbles(&e.key, key, depth, int(e.end)) < int(e.end) {
				return nil
			}
			r, depth = e.child, int(e.end)
		default:
			r, depth = f.branch(r).child(nibble(key, depth)), depth+1
		}
	}
}
