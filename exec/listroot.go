package exec

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// listRoot is the root of the Merkle-Patricia trie of a list that comes in parts, with
// RLP(index) as keys (yellow paper, appendix D; types.DeriveSha).
//
// In such a trie an element is nearly always one of sixteen under a branch, with nothing
// left of its key. Its leaf does not depend on the others and is hashed when it comes,
// and so is the branch when it is full, several together. What may end up elsewhere is
// kept as it is: the first element, and the newest if it begins a group.
type listRoot struct {
	leaves []reference
	groups []reference // branches of sixteen leaves; of the first group it means nothing
	first  []byte      // element 0
	newest []byte      // the last element if it begins a group
	batch  keccak.Batch
	hashes []common.Hash
	which  []*reference // of each message in batch
	one    []byte
}

// reference is how a node stands in its parent: its hash, or, below 32 bytes, itself.
type reference struct {
	size  uint8 // of an embedded node; 0: a hash
	bytes [32]byte
}

// groupSize is the number of leaves under a branch.
const groupSize = 16

// begins reports whether the index is the lowest of its group. Index 0 is in none: its
// key is 0x80.
func begins(index int) bool { return index == 1 || index > 0 && index%groupSize == 0 }

// keptElements bounds the list whose memory is used for the next one.
const keptElements = 1 << 18

// reset empties the list.
func (l *listRoot) reset() {
	l.first, l.newest = nil, nil
	if cap(l.leaves) > keptElements {
		*l = listRoot{}
	}
	l.leaves, l.groups = l.leaves[:0], l.groups[:0]
}

// add takes in n elements; element appends the one with the index to out.
func (l *listRoot) add(n int, element func(i int, out []byte) []byte) {
	from := len(l.leaves)
	l.leaves = append(l.leaves, make([]reference, n)...)
	for i := range n {
		index := from + i
		if l.newest != nil { // it has company now
			l.leaf(&l.leaves[index-1], l.newest)
			l.newest = nil
		}
		l.one = element(i, l.one[:0])
		switch {
		case index == 0:
			l.first = bytes.Clone(l.one)
		case begins(index):
			l.newest = bytes.Clone(l.one)
		default:
			l.leaf(&l.leaves[index], l.one)
		}
	}
	l.hash()
	done := len(l.groups)
	l.groups = append(l.groups, make([]reference, len(l.leaves)/groupSize-done)...)
	for g := max(done, 1); g < len(l.groups); g++ {
		l.put(&l.groups[g], l.appendGroup(l.batch.Room(groupSize*33+10), g))
	}
	l.hash()
}

// leaf makes a leaf with an empty path.
func (l *listRoot) leaf(to *reference, element []byte) {
	l.put(to, appendLeaf(l.batch.Room(len(element)+20), nil, element))
}

// put makes to refer to the node, which is in the room of the batch.
func (l *listRoot) put(to *reference, node []byte) {
	if len(node) < 32 {
		to.set(node)
		return
	}
	l.batch.Added(0, len(node))
	l.which = append(l.which, to)
}

// hash hashes the nodes of the batch.
func (l *listRoot) hash() {
	l.hashes = l.batch.Sum(l.hashes[:0])
	for k, to := range l.which {
		to.bytes = l.hashes[k]
	}
	clear(l.which)
	l.which = l.which[:0]
}

// appendGroup appends the branch above a group of two or more leaves.
func (l *listRoot) appendGroup(out []byte, g int) []byte {
	var children [groupSize]*reference
	for i := range children {
		if index := g*groupSize + i; index > 0 && index < len(l.leaves) {
			children[i] = &l.leaves[index]
		}
	}
	return appendBranch(out, &children)
}

// sum is the root of what was added; nothing may be added after it.
func (l *listRoot) sum() common.Hash {
	if len(l.leaves) == 0 {
		return types.EmptyRootHash
	}
	node := l.node(l.parts(), 0)
	if len(node) < 32 {
		return keccak.Sum256(node)
	}
	r := refer(node)
	return common.Hash(r.bytes)
}

// part is what stands in the trie above the groups: one of them, or an element that is
// alone in its own.
type part struct {
	key     []byte // nibbles
	element []byte // nil: a group
	group   int
}

// parts are in the order of their keys.
func (l *listRoot) parts() []part {
	all := make([]part, 0, len(l.leaves)/groupSize+3)
	zero := part{key: nibbles(0), element: l.first}
	for g := 0; g*groupSize < len(l.leaves); g++ {
		if g == 128/groupSize {
			all = append(all, zero)
			zero.element = nil
		}
		first := max(1, g*groupSize)
		switch key := nibbles(uint64(first)); {
		case first == len(l.leaves): // there is element 0 only
		case first == len(l.leaves)-1:
			all = append(all, part{key: key, element: l.newest})
		default:
			all = append(all, part{key: key[:len(key)-1], group: g})
		}
	}
	if zero.element != nil {
		all = append(all, zero)
	}
	return all
}

// node encodes the node above some parts, whose keys have the first depth nibbles in
// common.
func (l *listRoot) node(parts []part, depth int) []byte {
	first, last := &parts[0], &parts[len(parts)-1]
	if len(parts) == 1 {
		if first.element != nil {
			return appendLeaf(nil, first.key[depth:], first.element)
		}
		return extend(first.key[depth:], l.appendGroup(nil, first.group))
	}
	same := depth
	for first.key[same] == last.key[same] {
		same++
	}
	var made [groupSize]reference
	var children [groupSize]*reference
	for len(parts) > 0 {
		nibble, n := parts[0].key[same], 1
		for n < len(parts) && parts[n].key[same] == nibble {
			n++
		}
		made[nibble] = l.child(parts[:n], same+1)
		children[nibble] = &made[nibble]
		parts = parts[n:]
	}
	return extend(first.key[depth:same], appendBranch(nil, &children))
}

// child is the reference to the node above some parts.
func (l *listRoot) child(parts []part, depth int) reference {
	if p := &parts[0]; len(parts) == 1 && p.element == nil && len(p.key) == depth && p.group > 0 && p.group < len(l.groups) {
		return l.groups[p.group]
	}
	return refer(l.node(parts, depth))
}

// nibbles are those of RLP(index).
func nibbles(index uint64) []byte {
	var buf [9]byte
	out := make([]byte, 0, 2*len(buf))
	for _, c := range rlp.AppendUint64(buf[:0], index) {
		out = append(out, c>>4, c&15)
	}
	return out
}

// refer is the reference to a node.
func refer(node []byte) (r reference) {
	if len(node) < 32 {
		r.set(node)
	} else {
		r.bytes = keccak.Sum256(node)
	}
	return r
}

func (r *reference) set(node []byte) {
	r.size = uint8(len(node))
	copy(r.bytes[:], node)
}

// length is the number of bytes of the reference in its parent.
func (r *reference) length() uint64 {
	if r.size > 0 {
		return uint64(r.size)
	}
	return 1 + common.HashLength
}

func (r *reference) append(out []byte) []byte {
	if r.size > 0 {
		return append(out, r.bytes[:r.size]...)
	}
	return chain.AppendString(out, r.bytes[:])
}

// appendBranch appends a branch node without a value.
func appendBranch(out []byte, children *[groupSize]*reference) []byte {
	size := uint64(1)
	for _, c := range children {
		if c == nil {
			size++
		} else {
			size += c.length()
		}
	}
	out = chain.AppendListHead(out, size)
	for _, c := range children {
		if c == nil {
			out = append(out, 0x80)
		} else {
			out = c.append(out)
		}
	}
	return append(out, 0x80)
}

// appendLeaf appends a leaf node.
func appendLeaf(out, path, element []byte) []byte {
	key := compact(path, true)
	out = chain.AppendListHead(out, rlp.BytesSize(key)+rlp.BytesSize(element))
	return chain.AppendString(chain.AppendString(out, key), element)
}

// extend puts an extension over a branch, unless the path is empty.
func extend(path, branch []byte) []byte {
	if len(path) == 0 {
		return branch
	}
	key, child := compact(path, false), refer(branch)
	return child.append(chain.AppendString(chain.AppendListHead(nil, rlp.BytesSize(key)+child.length()), key))
}

// compact is the hex-prefix encoding of nibbles (yellow paper, appendix C).
func compact(nibbles []byte, leaf bool) []byte {
	flag := byte(0)
	if leaf {
		flag = 0x20
	}
	if len(nibbles)%2 == 1 {
		flag |= 0x10 | nibbles[0]
		nibbles = nibbles[1:]
	}
	out := append(make([]byte, 0, 8), flag)
	for i := 0; i < len(nibbles); i += 2 {
		out = append(out, nibbles[i]<<4|nibbles[i+1])
	}
	return out
}
