package rpc

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/talaria-l2/talaria/chain"
)

// topicKind is what a subscription or filter is about.
type topicKind uint8

const (
	kindLogs topicKind = iota
	kindHeads
	kindMiniBlocks
	kindPending     // hashes of published transactions
	kindPendingFull // the transactions themselves
)

// subscription pushes to one WebSocket connection.
type subscription struct {
	id    string
	kind  topicKind
	query *logQuery // of kindLogs
	conn  *wsConn
	live  bool // the client has its id
}

// hub fans published events out. One goroutine reads the feed; it never waits for a
// client: a subscription's connection has a bounded queue, and what filters hold is
// bounded too.
type hub struct {
	s    *Server
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	subs    map[string]*subscription
	filters *filterSet
}

func newHub(s *Server) *hub {
	return &hub{
		s: s, stop: make(chan struct{}), done: make(chan struct{}),
		subs: make(map[string]*subscription), filters: newFilterSet(&s.opts),
	}
}

// run reads the feed until stop closes.
func (h *hub) run(reader *FeedReader) {
	defer close(h.done)
	defer func() { reader.Close() }()
	tick := time.NewTicker(max(h.s.opts.FilterTimeout/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-tick.C:
			h.expire(now)
		case ev, ok := <-reader.Events():
			if !ok {
				h.overrun()
				reader = h.s.backend.Subscribe(h.s.opts.FeedBuffer)
				continue
			}
			h.publish(ev)
		}
	}
}

// overrun drops everyone who would miss events: a gap is never silent.
func (h *hub) overrun() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, sub := range h.subs {
		sub.conn.drop(closeOverrun, "event feed fell behind: connect again")
		delete(h.subs, id)
	}
	h.filters = newFilterSet(&h.s.opts)
}

func (h *hub) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.filters.expire(now)
}

// publish delivers one event.
func (h *hub) publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) == 0 && len(h.filters.byID) == 0 {
		return
	}
	if ev.MiniBlock != nil {
		h.publishMini(ev.MiniBlock)
	}
	if ev.Sealed != nil {
		h.publishHead(ev.Sealed)
	}
}

func (h *hub) publishHead(b *chain.Block) {
	var head rawJSON
	for _, sub := range h.subs {
		if sub.kind == kindHeads && sub.live {
			if head == nil {
				head = newHeadJSON(b)
			}
			sub.conn.notify(sub.id, head)
		}
	}
	h.filters.publishHead(b.Hash())
}

// miniPayloads renders the parts of a mini-block at most once each.
type miniPayloads struct {
	m      *MiniBlock
	places []TxInfo
	whole  rawJSON
	hashes []rawJSON // of transactions, deposits aside
	full   []rawJSON // the same transactions whole
	logs   map[logPlace]rawJSON
}

type logPlace struct{ tx, log int }

func (p *miniPayloads) log(at logPlace) rawJSON {
	enc, ok := p.logs[at]
	if !ok {
		t := &p.places[at.tx]
		l := t.Receipt.Logs[at.log]
		w := newWriter(800 + 2*len(l.Data))
		w.log(l, t, uint64(at.log))
		enc = w.b
		p.logs[at] = enc
	}
	return enc
}

// txs are the mini-block's transactions without its deposits: hashes, or whole if
// kind is kindPendingFull.
func (p *miniPayloads) txs(kind topicKind) []rawJSON {
	list, render := &p.hashes, hashJSON
	if kind == kindPendingFull {
		list, render = &p.full, txJSON
	}
	if *list == nil {
		*list = make([]rawJSON, 0, len(p.places))
		for i := range p.places {
			if t := &p.places[i]; !t.Tx.IsDeposit() {
				*list = append(*list, render(t))
			}
		}
	}
	return *list
}

func hashJSON(t *TxInfo) rawJSON {
	hash := t.Tx.Hash()
	return hexData(hash[:])
}

// each calls deliver for every payload of that kind.
func (p *miniPayloads) each(kind topicKind, q *logQuery, deliver func(rawJSON)) {
	switch kind {
	case kindLogs:
		if !q.inRange(p.m.Header.BlockNumber) {
			return
		}
		for i := range p.places {
			for k, l := range p.places[i].Receipt.Logs {
				if q.matches(l) {
					deliver(p.log(logPlace{i, k}))
				}
			}
		}
	case kindPending, kindPendingFull:
		for _, payload := range p.txs(kind) {
			deliver(payload)
		}
	}
}

func (h *hub) publishMini(m *MiniBlock) {
	p := &miniPayloads{m: m, places: m.places(), logs: make(map[logPlace]rawJSON)}
	for _, sub := range h.subs {
		if !sub.live {
			continue
		}
		if sub.kind == kindMiniBlocks {
			if p.whole == nil {
				p.whole = miniBlockJSON(m, h.s.tiers())
			}
			sub.conn.notify(sub.id, p.whole)
			continue
		}
		p.each(sub.kind, sub.query, func(payload rawJSON) { sub.conn.notify(sub.id, payload) })
	}
	h.filters.publishMini(p)
}

// newID is an unguessable identifier in hex.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return "0x" + hex.EncodeToString(b[:])
}

// add registers a subscription that is silent until activate.
func (h *hub) add(conn *wsConn, kind topicKind, q *logQuery) (*subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if conn.closed() {
		return nil, Errorf(CodeServer, "connection is closing")
	}
	if conn.subs >= h.s.opts.MaxSubscriptions {
		return nil, Errorf(CodeLimit, "connection has %d subscriptions, which is the limit: unsubscribe or open another connection", conn.subs)
	}
	conn.subs++
	sub := &subscription{id: newID(), kind: kind, query: q, conn: conn}
	h.subs[sub.id] = sub
	return sub, nil
}

// activate starts subscriptions with the answer that names them: nothing is pushed
// before it, and nothing that is published after it is missed.
func (h *hub) activate(subs []*subscription, answer func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer()
	for _, sub := range subs {
		sub.live = true
	}
}

// remove ends a subscription of that connection.
func (h *hub) remove(conn *wsConn, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub, ok := h.subs[id]
	if !ok || sub.conn != conn {
		return false
	}
	conn.subs--
	delete(h.subs, id)
	return true
}

// removeConn ends all subscriptions of a connection.
func (h *hub) removeConn(conn *wsConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if conn.subs == 0 {
		return
	}
	for id, sub := range h.subs {
		if sub.conn == conn {
			delete(h.subs, id)
		}
	}
	conn.subs = 0
}

// addFilter installs a polling filter.
func (h *hub) addFilter(kind topicKind, q *logQuery) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.filters.byID); n >= h.s.opts.MaxFilters {
		return "", Errorf(CodeLimit, "node has %d filters, which is the limit: uninstall some, or subscribe", n)
	}
	id := newID()
	h.filters.add(id, kind, q, h.expiry())
	if h.filters.byID[id] == nil {
		return "", Errorf(CodeLimit, "node's filters hold %d bytes, which is the limit: select fewer addresses and topics, or subscribe", h.s.opts.MaxFilterBytes)
	}
	return id, nil
}

// expiry is when a filter ends that is used now.
func (h *hub) expiry() time.Time { return time.Now().Add(h.s.opts.FilterTimeout) }

var errNoFilter = &Error{Code: CodeServer, Message: "filter not found"}

// take returns what a filter has collected since the last take, as far as it fits
// an answer.
func (h *hub) take(id string) ([]*chunk, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if !ok {
		return nil, errNoFilter
	}
	f.expires = h.expiry()
	return h.filters.take(f, h.s.opts.MaxResponseBytes), nil
}

func (h *hub) queryOf(id string) (*logQuery, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if !ok || f.group.kind != kindLogs {
		return nil, errNoFilter
	}
	f.expires = h.expiry()
	return f.group.query, nil
}

func (h *hub) removeFilter(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if ok {
		h.filters.remove(f)
	}
	return ok
}
