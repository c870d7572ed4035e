package ingest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the server's end of one connection, played by the test.
type peer struct {
	t    *testing.T
	conn net.Conn
}

// dialPeer connects a client to a peer that says hello.
func dialPeer(t *testing.T, hello ServerHello, o Options) (*Client, *peer, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		_, _ = conn.Write(hello.Append(nil))
		accepted <- conn
	}()
	c, err := Dial(context.Background(), "tcp://"+l.Addr().String(), o)
	conn := <-accepted
	t.Cleanup(func() { _ = conn.Close() })
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p := &peer{t, conn}
	var b [ClientHelloSize]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		t.Fatal(err)
	}
	h, keySize, err := ParseClientHello(&b)
	if err != nil || h.ChainID != o.ChainID || h.Flags != FlagHints {
		t.Fatalf("client hello %+v, %v", h, err)
	}
	p.read(keySize)
	return c, p, nil
}

func (p *peer) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(p.conn, b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// frame reads the next frame.
func (p *peer) frame() Frame {
	p.t.Helper()
	b := p.read(HeaderSize)
	for {
		f, size, need, err := ParseFrame(b, FlagHints, 1<<20)
		if err != nil {
			p.t.Fatal(err)
		}
		if size > 0 {
			return f
		}
		b = append(b, p.read(need-len(b))...)
	}
}

func (p *peer) ack(a Ack) {
	p.t.Helper()
	if _, err := p.conn.Write(a.Append(nil)); err != nil {
		p.t.Fatal(err)
	}
}

var welcome = ServerHello{Version: Version, ChainID: 7411, Window: 4, MaxTxBytes: 1000}

func TestAServerThatIsNotRightIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		hello ServerHello
		want  string
	}{
		"it refuses the key":        {ServerHello{Version: Version, Status: HelloKey}, "the API key is refused"},
		"it speaks another version": {ServerHello{Version: 2, Status: HelloVersion}, "speaks version 2"},
		"it has no window":          {ServerHello{Version: Version}, "window of 0"},
		"it has a giant window":     {ServerHello{Version: Version, Window: 1 << 31}, "window of 2147483648"},
	} {
		if _, _, err := dialPeer(t, test.hello, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSendWaitsForRoomInTheWindow(t *testing.T) {
	c, p, err := dialPeer(t, welcome, Options{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	txs := []Tx{{Raw: []byte("0")}, {Raw: []byte("1"), Sender: common.Address{1}}, {Raw: []byte("2")}, {Raw: []byte("3")}}
	if err := c.Send(ctx, txs...); err != nil {
		t.Fatal(err)
	}
	for i := range txs {
		if f := p.frame(); string(f.Raw) != string(txs[i].Raw) || f.Sender != txs[i].Sender {
			t.Fatalf("frame %d is %q from %v", i, f.Raw, f.Sender)
		}
	}
	full, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Send(full, Tx{Raw: []byte("4")}); !errors.Is(err, context.Canceled) {
		t.Fatalf("send into a full window: %v", err)
	}
	done := make(chan error)
	go func() { done <- c.Send(ctx, Tx{Raw: []byte("4")}) }()
	p.ack(Ack{Hash: hashOf([]byte("2")), Status: Succeeded, Detail: 5})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if a := <-c.Acks(); a.Hash != hashOf([]byte("2")) || a.Detail != 5 {
		t.Fatalf("%+v", a)
	}
	if f := p.frame(); string(f.Raw) != "4" {
		t.Fatalf("%q", f.Raw)
	}
	var left []string
	for _, tx := range c.Unacknowledged() {
		left = append(left, string(tx.Raw))
	}
	if got := strings.Join(left, ""); got != "0134" {
		t.Fatalf("unacknowledged: %s", got)
	}
}

func TestTheSameTransactionTwiceIsAcknowledgedTwice(t *testing.T) {
	c, p, err := dialPeer(t, welcome, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tx := Tx{Raw: []byte("t"), Hash: hashOf([]byte("t"))}
	if err := c.Send(context.Background(), tx, tx); err != nil {
		t.Fatal(err)
	}
	p.ack(Ack{Hash: common.Hash{9}}) // nobody sent that
	p.ack(Ack{Hash: tx.Hash, Status: Known})
	for range 2 {
		<-c.Acks()
	}
	if left := c.Unacknowledged(); len(left) != 1 {
		t.Fatalf("%d unacknowledged", len(left))
	}
	p.ack(Ack{Hash: tx.Hash})
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAFarewellIsTheErrorOfEverythingAfterIt(t *testing.T) {
	c, p, err := dialPeer(t, welcome, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(context.Background(), Tx{Raw: []byte("a")}, Tx{Raw: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	p.ack(Ack{Hash: hashOf([]byte("a"))})
	p.ack(Ack{Status: Closing, Detail: uint64(ReasonIdle)})
	var closing *ClosingError
	if err := c.Flush(context.Background()); !errors.As(err, &closing) || closing.Reason != ReasonIdle {
		t.Fatalf("flush: %v", err)
	}
	if err := c.Send(context.Background(), Tx{Raw: []byte("c")}); !errors.As(err, &closing) {
		t.Fatalf("send: %v", err)
	}
	if left := c.Unacknowledged(); len(left) != 1 || string(left[0].Raw) != "b" {
		t.Fatalf("unacknowledged: %v", left)
	}
	for range c.Acks() { // ends
	}
}

func TestCloseEndsWhoWaits(t *testing.T) {
	c, _, err := dialPeer(t, welcome, Options{OnAck: func([]Ack) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(context.Background(), Tx{Raw: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error)
	go func() { flushed <- c.Flush(context.Background()) }()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-flushed; !errors.Is(err, ErrClosed) {
		t.Fatalf("flush: %v", err)
	}
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := Dial(context.Background(), l.Addr().String(), Options{DialTimeout: 20 * time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("dial: %v", err)
	}
	if _, err := Dial(context.Background(), l.Addr().String(), Options{Key: strings.Repeat("k", MaxKeySize+1)}); !errors.Is(err, ErrKeySize) {
		t.Fatalf("dial with a long key: %v", err)
	}
}

func TestDialSpeaksTLS(t *testing.T) {
	s := httptest.NewTLSServer(nil) // for its certificate
	defer s.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: s.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write(welcome.Append(nil))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := Dial(context.Background(), "tls://"+l.Addr().String(), Options{TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Hello() != welcome {
		t.Fatalf("%+v", c.Hello())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAcknowledgedBeforeTheEndIsDelivered(t *testing.T) {
	c := &Client{acks: make(chan Ack, 64), done: make(chan struct{})}
	close(c.done) // sending has failed
	c.deliver(make([]Ack, cap(c.acks)))
	if len(c.acks) != cap(c.acks) {
		t.Errorf("%d of %d acknowledgements are delivered", len(c.acks), cap(c.acks))
	}
}
