package rpc

import "time"

// wakeLocked has a goroutine of the connection's own write what is queued.
func (c *wsConn) wakeLocked() {
	if !c.writing {
		c.writing = true
		c.wg.Add(1)
		go c.write()
	}
}

// send queues a message. A full queue ends the connection: its client is too slow.
func (c *wsConn) send(msg []byte) { c.enqueue(outgoing{b: msg}) }

func (c *wsConn) enqueue(m outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.queueLocked(m)
		c.wakeLocked()
	}
}

// queueLocked leaves a message to who is woken next.
func (c *wsConn) queueLocked(m outgoing) {
	o := &c.s.opts
	if n := len(c.queue); n >= o.MaxQueueMessages || n > 0 && c.bytes+m.size() > o.MaxQueueBytes {
		c.finishLocked(closeSlow, "slow consumer: outgoing queue is full, read faster or subscribe to less", true)
		return
	}
	c.queue = append(c.queue, m)
	c.bytes += m.size()
}

// write sends what is queued, many messages at a time, and ends.
func (c *wsConn) write() {
	defer c.wg.Done()
	var out []byte
	var taken []outgoing
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			code, reason := c.code, c.reason
			c.roomLocked()
			c.writing = code != 0
			c.mu.Unlock()
			c.s.bufs.put(out)
			c.farewell(code, reason)
			return
		}
		taken = c.takeLocked(taken[:0])
		c.mu.Unlock()
		if out == nil {
			out = c.s.bufs.get()[:0]
		}
		out = out[:0]
		for i := range taken { // not under mu, for which the hub would wait with everybody
			out = c.pack(out, taken[i])
			taken[i] = outgoing{}
		}
		if err := c.link.write(out); err != nil {
			c.cancel()
			c.finish(closeGone, "", true)
		}
		if cap(out) > 2*outputSize {
			out = nil
		}
	}
}

// takeLocked moves messages of about outputSize bytes from the queue to taken.
func (c *wsConn) takeLocked(taken []outgoing) []outgoing {
	size, n := 0, 0
	for n < len(c.queue) && (n == 0 || size+c.queue[n].size() <= outputSize) {
		size += c.queue[n].size()
		n++
	}
	taken = append(taken, c.queue[:n]...)
	clear(c.queue[:n])
	c.bytes -= size
	switch {
	case n < len(c.queue):
		c.queue = c.queue[n:]
	case cap(c.queue) <= keptQueue:
		c.queue = c.queue[:0]
	default:
		c.queue = nil
	}
	c.roomLocked()
	return taken
}

// keptQueue is how many messages a queue has room for that is kept when it is empty.
const keptQueue = 8

// pack appends a message as a frame.
func (c *wsConn) pack(out []byte, m outgoing) []byte {
	switch {
	case m.framed:
		return append(out, m.b...)
	case c.deflate != nil && m.size() >= deflateFrom:
		return c.deflate.append(out, append(m.b[:len(m.b):len(m.b)], m.tail...))
	}
	return append(append(appendFrameHead(out, 0x80|opText, m.size()), m.b...), m.tail...)
}

// farewell sends the close frame, after which the client has a while to answer it.
func (c *wsConn) farewell(code closeCode, reason string) {
	switch {
	case code > 0:
		c.readBy.Store(c.s.now() + int64(closeTime))
		if c.link.write(appendFrame(nil, opClose, closePayload(code, reason))) != nil {
			c.nc.Close()
		}
	case code < 0:
		c.nc.Close()
	}
}

// closeTime is how long a client may take to answer a close frame.
const closeTime = 5 * time.Second
