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

func (r *rooter) flush() {
	r.hashes = r.batch.Sum(r.hashes[:0])
	for i, n := range r.pending {
		n.ref = refOf(r.hashes[i])
	}
	clear(r.pending)
	r.pending = r.pending[:0]
}

// encode sets the reference of a node whose children have theirs, or puts its encoding
// into the batch.
func (r *rooter) encode(n *node) {
	size := n.contentSize()
	out := r.batch.Room(size + 9)
	out = chain.AppendListHead(out, uint64(size))
	out = n.appendContent(out)
	n.dirty = false
	if len(out) < common.HashLength {
		n.ref.size = uint8(copy(n.ref.bytes[:], out))
		return
	}
	r.batch.Added(0, len(out))
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

func (n *node) contentSize() int {
	switch n.kind {
	case leafNode:
		return compactSize(n.key) + stringSize(n.value)
	case extensionNode:
		return compactSize(n.key) + len(n.kidRef())
	}
	size := 1 // no value
	for i := range byte(16) {
		size += max(1, len(n.branch.childRef(i)))
	}
	return size
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

// compactSize is the length of what appendCompact appends.
func compactSize(nibbles []byte) int {
	if len(nibbles) < 2 {
		return 1
	}
	return 2 + len(nibbles)/2
}

// stringSize is the length of an RLP string.
func stringSize(s []byte) int {
	switch {
	case len(s) == 1 && s[0] < 0x80:
		return 1
	case len(s) < 56:
		return 1 + len(s)
	case len(s) < 1<<8:
		return 2 + len(s)
	case len(s) < 1<<16:
		return 3 + len(s)
	case len(s) < 1<<24:
		return 4 + len(s)
	}
	return 5 + len(s)
}

// listRoot is the root of a list as blocks have them: each item under the RLP of its
// index.
func listRoot(items [][]byte, batch *keccak.Batch) common.Hash {
	t := &tree{nodes: new(nodeSet), read: true}
	for i, item := range items {
		// Nothing is missing in a tree that was empty.
		if err := t.put(nibblesOf(rlp.AppendUint64(nil, uint64(i))), item); err != nil {
			panic(err)
		}
	}
	r := rooter{batch: batch}
	r.add(t)
	r.sum()
	return t.rootHash()
}
