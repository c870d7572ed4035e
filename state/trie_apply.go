package state

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// trieBatch is a set of changes with everything hashed, for the workers to read.
type trieBatch struct {
	account   func(i uint32, l *accountLeaf) // sets all but the storage of account i
	keys      []common.Hash                  // of the accounts
	items     []item
	ends      []int // slots of account i end there, among those of all accounts
	slotKeys  []common.Hash
	values    []common.Hash
	slotItems []item
	hashed    *hashedDiff       // the keys, if they are known
	large     map[uint32]uint32 // storage tries of accounts with many slots
	codes     map[uint32]uint32 // new codes of accounts
}

// slots returns the range of the account's slots.
func (in *trieBatch) slots(i uint32) (start, end int) {
	if i > 0 {
		start = in.ends[i-1]
	}
	return start, in.ends[i]
}

// hashedDiff is a diff whose keys are hashed: those of its accounts, and of all slots in
// their order.
type hashedDiff struct {
	diff     Diff
	keys     []common.Hash
	slotKeys []common.Hash
}

// of reports whether d is the diff, in the same memory.
func (h *hashedDiff) of(d Diff) bool {
	return len(d) > 0 && len(h.diff) == len(d) && &h.diff[0] == &d[0]
}

// Apply makes the diff's values those of the trie. It keeps nothing of the diff.
func (t *Trie) Apply(d Diff) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := &t.in
	in.ends, in.values, in.slotKeys = in.ends[:0], in.values[:0], in.slotKeys[:0]
	in.codes = nil
	for i := range d {
		for j := range d[i].Storage {
			s := &d[i].Storage[j]
			in.values = append(in.values, s.Value)
			in.slotKeys = append(in.slotKeys, s.Slot)
		}
		in.ends = append(in.ends, len(in.values))
		if d[i].CodeChanged {
			if in.codes == nil {
				in.codes = make(map[uint32]uint32)
			}
			in.codes[uint32(i)] = t.codeNum(d[i].NewCodeHash())
		}
	}
	in.account = func(i uint32, l *accountLeaf) {
		a := &d[i]
		if a.Nonce != nil {
			l.nonce = *a.Nonce
		}
		if a.Balance != nil {
			l.balance = *a.Balance
		}
		if a.CodeChanged {
			l.code = in.codes[i]
		}
	}
	if hashed := &t.hashed; hashed.of(d) && len(hashed.slotKeys) == len(in.values) {
		in.hashed = hashed
	}
	t.applyBatch(len(d), func(i int) []byte { return d[i].Address[:] })
	in.account, in.hashed, t.hashed = nil, nil, hashedDiff{}
}

// codeNum returns the number of the code in the trie.
func (t *Trie) codeNum(hash common.Hash) uint32 {
	n, ok := t.codeNums[hash]
	if !ok {
		n = uint32(len(t.codes))
		t.codes = append(t.codes, hash)
		t.codeNums[hash] = n
	}
	return n
}

// applyBatch applies t.in: n accounts with these addresses, and ends, values and
// slots (in slotKeys, not hashed yet).
func (t *Trie) applyBatch(n int, address func(int) []byte) {
	if n == 0 {
		return
	}
	in := &t.in
	t.changed += n + len(in.values)
	in.keys, in.items = resize(in.keys, n), resize(in.items, n)
	in.slotItems = resize(in.slotItems, len(in.values))
	if h := in.hashed; h != nil {
		takeKeys(in.keys, in.items, h.keys)
		takeKeys(in.slotKeys, in.slotItems, h.slotKeys)
	} else {
		t.hashKeys(in.keys, in.items, address)
		t.hashKeys(in.slotKeys, in.slotItems, func(i int) []byte { return in.slotKeys[i][:] })
	}
	workers := t.workers[:t.active]
	for _, w := range workers {
		w.accounts.keys, w.storage.keys = in.keys, in.slotKeys
	}
	root := rootAt(&t.roots, accountTrie)
	t.applyLarge(root.node)
	workers[0].items = sortItems(in.items, workers[0].items, compareKeys(in.keys))
	root.node = updateTrie(workers, func(w *trieWorker) *edit[accountLeaf] { return &w.accounts }, root.node, in.items)
	root.dirty = true
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

func compareKeys(keys []common.Hash) func(i, j uint32) int {
	return func(i, j uint32) int { return keys[i].Cmp(keys[j]) }
}

// hashKeys sets keys to the hashes of what key returns, and items to name them.
func (t *Trie) hashKeys(keys []common.Hash, items []item, key func(int) []byte) {
	workers := t.workers[:t.active]
	if len(keys) < parallelLeaves {
		workers = workers[:1]
	}
	var next atomic.Int64
	together(workers, func(w *trieWorker) {
		for {
			end := int(next.Add(hashBatch))
			start := end - hashBatch
			if start >= len(keys) {
				return
			}
			end = min(end, len(keys))
			for i := start; i < end; i++ {
				w.batch.Add(key(i))
			}
			w.batch.Sum(keys[start:start])
			for i := start; i < end; i++ {
				items[i] = newItem(&keys[i], i)
			}
		}
	})
}

// takeKeys sets keys to those that are hashed, and items to name them.
func takeKeys(keys []common.Hash, items []item, hashed []common.Hash) {
	copy(keys, hashed)
	for i := range items {
		items[i] = newItem(&keys[i], i)
	}
}

// together runs f for each worker, in a goroutine each if there are several.
func together(workers []*trieWorker, f func(*trieWorker)) {
	var others sync.WaitGroup
	for _, w := range workers[1:] {
		others.Go(func() { f(w) })
	}
	f(workers[0])
	others.Wait()
}

// applyLarge changes the storage of accounts of which so many slots change that
// they are worth several goroutines; others are changed with their account.
func (t *Trie) applyLarge(root nodeRef) {
	in := &t.in
	in.large = nil
	if t.active == 1 || len(in.values) < parallelLeaves {
		return
	}
	for i := range in.ends {
		start, end := in.slots(uint32(i))
		if end-start < parallelLeaves {
			continue
		}
		w := t.workers[0]
		id, node := uint32(0), noNode
		if l := t.accounts.get(root, &in.keys[i]); l != nil && l.storage != 0 {
			id, node = l.storage, rootAt(&t.roots, l.storage).node
		}
		items := in.slotItems[start:end]
		w.items = sortItems(items, w.items, compareKeys(in.slotKeys))
		node = updateTrie(t.workers[:t.active], func(w *trieWorker) *edit[common.Hash] { return &w.storage }, node, items)
		if in.large == nil {
			in.large = make(map[uint32]uint32)
		}
		id = t.setRoot(w, id, node)
		in.large[uint32(i)] = id
		if id != 0 {
			t.large = append(t.large, id)
		}
	}
}

// setRoot makes the node the root of the trie, of which it returns the index: 0 is
// no trie, and no node.
func (t *Trie) setRoot(w *trieWorker, id uint32, node nodeRef) uint32 {
	if node == noNode {
		if id != 0 {
			*rootAt(&t.roots, id) = trieRoot{}
			w.roots.put(id)
		}
		return 0
	}
	if id == 0 {
		id = t.newRoot(w)
	}
	r := rootAt(&t.roots, id)
	r.node, r.dirty = node, true
	return id
}

// changeAccount makes the batch's change i of the leaf.
func (t *Trie) changeAccount(w *trieWorker, i uint32, l *accountLeaf, fresh bool) bool {
	if fresh {
		*l = accountLeaf{}
	}
	in := &t.in
	in.account(i, l)
	if start, end := in.slots(i); start < end {
		if id, ok := in.large[i]; ok {
			l.storage = id
			return !l.isEmpty()
		}
		node := noNode
		if l.storage != 0 {
			node = rootAt(&t.roots, l.storage).node
		}
		items := in.slotItems[start:end]
		if len(items) > 1 {
			w.items = sortItems(items, w.items, compareKeys(in.slotKeys))
		}
		l.storage = t.setRoot(w, l.storage, w.storage.update(node, 0, items))
	}
	return !l.isEmpty()
}

// updateTrie is edit.update at the root, shared among the workers if that pays.
func updateTrie[V any](workers []*trieWorker, of func(*trieWorker) *edit[V], r nodeRef, items []item) nodeRef {
	main := of(workers[0])
	if len(items) < parallelLeaves || len(workers) == 1 || r != noNode && !r.isBranch() {
		return main.update(r, 0, items)
	}
	key := &main.keys[items[0].i]
	if r == noNode {
		r = main.forest.newBranch(&main.space, 2)
		main.forest.branch(r).setFlags(0, 0, 0)
	}
	b := main.forest.branch(r)
	var groups [16][]item
	for len(items) > 0 {
		n, count := main.group(items, 0)
		groups[n], items = items[:count], items[count:]
	}
	var next atomic.Int32
	var children [16]nodeRef
	together(workers, func(w *trieWorker) {
		for n := int(next.Add(1)) - 1; n < 16; n = int(next.Add(1)) - 1 {
			if len(groups[n]) > 0 {
				children[n] = of(w).update(b.child(n), 1, groups[n])
			}
		}
	})
	var moves reshaping
	for n := range groups {
		if len(groups[n]) > 0 {
			moves.place(b, n, children[n])
		}
	}
	return main.reshape(r, &moves, key, 0)
}

// sumTrie brings the sums of one trie up to date, shared among the workers.
func sumTrie[V any](workers []*trieWorker, of func(*trieWorker) *hashing[V], id uint32) {
	main := of(workers[0])
	root := rootAt(main.roots, id)
	if len(workers) == 1 || !root.node.isBranch() {
		main.addTrie(id)
		main.sum(0)
		return
	}
	root.dirty = false
	main.levels[0] = append(main.levels[0], job{node: root.node, parent: kindTrie | nodeRef(id)})
	b := main.forest.branch(root.node)
	dirty := b.dirty()
	b.clean()
	var next atomic.Int32
	together(workers, func(w *trieWorker) {
		h := of(w)
		for n := int(next.Add(1)) - 1; n < 16; n = int(next.Add(1)) - 1 {
			if dirty>>n&1 != 0 {
				h.add(job{b.child(n), root.node, uint8(n)}, 1)
			}
		}
		h.sum(upperLevels)
	})
	for _, w := range workers[1:] {
		h := of(w)
		main.levels[1] = append(main.levels[1], h.levels[1]...)
		h.levels[1] = h.levels[1][:0]
	}
	main.sum(0)
}

// BuildTrie returns the trie of the newest state of the DB, which must have no Tier.
// Only the DB's writer may call it.
func BuildTrie(db *DB) *Trie {
	t := NewTrie()
	const partSize = 1 << 19 // accounts and slots: bounds the memory for a part
	accounts, slots := db.Counts()
	count := uint64(accounts+slots) / partSize
	bitsOfPart := bits.Len64(count)
	for part := range uint64(1) << bitsOfPart {
		t.buildPart(db, func(addr *common.Address) bool {
			return binary.BigEndian.Uint64(addr[:8])>>(64-bitsOfPart) == part
		})
	}
	return t
}

// buildPart applies the accounts that belong to a part.
func (t *Trie) buildPart(db *DB, belongs func(*common.Address) bool) {
	var addrs []common.Address
	var records []accountRecord
	index := make(map[common.Address]int)
	db.eachAccount(func(addr *common.Address, r *accountRecord) {
		if belongs(addr) {
			if r.slots > 0 {
				index[*addr] = len(addrs)
			}
			addrs, records = append(addrs, *addr), append(records, *r)
		}
	})
	in := &t.in
	in.ends = make([]int, len(addrs))
	slots := 0
	for i := range records {
		slots += int(records[i].slots)
		in.ends[i] = slots
	}
	in.slotKeys, in.values = resize(in.slotKeys, slots), resize(in.values, slots)
	filled := make([]int, len(addrs))
	db.eachSlot(func(key *SlotKey, value *common.Hash) {
		if belongs(&key.Address) {
			i := index[key.Address]
			start, _ := in.slots(uint32(i))
			in.slotKeys[start+filled[i]], in.values[start+filled[i]] = key.Slot, *value
			filled[i]++
		}
	})
	in.codes = make(map[uint32]uint32)
	for i := range records {
		if n := t.codeNum(records[i].CodeHash); n != 0 {
			in.codes[uint32(i)] = n
		}
	}
	in.account = func(i uint32, l *accountLeaf) {
		r := &records[i]
		l.nonce, l.balance, l.code = r.Nonce, r.Balance, in.codes[i]
	}
	t.applyBatch(len(addrs), func(i int) []byte { return addrs[i][:] })
	in.account = nil
}
