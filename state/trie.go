package state

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Trie is the Merkle-Patricia trie of the whole state in memory (yellow paper,
// section 4.1 and appendix D): accounts by the hash of the address, and for each a
// trie of its storage by the hash of the slot. It follows the flat state by the
// same diffs and needs nothing else; hashes are computed when a root or a proof is
// asked for, of what changed since.
//
// Nodes hold no pointers, so that the garbage collector never walks the trie. It is
// safe for concurrent use; calls run one after another.
type Trie struct {
	mu       sync.Mutex
	accounts forest[accountLeaf]
	storage  forest[common.Hash]
	root     nodeRef
	hasher   *trieHasher
	second   *trieHasher // of the other half in a parallel root
	changed  int         // leaves changed since the last root
}

// accountLeaf is an account with the trie of its storage.
type accountLeaf struct {
	Account
	storage nodeRef
}

// From this many changed leaves on a root is worth a second goroutine.
const parallelRootLeaves = 2048

// NewTrie returns the trie of the empty state.
func NewTrie() *Trie {
	t := &Trie{hasher: newTrieHasher(), second: newTrieHasher()}
	t.storage.encode = func(h *trieHasher, value *common.Hash) []byte {
		return appendString(h.value[:0], bytes.TrimLeft(value[:], "\x00"))
	}
	t.accounts.encode = func(h *trieHasher, a *accountLeaf) []byte {
		root := t.storage.root(h, a.storage)
		return appendAccount(h.value[:0], &a.Account, &root)
	}
	return t
}

// BuildTrie returns the trie of the newest state of the DB. Only the DB's writer
// may call it.
func BuildTrie(db *DB) *Trie {
	t := NewTrie()
	db.accounts.each(func(addr *common.Address, r *accountRecord) {
		t.upsert(addr).value.Account = r.Account
	})
	var addr common.Address
	var leaf *leafNode[accountLeaf]
	for key, value := range db.Slots() {
		if leaf == nil || key.Address != addr {
			addr = key.Address
			leaf = t.upsert(&addr)
		}
		leaf.value.storage = t.setSlot(leaf.value.storage, &SlotDiff{key.Slot, value})
	}
	return t
}

// upsert returns the account's leaf, which the caller is about to change.
func (t *Trie) upsert(addr *common.Address) *leafNode[accountLeaf] {
	key := t.hasher.hash(addr[:])
	root, leaf := t.accounts.upsert(t.root, 0, &key)
	t.root = root
	t.changed++
	if leaf.value.CodeHash == (common.Hash{}) { // it is new
		leaf.value.Account = EmptyAccount
	}
	return leaf
}

// appendAccount appends the RLP of [nonce, balance, storage root, code hash].
func appendAccount(b []byte, a *Account, root *common.Hash) []byte {
	balance := a.Balance.Bytes32()
	var nonce [8]byte
	binary.BigEndian.PutUint64(nonce[:], a.Nonce)
	const header = 2 // the content has 68 to 108 bytes
	start := len(b)
	b = append(b, 0xf8, 0)
	b = appendString(b, bytes.TrimLeft(nonce[:], "\x00"))
	b = appendString(b, bytes.TrimLeft(balance[:], "\x00"))
	b = appendString(b, root[:])
	b = appendString(b, a.CodeHash[:])
	b[start+1] = byte(len(b) - start - header)
	return b
}

// Apply makes the diff's values those of the trie.
func (t *Trie) Apply(d Diff) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range d {
		t.applyAccount(&d[i])
	}
}

func (t *Trie) applyAccount(a *AccountDiff) {
	v := &t.upsert(&a.Address).value
	if a.Nonce != nil {
		v.Nonce = *a.Nonce
	}
	if a.Balance != nil {
		v.Balance = *a.Balance
	}
	if a.CodeChanged {
		v.CodeHash = t.hasher.hash(a.Code)
	}
	for i := range a.Storage {
		v.storage = t.setSlot(v.storage, &a.Storage[i])
	}
	if v.IsEmpty() && v.storage == noNode {
		key := t.hasher.hash(a.Address[:])
		t.root, _ = t.accounts.remove(t.root, 0, &key)
	}
}

func (t *Trie) setSlot(root nodeRef, s *SlotDiff) nodeRef {
	t.changed++
	key := t.hasher.hash(s.Slot[:])
	if s.Value == (common.Hash{}) {
		root, _ = t.storage.remove(root, 0, &key)
		return root
	}
	root, leaf := t.storage.upsert(root, 0, &key)
	leaf.value = s.Value
	return root
}

// Root returns the state root.
func (t *Trie) Root() common.Hash {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rootLocked()
}

func (t *Trie) rootLocked() common.Hash {
	parallel := t.changed >= parallelRootLeaves
	t.changed = 0
	if parallel {
		return t.accounts.rootParallel(t.hasher, t.second, t.root)
	}
	return t.accounts.root(t.hasher, t.root)
}

// StorageRoot returns the root of the account's storage, types.EmptyRootHash for an
// account that is absent or has none.
func (t *Trie) StorageRoot(addr common.Address) common.Hash {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := t.hasher.hash(addr[:])
	leaf := t.accounts.get(t.root, &key)
	if leaf == nil {
		return types.EmptyRootHash
	}
	return t.storage.root(t.hasher, leaf.value.storage)
}

// Proof is a Merkle proof of an account and of some of its slots (EIP-1186), of
// their absence where they are absent.
type Proof struct {
	Root         common.Hash // the state root that it proves against
	Address      common.Address
	Account      Account // EmptyAccount if absent
	StorageRoot  common.Hash
	AccountProof [][]byte // RLP of the nodes from the root on
	Storage      []SlotProof
}

// SlotProof proves the value of one slot against the proof's StorageRoot.
type SlotProof struct {
	Slot  common.Hash
	Value common.Hash
	Proof [][]byte // RLP of the nodes from the storage root on; empty without storage
}

// Prove returns the proof of the account and of the slots, in their order.
func (t *Trie) Prove(addr common.Address, slots []common.Hash) *Proof {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &Proof{
		Root:        t.rootLocked(),
		Address:     addr,
		Account:     EmptyAccount,
		StorageRoot: types.EmptyRootHash,
		Storage:     make([]SlotProof, 0, len(slots)),
	}
	key := t.hasher.hash(addr[:])
	p.AccountProof = t.accounts.prove(t.hasher, t.root, &key)
	storage := noNode
	if leaf := t.accounts.get(t.root, &key); leaf != nil {
		storage = leaf.value.storage
		p.Account = leaf.value.Account
		p.StorageRoot = t.storage.root(t.hasher, storage)
	}
	for _, slot := range slots {
		key := t.hasher.hash(slot[:])
		s := SlotProof{Slot: slot, Proof: t.storage.prove(t.hasher, storage, &key)}
		if leaf := t.storage.get(storage, &key); leaf != nil {
			s.Value = leaf.value
		}
		p.Storage = append(p.Storage, s)
	}
	return p
}
