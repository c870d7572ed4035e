package rpc

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// pusher writes what is published to the sockets of many connections, in passes: each
// takes what has gathered for a connection and writes it with one call that does not
// wait. After a pass it rests in proportion to what the pass took: with few subscribers
// an event leaves at once; with many, or on a machine that is behind, several events
// share a call, and clients wake up less often.
//
// A connection whose socket takes no more gets a goroutine of its own until it does
// (wsConn.write), so that nobody waits for a slow client.
type pusher struct {
	wake chan struct{} // a token when somebody is due
	stop chan struct{}
	done chan struct{}

	mu  sync.Mutex
	due []*wsConn

	// Of the goroutine.
	frames  frames
	left    []byte // of frames.b, to be written
	err     error  // of the socket
	onWrite func(fd uintptr) bool
}

const (
	// maxPushers bounds the goroutines that push.
	maxPushers = 8
	// maxRest is the longest rest after a pass, which is half as long as the pass else.
	maxRest = 10 * time.Millisecond
)

// startPushers starts one for every two processors.
func startPushers() []*pusher {
	all := make([]*pusher, min((runtime.GOMAXPROCS(0)+1)/2, maxPushers))
	for i := range all {
		p := &pusher{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
		p.onWrite = p.writeFD
		all[i] = p
		go p.run()
	}
	return all
}

func (p *pusher) close() {
	close(p.stop)
	<-p.done
}

// listLocked has the connection's queue written in the next pass.
func (c *wsConn) listLocked() {
	switch {
	case c.pusher == nil:
		c.wakeLocked()
	case !c.listed && !c.writing:
		c.listed = true
		c.pusher.list(c)
	}
}

func (p *pusher) list(c *wsConn) {
	p.mu.Lock()
	p.due = append(p.due, c)
	first := len(p.due) == 1
	p.mu.Unlock()
	if first {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *pusher) run() {
	defer close(p.done)
	rest := time.NewTimer(0)
	defer rest.Stop()
	<-rest.C
	var list []*wsConn
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		list, p.due = p.due, list[:0]
		p.mu.Unlock()
		begun := time.Now()
		for i, c := range list {
			p.push(c)
			list[i] = nil
		}
		p.frames.forget()
		rest.Reset(min(time.Since(begun)/2, maxRest))
		select {
		case <-p.stop:
			return
		case <-rest.C:
		}
	}
}

// push writes what is queued for the connection, as far as its socket takes it now.
func (p *pusher) push(c *wsConn) {
	c.mu.Lock()
	c.listed = false
	if c.writing || c.code != 0 || len(c.queue) == 0 {
		c.mu.Unlock()
		return // who writes, or ends the connection, takes the queue, too
	}
	c.writing = true
	c.wg.Add(1)
	defer c.wg.Done()
	p.frames.next = c.takeLocked(p.frames.next[:0])
	c.mu.Unlock()

	p.frames.pack()
	p.left, p.err = p.frames.b, nil
	if err := c.raw.Write(p.onWrite); err != nil {
		p.err = err
	}
	if p.err != nil {
		c.cancel()
		c.finish(closeGone, "", true)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if len(p.left) > 0 && p.err == nil {
		m := outgoing{b: append([]byte(nil), p.left...), framed: true}
		c.queue = append([]outgoing{m}, c.queue...)
		c.bytes += m.size()
		c.wakeLocked()
	} else if c.code != 0 {
		c.wakeLocked()
	} else if len(c.queue) > 0 {
		c.listLocked()
	}
}

// writeFD is one attempt to write what is left.
func (p *pusher) writeFD(fd uintptr) bool {
	for len(p.left) > 0 {
		n, err := syscall.Write(int(fd), p.left)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
		case err != nil:
			p.err = err
		case n < len(p.left):
			p.left = p.left[n:]
			continue
		default:
			p.left = nil
		}
		return true
	}
	return true
}

// frames is what is written to one connection after the other. Live subscriptions of the
// same kind get the same events, and only their prefixes differ.
type frames struct {
	b          []byte
	next, last []outgoing // messages to be packed, and those that b is made of
	at         []int      // where in b the frames of last have their first parts
}

// pack makes b of next.
func (f *frames) pack() {
	if f.alike() {
		for i := range f.next {
			copy(f.b[f.at[i]:], f.next[i].b)
		}
	} else {
		f.b, f.at = f.b[:0], f.at[:0]
		for i := range f.next {
			m := &f.next[i]
			if !m.framed {
				f.b = appendFrameHead(f.b, 0x80|opText, m.size())
			}
			f.at = append(f.at, len(f.b))
			f.b = append(append(f.b, m.b...), m.tail...)
		}
	}
	f.next, f.last = f.last, f.next
}

// alike reports whether next differs from last in first parts of the same lengths only.
func (f *frames) alike() bool {
	if len(f.next) != len(f.last) {
		return false
	}
	for i := range f.next {
		a, b := &f.next[i], &f.last[i]
		if a.framed != b.framed || len(a.b) != len(b.b) || len(a.tail) != len(b.tail) || len(a.tail) > 0 && &a.tail[0] != &b.tail[0] {
			return false
		}
	}
	return true
}

// forget drops what the frames are made of.
func (f *frames) forget() {
	clear(f.last[:cap(f.last)])
	clear(f.next[:cap(f.next)])
	f.last, f.next = f.last[:0], f.next[:0]
	if cap(f.b) > 4*outputSize {
		f.b = nil
	}
}
