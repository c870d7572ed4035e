package state

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

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

// nodeList holds encoded nodes in a few large pieces of memory.
type nodeList struct {
	nodes  []foundNode
	pieces [][]byte
	room   int // where the last piece is free
}

// foundNode is a node by its first eight bytes and its place.
type foundNode struct {
	prefix      uint64
	start       uint32 // in its piece
	piece, size uint16
}

const minNodePiece, maxNodePiece = 16 << 10, 4 << 20

// next has room for one more node.
func (l *nodeList) next() []byte {
	n := len(l.pieces)
	if n == 0 || len(l.pieces[n-1])-l.room < maxNode {
		size := minNodePiece
		if n > 0 {
			size = min(2*len(l.pieces[n-1]), maxNodePiece)
		}
		l.pieces, l.room = append(l.pieces, make([]byte, size)), 0
		n++
	}
	return l.pieces[n-1][l.room : l.room : l.room+maxNode]
}

// took keeps what was written into the room.
func (l *nodeList) took(start, end int) {
	n := len(l.pieces) - 1
	node := foundNode{start: uint32(l.room + start), piece: uint16(n), size: uint16(end - start)}
	l.room += end
	rlp := l.at(&node)
	if len(rlp) >= 8 {
		node.prefix = binary.BigEndian.Uint64(rlp)
	} else {
		var first [8]byte
		copy(first[:], rlp)
		node.prefix = binary.BigEndian.Uint64(first[:])
	}
	l.nodes = append(l.nodes, node)
}

func (l *nodeList) at(n *foundNode) []byte {
	end := n.start + uint32(n.size)
	return l.pieces[n.piece][n.start:end:end]
}

// first is the first node that is left, or nil.
func (l *nodeList) first() []byte {
	if len(l.nodes) == 0 {
		return nil
	}
	return l.at(&l.nodes[0])
}

// sort orders the nodes by their bytes: by the first eight of them by digits, and where
// those are equal, which is rare, by the others.
func (l *nodeList) sort() {
	const digit = 11
	from, to := l.nodes, make([]foundNode, len(l.nodes))
	for shift := 0; shift < 64; shift += digit {
		var starts [1<<digit + 1]int
		for i := range from {
			starts[from[i].prefix>>shift&(1<<digit-1)+1]++
		}
		for i := 1; i < len(starts); i++ {
			starts[i] += starts[i-1]
		}
		for i := range from {
			d := from[i].prefix >> shift & (1<<digit - 1)
			to[starts[d]] = from[i]
			starts[d]++
		}
		from, to = to, from
	}
	l.nodes = from
	for rest := from; len(rest) > 1; {
		n := 1
		for n < len(rest) && rest[n].prefix == rest[0].prefix {
			n++
		}
		if n > 1 {
			slices.SortFunc(rest[:n], func(a, b foundNode) int { return bytes.Compare(l.at(&a), l.at(&b)) })
		}
		rest = rest[n:]
	}
}

// tracer finds the nodes that concern a batch of items in tries of one forest, for one
// goroutine. It changes nothing.
type tracer[V any] struct {
	sums  *hashing[V]
	keys  []common.Hash // by the index of the item
	found *nodeList
	// keep is told of all items of one key and of the value that is there, nil for none,
	// and reports whether there is one afterwards.
	keep func(items []item, value *V) bool
}

func (t *tracer[V]) note(r nodeRef, depth int) {
	start, end := t.sums.appendNode(t.found.next(), r, depth)
	t.found.took(start, end)
}

// group returns the nibble of the first item and how many of the sorted items have it.
func (t *tracer[V]) group(items []item, depth int) (n, count int) {
	nibbleOf := func(it *item) int {
		if depth < 16 {
			return int(it.prefix >> (60 - 4*depth) & 15)
		}
		return nibble(&t.keys[it.i], depth)
	}
	n = nibbleOf(&items[0])
	for count = 1; count < len(items) && nibbleOf(&items[count]) == n; count++ {
	}
	return n, count
}

// walk notes r, a node at depth, unless it is within its parent, and what is below it on
// the way to the items, which are sorted and agree up to depth. It reports whether
// anything is there afterwards.
func (t *tracer[V]) walk(r nodeRef, depth int, items []item, embedded bool) bool {
	if r != noNode && !embedded {
		t.note(r, depth)
	}
	f := t.sums.forest
	switch {
	case r == noNode:
		return t.absent(items)
	case r.kind() == kindLeaf:
		l := f.leaf(r)
		before, here, behind := t.split(items, &l.key, depth, keyNibbles)
		stays := len(here) == 0 || t.keep(here, &l.value)
		return t.absent(before) || t.absent(behind) || stays
	case r.kind() == kindExt:
		x := f.ext(r)
		before, here, behind := t.split(items, &x.key, depth, int(x.end))
		stays := len(here) == 0 || t.walk(x.child, int(x.end), here, x.short)
		return t.absent(before) || t.absent(behind) || stays
	default:
		return t.walkBranch(f.branch(r), depth, items)
	}
}

func (t *tracer[V]) walkBranch(b branch, depth int, items []item) bool {
	left := b.mask() // children afterwards
	var known uint16 // those that items lead to
	for len(items) > 0 {
		n, count := t.group(items, depth)
		known |= 1 << n
		if t.walk(b.child(n), depth+1, items[:count], b.short()>>n&1 != 0) {
			left |= 1 << n
		} else {
			left &^= 1 << n
		}
		items = items[count:]
	}
	t.noteLast(b, depth, left, known)
	return left != 0
}

// noteLast notes the child that takes the branch's place, if a single one is left.
func (t *tracer[V]) noteLast(b branch, depth int, left, known uint16) {
	if bits.OnesCount16(left) != 1 || left&known != 0 {
		return
	}
	if n := bits.TrailingZeros16(left); b.short()>>n&1 == 0 {
		t.note(b.child(n), depth+1)
	}
}

// split divides the items into those that follow the key from depth to end and those
// that are before and behind it.
func (t *tracer[V]) split(items []item, key *common.Hash, depth, end int) (before, here, behind []item) {
	first, last := len(items), len(items)
	for i := range items {
		k := &t.keys[items[i].i]
		switch at := commonNibbles(key, k, depth, end); {
		case at == end:
			first = min(first, i)
		case nibble(k, at) > nibble(key, at):
			first, last = min(first, i), i
			return items[:first], items[first:last], items[last:]
		}
	}
	return items[:first], items[first:last], items[last:]
}

// absent reports whether any of the items, for none of which there is a value, makes one.
func (t *tracer[V]) absent(items []item) (made bool) {
	for len(items) > 0 {
		count := 1
		for count < len(items) && t.keys[items[count].i] == t.keys[items[0].i] {
			count++
		}
		if t.keep(items[:count], nil) {
			made = true
		}
		items = items[count:]
	}
	return made
}

// traceTrie is tracer.walk at the root, shared among the tracers if that pays.
func traceTrie[V any](tracers []*witnessTracer, of func(*witnessTracer) *tracer[V], r nodeRef, items []item) bool {
	main := of(tracers[0])
	if len(items) == 0 {
		return r != noNode
	}
	if len(items) < parallelLeaves || len(tracers) == 1 || !r.isBranch() {
		return main.walk(r, 0, items, false)
	}
	main.note(r, 0)
	b := main.sums.forest.branch(r)
	var groups [16][]item
	left, known := b.mask(), uint16(0)
	for len(items) > 0 {
		n, count := main.group(items, 0)
		groups[n], items = items[:count], items[count:]
		known |= 1 << n
	}
	var stays [16]bool
	var next atomic.Int32
	eachTracer(tracers, func(tracer *witnessTracer) {
		tr := of(tracer)
		for n := int(next.Add(1)) - 1; n < 16; n = int(next.Add(1)) - 1 {
			if len(groups[n]) > 0 {
				stays[n] = tr.walk(b.child(n), 1, groups[n], b.short()>>n&1 != 0)
			}
		}
	})
	for n := range groups {
		if known>>n&1 != 0 {
			if left &^= 1 << n; stays[n] {
				left |= 1 << n
			}
		}
	}
	main.noteLast(b, 0, left, known)
	return left != 0
}
