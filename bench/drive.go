package bench

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// drive is what the connections of a presigned run share.
type drive struct {
	cfg     *Config
	senders []*sender
	items   []item
	tally   *tally
	start   time.Time
	timeout time.Duration

	mu       sync.Mutex
	latency  histogram
	attempts uint64
	accepted uint64
	sheds    map[string]uint64 // by code
	shed     uint64
	last     time.Time // of the newest answer
}

// lane is one connection: its senders and what it counts by itself.
type lane struct {
	d       *drive
	index   int
	ring    []*sender
	at      int
	latency histogram
	count   struct{ attempts, accepted, shed uint64 }
	sheds   map[string]uint64
	last    time.Time
	owner   map[int]*sender // of items on the way
	failed  bool            // the last request was not accepted in full
}

func (d *drive) newLane(i int) *lane {
	l := &lane{d: d, index: i, sheds: map[string]uint64{}, owner: map[int]*sender{}}
	for k := i; k < len(d.senders); k += d.cfg.Conns {
		l.ring = append(l.ring, d.senders[k])
	}
	return l
}

// finish adds what the lane counted to the run's sums.
func (l *lane) finish() {
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency.merge(&l.latency)
	d.attempts += l.count.attempts
	d.accepted += l.count.accepted
	d.shed += l.count.shed
	for code, n := range l.sheds {
		d.sheds[code] += n
	}
	if l.last.After(d.last) {
		d.last = l.last
	}
}

// take picks up to n items in turn from the lane's senders, each sender's in order.
func (l *lane) take(n int, picked []int, due time.Duration) []int {
	for held := 0; len(picked) < n && held < len(l.ring); {
		if l.at >= len(l.ring) {
			l.at = 0
		}
		s := l.ring[l.at]
		if s.again && s.onWay > 0 {
			held++
			l.at++
			continue
		}
		s.again = false
		for s.next < s.count && l.d.items[s.first+s.next].fate == answered {
			s.next++
		}
		if s.dead || s.next >= s.count {
			l.ring = append(l.ring[:l.at], l.ring[l.at+1:]...)
			continue
		}
		i := s.first + s.next
		s.next++
		l.at++
		it := &l.d.items[i]
		if it.due == 0 {
			it.due = max(due, 1)
		}
		it.fate = unclear
		l.owner[i] = s
		s.onWay++
		held = 0
		l.count.attempts++
		picked = append(picked, i)
	}
	return picked
}

// accept books an acknowledgement.
func (l *lane) accept(i int, now time.Time) {
	it := &l.d.items[i]
	it.fate = answered
	l.arrived(i)
	l.latency.add(now.Sub(l.d.start) - it.due)
	l.count.accepted++
	l.last = now
}

// again takes an item back that was refused for load: its sender goes on from there.
func (l *lane) again(i int, code string) {
	s := l.arrived(i)
	l.d.items[i].fate = shed
	l.count.shed++
	l.sheds[code]++
	l.failed = true
	if j := i - s.first; j < s.next {
		if s.next >= s.count && !l.has(s) {
			l.ring = append(l.ring, s)
		}
		s.next, s.again = j, true
	}
}

// arrived takes an item off the way and returns its sender.
func (l *lane) arrived(i int) *sender {
	s := l.owner[i]
	delete(l.owner, i)
	s.onWay--
	return s
}

func (l *lane) has(s *sender) bool {
	for _, have := range l.ring {
		if have == s {
			return true
		}
	}
	return false
}

// refuse books a failure that does not pass: the sender's later nonces cannot be
// included either.
func (l *lane) refuse(i int, message string, f fate) {
	s := l.arrived(i)
	l.d.items[i].fate = f
	s.dead = true
	l.failed = true
	l.d.tally.fail(message, 1)
}

// overloaded says whether an error means that the node has too much to do, or that a
// nonce before it has not arrived, which is what shedding that one does to it.
func overloaded(f rpcFault) bool {
	switch f.Code {
	case -32005, 5, 6, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	m := strings.ToLower(f.Message)
	for _, part := range []string{"txpool is full", "overload", "too many", "nonce too high", "nonce gap", "server busy"} {
		if strings.Contains(m, part) {
			return true
		}
	}
	return false
}

// json runs a lane over JSON-RPC until its items are answered or the time is up.
func (l *lane) json(ctx context.Context, w wire) {
	defer l.finish()
	defer func() { w.close() }()
	d := l.d
	gap := time.Duration(0)
	if d.cfg.Mode == Open {
		gap = time.Duration(float64(time.Second) * float64(d.cfg.Batch) / d.cfg.Rate)
	}
	var picked []int
	var body []byte
	quiet := 0 // requests in a row without an acknowledgement
	for k := 0; ctx.Err() == nil; k++ {
		due := time.Since(d.start)
		if gap > 0 {
			due = gap * time.Duration(k*d.cfg.Conns+l.index)
			sleepUntil(ctx, d.start.Add(due))
		}
		if d.cfg.Duration > 0 && due >= d.cfg.Duration {
			return
		}
		if picked = l.take(d.cfg.Batch, picked[:0], due); len(picked) == 0 {
			return
		}
		body = d.compose(body[:0], picked)
		accepted := l.count.accepted
		text, err := w.exchange(ctx, body)
		if !l.answered(picked, text, err, time.Now()) {
			w.close()
			again, err := dialWire(ctx, d.cfg.URL, d.timeout)
			if err != nil {
				d.tally.fail(err.Error(), 0)
				return
			}
			w = again
		}
		if quiet++; l.count.accepted > accepted {
			quiet = 0
		}
		if quiet > 0 && gap == 0 {
			pause(ctx, min(quiet, 7))
		}
		if quiet > maxQuiet {
			d.tally.fail("given up: the node refuses everything", 0)
			return
		}
	}
}

// answered books what became of a request of the picked items; false: its connection is
// of no use any more.
func (l *lane) answered(picked []int, text []byte, err error, now time.Time) (usable bool) {
	if err == nil {
		err = l.read(picked, text, now)
	}
	var status *statusError
	usable = err == nil || errors.As(err, &status)
	if err != nil {
		l.broken(picked, err)
	}
	for _, i := range picked {
		if l.owner[i] != nil {
			l.refuse(i, "no answer to a transaction of a batch", unclear)
		}
	}
	return usable
}

// maxQuiet is how many requests in a row a node may refuse in full.
const maxQuiet = 2000

// compose writes a request of the picked items.
func (d *drive) compose(body []byte, picked []int) []byte {
	if len(picked) == 1 {
		return append(body, d.items[picked[0]].text...)
	}
	for k, i := range picked {
		c := byte(',')
		if k == 0 {
			c = '['
		}
		body = append(append(body, c), d.items[i].text...)
	}
	return append(body, ']')
}

// length is the size of what compose writes.
func (d *drive) length(picked []int) int {
	n := 0
	for _, i := range picked {
		n += len(d.items[i].text)
	}
	if len(picked) > 1 {
		n += len(picked) + 1
	}
	return n
}

// read books the answers to a request.
func (l *lane) read(picked []int, text []byte, now time.Time) error {
	var whole *rpcFault
	err := scanReplies(text, func(r reply) {
		if !r.hasID || l.owner[r.id] == nil {
			f := rpcFault{Message: "an answer to nothing that was asked"}
			if r.err != nil {
				f = r.fault()
			}
			whole = &f
			return
		}
		if r.err == nil {
			if !sameHash(r.result, &l.d.items[r.id].hash) {
				l.d.tally.mismatch("eth_sendRawTransaction answered another transaction hash: " + string(r.result[:min(len(r.result), 80)]))
				l.refuse(r.id, "another transaction hash", unclear)
				return
			}
			l.accept(r.id, now)
			return
		}
		l.fault(r.id, r.fault())
	})
	if err == nil && whole != nil {
		l.rest(picked, *whole)
	}
	return err
}

// fault books an error answer to one item.
func (l *lane) fault(i int, f rpcFault) {
	known := strings.Contains(f.Message, "already known") || strings.Contains(f.Message, "already imported")
	switch {
	case overloaded(f):
		l.again(i, strconv.Itoa(f.Code))
	case known:
		l.refuse(i, f.Message, unclear)
	default:
		l.refuse(i, f.Message, refused)
	}
}

// rest books an error that answers a whole request.
func (l *lane) rest(picked []int, f rpcFault) {
	for _, i := range picked {
		if l.owner[i] == nil {
			continue
		}
		if overloaded(f) {
			l.again(i, strconv.Itoa(f.Code))
		} else {
			l.refuse(i, f.Message, refused)
		}
	}
}

// broken books a request that has no answer.
func (l *lane) broken(picked []int, err error) {
	var status *statusError
	if errors.As(err, &status) {
		l.rest(picked, rpcFault{Code: status.status, Message: err.Error()})
		return
	}
	for _, i := range picked {
		if l.owner[i] != nil {
			l.refuse(i, err.Error(), unclear)
		}
	}
}

// sameHash compares a JSON string with a hash.
func sameHash(text []byte, want *common.Hash) bool {
	if len(text) != 68 || text[0] != '"' || text[1] != '0' || text[2] != 'x' {
		return false
	}
	for k, b := range want {
		if nibble(text[3+2*k])<<4|nibble(text[4+2*k]) != b {
			return false
		}
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
