package state

import (
	"bytes"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/keccak"
)

// Witness returns what somebody without the state needs to look up everything in reads,
// and to bring the trie's root forward by the diff: the RLP of the nodes on the way to
// each account and slot, as far as the way leads, and where a branch is left with a
// single child, that child, which takes the branch's place. Nodes are ascending, each
// once; those within their parents are not listed. codes are the hashes of the codes that
// reads want, of those that accounts have in the trie, ascending, each once.
//
// The trie must be that of the state in which the reads began: Witness goes before Apply.
// It changes nothing but hashes that are out of date. Apply of the same diff, right after
// it, hashes no keys again. Many nodes are encoded by several
// goroutines.
func (t *Trie) Witness(reads *ReadSet, diff Diff) (nodes [][]byte, codes []common.Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum()
	w := witness{trie: t, diff: diff, reads: reads}
	w.hash(w.gather())
	w.walkLarge()
	root := rootAt(&t.roots, accountTrie).node
	traceTrie(w.tracers, func(tr *witnessTracer) *tracer[accountLeaf] { return &tr.accounts }, root, w.items)
	return w.sorted(), w.codes(root)
}

// witness is one call of Witness. Its accounts are those of the diff, with their numbers
// there, and after them those that were only read.
type witness struct {
	trie  *Trie
	diff  Diff
	reads *ReadSet

	only     []int32 // of the accounts that were only read, their numbers in reads
	keys     []common.Hash
	items    []item
	ends     []int           // slots of account i end there, among those of all accounts
	slots    []item          // by account
	slotKeys []common.Hash   // those of the diff, and after them those that were only read
	written  []*SlotDiff     // by slotKeys, as far as they are the diff's
	large    map[uint32]bool // whether accounts with many slots have storage afterwards
	tracers  []*witnessTracer
}

// witnessTracer is what one goroutine needs.
type witnessTracer struct {
	accounts tracer[accountLeaf]
	storage  tracer[common.Hash]
	found    nodeList
	scratch  []item
}

// eachTracer runs f for each, in a goroutine each if there are several.
func eachTracer(tracers []*witnessTracer, f func(*witnessTracer)) {
	var others sync.WaitGroup
	for _, tr := range tracers[1:] {
		others.Go(func() { f(tr) })
	}
	f(tracers[0])
	others.Wait()
}

// slotRange returns the range of the account's slots.
func (w *witness) slotRange(i uint32) (start, end int) {
	if i > 0 {
		start = w.ends[i-1]
	}
	return start, w.ends[i]
}

// gather lists what was read and changed, by account, and returns which account each slot
// in slotKeys belongs to.
func (w *witness) gather() (owners []int32) {
	s := w.reads
	place := make([]int32, len(s.index.keys)) // of the accounts in reads
	for i := range place {
		place[i] = -1
	}
	changed := 0
	for i := range w.diff {
		changed += len(w.diff[i].Storage)
		if len(place) > 0 {
			if n := s.index.find(&w.diff[i].Address); n >= 0 {
				place[n] = int32(i)
			}
		}
	}
	for n := range place {
		if place[n] < 0 {
			place[n] = int32(len(w.diff) + len(w.only))
			w.only = append(w.only, int32(n))
		}
	}
	slots := changed + len(s.slots.keys)
	w.slotKeys, w.written, owners = make([]common.Hash, 0, slots), make([]*SlotDiff, 0, changed), make([]int32, 0, slots)
	for i := range w.diff {
		for j := range w.diff[i].Storage {
			d := &w.diff[i].Storage[j]
			w.slotKeys, w.written, owners = append(w.slotKeys, d.Slot), append(w.written, d), append(owners, int32(i))
		}
	}
	for i := range s.slots.keys {
		k := &s.slots.keys[i]
		w.slotKeys, owners = append(w.slotKeys, k.slot), append(owners, place[k.account])
	}
	w.ends = make([]int, len(w.diff)+len(w.only))
	for _, i := range owners {
		w.ends[i]++
	}
	sum := 0
	for i, count := range w.ends {
		sum += count
		w.ends[i] = sum
	}
	return owners
}

// hash sets the keys, orders the slots by their owners and makes the tracers.
func (w *witness) hash(owners []int32) {
	t, n := w.trie, len(w.diff)+len(w.only)
	w.keys, w.items, w.slots = make([]common.Hash, n), make([]item, n), make([]item, len(w.slotKeys))
	t.hashKeys(w.keys, w.items, func(i int) []byte {
		if i < len(w.diff) {
			return w.diff[i].Address[:]
		}
		return w.reads.index.keys[w.only[i-len(w.diff)]][:]
	})
	t.hashKeys(w.slotKeys, w.slots, func(i int) []byte { return w.slotKeys[i][:] })
	if len(w.slotKeys) > len(w.written) { // else they are in order
		listed := slices.Clone(w.slots)
		next := make([]int, len(w.ends))
		for i := range next {
			next[i], _ = w.slotRange(uint32(i))
		}
		for i, owner := range owners {
			w.slots[next[owner]] = listed[i]
			next[owner]++
		}
	}
	t.hashed = hashedDiff{diff: w.diff, keys: w.keys[:len(w.diff)], slotKeys: w.slotKeys[:len(w.written)]}
	sortItems(w.items, nil, compareKeys(w.keys))
	workers := 1
	if n+len(w.slotKeys) >= parallelLeaves {
		workers = t.active
	}
	for i := range workers {
		sums := t.workers[i]
		tr := new(witnessTracer)
		tr.storage = tracer[common.Hash]{sums: &sums.storageSums, keys: w.slotKeys, found: &tr.found, keep: w.keepSlots}
		tr.accounts = tracer[accountLeaf]{sums: &sums.accountSums, keys: w.keys, found: &tr.found, keep: func(items []item, l *accountLeaf) bool {
			return w.keepAccount(tr, items[0].i, l) // no account is listed twice
		}}
		w.tracers = append(w.tracers, tr)
	}
}

// keepSlots tells what becomes of a slot: of several items one may be a change.
func (w *witness) keepSlots(items []item, value *common.Hash) bool {
	for i := range items {
		if n := int(items[i].i); n < len(w.written) {
			return w.written[n].Value != common.Hash{}
		}
	}
	return value != nil
}

// keepAccount traces what concerns the account's storage and tells whether the account is
// in the trie afterwards. l is nil if it is not there before.
func (w *witness) keepAccount(tr *witnessTracer, i uint32, l *accountLeaf) bool {
	var after accountLeaf
	node := noNode
	if l != nil {
		if after = *l; l.storage != 0 {
			node = rootAt(&w.trie.roots, l.storage).node
		}
	}
	stored := node != noNode
	if start, end := w.slotRange(i); start < end {
		var ok bool
		if stored, ok = w.large[i]; !ok {
			items := w.slots[start:end]
			tr.scratch = sortItems(items, tr.scratch, compareKeys(w.slotKeys))
			stored = tr.storage.walk(node, 0, items, false)
		}
	}
	if int(i) < len(w.diff) {
		d := &w.diff[i]
		if d.Nonce != nil {
			after.nonce = *d.Nonce
		}
		if d.Balance != nil {
			after.balance = *d.Balance
		}
		if d.CodeChanged {
			if after.code = 0; len(d.Code) > 0 {
				after.code = 1 // whichever: it is not the empty one
			}
		}
	}
	after.storage = 0
	return stored || !after.isEmpty()
}

// walkLarge traces the storage of accounts with so many slots that they are worth several
// goroutines; that of others is traced with their account.
func (w *witness) walkLarge() {
	if len(w.tracers) == 1 || len(w.slotKeys) < parallelLeaves {
		return
	}
	t := w.trie
	root := rootAt(&t.roots, accountTrie).node
	for i := range w.ends {
		start, end := w.slotRange(uint32(i))
		if end-start < parallelLeaves {
			continue
		}
		node := noNode
		if l := t.accounts.get(root, &w.keys[i]); l != nil && l.storage != 0 {
			node = rootAt(&t.roots, l.storage).node
		}
		items := w.slots[start:end]
		tr := w.tracers[0]
		tr.scratch = sortItems(items, tr.scratch, compareKeys(w.slotKeys))
		stored := traceTrie(w.tracers, func(tr *witnessTracer) *tracer[common.Hash] { return &tr.storage }, node, items)
		if w.large == nil {
			w.large = make(map[uint32]bool)
		}
		w.large[uint32(i)] = stored
	}
}

// codes are the hashes of the codes that were looked at.
func (w *witness) codes(root nodeRef) []common.Hash {
	var out []common.Hash
	for n, used := range w.reads.codes {
		if !used {
			continue
		}
		addr := &w.reads.index.keys[n]
		key := keccak.Sum256(addr[:])
		if l := w.trie.accounts.get(root, &key); l != nil {
			if hash := w.trie.codes[l.code]; hash != types.EmptyCodeHash {
				out = append(out, hash)
			}
		}
	}
	slices.SortFunc(out, common.Hash.Cmp)
	return slices.Compact(out)
}

// sorted joins what the tracers found.
func (w *witness) sorted() [][]byte {
	eachTracer(w.tracers, func(tr *witnessTracer) { tr.found.sort() })
	total := 0
	for _, tr := range w.tracers {
		total += len(tr.found.nodes)
	}
	out := make([][]byte, 0, total)
	for {
		var least []byte
		var from *nodeList
		for _, tr := range w.tracers {
			if node := tr.found.first(); node != nil && (from == nil || bytes.Compare(node, least) < 0) {
				least, from = node, &tr.found
			}
		}
		if from == nil {
			return out
		}
		from.nodes = from.nodes[1:]
		// Equal tries of different accounts have equal nodes.
		if n := len(out); n == 0 || !bytes.Equal(out[n-1], least) {
			out = append(out, least)
		}
	}
}
