package rpc

import (
	"math"
	"sync"
	"time"
)

// Costs are the cost units of a request, by what it needs. A zero field means its
// default, in brackets.
type Costs struct {
	Read int // [1]
	Send int // [1]
	Call int // a simulation, a query of logs or tips [5]
	Slow int // a trace, a search [50]
}

func (c *Costs) of(m *method) int {
	if m == nil {
		return c.Read
	}
	switch m.class {
	case classSend:
		return c.Send
	case classCall:
		return c.Call
	case classSlow:
		return c.Slow
	}
	return c.Read
}

// bucket is a token bucket: it fills by rate units a second up to burst.
type bucket struct {
	mu          sync.Mutex
	whose       string
	rate, burst float64
	level       float64
	at          int64 // when level held; 0: never used
}

// limit sets the bucket's bounds; what is in it stays in it.
func (b *bucket) limit(whose string, rate, burst float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whose, b.rate, b.burst = whose, rate, burst
}

// fill brings the bucket to the present.
func (b *bucket) fill(now int64) {
	if b.at == 0 {
		b.level = b.burst
	} else {
		b.level = min(b.burst, b.level+b.rate*float64(now-b.at)/float64(time.Second))
	}
	b.at = now
}

// take takes cost units. What costs more than the whole bucket passes when the bucket
// is full, and is paid off afterwards.
func (b *bucket) take(cost int, now int64) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	need := min(float64(cost), b.burst)
	if b.level < need {
		wait := (need - b.level) / b.rate
		e := Errorf(CodeLimit, "rate limit of %s: %g cost units a second, %g at once; this costs %d: retry in %d ms, or send less", b.whose, b.rate, b.burst, cost, int(math.Ceil(wait*1000)))
		e.Data = map[string]int{"retryAfterMillis": int(math.Ceil(wait * 1000))}
		return e
	}
	b.level -= float64(cost)
	return nil
}

// book takes cost units, also those that are not there yet, and returns how long it is
// until they are.
func (b *bucket) book(cost int, now int64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	b.level -= float64(cost)
	if b.level >= 0 {
		return 0
	}
	return time.Duration(-b.level / b.rate * float64(time.Second))
}

// full reports whether the bucket is as if it had never been used.
func (b *bucket) full(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	return b.level >= b.burst
}

// home is what the server knows of one address.
type home struct {
	conns  int     // guarded by Server.mu
	bucket *bucket // of requests without a key; nil: no limit
}

// homeOf returns the home of the link's address; the caller holds mu.
func (s *Server) homeOf(l *link) *home {
	h := s.homes[l.peer]
	if h == nil {
		h = new(home)
		if rate := s.opts.Rate; rate > 0 {
			h.bucket = new(bucket)
			h.bucket.limit("one address without an API key", float64(rate), float64(s.opts.RateBurst))
		}
		s.homes[l.peer] = h
	}
	return h
}

// forgetHomes drops addresses that have no connection and owe nothing; the caller
// holds mu.
func (s *Server) forgetHomes(now int64) {
	for peer, h := range s.homes {
		if h.conns == 0 && (h.bucket == nil || h.bucket.full(now)) {
			delete(s.homes, peer)
		}
	}
}

// charge takes what the message costs, or makes it fail.
func (s *Server) charge(who *client, m *message) bool {
	if who.bucket == nil {
		return true
	}
	cost := 0
	for i := range m.reqs {
		cost += s.opts.Costs.of(m.reqs[i].entry)
	}
	fail := who.bucket.take(max(cost, s.opts.Costs.Read), s.now())
	if fail == nil {
		return true
	}
	if m.fail == nil && !m.batch {
		m.failID = m.reqs[0].id
	}
	m.fail = fail
	return false
}
