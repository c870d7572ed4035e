package verify

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// tree is a Merkle-Patricia trie of which a witness has some nodes. An operation that
// needs another returns a *missingNode and leaves the tree unfit for use. Keys are such
// that none is the beginning of another.
type tree struct {
	nodes *nodeSet
	root  *node // nil: empty, or not read yet
	hash  common.Hash
	read  bool // root is what hash names
}

func newTree(nodes *nodeSet, hash common.Hash) tree { return tree{nodes: nodes, hash: hash} }

// load reads the root.
func (t *tree) load() error {
	if t.read {
		return nil
	}
	if t.hash != types.EmptyRootHash {
		r := refOf(t.hash)
		n, missing := t.nodes.resolve(r.encoding())
		if missing != nil {
			return missing
		}
		t.root = n
	}
	t.read = true
	return nil
}

// isEmpty reports whether the tree has no key.
func (t *tree) isEmpty() bool {
	if t.read {
		return t.root == nil
	}
	return t.hash == types.EmptyRootHash
}

// child returns the child of a branch, nil without one; path leads to the branch.
func (t *tree) child(b *branch, i byte, path []byte) (*node, error) {
	if b.own&(1<<i) != 0 {
		return b.kids[i], nil
	}
	item := b.rawChild(i)
	if len(item) == 0 {
		return nil, nil
	}
	n, missing := t.nodes.resolve(item)
	if missing != nil {
		missing.path = append(bytes.Clone(path), i)
		return nil, missing
	}
	b.set(i, n)
	return n, nil
}

// rawChild is the reference to a child that was not read, empty without one.
func (b *branch) rawChild(i byte) []byte {
	if b.raw == nil || b.own&(1<<i) != 0 {
		return nil
	}
	item := b.raw[b.at[i]:b.at[i+1]]
	if len(item) == 1 && item[0] == 0x80 {
		return nil
	}
	return item
}

func (b *branch) set(i byte, n *node) { b.kids[i], b.own = n, b.own|1<<i }

// has reports whether the branch has the child.
func (b *branch) has(i byte) bool { return b.kids[i] != nil || len(b.rawChild(i)) > 0 }

// below is the node behind an extension at the path.
func (t *tree) below(n *node, path []byte) (*node, error) {
	if n.kid == nil {
		kid, missing := t.nodes.resolve(n.rawKid)
		if missing != nil {
			missing.path = bytes.Clone(path)
			return nil, missing
		}
		if kid.kind != branchNode {
			return nil, &missingNode{path: bytes.Clone(path), err: errNode}
		}
		n.kid = kid
	}
	return n.kid, nil
}

// get returns the value of the key in nibbles, nil without one.
func (t *tree) get(key []byte) ([]byte, error) {
	if err := t.load(); err != nil {
		return nil, err
	}
	n, at := t.root, 0
	for n != nil {
		rest := key[at:]
		switch n.kind {
		case leafNode:
			if bytes.Equal(n.key, rest) {
				return n.value, nil
			}
			return nil, nil
		case extensionNode:
			if !bytes.HasPrefix(rest, n.key) {
				return nil, nil
			}
			at += len(n.key)
			kid, err := t.below(n, key[:at])
			if err != nil {
				return nil, err
			}
			n = kid
		default:
			if len(rest) == 0 {
				return nil, &missingNode{path: key, err: errNode}
			}
			kid, err := t.child(n.branch, rest[0], key[:at])
			if err != nil {
				return nil, err
			}
			n, at = kid, at+1
		}
	}
	return nil, nil
}

// put sets the value of the key, which is not empty. Both are kept.
func (t *tree) put(key, value []byte) error {
	err := t.load()
	if err == nil {
		t.root, err = t.insert(t.root, key, 0, value)
	}
	return err
}

func (t *tree) insert(n *node, key []byte, at int, value []byte) (*node, error) {
	rest := key[at:]
	if n == nil {
		return t.leaf(rest, value), nil
	}
	if n.kind == branchNode {
		if len(rest) == 0 {
			return nil, &missingNode{path: key, err: errNode}
		}
		kid, err := t.child(n.branch, rest[0], key[:at])
		if err != nil {
			return nil, err
		}
		if kid, err = t.insert(kid, key, at+1, value); err != nil {
			return nil, err
		}
		n.branch.set(rest[0], kid)
		n.dirty = true
		return n, nil
	}
	same := prefixLen(n.key, rest)
	switch {
	case n.kind == leafNode && same == len(n.key) && same == len(rest):
		n.value, n.dirty = value, true
		return n, nil
	case same == len(rest) || n.kind == leafNode && same == len(n.key):
		return nil, &missingNode{path: key, err: errNode} // a key within another
	case n.kind == extensionNode && same == len(n.key):
		kid, err := t.below(n, key[:at+same])
		if err != nil {
			return nil, err
		}
		if n.kid, err = t.insert(kid, key, at+same, value); err != nil {
			return nil, err
		}
		n.dirty = true
		return n, nil
	}
	return t.fork(n, same, rest, value), nil
}

func (t *tree) leaf(key, value []byte) *node {
	n := t.nodes.memory.node()
	n.kind, n.key, n.value, n.dirty = leafNode, key, value, true
	return n
}

func (t *tree) extension(key []byte, kid *node) *node {
	n := t.nodes.memory.node()
	n.kind, n.key, n.kid, n.dirty = extensionNode, key, kid, true
	return n
}

// fork puts a branch where a new key leaves the key of a leaf or an extension.
func (t *tree) fork(n *node, same int, rest, value []byte) *node {
	b := t.nodes.memory.branch()
	shared, old := n.key[:same], n.key[same]
	switch {
	case n.kind == leafNode || same+1 < len(n.key):
		n.key, n.dirty = n.key[same+1:], true
		b.set(old, n)
	case n.kid != nil:
		b.set(old, n.kid)
	default: // an extension of one nibble, whose child need not be read
		b.keep(old, n.rawKid)
	}
	b.set(rest[same], t.leaf(rest[same+1:], value))
	top := t.nodes.memory.node()
	top.kind, top.branch, top.dirty = branchNode, b, true
	if same > 0 {
		return t.extension(shared, top)
	}
	return top
}

// prefixLen is how many nibbles two keys share.
func prefixLen(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// keep makes a reference, unread, the child of a branch that was read from nothing.
func (b *branch) keep(i byte, item []byte) {
	b.raw = item
	for k := range b.at {
		if k > int(i) {
			b.at[k] = uint16(len(item))
		}
	}
}

// remove deletes the key, if it is there.
func (t *tree) remove(key []byte) error {
	err := t.load()
	if err == nil {
		t.root, _, err = t.cut(t.root, key, 0)
	}
	return err
}

// cut returns the node without the key, nil if nothing is left, and whether it changed.
func (t *tree) cut(n *node, key []byte, at int) (*node, bool, error) {
	if n == nil {
		return nil, false, nil
	}
	rest := key[at:]
	switch n.kind {
	case leafNode:
		if bytes.Equal(n.key, rest) {
			return nil, true, nil
		}
		return n, false, nil
	case extensionNode:
		if !bytes.HasPrefix(rest, n.key) {
			return n, false, nil
		}
		at += len(n.key)
		kid, err := t.below(n, key[:at])
		if err != nil {
			return nil, false, err
		}
		kid, changed, err := t.cut(kid, key, at)
		if err != nil || !changed {
			return n, false, err
		}
		return t.join(n.key, kid), true, nil
	}
	if len(rest) == 0 {
		return nil, false, &missingNode{path: key, err: errNode}
	}
	kid, err := t.child(n.branch, rest[0], key[:at])
	if err != nil {
		return nil, false, err
	}
	kid, changed, err := t.cut(kid, key, at+1)
	if err != nil || !changed {
		return n, false, err
	}
	n.branch.set(rest[0], kid)
	n.dirty = true
	if kid != nil {
		return n, true, nil
	}
	n, err = t.collapse(n, key[:at])
	return n, true, err
}

// collapse replaces a branch with one child.
func (t *tree) collapse(n *node, path []byte) (*node, error) {
	only := -1
	for i := range byte(16) {
		if n.branch.has(i) {
			if only >= 0 {
				return n, nil
			}
			only = int(i)
		}
	}
	if only < 0 {
		return nil, &missingNode{path: bytes.Clone(path), err: errNode} // a branch had one child before
	}
	kid, err := t.child(n.branch, byte(only), path)
	if err != nil {
		return nil, err
	}
	return t.join([]byte{byte(only)}, kid), nil
}

// join is a node behind more of a key.
func (t *tree) join(key []byte, n *node) *node {
	if n.kind == branchNode {
		return t.extension(key, n)
	}
	n.key = append(bytes.Clone(key), n.key...)
	n.dirty = true
	return n
}

// anyBut reports whether there is a key that is not gone; a subtree that is not known has
// one. Keys that are gone must have been read.
func anyBut(n *node, path []byte, gone func(key []byte) bool) bool {
	if n == nil {
		return false
	}
	switch n.kind {
	case leafNode:
		return !gone(append(bytes.Clone(path), n.key...))
	case extensionNode:
		return n.kid == nil || anyBut(n.kid, append(bytes.Clone(path), n.key...), gone)
	}
	for i := range byte(16) {
		if len(n.branch.rawChild(i)) > 0 || anyBut(n.branch.kids[i], append(bytes.Clone(path), i), gone) {
			return true
		}
	}
	return false
}
