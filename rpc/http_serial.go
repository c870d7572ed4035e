package rpc

import (
	"sync/atomic"
	"syscall"
	"time"
)

// serial is how a connection whose client waits for each answer before it asks again has
// its sends answered: by its own goroutine, which does not read meanwhile. That spares a
// second goroutine and its timer for every request. Who sends on without waiting is found
// out, and read from all the time.
type serial struct {
	off   bool          // the client does not wait for answers
	wake  chan struct{} // one place
	timer *time.Timer   // sends to wake when the goroutine is to read again
	late  atomic.Bool   // the timer has fired
	waits atomic.Bool   // the goroutine waits
	count uint32        // answers so far
}

const (
	// serialPatience is how long a connection is not read from while a send waits: longer
	// than a mini-block takes, and much shorter than a transaction waits for the nonce before
	// it, which may be what comes next.
	serialPatience = 30 * time.Millisecond
	// Whether a client sends on is looked at for its first answers, and for some of the others.
	serialLooks, serialLookEvery = 8, 64
)

// oneByOne answers the only request that waits, if it consists of sends, unless its client
// does not wait for answers. What it leaves is answered as the others are.
func (c *httpConn) oneByOne() {
	t := &c.serial
	switch {
	case t.off || len(c.wait) == 0:
		return
	case len(c.wait) > 1 || c.r < c.w:
		t.off = true
		return
	case !c.quiet():
		return
	}
	x := c.wait[0]
	if !x.msg.started() {
		return
	}
	c.s.submit(c.ctx, &c.group)
	c.release()
	if !c.awaitSends(x.msg) {
		return
	}
	c.wait = c.wait[:0]
	c.out = c.s.render(c.output(), x)
}

// awaitSends waits until a message of sends can be answered; false: it takes long, and the
// client may have sent on.
func (c *httpConn) awaitSends(m *message) bool {
	t := &c.serial
	t.late.Store(false) // a shot of the last wait that comes after this ends the wait too early, at worst
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
		t.timer = time.AfterFunc(serialPatience, func() {
			t.late.Store(true)
			nudge(t.wake)
		})
	} else {
		t.timer.Reset(serialPatience)
	}
	t.waits.Store(true)
	defer t.waits.Store(false)
	defer t.timer.Stop()
	for _, f := range m.futures {
		for f.sub != nil && f.sub.Wake(t.wake) {
			if c.s.stopping.Load() || c.ctx.Err() != nil || t.late.Load() {
				t.off = t.off || c.sentOn()
				return false
			}
			<-t.wake
		}
	}
	if t.count++; t.count <= serialLooks || t.count%serialLookEvery == 0 {
		t.off = c.sentOn()
	}
	return true
}

// sentOn tells whether something has come that was not read.
func (c *httpConn) sentOn() bool {
	more := false
	err := c.raw.Control(func(fd uintptr) {
		var first [1]byte
		n, _, err := syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		more = err == nil && n > 0
	})
	return err == nil && more
}

// interrupt ends a wait for sends that the end of the server ends.
func (t *serial) interrupt(stopping bool) {
	if stopping && t.waits.Load() {
		nudge(t.wake)
	}
}
