package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/keccak"
)

// nodeSet are the nodes of a witness by hash.
type nodeSet struct {
	memory *memory // of what is read of them; nil: none
	raw    [][]byte
	hashes []common.Hash
	table  []int32               // one above the index of a node, at or behind the place that its hash names; 0: none
	far    map[common.Hash]int32 // nodes that found no place near theirs
	used   []bool
	visits int // nodes that were used
}

// nearby places are looked at. Who makes hashes that begin alike makes the map larger.
const nearby = 32

// read takes in the nodes and hashes them, eight at a time.
func (s *nodeSet) read(raw [][]byte, batch *keccak.Batch) {
	s.raw, s.visits, s.far = raw, 0, nil
	s.hashes = hashAll(s.hashes[:0], raw, batch)
	s.used = slices.Grow(s.used[:0], len(raw))[:len(raw)]
	clear(s.used)
	size := 1 << bits.Len(uint(2*len(raw)))
	s.table = slices.Grow(s.table[:0], size)[:size]
	clear(s.table)
	for i := range s.hashes {
		s.place(int32(i))
	}
}

// release forgets the nodes.
func (s *nodeSet) release() {
	s.raw, s.far = nil, nil
	s.hashes = shrunk(s.hashes, 4*keptNodes)
	s.table = shrunk(s.table, 16*keptNodes)
	s.used = shrunk(s.used, 4*keptNodes)
}

func (s *nodeSet) place(i int32) {
	mask := len(s.table) - 1
	for k, at := 0, s.home(&s.hashes[i]); k < nearby; k++ {
		switch old := s.table[(at+k)&mask]; {
		case old == 0:
			s.table[(at+k)&mask] = i + 1
			return
		case s.hashes[old-1] == s.hashes[i]:
			return
		}
	}
	if s.far == nil {
		s.far = make(map[common.Hash]int32)
	}
	s.far[s.hashes[i]] = i
}

// home is where a hash is looked for first.
func (s *nodeSet) home(hash *common.Hash) int {
	return int(binary.LittleEndian.Uint32(hash[:])) & (len(s.table) - 1)
}

// find is the index of a node, negative if it is not there.
func (s *nodeSet) find(hash *common.Hash) int32 {
	if len(s.table) == 0 {
		return -1
	}
	mask := len(s.table) - 1
	for k, at := 0, s.home(hash); k < nearby; k++ {
		old := s.table[(at+k)&mask] - 1
		if old < 0 || s.hashes[old] == *hash {
			return old
		}
	}
	if i, ok := s.far[*hash]; ok {
		return i
	}
	return -1
}

// hashTogether and hashBytes bound the messages that are copied to be hashed.
const (
	hashTogether = 1024
	hashBytes    = 4 << 20
)

// hashAll appends the hashes of messages.
func hashAll(hashes []common.Hash, raw [][]byte, batch *keccak.Batch) []common.Hash {
	hashes = slices.Grow(hashes, len(raw))
	bytes := 0
	for i, b := range raw {
		batch.Add(b)
		if bytes += len(b); batch.Len() == hashTogether || bytes >= hashBytes || i == len(raw)-1 {
			hashes, bytes = batch.Sum(hashes), 0
		}
	}
	return hashes
}

// get returns the encoding of the node with the hash.
func (s *nodeSet) get(hash *common.Hash) ([]byte, bool) {
	i := s.find(hash)
	if i < 0 {
		return nil, false
	}
	if !s.used[i] {
		s.used[i] = true
		s.visits++
	}
	return s.raw[i], true
}

// node is a node of a trie (yellow paper, appendix D), as far as it is known.
type node struct {
	kind   nodeKind
	dirty  bool   // ref is not that of the content
	key    []byte // nibbles of a leaf or an extension
	value  []byte // of a leaf
	kid    *node  // of an extension; nil while it is only in rawKid
	rawKid []byte // the reference to kid
	branch *branch
	ref    ref // how the parent names it, if not dirty
}

type nodeKind uint8

const (
	leafNode nodeKind = iota
	extensionNode
	branchNode
)

// branch are the children of a node with sixteen of them.
type branch struct {
	raw  []byte     // the encoding that the children were read from; nil: none
	at   [17]uint16 // where the reference to each child begins in raw
	kids [16]*node
	own  uint16 // bit i: kids[i] counts, and not raw
}

// ref is an RLP item that names a node: its hash, or itself if that is shorter. The zero
// value names nothing.
type ref struct {
	size  uint8
	bytes [33]byte
}

const hashRef = 0x80 + common.HashLength // head of a reference by hash

func refOf(hash common.Hash) (r ref) {
	r.size, r.bytes[0] = 33, hashRef
	copy(r.bytes[1:], hash[:])
	return r
}

func (r *ref) encoding() []byte { return r.bytes[:r.size] }

var errNode = errors.New("not a trie node")

// missingNode says which node of a trie the witness lacks, or that it is none.
type missingNode struct {
	path []byte // nibbles from the root
	hash common.Hash
	err  error // nil: it is missing
}

func (m *missingNode) Error() string {
	if m.err != nil {
		return fmt.Sprintf("node %s at path %s: %v", m.hash, nibbleText(m.path), m.err)
	}
	return fmt.Sprintf("node %s at path %s is missing", m.hash, nibbleText(m.path))
}

func nibbleText(path []byte) string {
	const digits = "0123456789abcdef"
	if len(path) == 0 {
		return "(root)"
	}
	out := make([]byte, len(path))
	for i, n := range path {
		out[i] = digits[n&15]
	}
	return string(out)
}

// resolve reads the node that a reference names. The path of the error is for the caller
// to fill in.
func (s *nodeSet) resolve(item []byte) (*node, *missingNode) {
	if len(item) > 0 && item[0] >= 0xc0 {
		if len(item) >= common.HashLength {
			return nil, &missingNode{err: fmt.Errorf("%w: %d bytes within another", errNode, len(item))}
		}
		n, err := s.memory.decodeNode(item)
		if err != nil {
			return nil, &missingNode{err: err}
		}
		n.ref.size = uint8(copy(n.ref.bytes[:], item))
		return n, nil
	}
	if len(item) != 33 || item[0] != hashRef {
		return nil, &missingNode{err: fmt.Errorf("%w: reference %#x", errNode, item)}
	}
	hash := (*common.Hash)(item[1:])
	raw, ok := s.get(hash)
	if !ok {
		return nil, &missingNode{hash: *hash}
	}
	n, err := s.memory.decodeNode(raw)
	if err != nil {
		return nil, &missingNode{hash: *hash, err: err}
	}
	n.ref.size = uint8(copy(n.ref.bytes[:], item))
	return n, nil
}

// decodeNode reads an encoding, which it keeps.
func (m *memory) decodeNode(raw []byte) (*node, error) {
	content, rest, err := rlp.SplitList(raw)
	if err != nil || len(rest) > 0 {
		return nil, errNode
	}
	if n := m.fullBranch(raw, content); n != nil {
		return n, nil
	}
	items, err := rlp.CountValues(content)
	switch {
	case err != nil:
		return nil, errNode
	case items == 17:
		return m.decodeBranch(raw, content)
	case items != 2:
		return nil, fmt.Errorf("%w: %d items", errNode, items)
	}
	compact, rest, err := rlp.SplitString(content)
	if err != nil {
		return nil, errNode
	}
	key, leaf, err := m.expand(compact)
	if err != nil {
		return nil, err
	}
	if !leaf {
		if len(key) == 0 || len(rest) > len(ref{}.bytes) {
			return nil, fmt.Errorf("%w: extension with a key of %d nibbles and a child of %d bytes", errNode, len(key), len(rest))
		}
		n := m.node()
		n.kind, n.key, n.rawKid = extensionNode, key, rest
		return n, nil
	}
	value, _, err := rlp.SplitString(rest)
	if err != nil || len(value) == 0 {
		return nil, fmt.Errorf("%w: leaf without a value", errNode)
	}
	n := m.node()
	n.kind, n.key, n.value = leafNode, key, value
	return n, nil
}

// fullBranch reads a branch whose children are all named by hashes, as nearly every branch's
// are; nil: it is none.
func (m *memory) fullBranch(raw, content []byte) *node {
	if len(content) < 17+2*common.HashLength || len(content) > 16*33+1 || content[len(content)-1] != 0x80 {
		return nil
	}
	var at [17]uint16
	place, head := 0, len(raw)-len(content)
	for i := range 16 {
		at[i] = uint16(head + place)
		if place >= len(content) {
			return nil
		}
		switch content[place] {
		case 0x80:
			place++
		case hashRef:
			place += 33
		default:
			return nil
		}
	}
	if place != len(content)-1 {
		return nil
	}
	at[16] = uint16(head + place)
	b, n := m.branch(), m.node()
	b.raw, b.at = raw, at
	n.kind, n.branch = branchNode, b
	return n
}

func (m *memory) decodeBranch(raw, content []byte) (*node, error) {
	b := m.branch()
	b.raw = raw
	for i := range b.at {
		at := len(raw) - len(content)
		if at > 1<<15 {
			return nil, fmt.Errorf("%w: branch of %d bytes", errNode, len(raw))
		}
		b.at[i] = uint16(at)
		kind, item, rest, err := rlp.Split(content)
		switch {
		case err != nil:
			return nil, errNode
		case i == 16 && (kind == rlp.List || len(item) > 0):
			return nil, fmt.Errorf("%w: branch with a value", errNode)
		case len(content)-len(rest) > len(ref{}.bytes):
			return nil, fmt.Errorf("%w: child of %d bytes", errNode, len(content)-len(rest))
		}
		content = rest
	}
	n := m.node()
	n.kind, n.branch = branchNode, b
	return n, nil
}

// expand turns a key of appendix C into nibbles, and tells a leaf's from an extension's.
func (m *memory) expand(compact []byte) (nibbles []byte, leaf bool, err error) {
	if len(compact) == 0 || compact[0] > 0x3f || compact[0]&0x10 == 0 && compact[0]&0x0f != 0 {
		return nil, false, fmt.Errorf("%w: key %#x", errNode, compact)
	}
	nibbles = m.room(2 * len(compact))
	if compact[0]&0x10 != 0 {
		nibbles = append(nibbles, compact[0]&0x0f)
	}
	for _, b := range compact[1:] {
		nibbles = append(nibbles, b>>4, b&0x0f)
	}
	return nibbles, compact[0]&0x20 != 0, nil
}

// appendCompact appends the RLP of the nibbles in the form of appendix C.
func appendCompact(out, nibbles []byte, leaf bool) []byte {
	first := byte(0)
	if leaf {
		first = 0x20
	}
	size := 1 + len(nibbles)/2
	if len(nibbles)%2 == 1 {
		first |= 0x10 | nibbles[0]
		nibbles = nibbles[1:]
	}
	if size > 1 {
		out = append(out, 0x80+byte(size))
	}
	out = append(out, first)
	for i := 0; i < len(nibbles); i += 2 {
		out = append(out, nibbles[i]<<4|nibbles[i+1])
	}
	return out
}

// nibblesOf are the nibbles of a key.
func (m *memory) nibblesOf(key []byte) []byte {
	out := m.room(2 * len(key))
	for _, b := range key {
		out = append(out, b>>4, b&0x0f)
	}
	return out
}
