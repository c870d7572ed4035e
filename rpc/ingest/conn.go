package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

const (
	// maxBatch and maxBatchBytes bound what is handed to the node in one call.
	maxBatch      = 256
	maxBatchBytes = 256 << 10
	// chunkSize is the piece of memory that transactions are read into, one behind the
	// other. They are copied out of it: the node may keep one for long, and would keep
	// with it all that a client sent beside it.
	chunkSize = 64 << 10
	// minRead is how much of a chunk must be left for it to be read into.
	minRead = 8 << 10
	// maxAcks bounds the acknowledgements of one write.
	maxAcks = 1600
)

// conn is one connection.
type conn struct {
	s       *Server
	socket  net.Conn
	surplus error // why it is one more than the server serves
	flags   byte
	sender  rpc.Sender
	voucher *rpc.Voucher // nil: not a trusted replica's
	group   *rpc.Group

	stopping atomic.Bool // by Server.Shutdown
	forged   atomic.Bool // the replica is not trusted any more
	deadOnce sync.Once
	dead     chan struct{} // closed with the socket
	received chan struct{} // closed when nothing more is handed over
	reason   wire.Reason   // of that, 0 when it is the client's wish

	unacked      atomic.Int64
	unackedBytes atomic.Int64
	room         chan struct{} // a token when some of it was acknowledged

	// Of the reader.
	sends []rpc.Send
	bytes int // of sends
}

func newConn(s *Server, socket net.Conn) *conn {
	return &conn{
		s: s, socket: socket, group: rpc.NewGroup(), room: make(chan struct{}, 1),
		dead: make(chan struct{}), received: make(chan struct{}),
	}
}

// serve lives as long as the connection.
func (c *conn) serve() {
	defer c.abort()
	defer c.release()
	if err := c.greet(); err != nil {
		c.s.opts.Log.Debug("ingest connection refused", "from", c.socket.RemoteAddr(), "err", err)
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.acknowledge()
	}()
	c.reason = c.receive()
	close(c.received)
	<-written
}

// stop ends receiving; what was taken is still acknowledged.
func (c *conn) stop() {
	c.stopping.Store(true)
	_ = c.socket.SetReadDeadline(time.Unix(1, 0))
}

// abort closes the socket at once.
func (c *conn) abort() {
	c.deadOnce.Do(func() {
		close(c.dead)
		_ = c.socket.Close()
	})
}

// greet exchanges the hellos. An error means that the client has been refused.
func (c *conn) greet() error {
	if err := c.socket.SetDeadline(time.Now().Add(c.s.opts.HelloTimeout)); err != nil {
		return err
	}
	if c.stopping.Load() {
		return errors.New("the server stops")
	}
	o := &c.s.opts
	status, refusal := c.readHello()
	if status == noHello {
		return refusal
	}
	hello := wire.ServerHello{Version: wire.Version, Status: status, ChainID: o.ChainID, Window: uint32(o.Window), MaxTxBytes: uint32(o.MaxTxBytes)}
	if _, err := c.socket.Write(hello.Append(nil)); err != nil {
		return errors.Join(refusal, err)
	}
	if refusal != nil {
		c.linger()
		return refusal
	}
	return c.socket.SetWriteDeadline(time.Time{})
}

// noHello is the status of a client that gets no answer: it speaks something else.
const noHello wire.HelloStatus = 255

func (c *conn) readHello() (wire.HelloStatus, error) {
	var fixed [wire.ClientHelloSize]byte
	if _, err := io.ReadFull(c.socket, fixed[:]); err != nil {
		return noHello, fmt.Errorf("client hello: %w", err)
	}
	hello, keySize, err := wire.ParseClientHello(&fixed)
	switch {
	case errors.Is(err, wire.ErrVersion):
		return wire.HelloVersion, err
	case errors.Is(err, wire.ErrMagic):
		return noHello, err
	case err != nil:
		return wire.HelloMalformed, err
	}
	key := make([]byte, keySize)
	if _, err := io.ReadFull(c.socket, key); err != nil {
		return noHello, fmt.Errorf("client hello: %w", err)
	}
	if c.surplus != nil {
		return wire.HelloBusy, c.surplus
	}
	if id := c.s.opts.ChainID; hello.ChainID != 0 && hello.ChainID != id {
		return wire.HelloChain, fmt.Errorf("the client wants chain %d, this is %d", hello.ChainID, id)
	}
	if c.sender, err = c.s.opts.Authorize(string(key)); err != nil {
		return wire.HelloKey, fmt.Errorf("API key: %w", err)
	}
	if err := c.s.backend.Ready(); err != nil {
		return wire.HelloNotReady, err
	}
	c.flags = hello.Flags
	if hello.Flags&wire.FlagReplica != 0 {
		return c.identify()
	}
	return wire.HelloOK, nil
}

// receive reads frames and hands their transactions over, until the client ends, or
// something does not go on; it says what.
func (c *conn) receive() wire.Reason {
	buf := make([]byte, chunkSize)
	start, end, need := 0, 0, wire.HeaderSize
	moved := true // a frame ended since the deadline was set: it is for whole frames
	for {
		if len(buf)-start < need || len(buf)-end < minRead && need < len(buf)-minRead {
			next := buf
			if size := max(chunkSize, need); size != len(buf) {
				next = make([]byte, size)
			}
			end = copy(next, buf[start:end]) // less than need: all before it is taken
			start, buf = 0, next
		}
		if moved {
			if err := c.socket.SetReadDeadline(time.Now().Add(c.s.opts.IdleTimeout)); err != nil {
				return 0
			}
		}
		if reason := c.told(); reason != 0 {
			return reason
		}
		n, err := c.socket.Read(buf[end:])
		end += n
		before := start
		var bad error
		if start, need, bad = c.take(buf, start, end); c.forged.Load() {
			return wire.ReasonForged
		}
		if !c.submit() {
			return 0
		}
		if bad != nil {
			return wire.ReasonFrame
		}
		moved = start > before || start == end && n > 0
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0
		case c.told() != 0:
			return c.told()
		case start < end || c.unacked.Load() == 0:
			return wire.ReasonIdle
		default:
			moved = true // it waits for its acknowledgements
		}
	}
}

// take hands over the whole frames in buf[start:end], but for the last of them, which
// wait for submit. It returns where the next frame begins and how much of it there
// must be to go on.
func (c *conn) take(buf []byte, start, end int) (next, need int, err error) {
	limit, limitBytes := min(maxBatch, c.s.opts.Window), min(maxBatchBytes, c.s.opts.WindowBytes)
	for {
		f, size, need, err := wire.ParseFrame(buf[start:end], c.flags, uint32(c.s.opts.MaxTxBytes))
		if size == 0 {
			return start, need, err
		}
		if len(c.sends) == limit || c.bytes+len(f.Raw) > limitBytes {
			if !c.submit() {
				return start, need, nil
			}
		}
		c.sends = append(c.sends, rpc.Send{Raw: bytes.Clone(f.Raw), Sender: f.Sender, Voucher: c.voucher, Caller: c.sender.Name, Group: c.group})
		c.bytes += len(f.Raw)
		start += size
	}
}

// submit hands over what was gathered, when there is room for it among what is not
// acknowledged. False: the connection is over.
func (c *conn) submit() bool {
	n, size := int64(len(c.sends)), int64(c.bytes)
	if n == 0 {
		return true
	}
	for {
		unacked := c.unacked.Load()
		if unacked == 0 || unacked+n <= int64(c.s.opts.Window) && c.unackedBytes.Load()+size <= int64(c.s.opts.WindowBytes) {
			break
		}
		select {
		case <-c.room:
		case <-c.dead:
			return false
		}
	}
	if !c.await(int(n)) {
		return false
	}
	c.unacked.Add(n)
	c.unackedBytes.Add(size)
	c.s.backend.SubmitTxs(context.Background(), c.sends)
	clear(c.sends)
	c.sends, c.bytes = c.sends[:0], 0
	return true
}

// acknowledge writes acknowledgements until nothing is received any more and
// everything is acknowledged.
func (c *conn) acknowledge() {
	var settled []*rpc.Submission
	out := make([]byte, 0, maxAcks*wire.AckSize)
	received := c.received
	var drained <-chan time.Time
	for {
		if received == nil && c.unacked.Load() == 0 {
			c.farewell(out[:0])
			return
		}
		select {
		case <-c.group.Wake():
		case <-received:
			received = nil
			timer := time.NewTimer(c.s.opts.DrainTimeout)
			defer timer.Stop()
			drained = timer.C
		case <-drained:
			return
		case <-c.dead:
			return
		}
		settled = c.group.Take(settled)
		for list := settled; len(list) > 0; {
			n := min(len(list), maxAcks)
			if !c.write(out[:0], list[:n]) {
				c.abort()
				return
			}
			list = list[n:]
		}
	}
}

// write acknowledges settled submissions; false if the client does not take it.
func (c *conn) write(out []byte, settled []*rpc.Submission) bool {
	var size int64
	for _, sub := range settled {
		ack := ackOf(sub)
		out = ack.Append(out)
		size += int64(len(sub.Raw()))
	}
	if err := c.socket.SetWriteDeadline(time.Now().Add(c.s.opts.WriteTimeout)); err != nil {
		return false
	}
	if _, err := c.socket.Write(out); err != nil {
		c.s.opts.Log.Debug("ingest client does not take its acknowledgements", "from", c.socket.RemoteAddr(), "err", err)
		return false
	}
	c.unackedBytes.Add(-size)
	c.unacked.Add(-int64(len(settled)))
	select {
	case c.room <- struct{}{}:
	default:
	}
	return true
}

// farewell says why the server closes, if it is not the client's wish.
func (c *conn) farewell(out []byte) {
	if err := c.socket.SetWriteDeadline(time.Now().Add(c.s.opts.WriteTimeout)); err != nil {
		return
	}
	if c.reason != 0 {
		bye := wire.Ack{Status: wire.Closing, Detail: uint64(c.reason)}
		if _, err := c.socket.Write(bye.Append(out)); err != nil {
			return
		}
	}
	c.linger()
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// linger ends the writing side and reads on for a moment: closing with something unread
// would take back what the client has not read yet.
func (c *conn) linger() {
	half, ok := c.socket.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.socket.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.socket, lingerBytes)
}

// await lets n transactions wait for the sender's rate: meanwhile nothing more is read.
// False: the connection is over.
func (c *conn) await(n int) bool {
	if c.sender.Book == nil {
		return true
	}
	wait := c.sender.Book(n)
	if wait == 0 {
		return true
	}
	select {
	case <-time.After(wait):
		return true
	case <-c.s.stopped: // what waits here is neither taken nor acknowledged
		return false
	case <-c.dead:
		return false
	}
}
