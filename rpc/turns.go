package rpc

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
)

// asker is whose turn it is in a pool: an API key, or an address that has none.
type asker struct {
	key  string
	peer netip.Addr
}

// turns lets a bounded number of requests run at once, so that they leave processors
// to the sequencing of transactions, and a bounded number wait. Askers take turns: one
// that waits with many requests delays another by no more than one of them, and when
// the queue is full the place is taken from whoever holds most of it.
type turns struct {
	what  string
	width int // that run at once, 1..
	limit int // that wait, 0..

	mu      sync.Mutex
	running int
	waiting int
	queues  []*queue // of the askers that wait, in order of their next turn; none is empty
}

// queue is what one asker waits with, in order of arrival.
type queue struct {
	who     asker
	waiters []*waiter
}

type waiter struct {
	who  asker
	turn chan error // receives once: nil with the turn, or why there is none
}

// newCalls bounds simulations.
func newCalls(o *Options) *turns {
	return &turns{what: "calls", width: o.MaxCalls, limit: o.MaxCallQueue}
}

// newSlow bounds the slow methods.
func newSlow(o *Options) *turns {
	return &turns{what: "slow requests", width: o.MaxSlow, limit: o.MaxSlowQueue}
}

// newScans bounds queries of many blocks, as wide as the slow methods.
func newScans(o *Options) *turns {
	return &turns{what: "scans of many blocks", width: o.MaxSlow, limit: o.MaxSlowQueue}
}

// enter waits for a turn until ctx ends; leave must follow if it returns nil.
func (t *turns) enter(ctx context.Context, who asker) error {
	t.mu.Lock()
	if t.running < t.width {
		t.running++
		t.mu.Unlock()
		return nil
	}
	if !t.makeRoom(who) {
		t.mu.Unlock()
		return t.full()
	}
	w := &waiter{who: who, turn: make(chan error, 1)}
	q := t.queueOf(who)
	q.waiters = append(q.waiters, w)
	t.waiting++
	t.mu.Unlock()
	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
	}
	t.mu.Lock()
	if !t.remove(w) {
		t.mu.Unlock()
		if err := <-w.turn; err != nil {
			return err
		}
		t.leave() // the turn came too late
	} else {
		t.mu.Unlock()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Errorf(CodeLimit, "node is busy: the turn of one of the %s did not come in time: retry later, or send fewer of them at once", t.what)
	}
	return ctx.Err()
}

// leave ends a turn and gives it to the asker who has waited longest for one.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queues) == 0 {
		t.running--
		return
	}
	q := t.queues[0]
	t.queues = slices.Delete(t.queues, 0, 1)
	w := q.waiters[0]
	if q.waiters = slices.Delete(q.waiters, 0, 1); len(q.waiters) > 0 {
		t.queues = append(t.queues, q)
	}
	t.waiting--
	w.turn <- nil
}

// makeRoom reports whether one more request of the asker may wait. In a full queue it
// may if another asker holds more of it than this one would: that one's newest request
// is then refused. t.mu is held.
func (t *turns) makeRoom(who asker) bool {
	if t.waiting < t.limit {
		return true
	}
	own, most := 0, (*queue)(nil)
	for _, q := range t.queues {
		if q.who == who {
			own = len(q.waiters)
		}
		if most == nil || len(q.waiters) > len(most.waiters) {
			most = q
		}
	}
	if most == nil || len(most.waiters) <= own+1 {
		return false
	}
	last := most.waiters[len(most.waiters)-1]
	t.remove(last)
	last.turn <- t.full()
	return true
}

// queueOf returns the asker's queue, a new one at the end if there is none. t.mu is held.
func (t *turns) queueOf(who asker) *queue {
	for _, q := range t.queues {
		if q.who == who {
			return q
		}
	}
	q := &queue{who: who}
	t.queues = append(t.queues, q)
	return q
}

// remove takes a waiter out of the queue; false: it is not there any more. t.mu is held.
func (t *turns) remove(w *waiter) bool {
	for i, q := range t.queues {
		if q.who != w.who {
			continue
		}
		at := slices.Index(q.waiters, w)
		if at < 0 {
			return false
		}
		if q.waiters = slices.Delete(q.waiters, at, at+1); len(q.waiters) == 0 {
			t.queues = slices.Delete(t.queues, i, i+1)
		}
		t.waiting--
		return true
	}
	return false
}

// busy is how many run and how many wait.
func (t *turns) busy() (running, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running, t.waiting
}

func (t *turns) full() *Error {
	return Errorf(CodeLimit, "node is busy: %d %s run and %d wait, which is the limit: retry later, or send fewer of them at once", t.width, t.what, t.limit)
}
