package rpc

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// What bookkeeping counts, in bytes, beside the JSON of items and the words of
// queries.
const (
	itemBytes   = 64  // of one item
	holdBytes   = 16  // of one chunk in the list of one filter
	filterBytes = 512 // of one filter
	entryBytes  = 128 // of one address or topic in the index
)

// chunk is rendered items that filters share. It never changes, its holders aside.
type chunk struct {
	items   []rawJSON
	bytes   int
	holders int // filters that have it unread
}

func newChunk(items ...rawJSON) *chunk {
	c := &chunk{items: items}
	for _, item := range items {
		c.bytes += len(item) + itemBytes
	}
	return c
}

// filter collects for a client that polls.
type filter struct {
	id      string
	group   *filterGroup
	chunks  []*chunk // unread
	items   int      // in chunks
	bytes   int      // in chunks, with what others hold too
	expires time.Time
}

// filterGroup is all filters that select the same: events are matched once for all
// of them.
type filterGroup struct {
	key     groupKey
	kind    topicKind
	query   *logQuery // of kindLogs
	bytes   int       // of the query and its places in the index
	members map[*filter]struct{}
	found   []*chunk // of the event that is being published
}

type groupKey [sha256.Size]byte

type groupSet map[*filterGroup]struct{}

// filterSet is all polling filters. An event costs one rendering and one entry in
// the list of each filter that selects it, and logs find their filters by an index.
// What is unread is bounded over all filters: the one that holds most goes first.
// It is not safe for concurrent use.
type filterSet struct {
	maxItems int // of one filter
	maxBytes int // of all
	timeout  time.Duration

	byID   map[string]*filter
	groups map[groupKey]*filterGroup
	bytes  int // of all filters, each chunk counted once
	gone   goneFilters

	// Groups of kindLogs, each at one kind of place: at its addresses; if it has
	// none at its first topics; else in rest.
	byAddress map[common.Address]groupSet
	byTopic   map[common.Hash]groupSet
	rest      groupSet
}

func newFilterSet(o *Options) *filterSet {
	return &filterSet{
		maxItems: o.MaxFilterItems, maxBytes: o.MaxFilterBytes, timeout: o.FilterTimeout,
		byID: make(map[string]*filter), groups: make(map[groupKey]*filterGroup),
		byAddress: make(map[common.Address]groupSet), byTopic: make(map[common.Hash]groupSet), rest: make(groupSet),
	}
}

func keyOf(kind topicKind, q *logQuery) groupKey {
	b := []byte{byte(kind)}
	if q == nil {
		return sha256.Sum256(b)
	}
	for _, ref := range []blockRef{q.from, q.to} {
		b = binary.BigEndian.AppendUint64(append(b, byte(ref.tag)), ref.number)
	}
	if q.blockHash != nil {
		b = append(append(b, 1), q.blockHash[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(len(q.addresses)))
	for i := range q.addresses {
		b = append(b, q.addresses[i][:]...)
	}
	for _, alts := range q.topics {
		b = binary.BigEndian.AppendUint64(b, uint64(len(alts)))
		for i := range alts {
			b = append(b, alts[i][:]...)
		}
	}
	return sha256.Sum256(b)
}

// add installs a filter.
func (fs *filterSet) add(id string, kind topicKind, q *logQuery, expires time.Time) {
	key := keyOf(kind, q)
	g, ok := fs.groups[key]
	if !ok {
		g = &filterGroup{key: key, kind: kind, query: q, members: make(map[*filter]struct{})}
		fs.groups[key] = g
		if q != nil {
			g.bytes = entryBytes + q.size()
			fs.index(g, func(s groupSet) { s[g] = struct{}{}; g.bytes += entryBytes })
		}
		fs.bytes += g.bytes
	}
	f := &filter{id: id, group: g, expires: expires}
	g.members[f] = struct{}{}
	fs.byID[id] = f
	fs.bytes += filterBytes
	fs.shed()
}

// index calls visit with every set of the index that g belongs to, made if missing
// and deleted if visit leaves it empty.
func (fs *filterSet) index(g *filterGroup, visit func(groupSet)) {
	q := g.query
	switch {
	case q.blockHash != nil: // selects nothing that comes
	case len(q.addresses) > 0:
		visitSets(fs.byAddress, q.addresses, visit)
	case len(q.topics) > 0 && len(q.topics[0]) > 0:
		visitSets(fs.byTopic, q.topics[0], visit)
	default:
		visit(fs.rest)
	}
}

// visitSets calls visit with the sets of the keys, made if missing and deleted if visit
// leaves them empty.
func visitSets[K, E comparable, S ~map[E]struct{}](sets map[K]S, keys []K, visit func(S)) {
	for _, k := range keys {
		s, ok := sets[k]
		if !ok {
			s = make(S)
			sets[k] = s
		}
		visit(s)
		if len(s) == 0 {
			delete(sets, k)
		}
	}
}

// remove ends a filter.
func (fs *filterSet) remove(f *filter) {
	fs.release(f, len(f.chunks))
	delete(fs.byID, f.id)
	fs.bytes -= filterBytes
	g := f.group
	delete(g.members, f)
	if len(g.members) > 0 {
		return
	}
	delete(fs.groups, g.key)
	fs.bytes -= g.bytes
	if g.query != nil {
		fs.index(g, func(s groupSet) { delete(s, g) })
	}
}

// release drops the filter's first n chunks.
func (fs *filterSet) release(f *filter, n int) {
	for i, c := range f.chunks[:n] {
		f.chunks[i] = nil
		f.items -= len(c.items)
		f.bytes -= c.bytes + holdBytes
		fs.bytes -= holdBytes
		if c.holders--; c.holders == 0 {
			fs.bytes -= c.bytes
		}
	}
	if f.chunks = f.chunks[n:]; len(f.chunks) == 0 {
		f.chunks = nil
	}
}

// take returns what a filter has collected, at most maxBytes or one chunk; the rest
// stays for the next poll.
func (fs *filterSet) take(f *filter, maxBytes int) []*chunk {
	n, size := 0, 0
	for _, c := range f.chunks {
		if size += c.bytes; n > 0 && size > maxBytes {
			break
		}
		n++
	}
	out := append([]*chunk(nil), f.chunks[:n]...)
	fs.release(f, n)
	return out
}

// expire removes filters that nobody polled.
func (fs *filterSet) expire(now time.Time) {
	for _, f := range fs.byID {
		if now.After(f.expires) {
			fs.drop(f, goneExpired(fs.timeout))
		}
	}
}

// drop removes a filter against its owner's will; the next poll is told why.
func (fs *filterSet) drop(f *filter, why *Error) {
	fs.remove(f)
	fs.gone.add(f.id, why)
}

// dropAll drops every filter.
func (fs *filterSet) dropAll(why *Error) {
	for _, f := range fs.byID {
		fs.drop(f, why)
	}
}

// shed drops the filters that hold most until what is left is within bounds.
func (fs *filterSet) shed() {
	for fs.bytes > fs.maxBytes {
		var most *filter
		size := -1
		for _, f := range fs.byID {
			if n := f.bytes + f.group.bytes; n > size {
				most, size = f, n
			}
		}
		if most == nil {
			return
		}
		fs.drop(most, goneBytes(fs.maxBytes))
	}
}

// of is the group of the filters of a kind that has no query, nil if there are none.
func (fs *filterSet) of(kind topicKind) *filterGroup { return fs.groups[keyOf(kind, nil)] }

// deliver adds chunks to all filters of a group. One that overflows is dropped, so
// that its owner learns of the gap.
func (fs *filterSet) deliver(g *filterGroup, chunks ...*chunk) {
	items, bytes := 0, 0
	for _, c := range chunks {
		items += len(c.items)
		bytes += c.bytes + holdBytes
	}
	for f := range g.members {
		if f.items+items > fs.maxItems {
			fs.drop(f, goneItems(fs.maxItems))
			continue
		}
		f.chunks = append(f.chunks, chunks...)
		f.items += items
		f.bytes += bytes
		fs.bytes += holdBytes * len(chunks)
		for _, c := range chunks {
			if c.holders++; c.holders == 1 {
				fs.bytes += c.bytes
			}
		}
	}
}

// candidates calls visit with every group whose place in the index fits the log;
// the rest of its query is to be matched.
func (fs *filterSet) candidates(l *types.Log, visit func(g *filterGroup)) {
	for g := range fs.byAddress[l.Address] {
		visit(g)
	}
	if len(l.Topics) > 0 {
		for g := range fs.byTopic[l.Topics[0]] {
			visit(g)
		}
	}
	for g := range fs.rest {
		visit(g)
	}
}

// publishHead delivers the hash of a sealed block.
func (fs *filterSet) publishHead(hash common.Hash) {
	if g := fs.of(kindHeads); g != nil {
		fs.deliver(g, newChunk(hexData(hash[:])))
		fs.shed()
	}
}

// publishMini delivers what a mini-block holds.
func (fs *filterSet) publishMini(p *miniPayloads) {
	for _, kind := range []topicKind{kindPending, kindPendingFull} {
		if g := fs.of(kind); g != nil {
			if items := p.txs(kind); len(items) > 0 {
				fs.deliver(g, newChunk(items...))
			}
		}
	}
	if len(fs.byAddress)+len(fs.byTopic)+len(fs.rest) > 0 {
		fs.publishLogs(p)
	}
	fs.shed()
}

func (fs *filterSet) publishLogs(p *miniPayloads) {
	var hit []*filterGroup
	block := p.m.Header.BlockNumber
	p.eachLog(func(_ int, l *types.Log, render func() *shared) bool {
		var c *chunk
		fs.candidates(l, func(g *filterGroup) {
			if !g.query.inRange(block) || !g.query.matches(l) {
				return
			}
			if c == nil {
				c = newChunk(render().result)
			}
			if len(g.found) == 0 {
				hit = append(hit, g)
			}
			g.found = append(g.found, c)
		})
		return true
	})
	for _, g := range hit {
		fs.deliver(g, g.found...)
		g.found = nil
	}
}
