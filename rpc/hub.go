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
	kindMiniHashes  // mini-blocks with hashes of transactions, without receipts
	kindPending     // hashes of published transactions
	kindPendingFull // the transactions themselves
	kindReceipts
	kindChanges // of the state
	kindSyncing
	kinds // how many there are
)

// letter names the kind in cursors. Both forms of pending transactions are one kind
// there.
func (k topicKind) letter() byte { return "lhmmttrcs"[k] }

// hub fans published events out. One goroutine reads the feed; it never waits for a
// client: a subscription whose connection has no room is brought up later, by a pump
// that reads what was published again, and what filters hold is bounded.
type hub struct {
	s     *Server
	stop  chan struct{}
	done  chan struct{}
	reads chan struct{} // one per pump that reads

	mu      sync.Mutex
	subs    map[string]*subscription
	live    *liveSet
	waiting []*subscription // until the hub gets where they are
	asked   int             // subscriptions that replay because their clients asked
	words   int             // bytes that the subscriptions' words take
	mini    position        // of the next mini-block
	block   position        // of the next block
	synced  SyncStatus      // as it was last told
	filters *filterSet
}

func newHub(s *Server) *hub {
	return &hub{
		s: s, stop: make(chan struct{}), done: make(chan struct{}), reads: make(chan struct{}, maxReads),
		subs: make(map[string]*subscription), live: newLiveSet(), filters: newFilterSet(&s.opts),
	}
}

// syncInterval is how often the node is asked whether it is behind, when somebody wants
// to know.
const syncInterval = time.Second

// run reads the feed until stop closes.
func (h *hub) run(reader *FeedReader) {
	defer close(h.done)
	defer func() { reader.Close() }()
	tick := time.NewTicker(max(h.s.opts.FilterTimeout/10, time.Millisecond))
	defer tick.Stop()
	sync := time.NewTicker(syncInterval)
	defer sync.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-tick.C:
			h.expire(now)
		case <-sync.C:
			h.checkSync()
		case ev, ok := <-reader.Events():
			if !ok {
				reader = h.s.backend.Subscribe(h.s.opts.FeedBuffer)
				h.overrun()
				continue
			}
			h.publish(ev)
		}
	}
}

// overrun continues after a gap in the feed: subscriptions are brought up by their
// pumps, filters are gone, so that nobody misses something without knowing.
func (h *hub) overrun() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.allLag()
	h.locate()
	h.filters.dropAll(goneMissed())
	h.wakeWaiting()
}

// allLag leaves all live subscriptions to their pumps.
func (h *hub) allLag() {
	for _, sub := range h.subs {
		if sub.live && sub.kind != kindSyncing {
			h.lag(sub, *h.at(sub.kind))
		}
	}
}

// at is the hub's own position in streams of a kind.
func (h *hub) at(kind topicKind) *position {
	if kind == kindHeads {
		return &h.block
	}
	return &h.mini
}

func (h *hub) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.filters.expire(now)
}

// publish delivers one event. What the hub has delivered already, since it was there
// when it looked where the chain is, is passed over.
func (h *hub) publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ev.Rewound != nil:
		h.rewind(ev.Rewound)
	case ev.MiniBlock != nil && ev.MiniBlock.Header.Number >= h.mini.next:
		h.publishMini(ev.MiniBlock)
	case ev.Sealed != nil && ev.Sealed.Number() >= h.block.next:
		h.publishHead(ev.Sealed)
	}
	h.wakeWaiting()
}

func (h *hub) publishHead(b *chain.Block) {
	pos := position{next: b.Number(), last: b.Header.ParentHash}
	if set := h.live.all[kindHeads]; len(set) > 0 {
		head := shareHead(b)
		for sub := range set {
			if b.Number() > h.block.next {
				h.lag(sub, h.block) // the feed has left blocks out
			} else if !sub.conn.offer(sub, head.tail) {
				h.lag(sub, pos)
			}
		}
	}
	h.block = position{next: b.Number() + 1, last: b.Hash()}
	h.filters.publishHead(b.Hash())
}

func (h *hub) publishMini(m *MiniBlock) {
	if m.Header.Number > h.mini.next {
		h.allLag() // the feed has left mini-blocks out
	}
	if h.live.count > 0 || len(h.filters.byID) > 0 {
		p := newMiniPayloads(h.s, m)
		h.publishLive(p)
		h.filters.publishMini(p)
	}
	h.mini = position{next: m.Header.Number + 1, last: m.Hash}
}

// checkSync tells who wants to know when the node falls behind, or has caught up.
func (h *hub) checkSync() {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.live.all[kindSyncing]
	if len(set) == 0 {
		return
	}
	now := h.s.backend.Sync()
	if now.Syncing == h.synced.Syncing {
		return
	}
	h.synced = now
	e := shareSync(now)
	for sub := range set {
		if !sub.conn.offer(sub, e.tail) {
			sub.conn.finish(closeSlow, "slow consumer: no room for an event of syncing, read faster or subscribe to less", true)
		}
	}
}

// shareSync is go-ethereum's event of a node that begins or ends to be behind.
func shareSync(st SyncStatus) shared {
	return share(256, cursor{letter: kindSyncing.letter(), start: true}, func(w *writer) {
		if !st.Syncing {
			w.bool(false)
			return
		}
		w.open('{')
		w.key("syncing").bool(true)
		w.key("status").open('{')
		w.key("startingBlock").qty(st.Starting)
		w.key("currentBlock").qty(st.Current)
		w.key("highestBlock").qty(st.Highest)
		w.shut('}')
		w.shut('}')
	})
}

// newID is an unguessable identifier: a quantity in hex, as which filters have theirs, so
// that it does not begin with zero.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[0] |= 0x80
	return "0x" + hex.EncodeToString(b[:])
}

// add registers a subscription that is silent until activate.
func (h *hub) add(sub *subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	conn, o := sub.conn, &h.s.opts
	if conn.ended || conn.closed() {
		return Errorf(CodeServer, "connection is closing")
	}
	if len(conn.subs) >= o.MaxSubscriptions {
		return Errorf(CodeLimit, "connection has %d subscriptions, which is the limit: unsubscribe or open another connection", len(conn.subs))
	}
	if sub.words = sub.measure(); h.words+sub.words > o.MaxSubscribed {
		return Errorf(CodeLimit, "node's subscriptions name addresses, topics and hashes of %d bytes, the limit is %d: name fewer, or retry later", h.words, o.MaxSubscribed)
	}
	if sub.from != nil {
		if h.asked >= o.MaxReplays {
			return Errorf(CodeLimit, "node replays %d subscriptions, which is the limit: retry in a moment", h.asked)
		}
		sub.asked = true
		h.asked++
	}
	if conn.subs == nil {
		conn.subs = make(subSet)
	}
	conn.subs[sub] = struct{}{}
	h.words += sub.words
	sub.id = newID()
	sub.prefix = []byte(`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"` + sub.id + `",`)
	h.subs[sub.id] = sub
	return nil
}

// activate starts subscriptions with the answer that names them: nothing is pushed
// before it, and nothing that is published after it is missed.
func (h *hub) activate(subs []*subscription, answer func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer()
	for _, sub := range subs {
		switch {
		case h.subs[sub.id] != sub: // ended meanwhile
		case sub.from != nil:
			h.follow(sub, *sub.from)
		default:
			if sub.kind == kindSyncing {
				h.synced = h.s.backend.Sync()
				sub.conn.offer(sub, shareSync(h.synced).tail)
			}
			h.live.add(sub)
		}
	}
}

// dismiss ends subscriptions of whose ids the client will never hear.
func (h *hub) dismiss(subs []*subscription) {
	if len(subs) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range subs {
		if h.subs[sub.id] == sub {
			h.end(sub)
		}
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
	h.end(sub)
	return true
}

func (h *hub) end(sub *subscription) {
	sub.ended.Store(true)
	delete(sub.conn.subs, sub)
	h.words -= sub.words
	delete(h.subs, sub.id)
	if sub.live {
		h.live.remove(sub)
	}
	h.replayed(sub)
}

// replayed gives the place of a replay back that a client asked for.
func (h *hub) replayed(sub *subscription) {
	if sub.asked {
		sub.asked = false
		h.asked--
	}
}

// removeConn ends all subscriptions of a connection, for good.
func (h *hub) removeConn(conn *wsConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	conn.ended = true
	for sub := range conn.subs {
		h.end(sub)
	}
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
		h.filters.gone.forget(id)
		return "", Errorf(CodeLimit, "node's filters hold %d bytes, which is the limit: select fewer addresses and topics, or subscribe", h.s.opts.MaxFilterBytes)
	}
	return id, nil
}

// expiry is when a filter ends that is used now.
func (h *hub) expiry() time.Time { return time.Now().Add(h.s.opts.FilterTimeout) }

// take returns what a filter has collected since the last take, as far as it fits
// an answer.
func (h *hub) take(id string) ([]*chunk, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if !ok {
		return nil, h.filters.gone.why(id)
	}
	f.expires = h.expiry()
	return h.filters.take(f, h.s.opts.MaxResponseBytes), nil
}

func (h *hub) queryOf(id string) (*logQuery, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if !ok || f.group.kind != kindLogs {
		return nil, h.filters.gone.why(id)
	}
	f.expires = h.expiry()
	return f.group.query, nil
}

// removeFilter ends a filter. One that the node has dropped is found, too, as long as it
// is remembered.
func (h *hub) removeFilter(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters.byID[id]
	if ok {
		h.filters.remove(f)
		return true
	}
	return h.filters.gone.forget(id)
}
