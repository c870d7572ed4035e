package ingest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeNode settles what it is given by its first byte: see outcomes. A transaction of
// byte 'h' is held until release.
type fakeNode struct {
	mu      sync.Mutex
	ready   error
	raws    []string
	sends   []rpc.Send
	batches []int
	held    []*rpc.Submission
	arrived chan struct{} // a token after each hand-over
	// mostHeld is the largest number held at once.
	mostHeld int
}

func newFake() *fakeNode { return &fakeNode{arrived: make(chan struct{}, 1)} }

// outcomes by the first byte of a transaction.
func outcome(raw []byte) (*rpc.TxInfo, error) {
	switch raw[0] {
	case 'r':
		return &rpc.TxInfo{Receipt: &chain.Receipt{Status: 0}, MiniBlock: 8}, nil
	case 'x':
		return nil, errors.New(string(raw[1:]))
	case 'm':
		return nil, fmt.Errorf("%w: empty", chain.ErrTxMalformed)
	case 'c':
		return nil, fmt.Errorf("%w: have 1 want 2", chain.ErrTxChainID)
	case 's':
		return nil, fmt.Errorf("%w: v", chain.ErrTxSignature)
	case 'l':
		return nil, fmt.Errorf("%w: 200000", chain.ErrTxTooLarge)
	case 'g':
		return nil, rpc.NonceGapError(4, 9)
	case 'n':
		return nil, rpc.NotReadyError("waiting for L1")
	case 'o':
		return nil, rpc.Errorf(rpc.CodeLimit, "transaction queue is full")
	}
	return &rpc.TxInfo{Receipt: &chain.Receipt{Status: 1}, MiniBlock: 7}, nil
}

func (n *fakeNode) Ready() error { return n.ready }

func (n *fakeNode) SubmitTxs(_ context.Context, sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	n.mu.Lock()
	n.batches = append(n.batches, len(sends))
	for i, s := range sends {
		n.raws = append(n.raws, string(s.Raw))
		n.sends = append(n.sends, s)
		if s.Raw[0] == 'h' {
			n.held = append(n.held, subs[i])
			n.mostHeld = max(n.mostHeld, len(n.held))
			continue
		}
		subs[i].Resolve(outcome(s.Raw))
	}
	n.mu.Unlock()
	select {
	case n.arrived <- struct{}{}:
	default:
	}
	return subs
}

// release settles what is held and says how many that are.
func (n *fakeNode) release() int {
	n.mu.Lock()
	held := n.held
	n.held = nil
	n.mu.Unlock()
	for _, s := range held {
		s.Resolve(outcome([]byte{0}))
	}
	return len(held)
}

// until waits until the node has what the test waits for.
func (n *fakeNode) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		n.mu.Lock()
		done := ok()
		n.mu.Unlock()
		if done {
			return
		}
		select {
		case <-n.arrived:
		case <-timeout:
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

// serve starts a server on a free port and ends it with the test.
func serve(t testing.TB, n *fakeNode, change func(*Options)) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{ChainID: 7411}
	if change != nil {
		change(&o)
	}
	s := New(n, o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		n.release()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

func dial(t testing.TB, addr string, o wire.Options) *wire.Client {
	t.Helper()
	c, err := wire.Dial(context.Background(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// raw is a connection that speaks by hand; the hellos are exchanged.
func raw(t testing.TB, addr string) net.Conn {
	t.Helper()
	c := connect(t, addr)
	hello := wire.ClientHello{Flags: wire.FlagHints}
	if _, err := c.Write(hello.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if h := readHello(t, c); h.Status != wire.HelloOK {
		t.Fatalf("hello: %v", h.Status)
	}
	return c
}

func connect(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func readHello(t testing.TB, c net.Conn) wire.ServerHello {
	t.Helper()
	var b [wire.ServerHelloSize]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		t.Fatalf("server hello: %v", err)
	}
	h, err := wire.ParseServerHello(&b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func readAck(t testing.TB, c net.Conn) wire.Ack {
	t.Helper()
	var b [wire.AckSize]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		t.Fatalf("acknowledgement: %v", err)
	}
	return wire.ParseAck(&b)
}

func frame(raw string) []byte { return wire.AppendFrame(nil, []byte(raw), common.Address{}) }

func TestEveryOutcomeHasItsStatus(t *testing.T) {
	_, addr := serve(t, newFake(), nil)
	c := dial(t, addr, wire.Options{})
	for _, test := range []struct {
		raw    string
		status wire.Status
		detail uint64
	}{
		{"a", wire.Succeeded, 7},
		{"r", wire.Reverted, 8},
		{"m", wire.Malformed, 0},
		{"c", wire.Malformed, 0},
		{"s", wire.Signature, 0},
		{"l", wire.TooLarge, 0},
		{"g", wire.NonceGap, 4},
		{"n", wire.NotReady, 0},
		{"o", wire.Overloaded, 0},
		{"xnonce too low: next nonce 5, tx nonce 3", wire.NonceLow, 5},
		{"xnonce too high: next nonce 5, tx nonce 9", wire.NonceGap, 5},
		{"xnonce too low", wire.NonceLow, 0},
		{"xinsufficient funds for gas * price + value: address 0x1", wire.Funds, 0},
		{"xmax fee per gas less than block base fee: 1", wire.FeeLow, 0},
		{"xreplacement transaction underpriced", wire.FeeLow, 0},
		{"xtransaction underpriced: set is full", wire.FeeLow, 0},
		{"xalready known", wire.Known, 0},
		{"xaccount limit exceeded", wire.Overloaded, 0},
		{"xmax initcode size exceeded: code size 99", wire.TooLarge, 0},
		{"xtransaction gas limit too high (cap: 1, tx: 2)", wire.TooLarge, 0},
		{"xintrinsic gas too low", wire.Refused, 0},
	} {
		if err := c.Send(context.Background(), wire.Tx{Raw: []byte(test.raw)}); err != nil {
			t.Fatal(err)
		}
		want := wire.Ack{Hash: crypto.Keccak256Hash([]byte(test.raw)), Status: test.status, Detail: test.detail}
		if got := <-c.Acks(); got != want {
			t.Errorf("%s: %+v, want %+v", test.raw, got, want)
		}
	}
	if left := c.Unacknowledged(); len(left) != 0 {
		t.Errorf("%d unacknowledged", len(left))
	}
}

// Twenty thousand transactions keep their order, and those that wait hold up no other.
func TestManyTransactionsKeepTheirOrderAndTheOnesThatWaitHoldUpNoOther(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, nil)
	const total, gapEvery = 20_000, 500
	var mu sync.Mutex
	acked, succeeded := 0, make(chan struct{})
	c := dial(t, addr, wire.Options{OnAck: func(acks []wire.Ack) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range acks {
			if a.Status != wire.Succeeded {
				t.Errorf("%v: %v", a.Hash, a.Status)
			}
			if acked++; acked == total-total/gapEvery {
				close(succeeded)
			}
		}
	}})
	for i := range total {
		tx := wire.Tx{Raw: binary.BigEndian.AppendUint32([]byte("a"), uint32(i)), Sender: common.Address{byte(i), 1}}
		if i%gapEvery == 0 {
			tx.Raw[0] = 'h'
		}
		if i%3 == 0 {
			tx.Sender = common.Address{}
		}
		if err := c.Send(context.Background(), tx); err != nil {
			t.Fatal(err)
		}
	}
	<-succeeded
	left := c.Unacknowledged()
	if len(left) != total/gapEvery {
		t.Fatalf("%d unacknowledged, want %d", len(left), total/gapEvery)
	}
	for i, tx := range left {
		if got := binary.BigEndian.Uint32(tx.Raw[1:]); got != uint32(i*gapEvery) {
			t.Fatalf("unacknowledged %d is transaction %d", i, got)
		}
	}
	n.release()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, s := range n.sends {
		want := common.Address{byte(i), 1}
		if i%3 == 0 {
			want = common.Address{}
		}
		if got := binary.BigEndian.Uint32(s.Raw[1:]); int(got) != i || s.Sender != want {
			t.Fatalf("transaction %d is %d with hint %v", i, got, s.Sender)
		}
	}
	if len(n.sends) != total {
		t.Fatalf("%d transactions arrived", len(n.sends))
	}
	for _, size := range n.batches {
		if size > maxBatch {
			t.Fatalf("a batch of %d", size)
		}
	}
}

func TestTheServerSpeaksTLS(t *testing.T) {
	own := httptest.NewTLSServer(nil) // for its certificate
	defer own.Close()
	roots := x509.NewCertPool()
	roots.AddCert(own.Certificate())
	_, addr := serve(t, newFake(), func(o *Options) { o.TLS = &tls.Config{Certificates: own.TLS.Certificates} })
	c := dial(t, "tls://"+addr, wire.Options{TLS: &tls.Config{RootCAs: roots}})
	if err := c.Send(context.Background(), wire.Tx{Raw: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if a := <-c.Acks(); a.Status != wire.Succeeded {
		t.Fatalf("%+v", a)
	}
	if _, err := wire.Dial(context.Background(), addr, wire.Options{}); err == nil {
		t.Fatal("a client without TLS was served")
	}
}
