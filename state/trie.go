package state

import (
	"runtime"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/keccak"
)

// Trie is the Merkle-Patricia trie of the whole state in memory (yellow paper,
// section 4.1 and appendix D): accounts by the hash of the address, and for each a
// trie of its storage by the hash of the slot. It follows the flat state by the
// same diffs and needs nothing else, so that it may be some blocks behind; hashes
// are computed when a root or a proof is asked for, of what changed since.
//
// Nodes hold no pointers, so that the garbage collector never walks the trie. Large
// batches are applied and hashed by several goroutines, which the calls wait for. It
// is safe for concurrent use; calls run one after another.
type Trie struct {
	mu       sync.Mutex
	accounts forest[accountLeaf]
	storage  forest[common.Hash]
	roots    arena[*[arenaChunk]trieRoot] // accountTrie, and those of storage
	codes    []common.Hash                // by accountLeaf.code; never shrinks
	codeNums map[common.Hash]uint32
	workers  []*trieWorker
	active   int      // workers that are used
	changed  int      // leaves changed since the last root
	large    []uint32 // storage tries of which many leaves changed
	in       trieBatch
	hashed   hashedDiff // that Witness was asked about last
}

// accountTrie is the index of the accounts' trie.
const accountTrie = 0

// accountLeaf is an account in the trie. The zero value is the empty account.
type accountLeaf struct {
	balance uint256.Int
	nonce   uint64
	code    uint32 // index in Trie.codes; 0 is the empty code
	storage uint32 // index of the storage trie; 0: none
}

func (l *accountLeaf) isEmpty() bool {
	return l.nonce == 0 && l.balance.IsZero() && l.code == 0 && l.storage == 0
}

// From this many changed leaves on a batch is worth more than one goroutine.
const parallelLeaves = 1024

// More goroutines have nothing to do: they divide the children of a branch.
const maxTrieWorkers = 16

// trieWorker is what one goroutine needs.
type trieWorker struct {
	accounts    edit[accountLeaf]
	storage     edit[common.Hash]
	roots       freeList
	accountSums hashing[accountLeaf]
	storageSums hashing[common.Hash]
	batch       keccak.Batch
	items       []item // scratch
}

// NewTrie returns the trie of the empty state. It uses as many goroutines as Go
// runs at once.
func NewTrie() *Trie {
	t := &Trie{codes: []common.Hash{types.EmptyCodeHash}, codeNums: map[common.Hash]uint32{types.EmptyCodeHash: 0}}
	t.SetWorkers(runtime.GOMAXPROCS(0))
	w := t.workers[0]
	t.newRoot(w) // accountTrie
	rootAt(&t.roots, accountTrie).dirty = true
	return t
}

// SetWorkers sets the number of goroutines that share large batches, 1..16.
func (t *Trie) SetWorkers(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active = min(max(n, 1), maxTrieWorkers)
	for len(t.workers) < t.active {
		t.workers = append(t.workers, t.newWorker())
	}
}

func (t *Trie) newWorker() *trieWorker {
	w := new(trieWorker)
	w.accounts.forest, w.storage.forest = &t.accounts, &t.storage
	w.accounts.change = func(i uint32, l *accountLeaf, fresh bool) bool { return t.changeAccount(w, i, l, fresh) }
	w.storage.change = func(i uint32, value *common.Hash, _ bool) bool {
		*value = t.in.values[i]
		return *value != common.Hash{}
	}
	w.storageSums = hashing[common.Hash]{
		forest: &t.storage, roots: &t.roots, batch: &w.batch, encode: appendSlot,
	}
	w.accountSums = hashing[accountLeaf]{
		forest: &t.accounts, roots: &t.roots, batch: &w.batch, encode: t.appendAccount,
		visit: func(l *accountLeaf) {
			if l.storage != 0 {
				w.storageSums.addTrie(l.storage)
			}
		},
		settle: func() { w.storageSums.sum(0) },
	}
	return w
}

// newRoot returns the index of a new trie.
func (t *Trie) newRoot(w *trieWorker) uint32 {
	i, ok := w.roots.take()
	if !ok {
		i = w.roots.extend(t.roots.add(new([arenaChunk]trieRoot)))
	}
	return i
}

// appendAccount appends the string that holds the RLP of [nonce, balance, storage
// root, code hash].
func (t *Trie) appendAccount(b []byte, l *accountLeaf) []byte {
	root := &types.EmptyRootHash
	if l.storage != 0 {
		root = &rootAt(&t.roots, l.storage).hash
	}
	const headers = 4 // of the string and of the list: the content has 68 to 108 bytes
	start := len(b)
	b = append(b, 0xb8, 0, 0xf8, 0)
	b = appendUint64(b, l.nonce)
	if l.balance.IsUint64() {
		b = appendUint64(b, l.balance[0])
	} else {
		bytes := l.balance.Bytes32()
		b = appendString(b, bytes[32-l.balance.ByteLen():])
	}
	b = append(b, 0x80+32)
	b = append(b, root[:]...)
	b = append(b, 0x80+32)
	b = append(b, t.codes[l.code][:]...)
	n := len(b) - start - headers
	b[start+1], b[start+3] = byte(n+2), byte(n)
	return b
}

// appendSlot appends the string that holds the RLP of the value without its leading
// zeros.
func appendSlot(b []byte, value *common.Hash) []byte {
	first := 0
	for first < 31 && value[first] == 0 {
		first++
	}
	if first == 31 && value[31] < 0x80 {
		return append(b, value[31])
	}
	n := byte(32 - first)
	b = append(b, 0x80+n+1, 0x80+n)
	return append(b, value[first:]...)
}

// Root returns the state root.
func (t *Trie) Root() common.Hash {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum()
}

// sum brings all hashes up to date.
func (t *Trie) sum() common.Hash {
	root := rootAt(&t.roots, accountTrie)
	if !root.dirty {
		return root.hash
	}
	workers := t.workers[:1]
	if t.changed >= parallelLeaves {
		workers = t.workers[:t.active]
	}
	for _, id := range t.large {
		if r := rootAt(&t.roots, id); r.dirty {
			sumTrie(workers, func(w *trieWorker) *hashing[common.Hash] { return &w.storageSums }, id)
		}
	}
	sumTrie(workers, func(w *trieWorker) *hashing[accountLeaf] { return &w.accountSums }, accountTrie)
	t.large, t.changed = t.large[:0], 0
	return root.hash
}

// StorageRoot returns the root of the account's storage, types.EmptyRootHash for an
// account that is absent or has none.
func (t *Trie) StorageRoot(addr common.Address) common.Hash {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum()
	key := keccak.Sum256(addr[:])
	l := t.accounts.get(rootAt(&t.roots, accountTrie).node, &key)
	if l == nil || l.storage == 0 {
		return types.EmptyRootHash
	}
	return rootAt(&t.roots, l.storage).hash
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
		Root:        t.sum(),
		Address:     addr,
		Account:     EmptyAccount,
		StorageRoot: types.EmptyRootHash,
		Storage:     make([]SlotProof, 0, len(slots)),
	}
	w := t.workers[0]
	root := rootAt(&t.roots, accountTrie).node
	key := keccak.Sum256(addr[:])
	p.AccountProof = w.accountSums.prove(root, &key)
	storage := noNode
	if l := t.accounts.get(root, &key); l != nil {
		p.Account = Account{Nonce: l.nonce, Balance: l.balance, CodeHash: t.codes[l.code]}
		if l.storage != 0 {
			r := rootAt(&t.roots, l.storage)
			storage, p.StorageRoot = r.node, r.hash
		}
	}
	for _, slot := range slots {
		key := keccak.Sum256(slot[:])
		s := SlotProof{Slot: slot, Proof: w.storageSums.prove(storage, &key)}
		if value := t.storage.get(storage, &key); value != nil {
			s.Value = *value
		}
		p.Storage = append(p.Storage, s)
	}
	return p
}
