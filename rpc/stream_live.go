package rpc

import (
	"context"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// subscription pushes to one WebSocket connection. Its stream is in one of three
// states: silent until the client has its id, behind while its connection's pump
// brings it to where the hub is, and live. hub.mu guards what is not fixed.
type subscription struct {
	id     string
	kind   topicKind
	query  *logQuery        // of kindLogs
	hashes []common.Hash    // of kindReceipts, sorted; none: all
	addrs  []common.Address // of kindChanges, sorted; none: all
	conn   *wsConn
	words  int         // bytes that what it names takes
	prefix []byte      // of its messages
	plain  bool        // made without options: its client may not know gap events
	ended  atomic.Bool // nothing is pushed any more

	from    *position // where the client wants it to begin; nil: now
	live    bool
	pos     position  // while behind
	fork    *position // the chain was taken back to here while it was behind
	was     bool      // live at some time: it may be told of a gap
	asked   bool      // counts as a replay that a client asked for
	waiting bool      // for the hub, which is behind it
}

// measure is the memory of the words that the subscription names.
func (sub *subscription) measure() int {
	n := (entryBytes+common.HashLength)*len(sub.hashes) + (entryBytes+common.AddressLength)*len(sub.addrs)
	if q := sub.query; q != nil {
		n += q.size() + entryBytes*len(q.addresses)
		if len(q.addresses) == 0 && len(q.topics) > 0 {
			n += entryBytes * len(q.topics[0])
		}
	}
	return n
}

func (sub *subscription) wantsAddress(a common.Address) bool {
	return len(sub.addrs) == 0 || contains(sub.addrs, &a, compareAddresses)
}

type subSet map[*subscription]struct{}

// liveSet is the subscriptions that are live, each where what it selects finds it.
type liveSet struct {
	count   int
	all     [kinds]subSet // those that select everything, or by more than one word
	address map[common.Address]subSet
	topic   map[common.Hash]subSet // first topic, of queries without addresses
	receipt map[common.Hash]subSet // transaction
	changed map[common.Address]subSet
}

func newLiveSet() *liveSet {
	l := &liveSet{
		address: make(map[common.Address]subSet), topic: make(map[common.Hash]subSet),
		receipt: make(map[common.Hash]subSet), changed: make(map[common.Address]subSet),
	}
	for i := range l.all {
		l.all[i] = make(subSet)
	}
	return l
}

// visit calls f with every set that the subscription belongs to.
func (l *liveSet) visit(sub *subscription, f func(subSet)) {
	switch q := sub.query; {
	case sub.kind == kindLogs && len(q.addresses) > 0:
		visitSets(l.address, q.addresses, f)
	case sub.kind == kindLogs && len(q.topics) > 0 && len(q.topics[0]) > 0:
		visitSets(l.topic, q.topics[0], f)
	case len(sub.hashes) > 0:
		visitSets(l.receipt, sub.hashes, f)
	case len(sub.addrs) > 0:
		visitSets(l.changed, sub.addrs, f)
	default:
		f(l.all[sub.kind])
	}
}

func (l *liveSet) add(sub *subscription) {
	sub.live, sub.was = true, true
	l.count++
	l.visit(sub, func(s subSet) { s[sub] = struct{}{} })
}

func (l *liveSet) remove(sub *subscription) {
	sub.live = false
	l.count--
	l.visit(sub, func(s subSet) { delete(s, sub) })
}

// publishLive pushes a mini-block to the live subscriptions.
func (h *hub) publishLive(p *miniPayloads) {
	for kind, set := range h.live.all {
		switch topicKind(kind) {
		case kindMiniBlocks, kindMiniHashes, kindPending, kindPendingFull, kindReceipts:
		case kindChanges:
			if !h.changesKnown(p) {
				continue
			}
		default:
			continue
		}
		for sub := range set {
			p.each(context.Background(), sub, 0, func(item int, e *shared) bool { return h.push(sub, p.m, item, e) })
		}
	}
	if len(h.live.address)+len(h.live.topic)+len(h.live.all[kindLogs]) > 0 {
		p.eachLog(func(item int, l *types.Log, render func() *shared) bool {
			h.publishLog(p, item, l, render)
			return true
		})
	}
	if len(h.live.receipt) > 0 {
		for i := range p.places {
			for sub := range h.live.receipt[p.places[i].Tx.Hash()] {
				h.push(sub, p.m, i, p.tx(kindReceipts, i))
			}
		}
	}
	if len(h.live.changed) > 0 && h.changesKnown(p) {
		for i := range p.diff {
			for sub := range h.live.changed[p.diff[i].Address] {
				h.push(sub, p.m, i, p.change(i))
			}
		}
	}
}

func (h *hub) publishLog(p *miniPayloads, item int, l *types.Log, render func() *shared) {
	block := p.m.Header.BlockNumber
	push := func(set subSet) {
		for sub := range set {
			if sub.query.inRange(block) && sub.query.matches(l) {
				h.push(sub, p.m, item, render())
			}
		}
	}
	push(h.live.address[l.Address])
	if len(l.Topics) > 0 {
		push(h.live.topic[l.Topics[0]])
	}
	push(h.live.all[kindLogs])
}

// changesKnown has the state's changes at hand if somebody wants them. Those that cannot
// be told now are left to the pumps.
func (h *hub) changesKnown(p *miniPayloads) bool {
	if len(h.live.changed)+len(h.live.all[kindChanges]) == 0 {
		return false
	}
	if _, err := p.changes(context.Background()); err == nil {
		return true
	}
	for _, sub := range h.subs {
		if sub.live && sub.kind == kindChanges {
			h.lag(sub, position{next: p.m.Header.Number, last: p.m.Header.ParentHash})
		}
	}
	return false
}

// push queues an event for a live subscription. One whose connection has no room is
// from then on behind.
func (h *hub) push(sub *subscription, m *MiniBlock, item int, e *shared) bool {
	if !sub.live {
		return false
	}
	if sub.conn.offer(sub, e.tail) {
		return true
	}
	h.lag(sub, position{next: m.Header.Number, skip: uint64(item), last: m.Header.ParentHash, current: m.Hash})
	return false
}

// lag leaves a live subscription to its connection's pump, from pos on.
func (h *hub) lag(sub *subscription, pos position) {
	h.live.remove(sub)
	h.follow(sub, pos)
}
