package state

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// nodeList holds encoded nodes in a few large pieces of memory.
type nodeList struct {
	nodes  []foundNode
	pieces [][]byte
	room   int // where the last piece is free
}

// foundNode is a node by its first eight bytes and its place.
type foundNode struct {
	prefix      uint64
	start       uint32 // in its piece
	piece, size uint16
}

const minNodePiece, maxNodePiece = 16 << 10, 4 << 20

// next has room for one more node.
func (l *nodeList) next() []byte {
	n := len(l.pieces)
	if n == 0 || len(l.pieces[n-1])-l.room < maxNode {
		size := minNodePiece
		if n > 0 {
			size = min(2*len(l.pieces[n-1]), maxNodePiece)
		}
		l.pieces, l.room = append(l.pieces, make([]byte, size)), 0
		n++
	}
	return l.pieces[n-1][l.room : l.room : l.room+maxNode]
}

// took keeps what was written into the room.
func (l *nodeList) took(start, end int) {
	n := len(l.pieces) - 1
	node := foundNode{start: uint32(l.room + start), piece: uint16(n), size: uint16(end - start)}
	l.room += end
	rlp := l.at(&node)
	if len(rlp) >= 8 {
		node.prefix = binary.BigEndian.Uint64(rlp)
	} else {
		var first [8]byte
		copy(first[:], rlp)
		node.prefix = binary.BigEndian.Uint64(first[:])
	}
	l.nodes = append(l.nodes, node)
}

func (l *nodeList) at(n *foundNode) []byte {
	end := n.start + uint32(n.size)
	return l.pieces[n.piece][n.start:end:end]
}

// first is the first node that is left, or nil.
func (l *nodeList) first() []byte {
	if len(l.nodes) == 0 {
		return nil
	}
	return l.at(&l.nodes[0])
}

// sort orders the nodes by their bytes: by the first eight of them by digits, and where
// those are equal, which is rare, by the others.
func (l *nodeList) sort() {
	const digit = 11
	from, to := l.nodes, make([]foundNode, len(l.nodes))
	for shift := 0; shift < 64; shift += digit {
		var starts [1<<digit + 1]int
		for i := range from {
			starts[from[i].prefix>>shift&(1<<digit-1)+1]++
		}
		for i := 1; i < len(starts); i++ {
			starts[i] += starts[i-1]
		}
		for i := range from {
			d := from[i].prefix >> shift & (1<<digit - 1)
			to[starts[d]] = from[i]
			starts[d]++
		}
		from, to = to, from
	}
	l.nodes = from
	for rest := from; len(rest) > 1; {
		n := 1
		for n < len(rest) && rest[n].prefix == rest[0].prefix {
			n++
		}
		if n > 1 {
			slices.SortFunc(rest[:n], func(a, b foundNode) int { return bytes.Compare(l.at(&a), l.at(&b)) })
		}
		rest = rest[n:]
	}
}

// tracer finds the nodes that concern a batch of items in tries of one forest, for one
// goroutine. It changes nothing.
type tracer[V any] struct {
	sums  *hashing[V]
	keys  []common.Hash // by the index of the item
	found *nodeList
	// keep is told of all items of one key and of the value that is there, nil for none,
	// and reports whether there is one afterwards.
	keep func(items []item, value *V) bool
}

func (t *tracer[V]) note(r nodeRef, depth int) {
	start, end := t.sums.appendNode(t.found.next(), r, depth)
	t.found.took(start, end)
}

// group returns the nibble of the first item and how many of the sorted items have it.
func (t *tracer[V]) group(items []item, depth int) (n, count int) {
	nibbleOf := func(it *item) int {
		if depth < 16 {
			return int(it.prefix >> (60 - 4*depth) & 15)
		}
		return nibble(&t.keys[it.i], depth)
	}
	n = nibbleOf(&items[0])
	for count = 1; count < len(items) && nibbleOf(&items[count]) == n; count++ {
	}
	return n, count
}

// walk notes r, a node at depth, unless it is within its parent, and what is below it on
// the way to the items, which are sorted and agree up to depth. It reports whether
// anything is there afterwards.
func (t *tracer[V]) walk(r nodeRef, depth int, items []item, embedded bool) bool {
	if r != noNode && !embedded {
		t.note(r, depth)
	}
	f := t.sums.forest
	switch {
	case r == noNode:
		return t.absent(items)
	case r.kind() == kindLeaf:
		l := f.leaf(r)
		before, here, behind := t.split(items, &l.key, depth, keyNibbles)
		stays := len(here) == 0 || t.keep(here, &l.value)
		return t.absent(before) || t.absent(behind) || stays
	case r.kind() == kindExt:
		x := f.ext(r)
		before, here, behind := t.split(items, &x.key, depth, int(x.end))
		stays := len(here) == 0 || t.walk(x.child, int(x.end), here, x.short)
		return t.absent(before) || t.absent(behind) || stays
	default:
		return t.walkBranch(f.branch(r), depth, items)
	}
}

func (t *tracer[V]) walkBranch(b branch, depth int, items []item) bool {
	left := b.mask() // children afterwards
	var known uint16 // those that items lead to
	for len(items) > 0 {
		n, count := t.group(items, depth)
		known |= 1 << n
		if t.walk(b.child(n), depth+1, items[:count], b.short()>>n&1 != 0) {
			left |= 1 << n
		} else {
			left &^= 1 << n
		}
		items = items[count:]
	}
	t.noteLast(b, depth, left, known)
	return left != 0
}

// noteLast notes the child that takes the branch's place, if a single one is left.
func (t *tracer[V]) noteLast(b branch, depth int, left, known uint16) {
	if bits.OnesCount16(left) != 1 || left&known != 0 {
		return
	}
	if n := bits.TrailingZeros16(left); b.short()>>n&1 == 0 {
		t.note(b.child(n), depth+1)
	}
}

// split divides the items into those that follow the key from depth to end and those
// that are before and behind it.
func (t *tracer[V]) split(items []item, key *common.Hash, depth, end int) (before, here, behind []item) {
	first, last := len(items), len(items)
	for i := range items {
		k := &t.keys[items[i].i]
		switch at := commonNibbles(key, k, depth, end); {
		case at == end:
			first = min(first, i)
		case nibble(k, at) > nibble(key, at):
			first, last = min(first, i), i
			return items[:first], items[first:last], items[last:]
		}
	}
	return items[:first], items[first:last], items[last:]
}

// absent reports whether any of the items, for none of which there is a value, makes one.
func (t *tracer[V]) absent(items []item) (made bool) {
	for len(items) > 0 {
		count := 1
		for count < len(items) && t.keys[items[count].i] == t.keys[items[0].i] {
			count++
		}
		if t.keep(items[:count], nil) {
			made = true
		}
		items = items[count:]
	}
	return made
}

// traceTrie is tracer.walk at the root, shared among the tracers if that pays.
func traceTrie[V any](tracers []*witnessTracer, of func(*witnessTracer) *tracer[V], r nodeRef, items []item) bool {
	main := of(tracers[0])
	if len(items) == 0 {
		return r != noNode
	}
	if len(items) < parallelLeaves || len(tracers) == 1 || !r.isBranch() {
		return main.walk(r, 0, items, false)
	}
	main.note(r, 0)
	b := main.sums.forest.branch(r)
	var groups [16][]item
	left, known := b.mask(), uint16(0)
	for len(items) > 0 {
		n, count := main.group(items, 0)
		groups[n], items = items[:count], items[count:]
		known |= 1 << n
	}
	var stays [16]bool
	var next atomic.Int32
	eachTracer(tracers, func(tracer *witnessTracer) {
		tr := of(tracer)
		for n := int(next.Add(1)) - 1; n < 16; n = int(next.Add(1)) - 1 {
			if len(groups[n]) > 0 {
				stays[n] = tr.walk(b.child(n), 1, groups[n], b.short()>>n&1 != 0)
			}
		}
	})
	for n := range groups {
		if known>>n&1 != 0 {
			if left &^= 1 << n; stays[n] {
				left |= 1 << n
			}
		}
	}
	main.noteLast(b, 0, left, known)
	return left != 0
}
