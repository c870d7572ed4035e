package rpc

import (
	"encoding/binary"
	"sync"
	"unicode/utf8"
)

// wsConn is one WebSocket connection. Its goroutine reads and answers what needs no
// waiting; a writer lives only while something waits to be sent, so an idle
// connection costs one goroutine. What is pushed to many connections is written by the
// server's pushers.
type wsConn struct {
	*link
	who     client
	deflate *deflater     // nil: messages are not compressed
	slots   chan struct{} // one per message in flight beside the reader
	wg      sync.WaitGroup
	room    chan struct{} // a token when a full queue has room again
	pusher  *pusher       // nil: what is pushed is written as everything else is

	// Guarded by hub.mu.
	subs    subSet
	behind  []*subscription // to be brought up by the pump
	pumping bool            // the pump runs
	ended   bool            // nothing starts any more

	// Of the reader.
	parts   []byte // fragments of the present message
	partOp  byte   // its opcode; 0: none has begun
	partZip bool   // it is compressed
	batch   []byte // frames of answers given on the spot
	group   sendGroup
	waiting []wsWork

	mu       sync.Mutex
	queue    []outgoing // to be written
	bytes    int        // in queue
	full     bool       // a push found no room
	writing  bool       // somebody writes
	listed   bool       // with the pusher
	inFlight int
	draining bool
	code     closeCode // not 0: no more is accepted, close when queue is empty
	reason   string
	pinged   int64 // when; 0: a pong has come since
	nextPing int64
}

// outgoing is a message, or frames if framed is set. A message may have a second part,
// which it shares with others.
type outgoing struct {
	b      []byte
	framed bool
	tail   []byte
}

func (m *outgoing) size() int { return len(m.b) + len(m.tail) }

// wsWork is a message whose sends are not handed over yet.
type wsWork struct {
	call *call
	msg  *message
}

// upgrade is what the handshake agreed on.
type upgrade struct {
	who     client
	deflate bool
}

// upgrade answers the handshake of RFC 6455 section 4.2.
func (c *httpConn) upgrade() *ending {
	h := &c.head
	m := c.manner()
	refused := func(bad *refusal) *ending {
		m.status, m.close = bad.status, true
		c.answer(&exchange{manner: m, msg: &message{fail: bad.err}})
		return &ending{}
	}
	switch {
	case c.s.stopping.Load():
		return refused(&refusal{503, Errorf(CodeServer, "server is shutting down")})
	case string(h.wsVersion) != "13":
		m.wsVersion = true
		return refused(refuse(426, "WebSocket version is not served: use 13"))
	case !validKey(h.wsKey):
		return refused(refuse(400, "malformed Sec-WebSocket-Key"))
	}
	who, bad := c.s.identify(h, c.link)
	if bad != nil {
		return refused(bad)
	}
	if who.name == "" { // what only the sender may see is the connection's
		who.name = "connection " + newID()
	}
	up := &upgrade{who: who, deflate: c.s.opts.Compression && offersDeflate(h.wsExtensions)}
	c.handOver()
	if !c.settle(0, 0) {
		return &ending{}
	}
	c.out = append(c.output(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	c.out = append(append(c.out, acceptKey(h.wsKey)...), "\r\n"...)
	if up.deflate {
		c.out = append(c.out, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	if !c.flush() {
		return &ending{}
	}
	return &ending{ws: up}
}

// serveWS serves the connection from the end of the handshake on.
func (l *link) serveWS(up *upgrade) {
	c := &wsConn{link: l, who: up.who, slots: make(chan struct{}, l.s.opts.MaxInFlight), room: make(chan struct{}, 1)}
	s := l.s
	if up.deflate {
		c.deflate = new(deflater)
	} else if l.raw != nil {
		c.pusher = s.pushers[int(s.upgrades.Add(1))%len(s.pushers)]
	}
	l.idle.Store(false)
	l.readBy.Store(0)
	c.nextPing = s.now() + int64(s.opts.PingInterval)
	s.mu.Lock()
	l.ws = c
	s.conns[c] = struct{}{}
	if s.draining {
		c.drain()
	}
	s.mu.Unlock()

	c.readLoop()

	c.finish(closeGone, "", true)
	c.cancel()
	s.mu.Lock()
	delete(s.conns, c)
	l.ws = nil
	s.mu.Unlock()
	s.hub.removeConn(c)
	c.wg.Wait()
}

// readLoop takes messages until the connection ends. Sends are submitted here, in
// order of arrival; what has to wait runs beside the loop.
func (c *wsConn) readLoop() {
	for {
		f, payload, ok, bad := c.frame()
		if ok {
			bad = c.take(&f, payload)
			c.used(f.size + len(payload))
		}
		switch {
		case bad == errLeft:
			return
		case bad != nil:
			c.drop(bad.code, bad.reason)
			c.discard()
			return
		case ok:
			continue
		}
		c.handOver()
		c.flush()
		if c.fill(f.size+int(f.length)) != nil {
			return
		}
	}
}

// frame returns the next frame of the input, unmasked, if it has come whole. The
// payload is valid until the next read.
func (c *wsConn) frame() (f frame, payload []byte, ok bool, bad *wsFault) {
	in := c.unread()
	f, ok, bad = parseFrame(in, c.deflate != nil)
	if !ok || bad != nil {
		return frame{}, nil, false, bad
	}
	if uint64(len(c.parts))+f.length > uint64(c.s.opts.MaxBodyBytes) {
		return f, nil, false, &wsFault{closeTooBig, "message is larger than the limit: send less at once"}
	}
	end := f.size + int(f.length)
	if len(in) < end {
		return f, nil, false, nil
	}
	payload = in[f.size:end:end]
	unmask(payload, f.mask, 0)
	return f, payload, true, nil
}

// errLeft ends the reading without another word.
var errLeft = &wsFault{code: closeGone}

// take handles a frame.
func (c *wsConn) take(f *frame, payload []byte) *wsFault {
	switch f.op {
	case opPing:
		c.enqueue(outgoing{b: appendFrame(nil, opPong, payload), framed: true})
		return nil
	case opPong:
		c.mu.Lock()
		c.pinged = 0
		c.mu.Unlock()
		return nil
	case opClose:
		c.closedByClient(payload)
		return errLeft
	case opContinue:
		if c.partOp == 0 {
			return &wsFault{closeProtocol, "continuation without a beginning"}
		}
	default:
		if c.partOp != 0 {
			return &wsFault{closeProtocol, "message begins inside another"}
		}
		c.partOp, c.partZip = f.op, f.compressed
	}
	if !f.fin || f.op == opContinue {
		c.parts = append(c.parts, payload...)
	}
	if !f.fin {
		return nil
	}
	body, op := payload, c.partOp
	if f.op == opContinue {
		body = c.parts
	}
	c.parts, c.partOp = nil, 0
	if c.partZip {
		var bad *wsFault
		if body, bad = c.deflate.inflate(body, c.s.opts.MaxBodyBytes); bad != nil {
			return bad
		}
	}
	if op == opText && !utf8.Valid(body) {
		return &wsFault{closeNotText, "text message is not UTF-8"}
	}
	return c.message(body[:len(body):len(body)])
}

// closedByClient answers a close frame, after what waits to be written.
func (c *wsConn) closedByClient(payload []byte) {
	code := closeNormal
	switch {
	case len(payload) == 1:
		code = closeProtocol
	case len(payload) > 1:
		if code = closeCode(binary.BigEndian.Uint16(payload)); !validClose(int(code)) || !utf8.Valid(payload[2:]) {
			code = closeProtocol
		}
	}
	c.handOver()
	c.flush()
	c.cancel() // nobody waits for answers any more
	c.finish(code, "", true)
	c.wg.Wait()
}

// message works a message off, or has it worked off.
func (c *wsConn) message(body []byte) *wsFault {
	if !c.acquire() {
		return nil // read over: the connection is ending
	}
	cl := &call{ctx: c.ctx, conn: c, caller: c.who.name, asker: c.who.asker, admin: c.who.admin, why: c.who.why}
	m := new(message)
	c.s.parse(m, body)
	c.s.charge(&c.who, m)
	switch {
	case c.s.lead(cl, m, &c.group) > 0:
		m.own(body)
		if c.waiting = append(c.waiting, wsWork{cl, m}); len(c.waiting) >= cap(c.slots) {
			c.handOver()
		}
	case m.fail == nil && (m.slow || m.calls):
		c.handOver()
		m.own(body)
		if !c.start(wsWork{cl, m}) {
			return errLeft
		}
	default:
		c.handOver()
		c.inline(cl, m)
		c.release()
	}
	return nil
}

// handOver hands the collected sends over, all at once, and has their answers awaited.
func (c *wsConn) handOver() {
	if len(c.waiting) == 0 {
		return
	}
	c.s.submit(c.ctx, &c.group)
	for i, w := range c.waiting {
		c.start(w)
		c.waiting[i] = wsWork{}
	}
	c.waiting = c.waiting[:0]
}

// start works a message off beside the reader, when there is room for one more.
func (c *wsConn) start(w wsWork) bool {
	select {
	case c.slots <- struct{}{}:
	default:
		c.flush()
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			c.release()
			return false
		}
	}
	go func() {
		defer c.release()
		defer func() { <-c.slots }()
		c.deliver(w.call, c.s.finish(w.call, w.msg))
	}()
	return true
}

// deliver sends an answer; subscriptions made by its message start with it.
func (c *wsConn) deliver(cl *call, out []byte) {
	switch {
	case len(out) == 0:
	case len(cl.subs) > 0:
		c.s.hub.activate(cl.subs, func() { c.send(out) })
	default:
		c.send(out)
	}
}

// inline answers a message on the spot; the answers leave together.
func (c *wsConn) inline(cl *call, m *message) {
	if c.deflate != nil {
		c.deliver(cl, c.s.finish(cl, m))
		return
	}
	if c.batch == nil {
		c.batch = c.s.bufs.get()[:0]
	}
	start := len(c.batch)
	var room [maxFrameHead]byte
	out := c.s.appendAnswer(append(c.batch, room[:]...), cl, m)
	n := len(out) - start - maxFrameHead
	if n == 0 {
		c.batch = out[:start]
		return
	}
	if len(cl.subs) > 0 {
		answer := append([]byte(nil), out[start+maxFrameHead:]...)
		c.batch = out[:start]
		c.flush()
		c.deliver(cl, answer)
		return
	}
	head := appendFrameHead(out[:start], 0x80|opText, n)
	if len(head) < start+maxFrameHead {
		copy(out[len(head):], out[start+maxFrameHead:])
	}
	if c.batch = out[:len(head)+n]; len(c.batch) >= outputSize {
		c.flush()
	}
}

// flush writes the answers given on the spot, or queues them behind what is being
// written.
func (c *wsConn) flush() {
	b := c.batch
	c.batch = nil
	if len(b) == 0 {
		c.s.bufs.put(b)
		return
	}
	c.mu.Lock()
	if c.code != 0 {
		c.mu.Unlock()
		return
	}
	if c.writing || len(c.queue) > 0 {
		c.queueLocked(outgoing{b: b, framed: true})
		c.wakeLocked()
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	err := c.link.write(b)
	c.s.bufs.put(b)
	c.mu.Lock()
	c.writing = false
	if len(c.queue) > 0 || c.code != 0 {
		c.wakeLocked()
	}
	c.mu.Unlock()
	if err != nil {
		c.cancel()
		c.finish(closeGone, "", true)
	}
}

// acquire counts a message in, unless the connection is ending.
func (c *wsConn) acquire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining || c.code != 0 {
		return false
	}
	c.inFlight++
	c.wg.Add(1)
	return true
}

func (c *wsConn) release() {
	c.mu.Lock()
	c.inFlight--
	if c.draining && c.inFlight == 0 {
		c.finishLocked(closeGoingAway, "server is shutting down", false)
	}
	c.mu.Unlock()
	c.wg.Done()
}

// drain closes the connection after the answers to what is in flight.
func (c *wsConn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if c.inFlight == 0 {
		c.finishLocked(closeGoingAway, "server is shutting down", false)
	}
}

// drop closes the connection at once, except for the message being written.
func (c *wsConn) drop(code closeCode, reason string) { c.finish(code, reason, true) }

func (c *wsConn) finish(code closeCode, reason string, discard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishLocked(code, reason, discard)
}

// finishLocked stops accepting messages to send; the writer closes the connection
// when the queue, emptied if discard is set, is written.
func (c *wsConn) finishLocked(code closeCode, reason string, discard bool) {
	if c.code != 0 {
		return
	}
	c.code, c.reason = code, reason
	if discard {
		c.queue, c.bytes = nil, 0
	}
	c.wakeLocked()
}

func (c *wsConn) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code != 0
}

// discard reads on after the server closed, until the client has answered with its
// close frame or its time is up: a plain close could lose the reason.
func (c *wsConn) discard() {
	c.used(len(c.unread()))
	for c.fill(0) == nil {
		if in := c.unread(); len(in) >= 2 && in[0] == 0x80|opClose {
			return
		}
		c.used(len(c.unread()))
	}
}

// keepAlive pings when it is time, so that proxies keep the connection, and drops a
// client that did not answer the last one.
func (c *wsConn) keepAlive(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now < c.nextPing || c.code != 0 {
		return
	}
	if c.pinged != 0 {
		c.finishLocked(closeGone, "", true)
		return
	}
	c.pinged, c.nextPing = now, now+int64(c.s.opts.PingInterval)
	c.queueLocked(outgoing{b: appendFrame(nil, opPing, nil), framed: true})
	c.wakeLocked()
}
