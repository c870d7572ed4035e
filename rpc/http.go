package rpc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// httpConn is a connection that speaks HTTP/1.1. Its goroutine reads requests and
// answers those that need no waiting on the spot; answers leave in one write when
// nothing more has come. A request that has to wait, and all after it, go to a queue
// that another goroutine answers in order, while reading goes on: so that sends which
// follow each other are all under way at once.
type httpConn struct {
	*link
	head    head
	size    int   // of the head in the input; 0: it has not come whole
	scanned int   // unread bytes in which the end of the head was searched
	since   int64 // when the present request began to come
	kept    bool  // head is a copy
	chunks  chunks
	body    []byte // of a chunked request, so far
	granted bool   // 100 Continue was sent

	out   []byte      // answers not written yet
	group sendGroup   // sends not handed over yet
	wait  []*exchange // their requests, not queued yet

	mu     sync.Mutex
	change sync.Cond // of what follows
	queue  []*exchange
	bytes  int64 // that requests in queue hold
	busy   bool  // the answerer runs
	broken bool  // writing failed
}

// exchange is a request that waits for its turn to be answered.
type exchange struct {
	manner manner
	call   *call
	msg    *message
	bytes  int64
}

// outputSize is how much is written at once, about.
const outputSize = 64 << 10

func (l *link) serveHTTP() {
	c := &httpConn{link: l}
	c.serial.off = l.raw == nil
	c.change.L = &c.mu
	end := c.run()
	if end.ws != nil {
		l.serveWS(end.ws)
		return
	}
	c.handOver()
	c.flush()
	c.settle(0, 0)
	if end.linger && !c.broken {
		c.linger()
	}
}

// ending is why a connection stops speaking HTTP.
type ending struct {
	linger bool
	ws     *upgrade // it goes on with WebSocket
}

// run serves requests until the connection ends.
func (c *httpConn) run() ending {
	for {
		more, end := c.step()
		switch {
		case end != nil:
			return *end
		case more:
			continue
		}
		c.oneByOne()
		c.handOver()
		if !c.flush() {
			return ending{}
		}
		if err := c.read(); err != nil {
			return c.readFailed(err)
		}
	}
}

// read waits for more of the present request or for the next one.
func (c *httpConn) read() error {
	o := &c.s.opts
	fresh := c.r == c.w && c.size == 0
	now := c.s.now()
	limit := o.IdleTimeout
	switch {
	case fresh:
		c.since = 0
	case c.since == 0:
		c.since = now
		fallthrough
	default:
		if now = c.since; c.size == 0 {
			limit = o.ReadHeaderTimeout
		} else {
			limit = o.ReadTimeout
		}
	}
	c.readBy.Store(now + int64(limit))
	c.idle.Store(fresh)
	need := 0
	if c.size > 0 && !c.head.chunked {
		need = c.size + int(c.head.length)
	}
	if fresh && c.s.stopping.Load() && c.quiet() {
		return io.EOF
	}
	err := c.fill(need)
	c.idle.Store(false)
	return err
}

// quiet reports whether nothing is to be answered.
func (c *httpConn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.busy
}

func (c *httpConn) readFailed(err error) ending {
	partial := c.r < c.w || c.size > 0
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && partial && !c.s.stopping.Load():
		c.refuse(&refusal{408, Errorf(CodeLimit, "request did not come whole in %v, which is the limit: send it faster", c.timeLimit())}, true)
		return ending{linger: true}
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
	default:
		c.cancel() // nobody is left to read the answers
	}
	return ending{}
}

func (c *httpConn) timeLimit() time.Duration {
	if c.size == 0 {
		return c.s.opts.ReadHeaderTimeout
	}
	return c.s.opts.ReadTimeout
}

// step takes one step with what is unread: more says that another may be possible
// without reading.
func (c *httpConn) step() (more bool, end *ending) {
	if c.size == 0 {
		n := headEnd(c.unread(), c.scanned)
		if n == 0 && len(c.unread()) <= maxHeadBytes {
			c.scanned = len(c.unread())
			return false, c.earlyRefusal()
		}
		if n == 0 || n > maxHeadBytes {
			return false, c.fail(&refusal{431, Errorf(CodeLimit, "request head is larger than %d bytes, which is the limit", maxHeadBytes)})
		}
		if bad := parseHead(c.unread()[:n], &c.head); bad != nil {
			return false, c.fail(bad)
		}
		c.size, c.scanned = n, 0
	}
	limit := c.s.opts.MaxBodyBytes
	if c.head.length > limit {
		return false, c.fail(c.s.bodyTooLarge())
	}
	if c.head.chunked {
		return c.stepChunked(limit)
	}
	total := c.size + int(max(0, c.head.length))
	if len(c.unread()) < total {
		c.keepHead()
		c.grant()
		return false, nil
	}
	end = c.request(c.unread()[c.size:total:total])
	c.used(total)
	c.next()
	return end == nil, end
}

// stepChunked takes what has come of a chunked body.
func (c *httpConn) stepChunked(limit int64) (more bool, end *ending) {
	if !c.kept {
		c.keepHead()
		c.used(c.size)
	}
	body, n, bad := c.chunks.decode(c.unread(), c.body, limit)
	c.body = body
	c.used(n)
	switch {
	case bad != nil && bad.err == nil:
		return false, c.fail(c.s.bodyTooLarge())
	case bad != nil:
		return false, c.fail(bad)
	case c.chunks.state != chunkDone:
		c.grant()
		return false, nil
	}
	end = c.request(body[:len(body):len(body)])
	c.next()
	return end == nil, end
}

// keepHead copies the head: the input moves while the body comes.
func (c *httpConn) keepHead() {
	if !c.kept {
		c.kept = true
		parseHead(bytes.Clone(c.unread()[:c.size]), &c.head) // as it was parsed before
	}
}

// next forgets the present request.
func (c *httpConn) next() {
	c.size, c.since, c.kept, c.granted = 0, 0, false, false
	c.chunks, c.body = chunks{}, nil
}

// earlyRefusal refuses lines that end in a plain line feed, which would never complete
// a head.
func (c *httpConn) earlyRefusal() *ending {
	if plainEnd(c.unread()) {
		return c.fail(refuse(400, "lines of an HTTP request must end in CR LF"))
	}
	return nil
}

// grant answers an expectation of 100 Continue once the body is to be read.
func (c *httpConn) grant() {
	if !c.head.expect || c.granted || c.head.minor == 0 {
		return
	}
	c.granted = true
	c.handOver()
	c.settle(0, 0)
	c.out = append(c.output(), "HTTP/1.1 100 Continue\r\n\r\n"...)
	c.flush()
}

// fail refuses what cannot be read on from; the connection ends with it.
func (c *httpConn) fail(bad *refusal) *ending {
	c.refuse(bad, true)
	return &ending{linger: true}
}

// refuse answers with an error outside of any JSON-RPC request.
func (c *httpConn) refuse(bad *refusal, last bool) {
	m := c.manner()
	m.status, m.close = bad.status, m.close || last
	c.answer(&exchange{manner: m, msg: &message{fail: bad.err}})
}

// output is the buffer for answers.
func (c *httpConn) output() []byte {
	if c.out == nil {
		c.out = c.s.bufs.get()[:0]
	}
	return c.out
}

// answer gives the answer of x on the spot if it is its turn, else when it is.
func (c *httpConn) answer(x *exchange) {
	c.handOver()
	c.mu.Lock()
	busy := c.busy
	c.mu.Unlock()
	if busy {
		c.enqueue(x)
		return
	}
	if c.out = c.s.render(c.output(), x); len(c.out) >= outputSize {
		c.flush()
	}
}

// later queues x, which waits for something.
func (c *httpConn) later(x *exchange) {
	c.handOver()
	c.enqueue(x)
}

// handOver hands the collected sends over, all at once, and queues their requests.
func (c *httpConn) handOver() {
	if len(c.wait) == 0 {
		return
	}
	c.s.submit(c.ctx, &c.group)
	for i, x := range c.wait {
		c.enqueue(x)
		c.wait[i] = nil
	}
	c.wait = c.wait[:0]
}

// enqueue waits for a place in the queue and starts the answerer if none runs.
func (c *httpConn) enqueue(x *exchange) {
	o := &c.s.opts
	if !c.settle(o.MaxInFlight-1, max(0, 2*o.MaxBodyBytes-x.bytes)) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, x)
	c.bytes += x.bytes
	if !c.busy {
		c.busy = true
		out := c.out
		c.out = nil
		go c.answerer(out)
	}
}

// settle waits until at most count requests of at most so many bytes are queued; at
// 0 until all is answered and written. It reports whether writing still works.
func (c *httpConn) settle(count int, bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy && !c.broken && (count == 0 || len(c.queue) > count || c.bytes > bytes) {
		c.change.Wait()
	}
	for c.busy && c.broken {
		c.change.Wait()
	}
	return !c.broken
}

// answerer answers what is queued, in order, and ends when nothing is.
func (c *httpConn) answerer(out []byte) {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 && len(out) == 0 || c.broken {
			c.queue, c.bytes = nil, 0
			c.busy = false
			c.change.Broadcast()
			c.mu.Unlock()
			c.s.bufs.put(out)
			return
		}
		var x *exchange
		if len(c.queue) > 0 {
			x = c.queue[0]
		}
		c.mu.Unlock()
		if x == nil || len(out) >= outputSize || len(out) > 0 && x.msg != nil && !x.msg.ready() {
			err := c.write(out)
			c.s.bufs.put(out)
			if out = nil; err != nil {
				c.broke()
			}
			continue
		}
		if out == nil {
			out = c.s.bufs.get()[:0]
		}
		out = c.s.render(out, x)
		c.mu.Lock()
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.bytes -= x.bytes
		c.change.Broadcast()
		c.mu.Unlock()
	}
}

// broke ends a connection that cannot be written to.
func (c *httpConn) broke() {
	c.cancel()
	c.nc.Close() // the reader fails
	c.mu.Lock()
	c.broken = true
	c.change.Broadcast()
	c.mu.Unlock()
}

// flush writes the answers that were given on the spot.
func (c *httpConn) flush() bool {
	if len(c.out) == 0 {
		return !c.isBroken()
	}
	err := c.write(c.out)
	c.s.bufs.put(c.out)
	c.out = nil
	if err != nil {
		c.broke()
	}
	return err == nil
}

func (c *httpConn) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}
