package verify

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// rooter computes roots of trees, those of many trees together: nodes of equal height are
// hashed eight at a time.
type rooter struct {
	batch   *keccak.Batch
	levels  [][]*node // dirty nodes by height
	pending []*node   // in the batch
	hashes  []common.Hash
}

// add takes in the dirty nodes of a tree.
func (r *rooter) add(t *tree) { r.collect(t.root) }

// collect returns the height of a node: 0 if it is not dirty.
func (r *rooter) collect(n *node) int {
	if n == nil || !n.dirty {
		return 0
	}
	height := 0
	switch n.kind {
	case extensionNode:
		height = r.collect(n.kid)
	case branchNode:
		for _, kid := range n.branch.kids {
			height = max(height, r.collect(kid))
		}
	}
	if height == len(r.levels) {
		r.levels = append(r.levels, nil)
	}
	r.levels[height] = append(r.levels[height], n)
	return height + 1
}

// sum gives all nodes that were added their references.
func (r *rooter) sum() {
	for i, level := range r.levels {
		for k, n := range level {
			r.encode(n)
			if len(r.pending) >= hashTogether || k == len(level)-1 {
				r.flush()
			}
			level[k] = nil
		}
		r.levels[i] = level[:0]
	}
}

// release drops much memory.
func (r *rooter) release() {
	for i, level := range r.levels {
		r.levels[i] = shrunk(level, keptNodes)
	}
}

func (r *rooter) flush() {
	r.hashes = r.batch.Sum(r.hashes[:0])
	for i, n := range r.pending {
		n.ref = refOf(r.hashes[i])
	}
	clear(r.pending)
	r.pending = r.pending[:0]
}

// mostHead is the most that the head of a node's list takes, in bytes.
const mostHead = 9

// encode sets the reference of a node whose children have theirs, or puts its encoding
// into the batch.
func (r *rooter) encode(n *node) {
	room := r.batch.Room(mostHead + n.mostContent())
	content := n.appendContent(room[mostHead:mostHead])
	var head [mostHead]byte
	size := len(chain.AppendListHead(head[:0], uint64(len(content))))
	skip := mostHead - size
	copy(room[skip:mostHead], head[:size])
	n.dirty = false
	if size += len(content); size < common.HashLength {
		n.ref.size = uint8(copy(n.ref.bytes[:], room[skip:skip+size]))
		return
	}
	r.batch.Added(skip, size)
	r.pending = append(r.pending, n)
}

// root is the hash of a tree whose nodes have their references.
func (t *tree) rootHash() common.Hash {
	switch {
	case !t.read:
		return t.hash
	case t.root == nil:
		return types.EmptyRootHash
	case t.root.ref.size == 33:
		return common.Hash(t.root.ref.bytes[1:])
	}
	return keccak.Sum256(t.root.ref.encoding())
}

// kidRef is the reference to the node behind an extension.
func (n *node) kidRef() []byte {
	if n.kid != nil {
		return n.kid.ref.encoding()
	}
	return n.rawKid
}

// mostContent is the most that the content of a node's encoding takes, in bytes.
func (n *node) mostContent() int {
	switch n.kind {
	case leafNode:
		return 2 + len(n.key)/2 + mostHead + len(n.value)
	case extensionNode:
		return 2 + len(n.key)/2 + len(n.kidRef())
	}
	return 16*33 + 1
}

func (n *node) appendContent(out []byte) []byte {
	switch n.kind {
	case leafNode:
		return chain.AppendString(appendCompact(out, n.key, true), n.value)
	case extensionNode:
		return append(appendCompact(out, n.key, false), n.kidRef()...)
	}
	for i := range byte(16) {
		if item := n.branch.childRef(i); len(item) > 0 {
			out = append(out, item...)
		} else {
			out = append(out, 0x80)
		}
	}
	return append(out, 0x80)
}

// childRef is the reference to a child, empty without one.
func (b *branch) childRef(i byte) []byte {
	if kid := b.kids[i]; kid != nil {
		return kid.ref.encoding()
	}
	return b.rawChild(i)
}

// listRoot is the root of a list as blocks have them: each item under the RLP of its
// index.
func (m *memory) listRoot(items [][]byte, batch *keccak.Batch) common.Hash {
	if m != nil { // of which nothing is needed afterwards
		nodes, branches := m.nodes.used, m.branches.used
		defer func() {
			m.nodes.release(nodes, func(n *node) { *n = node{} })
			m.branches.release(branches, func(b *branch) { *b = branch{} })
		}()
	}
	t := &tree{nodes: &nodeSet{memory: m}, read: true}
	var key [9]byte
	for i, item := range items {
		// Nothing is missing in a tree that was empty.
		if err := t.put(m.nibblesOf(rlp.AppendUint64(key[:0], uint64(i))), item); err != nil {
			panic(err)
		}
	}
	r := rooter{batch: batch}
	r.add(t)
	r.sum()
	return t.rootHash()
}
