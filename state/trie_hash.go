package state

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// trieHasher holds what one goroutine needs to hash nodes.
type trieHasher struct {
	keccak crypto.KeccakState
	node   [1024]byte // the node being encoded; the largest takes 532 bytes
	value  [128]byte  // the leaf value being encoded; the largest takes 110 bytes
	out    common.Hash
}

func newTrieHasher() *trieHasher { return &trieHasher{keccak: crypto.NewKeccakState()} }

// hash returns the Keccak-256 of b.
func (h *trieHasher) hash(b []byte) common.Hash {
	h.keccak.Reset()
	h.keccak.Write(b)
	h.keccak.Read(h.out[:])
	return h.out
}

// sum makes of an encoded node what its parent holds.
func (h *trieHasher) sum(s *nodeSum, enc []byte) {
	if len(enc) < len(s.bytes) {
		s.length = uint8(copy(s.bytes[:], enc))
		return
	}
	s.bytes, s.length = h.hash(enc), 32
}

// root returns the root hash of the trie. Different goroutines may hash disjoint
// tries of one forest at the same time.
func (f *forest[V]) root(h *trieHasher, r nodeRef) common.Hash {
	if r == noNode {
		return types.EmptyRootHash
	}
	s := f.hash(h, r, 0)
	if s.length < 32 {
		return h.hash(s.bytes[:s.length])
	}
	return s.bytes
}

// rootParallel is root with the two halves of the root branch hashed at once.
func (f *forest[V]) rootParallel(h, other *trieHasher, r nodeRef) common.Hash {
	if r.kind() == kindBranch {
		b := f.branch(r)
		var upper sync.WaitGroup
		upper.Go(func() { f.hashChildren(other, b, 8, 16, 1) })
		f.hashChildren(h, b, 0, 8, 1)
		upper.Wait()
	}
	return f.root(h, r)
}

// hashChildren computes the sums of the branch's children from start to end.
func (f *forest[V]) hashChildren(h *trieHasher, b *branchNode, start, end, depth int) {
	var copies *[16]nodeSum
	if b.copies != 0 {
		copies = f.copies.at(b.copies - 1)
	}
	for i := start; i < end; i++ {
		child := b.children[i]
		if child == noNode || copies != nil && b.stale>>i&1 == 0 {
			continue
		}
		s := f.hash(h, child, depth)
		if copies != nil {
			copies[i] = *s
		}
	}
}

// hash returns the node's sum after computing it where it is not known.
func (f *forest[V]) hash(h *trieHasher, r nodeRef, depth int) *nodeSum {
	var s *nodeSum
	switch r.kind() {
	case kindLeaf:
		s = &f.leaf(r).sum
	case kindExt:
		e := f.ext(r)
		if s = &e.sum; s.length == 0 {
			f.hash(h, e.child, int(e.end))
		}
	default:
		b := f.branch(r)
		if s = &b.sum; s.length == 0 {
			f.hashChildren(h, b, 0, 16, depth+1)
			b.stale = 0
		}
	}
	if s.length == 0 {
		h.sum(s, f.encodeNode(h, r, depth))
	}
	return s
}

// encodeNode returns the RLP of a node whose children's sums are known. The slice
// is the hasher's and holds until its next use.
func (f *forest[V]) encodeNode(h *trieHasher, r nodeRef, depth int) []byte {
	const header = 3 // room for the longest list header
	b := h.node[:header]
	switch r.kind() {
	case kindLeaf:
		l := f.leaf(r)
		value := f.encode(h, &l.value)
		b = appendPath(h.node[:header], &l.key, depth, keyNibbles, 0x20)
		b = appendString(b, value)
	case kindExt:
		e := f.ext(r)
		b = appendPath(b, &e.key, depth, int(e.end), 0)
		b = f.appendChild(b, e.child)
	default:
		b = f.appendChildren(b, f.branch(r))
		b = append(b, 0x80) // no value: all keys have equal length
	}
	return prependListHeader(b, header)
}

func (f *forest[V]) appendChildren(b []byte, branch *branchNode) []byte {
	if branch.copies == 0 {
		for _, child := range branch.children {
			b = f.appendChild(b, child)
		}
		return b
	}
	copies := f.copies.at(branch.copies - 1)
	for i, child := range branch.children {
		if child == noNode {
			b = append(b, 0x80)
		} else {
			b = appendSum(b, &copies[i])
		}
	}
	return b
}

func (f *forest[V]) appendChild(b []byte, r nodeRef) []byte {
	switch r.kind() {
	case kindLeaf:
		return appendSum(b, &f.leaf(r).sum)
	case kindExt:
		return appendSum(b, &f.ext(r).sum)
	case kindBranch:
		return appendSum(b, &f.branch(r).sum)
	default:
		return append(b, 0x80)
	}
}

func appendSum(b []byte, s *nodeSum) []byte {
	if s.length == 32 {
		b = append(b, 0x80+32)
	}
	return append(b, s.bytes[:s.length]...)
}

// appendPath appends nibbles start to end in hex-prefix encoding (yellow paper,
// appendix C) as an RLP string; flag is 0x20 for a leaf.
func appendPath(b []byte, key *common.Hash, start, end int, flag byte) []byte {
	if n := (end-start)/2 + 1; n > 1 { // a single byte is below 0x80
		b = append(b, 0x80+byte(n))
	}
	if (end-start)%2 == 1 {
		flag |= 0x10 | nibble(key, start)
		start++
	}
	b = append(b, flag)
	if start%2 == 0 {
		return append(b, key[start/2:end/2]...)
	}
	for ; start < end; start += 2 {
		b = append(b, nibble(key, start)<<4|nibble(key, start+1))
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

// prependListHeader turns b[room:] into an RLP list that starts within b[:room].
func prependListHeader(b []byte, room int) []byte {
	switch n := len(b) - room; {
	case n < 56:
		b[room-1] = 0xc0 + byte(n)
		return b[room-1:]
	case n < 256:
		b[room-2], b[room-1] = 0xf8, byte(n)
		return b[room-2:]
	default:
		b[room-3], b[room-2], b[room-1] = 0xf9, byte(n>>8), byte(n)
		return b[room-3:]
	}
}

// prove returns the encoded nodes from the root towards the key, as far as the path
// leads, without those that are part of their parents. All sums must be known.
func (f *forest[V]) prove(h *trieHasher, r nodeRef, key *common.Hash) [][]byte {
	proof := [][]byte{}
	for depth := 0; r != noNode; {
		if f.hash(h, r, depth).length == 32 || depth == 0 {
			proof = append(proof, append([]byte(nil), f.encodeNode(h, r, depth)...))
		}
		switch r.kind() {
		case kindLeaf:
			return proof
		case kindExt:
			e := f.ext(r)
			if commonNibbles(&e.key, key, depth, int(e.end)) < int(e.end) {
				return proof
			}
			r, depth = e.child, int(e.end)
		case kindBranch:
			r, depth = f.branch(r).children[nibble(key, depth)], depth+1
		}
	}
	return proof
}
