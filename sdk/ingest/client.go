package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto/keccak"
)

// Options of a client. The zero value of a field means its default.
type Options struct {
	ChainID uint64      // refuse a server of another chain [any]
	Key     string      // of the API [none]
	TLS     *tls.Config // [no TLS, unless the address says so]
	// Sign proves which replica this is: the server executes before it checks the hints of
	// one that it trusts. It signs a digest with secp256k1, 65 bytes with a recovery id of 0
	// or 1; ChainID must be set then [nobody in particular].
	Sign func(digest common.Hash) ([]byte, error)
	// SignInClear has Sign called without TLS, too, when the server is not on this machine:
	// who can be taken for the server can then be taken for this replica [ErrInClear].
	SignInClear bool
	// OnAck is called with what was acknowledged, in order of arrival, by one goroutine.
	// The slice is valid during the call, and nothing is received meanwhile [Acks].
	OnAck func([]Ack)
	// DialTimeout bounds connecting and the hellos [10 s].
	DialTimeout time.Duration
	// WriteTimeout is how long the server may take nothing before the connection is
	// given up [30 s].
	WriteTimeout time.Duration
}

// Tx is a signed transaction to send.
type Tx struct {
	Raw    []byte         // EIP-2718; the client keeps it until it is acknowledged
	Hash   common.Hash    // keccak256 of Raw; zero: computed
	Sender common.Address // hint that saves the server work; zero: none
}

// Errors of a client.
var (
	// ErrClosed is what calls return after Close.
	ErrClosed = errors.New("the client is closed")
	// ErrTooLarge refuses a transaction that is empty or longer than the server takes.
	ErrTooLarge = errors.New("transaction size is not allowed")
)

// HelloError says that the server refused the connection.
type HelloError struct{ Hello ServerHello }

// Error says why.
func (e *HelloError) Error() string {
	return fmt.Sprintf("ingest server refuses the connection: %v (it speaks version %d on chain %d)", e.Hello.Status, e.Hello.Version, e.Hello.ChainID)
}

// ClosingError says why the server closed the connection.
type ClosingError struct{ Reason Reason }

// Error says why.
func (e *ClosingError) Error() string {
	return "ingest server closed the connection: " + e.Reason.String()
}

// Client is one connection. Its methods are safe for concurrent use; transactions go
// out in the order in which calls of Send take them.
//
// It does not reconnect: after an error, Unacknowledged lists what to send again on a
// new connection, if the caller wishes.
type Client struct {
	conn  net.Conn
	opts  Options
	hello ServerHello
	acks  chan Ack
	done  chan struct{} // closed with the first error
	wg    sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond // something was queued or acknowledged, or the end came
	out     []byte    // frames to write
	sent    map[common.Hash]sent
	unacked int
	seq     uint64
	err     error // why nothing works any more
}

// sent is a transaction that is not acknowledged, once or several times.
type sent struct {
	tx     Tx
	seq    uint64 // of the first
	copies int
}

// maxOut bounds the bytes of frames that wait for the socket.
const maxOut = 1 << 20

// Dial connects to addr: host:port, or a URL tcp://host:port or tls://host:port.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	if o.DialTimeout == 0 {
		o.DialTimeout = 10 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if len(o.Key) > MaxKeySize {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrKeySize, len(o.Key), MaxKeySize)
	}
	if o.Sign != nil && o.ChainID == 0 {
		return nil, errors.New("a replica must say which chain it is of")
	}
	if rest, ok := strings.CutPrefix(addr, "tls://"); ok {
		addr = rest
		if o.TLS == nil {
			o.TLS = new(tls.Config)
		}
	}
	addr = strings.TrimPrefix(addr, "tcp://")
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	conn, err := dial(ctx, addr, o.TLS)
	if err != nil {
		return nil, fmt.Errorf("connect to ingest server: %w", err)
	}
	c := &Client{conn: conn, opts: o, done: make(chan struct{}), sent: make(map[common.Hash]sent)}
	c.changed.L = &c.mu
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = c.greet()
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if o.OnAck == nil {
		c.acks = make(chan Ack, c.hello.Window)
	}
	c.wg.Add(2)
	go c.write()
	go c.read()
	return c, nil
}

func dial(ctx context.Context, addr string, config *tls.Config) (net.Conn, error) {
	if config != nil {
		d := tls.Dialer{Config: config}
		return d.DialContext(ctx, "tcp", addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// greet exchanges the hellos.
func (c *Client) greet() error {
	if err := c.maySign(); err != nil {
		return err
	}
	hello := ClientHello{Flags: FlagHints, ChainID: c.opts.ChainID, Key: c.opts.Key}
	if c.opts.Sign != nil {
		hello.Flags |= FlagReplica
	}
	if _, err := c.conn.Write(hello.Append(nil)); err != nil {
		return fmt.Errorf("ingest hello: %w", err)
	}
	var b [ServerHelloSize]byte
	err := c.fill(b[:])
	if err == nil && c.opts.Sign != nil {
		err = c.identify(&b)
	}
	if err != nil {
		return err
	}
	if c.hello, err = ParseServerHello(&b); err != nil {
		return err
	}
	if c.hello.Status != HelloOK {
		return &HelloError{c.hello}
	}
	if c.hello.Version != Version || c.hello.Window == 0 || c.hello.Window > maxWindow {
		return fmt.Errorf("ingest hello: version %d with a window of %d: want version %d and 1..%d", c.hello.Version, c.hello.Window, Version, maxWindow)
	}
	return nil
}

// fill reads a part of the greeting.
func (c *Client) fill(b []byte) error {
	if _, err := io.ReadFull(c.conn, b); err != nil {
		return fmt.Errorf("ingest hello: %w", err)
	}
	return nil
}

// maxWindow bounds what a server can make a client allocate.
const maxWindow = 1 << 20

// Hello is what the server said about itself.
func (c *Client) Hello() ServerHello { return c.hello }

// Acks is where acknowledgements arrive, unless Options.OnAck is set; it is closed
// when the connection ends. Who does not read it slows the server down.
func (c *Client) Acks() <-chan Ack { return c.acks }

// Send queues transactions in order. They leave as fast as the socket takes them,
// without a flush. It blocks while the window is full. An error says that the
// connection is over, ctx has ended or a transaction's size is not allowed; those
// before it are on their way.
func (c *Client) Send(ctx context.Context, txs ...Tx) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range txs {
		tx := txs[i]
		if len(tx.Raw) == 0 || len(tx.Raw) > min(int(c.hello.MaxTxBytes), MaxPayload-HintSize) {
			return fmt.Errorf("%w: %d bytes, allowed 1..%d", ErrTooLarge, len(tx.Raw), c.hello.MaxTxBytes)
		}
		if tx.Hash == (common.Hash{}) {
			tx.Hash = hashOf(tx.Raw)
		}
		if err := c.wait(ctx, func() bool { return c.unacked < int(c.hello.Window) && len(c.out) < maxOut }); err != nil {
			return err
		}
		e, again := c.sent[tx.Hash]
		if !again {
			e = sent{tx: tx, seq: c.seq}
		}
		e.copies++
		c.sent[tx.Hash] = e
		c.seq++
		c.unacked++
		if len(c.out) == 0 {
			c.changed.Broadcast()
		}
		c.out = AppendFrame(c.out, tx.Raw, tx.Sender)
	}
	return nil
}

func hashOf(raw []byte) (h common.Hash) {
	k := keccak.NewLegacyKeccak256()
	_, _ = k.Write(raw)
	k.Sum(h[:0])
	return h
}

// Flush waits until everything that was sent is acknowledged.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wait(ctx, func() bool { return c.unacked == 0 })
}

// wait returns when the condition holds, the connection is over, or ctx ends. c.mu is
// held.
func (c *Client) wait(ctx context.Context, ok func() bool) error {
	if c.err == nil && ok() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer stop()
	for c.err == nil && !ok() && ctx.Err() == nil {
		c.changed.Wait()
	}
	if c.err != nil {
		return c.err
	}
	return ctx.Err()
}

// Unacknowledged lists the transactions without an acknowledgement, in the order in
// which they were sent. While the connection is open they may just be on their way.
func (c *Client) Unacknowledged() []Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]sent, 0, len(c.sent))
	for _, e := range c.sent {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b sent) int { return cmp.Compare(a.seq, b.seq) })
	txs := make([]Tx, len(list))
	for i := range list {
		txs[i] = list[i].tx
	}
	return txs
}

// Err is why the connection is over, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done is closed when the connection is over; Err says why. The last acknowledgements may
// still be on their way to OnAck.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the connection at once; Flush first to wait for acknowledgements. It must
// not be called by OnAck.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	c.wg.Wait()
	return nil
}

// fail notes the first reason for the end and wakes everybody up.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		close(c.done)
		_ = c.conn.Close()
	}
	c.mu.Unlock()
	c.changed.Broadcast()
}

// write sends what is queued.
func (c *Client) write() {
	defer c.wg.Done()
	var spare []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && c.err == nil {
			c.changed.Wait()
		}
		if c.err != nil {
			c.mu.Unlock()
			return
		}
		out := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		c.changed.Broadcast() // there is room again
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.opts.WriteTimeout)); err != nil {
			c.fail(fmt.Errorf("send to ingest server: %w", err))
			return
		}
		if _, err := c.conn.Write(out); err != nil {
			c.fail(fmt.Errorf("send to ingest server: %w", err))
			return
		}
		spare = out
	}
}

// read receives acknowledgements.
func (c *Client) read() {
	defer c.wg.Done()
	if c.acks != nil {
		defer close(c.acks)
	}
	buf, filled := make([]byte, 64<<10), 0
	var acks []Ack
	for {
		n, err := c.conn.Read(buf[filled:])
		filled += n
		acks = acks[:0]
		at := 0
		for ; filled-at >= AckSize; at += AckSize {
			acks = append(acks, ParseAck((*[AckSize]byte)(buf[at:])))
		}
		filled = copy(buf, buf[at:filled])
		if reason, closing := c.take(acks); closing {
			c.deliver(acks[:len(acks)-1])
			c.fail(&ClosingError{reason})
			return
		}
		c.deliver(acks)
		if err != nil {
			c.fail(fmt.Errorf("receive from ingest server: %w", err))
			return
		}
	}
}

// take notes what is acknowledged. The last may be the server's farewell.
func (c *Client) take(acks []Ack) (reason Reason, closing bool) {
	if len(acks) == 0 {
		return 0, false
	}
	if last := acks[len(acks)-1]; last.Status == Closing {
		reason, closing = Reason(last.Detail), true
		acks = acks[:len(acks)-1]
	}
	c.mu.Lock()
	for i := range acks {
		e, ok := c.sent[acks[i].Hash]
		if !ok {
			continue // not ours: nothing depends on it
		}
		c.unacked--
		if e.copies--; e.copies == 0 {
			delete(c.sent, acks[i].Hash)
		} else {
			c.sent[acks[i].Hash] = e
		}
	}
	c.mu.Unlock()
	c.changed.Broadcast()
	return reason, closing
}

func (c *Client) deliver(acks []Ack) {
	if len(acks) == 0 {
		return
	}
	if c.opts.OnAck != nil {
		c.opts.OnAck(acks)
		return
	}
	for _, a := range acks {
		select {
		case c.acks <- a: // even if sending has failed meanwhile: who reads on learns of it
			continue
		default:
		}
		select {
		case c.acks <- a:
		case <-c.done:
			return
		}
	}
}
