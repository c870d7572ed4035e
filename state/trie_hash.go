package state

import (
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/keccak"
)

// trieRoot is one trie of a forest.
type trieRoot struct {
	node  nodeRef
	dirty bool
	hash  common.Hash
}

// job is a node whose sum is to be computed and put into the parent at the place, a
// nibble. The parent of a root has kindTrie and the index of the trie.
type job struct {
	node, parent nodeRef
	place        uint8
}

// From this many jobs on, hashing below the upper levels begins before more are
// collected: enough to fill the lanes of the hash, few enough for the nearer caches.
const hashJobs = 1024

// Only this many nodes are encoded before they are hashed.
const hashBatch = 128

// Nodes above this depth are hashed after all others.
const upperLevels = 2

// hashing computes the sums that are out of date in tries of one forest, from the
// deepest level up, so that many nodes are hashed together. For one goroutine.
type hashing[V any] struct {
	forest *forest[V]
	roots  *arena[*[arenaChunk]trieRoot]
	batch  *keccak.Batch
	// encode appends the leaf value that goes into the trie.
	encode func(b []byte, value *V) []byte
	// visit, if there is one, collects what a leaf's value depends on, and settle
	// computes that.
	visit  func(value *V)
	settle func()

	levels  [keyNibbles + 1][]job // by the depth of the node
	count   int                   // jobs in all levels from upperLevels on
	batched []job                 // nodes that the batch holds
	hashes  []common.Hash
}

// add puts a node on the list of its level and then all below it that are dirty.
func (h *hashing[V]) add(j job, depth int) {
	h.levels[depth] = append(h.levels[depth], j)
	if depth >= upperLevels {
		h.count++
	}
	h.collect(j.node, depth)
}

// addTrie does that for a whole trie, if it is dirty.
func (h *hashing[V]) addTrie(id uint32) {
	t := rootAt(h.roots, id)
	if t.dirty && t.node != noNode {
		h.add(job{node: t.node, parent: kindTrie | nodeRef(id)}, 0)
	}
	if t.node == noNode {
		t.hash = types.EmptyRootHash
	}
	t.dirty = false
}

func rootAt(roots *arena[*[arenaChunk]trieRoot], id uint32) *trieRoot {
	return &(*roots.chunk(id))[id%arenaChunk]
}

// collect lists the dirty nodes below r.
func (h *hashing[V]) collect(r nodeRef, depth int) {
	switch {
	case r.kind() == kindLeaf:
		if h.visit != nil {
			h.visit(&h.forest.leaf(r).value)
		}
	case r.kind() == kindExt:
		if x := h.forest.ext(r); x.dirty {
			x.dirty = false
			h.add(job{node: x.child, parent: r}, int(x.end))
		}
	default:
		b := h.forest.branch(r)
		dirty := b.dirty()
		b.clean()
		for ; dirty != 0; dirty &= dirty - 1 {
			n := bits.TrailingZeros16(dirty)
			h.add(job{b.at(b.position(n)), r, uint8(n)}, depth+1)
			if depth+1 == upperLevels && h.count >= hashJobs {
				h.sum(upperLevels)
			}
		}
	}
}

// sum computes all that is collected at levels down from the top one. Whole subtries
// below the top must have been collected.
func (h *hashing[V]) sum(top int) {
	if h.settle != nil {
		h.settle()
	}
	for depth := keyNibbles; depth >= top; depth-- {
		jobs := h.levels[depth]
		for i := range jobs {
			h.encodeJob(&jobs[i], depth)
			if len(h.batched) == hashBatch {
				h.sumBatch()
			}
		}
		h.sumBatch()
		h.levels[depth] = jobs[:0]
	}
	h.count = 0
}

func (h *hashing[V]) encodeJob(j *job, depth int) {
	room := h.batch.Room(maxNode)
	skip, end := h.appendNode(room, j.node, depth)
	if n := end - skip; n < 32 && j.parent.kind() != kindTrie {
		var sum common.Hash
		copy(sum[:], room[skip:end])
		sum[31] = byte(n)
		h.store(j, &sum, true)
		return
	}
	h.batch.Added(skip, end-skip)
	h.batched = append(h.batched, *j)
}

func (h *hashing[V]) sumBatch() {
	if len(h.batched) == 0 {
		return
	}
	h.hashes = h.batch.Sum(h.hashes[:0])
	for i := range h.batched {
		h.store(&h.batched[i], &h.hashes[i], false)
	}
	h.batched = h.batched[:0]
}

// store puts a node's sum into its parent.
func (h *hashing[V]) store(j *job, sum *common.Hash, short bool) {
	switch r := j.parent; {
	case r.kind() == kindTrie:
		rootAt(h.roots, r.index()).hash = *sum
	case r.kind() == kindExt:
		x := h.forest.ext(r)
		x.sum, x.short = *sum, short
	default:
		b := h.forest.branch(r)
		b.sums[b.position(int(j.place))] = *sum
		if short {
			b.meta[1] |= 1 << j.place
		} else {
			b.meta[1] &^= 1 << j.place
		}
	}
}

const (
	nodeHeader = 3   // room for the longest list header
	maxNode    = 544 // the largest node, a full branch, takes 532 bytes
)

// appendNode encodes a node whose children's sums are known into b, which is empty
// and has room for maxNode bytes; the RLP is b[start:end].
func (h *hashing[V]) appendNode(room []byte, r nodeRef, depth int) (start, end int) {
	b := room[:nodeHeader]
	switch {
	case r.kind() == kindLeaf:
		l := h.forest.leaf(r)
		b = appendPath(b, &l.key, depth, keyNibbles, 0x20)
		b = h.encode(b, &l.value)
	case r.kind() == kindExt:
		x := h.forest.ext(r)
		b = appendPath(b, &x.key, depth, int(x.end), 0)
		b = appendSum(b, &x.sum, x.short)
	default:
		b = appendChildren(b, h.forest.branch(r))
	}
	return listHeader(b), len(b)
}

// appendChildren needs room for them all.
func appendChildren(b []byte, br branch) []byte {
	const size = 1 + common.HashLength
	mask, short, p := br.mask(), br.short(), 0
	at, room := len(b), b[:cap(b)]
	for n := range 16 {
		switch {
		case mask>>n&1 == 0:
			room[at] = 0x80
			at++
			continue
		case short>>n&1 != 0:
			sum := &br.sums[p]
			at += copy(room[at:], sum[:sum[31]])
		default:
			to := (*[size]byte)(room[at:])
			to[0] = 0x80 + 32
			copy(to[1:], br.sums[p][:])
			at += size
		}
		p++
	}
	room[at] = 0x80 // no value: all keys have equal length
	return room[:at+1]
}

func appendSum(b []byte, sum *common.Hash, short bool) []byte {
	if short {
		return append(b, sum[:sum[31]]...)
	}
	b = append(b, 0x80+32)
	return append(b, sum[:]...)
}

// appendPath appends nibbles start to end in hex-prefix encoding (yellow paper,
// appendix C) as an RLP string; flag is 0x20 for a leaf.
func appendPath(b []byte, key *common.Hash, start, end int, flag byte) []byte {
	if n := (end-start)/2 + 1; n > 1 { // a single byte is below 0x80
		b = append(b, 0x80+byte(n))
	}
	if (end-start)%2 == 1 {
		flag |= 0x10 | byte(nibble(key, start))
		start++
	}
	b = append(b, flag)
	if start%2 == 0 {
		return append(b, key[start/2:end/2]...)
	}
	for ; start < end; start += 2 {
		b = append(b, byte(nibble(key, start)<<4|nibble(key, start+1)))
	}
	return b
}

// appendString appends b's RLP for strings of up to 255 bytes.
func appendString(b, s []byte) []byte {
	switch {
	case len(s) == 1 && s[0] < 0x80:
	case len(s) < 56:
		b = append(b, 0x80+byte(len(s)))
	default:
		b = append(b, 0xb8, byte(len(s)))
	}
	return append(b, s...)
}

// listHeader writes the RLP header of the list b[nodeHeader:] before it and returns
// where that starts.
func listHeader(b []byte) int {
	switch n := len(b) - nodeHeader; {
	case n < 56:
		b[nodeHeader-1] = 0xc0 + byte(n)
		return nodeHeader - 1
	case n < 256:
		b[nodeHeader-2], b[nodeHeader-1] = 0xf8, byte(n)
		return nodeHeader - 2
	default:
		b[nodeHeader-3], b[nodeHeader-2], b[nodeHeader-1] = 0xf9, byte(n>>8), byte(n)
		return nodeHeader - 3
	}
}

// prove returns the encoded nodes from the root towards the key, as far as the path
// leads, without those that are part of their parents. All sums must be known.
func (h *hashing[V]) prove(r nodeRef, key *common.Hash) [][]byte {
	proof := [][]byte{}
	embedded := false
	for depth := 0; r != noNode; {
		if !embedded {
			var room [maxNode]byte
			start, end := h.appendNode(room[:0], r, depth)
			proof = append(proof, append([]byte(nil), room[start:end]...))
		}
		switch {
		case r.kind() == kindLeaf:
			return proof
		case r.kind() == kindExt:
			x := h.forest.ext(r)
			if commonNibbles(&x.key, key, depth, int(x.end)) < int(x.end) {
				return proof
			}
			r, depth, embedded = x.child, int(x.end), x.short
		default:
			b, n := h.forest.branch(r), nibble(key, depth)
			r, depth, embedded = b.child(n), depth+1, b.short()>>n&1 != 0
		}
	}
	return proof
}

// appendUint64 appends n's RLP.
func appendUint64(b []byte, n uint64) []byte {
	switch {
	case n == 0:
		return append(b, 0x80)
	case n < 0x80:
		return append(b, byte(n))
	}
	length := (bits.Len64(n) + 7) / 8
	b = append(b, 0x80+byte(length))
	for shift := 8 * (length - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	return b
}
