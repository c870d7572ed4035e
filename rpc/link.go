package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/talaria-l2/talaria/netaddr"
)

// inputSize is what one read takes at most; a request that is larger gets a larger
// buffer while it arrives.
const inputSize = 16 << 10

// buffers lends input and output buffers. A connection holds none while it waits for
// its client, so an idle one costs its goroutine and little else.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() []byte {
	if b, ok := p.pool.Get().(*[inputSize]byte); ok {
		return b[:]
	}
	return new([inputSize]byte)[:]
}

// put takes a buffer back; those of another size are left to the collector.
func (p *buffers) put(b []byte) {
	if cap(b) == inputSize {
		p.pool.Put((*[inputSize]byte)(b[:inputSize]))
	}
}

// link is one accepted connection: its socket and what was read of it but not used.
// Only the goroutine of the connection reads; in is its own.
type link struct {
	s      *Server
	nc     net.Conn
	raw    syscall.RawConn // nil when bytes on the wire are not the bytes read (TLS)
	peer   netip.Addr
	home   *home
	ctx    context.Context // of everything that is done for the client
	cancel context.CancelFunc

	in      []byte // nil: nothing is unread
	r, w    int    // in[r:w] is unread
	onRead  func(fd uintptr) bool
	readErr error

	// Times in nanoseconds of the server's clock by which the present read or write
	// must be over; 0: no limit. The janitor enforces them.
	readBy, writeBy atomic.Int64
	// idle is set while the connection waits for its next request, and nothing of it
	// has come.
	idle   atomic.Bool
	serial serial
	ws     *wsConn // set under Server.mu once it speaks WebSocket
}

func (s *Server) newLink(nc net.Conn) *link {
	l := &link{s: s, nc: nc, peer: netaddr.OfConn(nc)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if sc, ok := nc.(*net.TCPConn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			l.raw = raw
			l.onRead = l.readFD
		}
	}
	return l
}

// unread is what came and was not used.
func (l *link) unread() []byte { return l.in[l.r:l.w] }

// used drops the first n unread bytes, and the buffer when it is empty and large.
func (l *link) used(n int) {
	if l.r += n; l.r == l.w {
		l.r, l.w = 0, 0
		if cap(l.in) > inputSize {
			l.in = nil
		}
	}
}

// release gives the buffer back if nothing in it is unread.
func (l *link) release() {
	if l.in != nil && l.r == l.w {
		l.s.bufs.put(l.in)
		l.in, l.r, l.w = nil, 0, 0
	}
}

// room makes space for a read: at least one byte, and all of need unread bytes when
// that is known, but never much more than has come already: a client that announces
// much and sends little holds little.
func (l *link) room(need int) {
	if l.in == nil {
		return // taken when bytes are there
	}
	if l.r > 0 && (l.w == len(l.in) || l.r+need > len(l.in)) {
		copy(l.in, l.in[l.r:l.w])
		l.r, l.w = 0, l.w-l.r
	}
	if l.w == len(l.in) {
		size := 2 * len(l.in)
		if need > l.w {
			size = min(size, need)
		}
		grown := make([]byte, size)
		copy(grown, l.in[:l.w])
		l.s.bufs.put(l.in)
		l.in = grown
	}
}

// fill reads more, at least one byte. While it waits for the first byte of something
// it holds no buffer.
func (l *link) fill(need int) error {
	l.room(need)
	if l.raw == nil {
		return l.fillSlowly()
	}
	for {
		err := l.raw.Read(l.onRead)
		if err == nil {
			err = l.readErr
		}
		if !l.spurious(err) {
			return err
		}
	}
}

// readFD is one attempt to read, made by the poller.
func (l *link) readFD(fd uintptr) bool {
	if l.in == nil {
		l.in = l.s.bufs.get()
	}
	for {
		n, err := syscall.Read(int(fd), l.in[l.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			l.release()
			return false
		case err != nil:
			l.readErr = os.NewSyscallError("read", err)
		case n == 0:
			l.readErr = io.EOF
		default:
			l.w += n
			l.readErr = nil
		}
		return true
	}
}

// fillSlowly reads through the connection's own code.
func (l *link) fillSlowly() error {
	var first [1]byte
	for {
		var n int
		var err error
		if l.in == nil {
			if n, err = l.nc.Read(first[:]); n > 0 {
				l.in = l.s.bufs.get()
				l.in[0] = first[0]
			}
		} else {
			n, err = l.nc.Read(l.in[l.w:])
		}
		if l.w += n; n > 0 {
			return nil
		}
		if !l.spurious(err) {
			return err
		}
	}
}

// spurious reports whether a read was interrupted by a limit that does not hold any
// more, and clears it.
func (l *link) spurious(err error) bool {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	by := l.readBy.Load()
	if by != 0 && l.s.now() >= by || l.s.stopping.Load() {
		return false
	}
	l.nc.SetReadDeadline(time.Time{})
	return true
}

// minWriteRate is what a client must read at least of a long answer, in bytes a second.
const minWriteRate = 1 << 20

// write sends b within the time for it.
func (l *link) write(b []byte) error {
	limit := l.s.opts.WriteTimeout + time.Duration(len(b))*time.Second/minWriteRate
	l.writeBy.Store(l.s.now() + int64(limit))
	_, err := l.nc.Write(b)
	l.writeBy.Store(0)
	return err
}

// interrupt ends a wait for the client if its time is up.
func (l *link) interrupt(now int64) {
	l.serial.interrupt(l.s.stopping.Load())
	if by := l.readBy.Load(); by != 0 && now >= by {
		l.nc.SetReadDeadline(time.Unix(1, 0))
	}
	if by := l.writeBy.Load(); by != 0 && now >= by {
		l.nc.SetWriteDeadline(time.Unix(1, 0))
	}
}

// linger closes a connection whose client may still be sending what nobody will read:
// a plain close would make the system reset it, and the client could lose the answer.
func (l *link) linger() {
	type halfCloser interface{ CloseWrite() error }
	h, ok := l.nc.(halfCloser)
	if !ok || h.CloseWrite() != nil {
		return
	}
	until := time.Now().Add(lingerTime)
	l.readBy.Store(0)
	l.nc.SetReadDeadline(until)
	l.release()
	if l.in == nil {
		l.in = l.s.bufs.get()
	}
	l.r, l.w = 0, 0
	for left := lingerBytes; left > 0; {
		n, err := l.nc.Read(l.in[:inputSize])
		if left -= n; err != nil {
			return
		}
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)
