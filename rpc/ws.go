package rpc

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Codes with which the server closes WebSockets (RFC 6455 section 7.4).
const (
	closeGoingAway = websocket.StatusGoingAway
	closeSlow      = websocket.StatusPolicyViolation
	closeOverrun   = websocket.StatusTryAgainLater
	closeGone      = websocket.StatusCode(-1) // the client has left
)

// wsConn is one WebSocket connection. Its reader is the HTTP handler's goroutine; a
// writer lives only while something waits to be sent, so an idle connection costs
// one goroutine.
type wsConn struct {
	s      *Server
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{} // one per message in flight
	wg     sync.WaitGroup
	subs   int // guarded by hub.mu

	mu       sync.Mutex
	queue    [][]byte // to be written
	bytes    int      // in queue
	writing  bool     // a writer runs
	inFlight int
	draining bool
	code     websocket.StatusCode // not 0: no more is accepted, close when queue is empty
	reason   string
	ping     *time.Timer
}

func (s *Server) serveWS(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &wsConn{s: s, ctx: ctx, cancel: cancel, slots: make(chan struct{}, s.opts.MaxInFlight)}
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		s.refuse(w, http.StatusServiceUnavailable, Errorf(CodeServer, "server is shutting down"))
		return
	}
	s.wsDone.Add(1)
	s.mu.Unlock()
	defer s.wsDone.Done()
	// The origin was checked already.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(s.opts.MaxBodyBytes)
	c.ws = ws
	s.mu.Lock()
	s.conns[c] = struct{}{}
	if s.draining {
		c.drain()
	}
	s.mu.Unlock()
	c.mu.Lock()
	c.ping = time.AfterFunc(s.opts.PingInterval, c.keepAlive)
	c.mu.Unlock()

	c.readLoop()

	c.finish(closeGone, "", true)
	cancel()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.hub.removeConn(c)
	c.wg.Wait()
	ws.CloseNow()
}

// readLoop takes messages until the connection ends. Sends are submitted here, in
// order of arrival; the rest of the work runs beside the loop.
func (c *wsConn) readLoop() {
	for {
		_, body, err := c.ws.Read(c.ctx)
		if err != nil {
			return
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		if !c.acquire() {
			<-c.slots
			continue
		}
		cl := &call{ctx: c.ctx, conn: c}
		m := c.s.begin(cl, body)
		go func() {
			defer c.release()
			out := c.s.finish(cl, m)
			switch {
			case out == nil:
			case len(cl.subs) > 0:
				c.s.hub.activate(cl.subs, func() { c.send(out) })
			default:
				c.send(out)
			}
		}()
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
	<-c.slots
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
func (c *wsConn) drop(code websocket.StatusCode, reason string) { c.finish(code, reason, true) }

func (c *wsConn) finish(code websocket.StatusCode, reason string, discard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishLocked(code, reason, discard)
}

// finishLocked stops accepting messages to send; the writer closes the connection
// when the queue, emptied if discard is set, is written.
func (c *wsConn) finishLocked(code websocket.StatusCode, reason string, discard bool) {
	if c.code != 0 {
		return
	}
	c.code, c.reason = code, reason
	if discard {
		c.queue, c.bytes = nil, 0
	}
	if c.ping != nil {
		c.ping.Stop()
	}
	c.wakeLocked()
}

func (c *wsConn) wakeLocked() {
	if !c.writing {
		c.writing = true
		c.wg.Add(1)
		go c.write()
	}
}

func (c *wsConn) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code != 0
}

// send queues a message. A full queue ends the connection: its client is too slow.
func (c *wsConn) send(msg []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	o := &c.s.opts
	if n := len(c.queue); n >= o.MaxQueueMessages || n > 0 && c.bytes+len(msg) > o.MaxQueueBytes {
		c.finishLocked(closeSlow, "slow consumer: outgoing queue is full, read faster or subscribe to less", true)
		return
	}
	c.queue = append(c.queue, msg)
	c.bytes += len(msg)
	c.wakeLocked()
}

// notify queues a push of a subscription.
func (c *wsConn) notify(id string, result rawJSON) {
	const head, mid, tail = `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"`, `","result":`, `}}`
	msg := make([]byte, 0, len(head)+len(id)+len(mid)+len(result)+len(tail))
	msg = append(append(append(msg, head...), id...), mid...)
	c.send(append(append(msg, result...), tail...))
}

// write sends what is queued and ends.
func (c *wsConn) write() {
	defer c.wg.Done()
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			code, reason := c.code, c.reason
			c.queue = nil // an idle connection holds no buffer
			c.writing = code != 0
			c.mu.Unlock()
			if code > 0 {
				c.ws.Close(code, reason)
				c.cancel()
			}
			return
		}
		msg := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.bytes -= len(msg)
		c.mu.Unlock()
		ctx, cancel := context.WithTimeout(c.ctx, c.s.opts.WriteTimeout)
		err := c.ws.Write(ctx, websocket.MessageText, msg)
		cancel()
		if err != nil {
			c.cancel()
			c.finish(closeGone, "", true)
		}
	}
}

// keepAlive pings, so that proxies keep the connection and dead clients are found.
func (c *wsConn) keepAlive() {
	c.mu.Lock()
	if c.code != 0 {
		c.mu.Unlock()
		return
	}
	c.wg.Add(1)
	c.mu.Unlock()
	defer c.wg.Done()
	ctx, cancel := context.WithTimeout(c.ctx, c.s.opts.PingInterval)
	defer cancel()
	if err := c.ws.Ping(ctx); err != nil {
		c.cancel()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.ping.Reset(c.s.opts.PingInterval)
	}
}
