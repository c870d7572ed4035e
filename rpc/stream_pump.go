package rpc

import (
	"context"
	"fmt"
)

const (
	// maxReads is how many pumps read and decode at once.
	maxReads = 4
	// pumpTurn is how many mini-blocks a subscription gets before the next one of its
	// connection has a turn.
	pumpTurn = 64
)

// Rewound says that the chain was taken back.
type Rewound struct {
	Mini  uint64 // number of the mini-block that comes next
	Block uint64 // number of the block that comes next
}

// locate finds where the chain is. What is published later reaches the feed that was
// subscribed to before.
func (h *hub) locate() {
	ctx := context.Background()
	if open := h.s.backend.Pending(); open != nil && len(open.MiniBlocks) > 0 {
		last := &open.MiniBlocks[len(open.MiniBlocks)-1]
		h.mini = position{next: last.Number + 1, last: last.Hash()}
	} else if pos, err := h.s.lastMini(ctx, h.s.backend.Head().Number.Uint64()); err == nil {
		h.mini = *pos
	}
	head := h.s.backend.Head()
	h.block = position{next: head.Number.Uint64() + 1, last: head.Hash()}
}

// lastMini is the position behind the last mini-block up to a sealed block.
func (s *Server) lastMini(ctx context.Context, block uint64) (*position, error) {
	for {
		b, err := s.backend.BlockByNumber(ctx, block)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, Errorf(CodeServer, "block %d is not held here", block)
		}
		if n := len(b.MiniBlocks); n > 0 {
			last := &b.MiniBlocks[n-1]
			return &position{next: last.Number + 1, last: last.Hash()}, nil
		}
		if block == 0 {
			return new(position), nil
		}
		block--
	}
}

// rewind follows the chain to where it was taken back to. Who was further has seen
// what is no more, and is told so.
func (h *hub) rewind(r *Rewound) {
	h.allLag()
	if h.s.backend.Dev() == nil {
		h.filters.dropAll(goneRewound(r.Block - 1))
	}
	ctx := context.Background()
	h.mini, h.block = position{next: r.Mini}, position{next: r.Block}
	if pos, err := h.s.lastMini(ctx, r.Block-1); err == nil && pos.next == r.Mini {
		h.mini = *pos
	}
	if head, err := h.s.backend.HeaderByNumber(ctx, r.Block-1); err == nil && head != nil {
		h.block.last = head.Hash()
	}
	for _, sub := range h.subs {
		fork := *h.at(sub.kind)
		if sub.live || sub.pos.next < fork.next || sub.pos.next == fork.next && sub.pos.skip == 0 {
			continue
		}
		if sub.fork == nil || fork.next < sub.fork.next {
			sub.fork = &fork
		}
	}
}

// follow has the connection's pump bring a subscription up from pos on.
func (h *hub) follow(sub *subscription, pos position) {
	c := sub.conn
	sub.pos, sub.waiting = pos, false
	c.behind = append(c.behind, sub)
	if !c.pumping && !c.ended {
		c.pumping = true
		c.wg.Add(1)
		go h.pump(c)
	}
}

// wakeWaiting hands those who were ahead of the hub to their pumps again.
func (h *hub) wakeWaiting() {
	if len(h.waiting) == 0 {
		return
	}
	list := h.waiting
	h.waiting = nil
	for _, sub := range list {
		if !sub.ended.Load() && sub.waiting {
			h.follow(sub, sub.pos)
		}
	}
}

// pump brings the connection's subscriptions up, in turns, at the pace at which the
// client reads, and ends when all of them are live.
func (h *hub) pump(c *wsConn) {
	defer c.wg.Done()
	for {
		sub := h.turn(c)
		if sub == nil {
			return
		}
		if !h.advance(c, sub) {
			h.mu.Lock()
			c.pumping = false
			c.behind = nil
			h.mu.Unlock()
			return // the connection has ended
		}
	}
}

// turn is the subscription that is to be brought up now, nil if there is none.
func (h *hub) turn(c *wsConn) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(c.behind) > 0 {
		sub := c.behind[0]
		c.behind = c.behind[1:]
		if !sub.ended.Load() {
			return sub
		}
	}
	c.pumping, c.behind = false, nil
	return nil
}

// step is what the pump does next with a subscription.
type step struct {
	pos   position
	until uint64 // the hub is there
	moved bool   // without delivering what is between
	gap   []byte // to be told of that; nil: nothing
	ahead bool   // of the hub, which may be late or have gone back
	done  bool   // the subscription is live
}

// plan decides the next step. At the hub's position the subscription becomes live,
// without anything in between.
func (h *hub) plan(sub *subscription) step {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.at(sub.kind)
	st := step{pos: sub.pos, until: at.next}
	switch {
	case sub.ended.Load():
		st.done = true
	case sub.fork != nil:
		st.moved, st.gap = true, h.jump(sub, *sub.fork, takenBack)
	case sub.was && at.next > sub.pos.next && at.next-sub.pos.next > h.s.opts.MaxLag:
		st.moved, st.gap = true, h.jump(sub, *at, fmt.Sprintf("client is more than %d behind: read faster or subscribe to less", h.s.opts.MaxLag))
	case sub.pos.next == at.next && sub.pos.skip == 0 && (at.next == 0 || sub.pos.last == at.last):
		h.live.add(sub)
		h.replayed(sub)
		st.done = true
	case sub.pos.next >= at.next:
		st.ahead = true
	}
	return st
}

// takenBack is the reason of gaps that the node makes itself.
const takenBack = "the chain was taken back"

// jump moves a subscription without delivering what is between, and returns the event
// that says so. Standard clients fail at an event without a result, some of them without
// a word, so that a plain subscription's connection is closed instead. Two cases they
// take as Ethereum has them: heads of another branch tell by their parents, and on a
// development chain the client itself asked to go back.
func (h *hub) jump(sub *subscription, to position, reason string) []byte {
	gap := shareGap(sub.kind.letter(), &sub.pos, &to, reason)
	sub.pos, sub.fork = to, nil
	switch {
	case !sub.plain:
		return gap
	case reason == takenBack && (sub.kind == kindHeads || h.s.backend.Dev() != nil):
		return nil
	}
	sub.conn.finish(closeOverrun, "missed events: "+reason, false)
	return nil
}

// miss is a jump to where the hub is, or to where the chain was taken back to.
func (h *hub) miss(sub *subscription, reason string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	to := *h.at(sub.kind)
	if sub.fork != nil {
		to, reason = *sub.fork, takenBack
	}
	return h.jump(sub, to, reason)
}

// tell has the client told of a gap. False: the connection has ended.
func (c *wsConn) tell(sub *subscription, gap []byte) bool {
	if gap == nil {
		return !c.closed()
	}
	return c.await(sub, gap)
}

// advance gives one subscription its turn. False: the connection has ended.
func (h *hub) advance(c *wsConn, sub *subscription) bool {
	st := h.plan(sub)
	var err error
	switch {
	case st.done:
		return true
	case st.moved:
		if !c.tell(sub, st.gap) {
			return false
		}
	case st.ahead:
		if h.park(c.ctx, sub, &st.pos) {
			return true
		}
		if !c.tell(sub, h.miss(sub, takenBack)) {
			return false
		}
	case sub.kind == kindHeads:
		err = h.replayHeads(c, sub, &st)
	default:
		err = h.replayMinis(c, sub, &st)
	}
	if c.ctx.Err() != nil || c.closed() {
		return false
	}
	if err != nil && !c.tell(sub, h.miss(sub, err.Error())) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.behind = append(c.behind, sub)
	return true
}

// park leaves a subscription that is ahead of the hub until the hub has come there. It
// refuses if what the subscription has seen is no longer there.
func (h *hub) park(ctx context.Context, sub *subscription, pos *position) bool {
	number, want := pos.next-1, pos.last
	if pos.skip > 0 {
		number, want = pos.next, pos.current
	}
	if pos.next+pos.skip > 0 {
		hash, _, found, err := h.s.linkOf(ctx, sub.kind, number)
		if err == nil && (!found || hash != want) {
			return false
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := h.at(sub.kind); at.next > pos.next || at.next == pos.next && pos.skip == 0 {
		h.follow(sub, sub.pos) // the hub has come meanwhile
	} else {
		sub.waiting = true
		h.waiting = append(h.waiting, sub)
	}
	return true
}

// errMoved ends a turn because the chain was taken back or the subscription ended.
var errMoved = Errorf(CodeServer, takenBack)

// reach puts the subscription's position behind what was delivered.
func (h *hub) reach(sub *subscription, pos position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub.pos = pos
	return sub.fork == nil && !sub.ended.Load()
}

// reading calls f when not too many others read.
func (h *hub) reading(ctx context.Context, f func() error) error {
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hub) replayHeads(c *wsConn, sub *subscription, st *step) error {
	pos := st.pos
	for turn := 0; turn < pumpTurn && pos.next < st.until; turn++ {
		var e shared
		var next position
		err := h.reading(c.ctx, func() error {
			b, err := h.s.backend.BlockByNumber(c.ctx, pos.next)
			switch {
			case err != nil:
				return err
			case b == nil:
				return Errorf(CodeServer, "block %d is no longer held here", pos.next)
			case !pos.holds(b.Hash(), b.Header.ParentHash):
				return errMoved
			}
			e, next = shareHead(b), position{next: pos.next + 1, last: b.Hash()}
			return nil
		})
		if err != nil {
			return err
		}
		if !c.await(sub, e.tail) || !h.reach(sub, next) {
			return nil
		}
		pos = next
	}
	return nil
}

func (h *hub) replayMinis(c *wsConn, sub *subscription, st *step) error {
	pos := st.pos
	var list []*MiniBlock
	for turn := 0; turn < pumpTurn && pos.next < st.until; turn++ {
		if len(list) == 0 {
			err := h.reading(c.ctx, func() (err error) {
				list, err = h.s.backend.MiniBlocksFrom(c.ctx, pos.next)
				return err
			})
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return Errorf(CodeServer, "mini-block %d is no longer held here", pos.next)
			}
		}
		m := list[0]
		list = list[1:]
		if !pos.holds(m.Hash, m.Header.ParentHash) {
			return errMoved
		}
		if ok, err := h.replayMini(c, sub, m, pos.skip); !ok || err != nil {
			return err
		}
		pos = position{next: pos.next + 1, last: m.Hash}
		if !h.reach(sub, pos) {
			return nil
		}
	}
	return nil
}

// replayMini delivers what the subscription selects of a mini-block from item skip on.
func (h *hub) replayMini(c *wsConn, sub *subscription, m *MiniBlock, skip uint64) (ok bool, err error) {
	p := newMiniPayloads(h.s, m)
	if sub.kind == kindChanges {
		err := h.reading(c.ctx, func() error {
			_, err := p.changes(c.ctx)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	ok = true
	err = p.each(c.ctx, sub, skip, func(item int, e *shared) bool {
		ok = c.await(sub, e.tail) && h.reach(sub, position{next: m.Header.Number, skip: uint64(item) + 1, last: m.Header.ParentHash, current: m.Hash})
		return ok
	})
	return ok, err
}

// offer queues a push unless the part of the queue that pushes may fill is full. After
// a refusal the connection's pump is woken when there is room. What is published is
// written with what is published next, if there are many to write to.
func (c *wsConn) offer(sub *subscription, tail []byte) bool {
	return c.put(sub, tail, (*wsConn).listLocked)
}

func (c *wsConn) put(sub *subscription, tail []byte, wake func(*wsConn)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 || sub.ended.Load() {
		return true // nobody is there to miss it
	}
	o := &c.s.opts
	size := len(sub.prefix) + len(tail)
	if n := len(c.queue); n > 0 && (n >= share34(o.MaxQueueMessages) || c.bytes+size > share34(o.MaxQueueBytes)) {
		c.full = true
		return false
	}
	c.queueLocked(outgoing{b: sub.prefix, tail: tail})
	wake(c)
	return true
}

// share34 is the part of a limit that pushes may take: answers have the rest.
func share34(limit int) int { return limit - limit/4 }

// await is offer that waits for room. False: the connection has ended.
func (c *wsConn) await(sub *subscription, tail []byte) bool {
	for !c.put(sub, tail, (*wsConn).wakeLocked) {
		select {
		case <-c.room:
		case <-c.ctx.Done():
			return false
		}
	}
	return !c.closed()
}

// roomLocked wakes the pump when the queue has become half empty.
func (c *wsConn) roomLocked() {
	if !c.full || c.code == 0 && (len(c.queue) > c.s.opts.MaxQueueMessages/2 || c.bytes > c.s.opts.MaxQueueBytes/2) {
		return
	}
	c.full = false
	select {
	case c.room <- struct{}{}:
	default:
	}
}
