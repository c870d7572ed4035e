package replica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/rpc/ingest"
	sdk "github.com/talaria-l2/talaria/sdk/ingest"
)

// serveIngest serves a node's raw ingest at an address, "127.0.0.1:0" for any, until stop.
func serveIngest(t *testing.T, addr string, b ingest.Backend, o ingest.Options) (at string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	o.ChainID, o.Log = chain.DefaultConfig().ChainID, quiet()
	server, served := ingest.New(b, o), make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_ = server.Shutdown(ctx) // what is held is cut off
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// noting notes what was sent, and by whom it was vouched for.
type noting struct {
	*node.Backend
	mu    sync.Mutex
	sends []rpc.Send
	hold  chan struct{} // nil: nothing is held
}

func (n *noting) SubmitTxs(ctx context.Context, sends []rpc.Send) []*rpc.Submission {
	n.mu.Lock()
	n.sends = append(n.sends, sends...)
	hold := n.hold
	n.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return n.Backend.SubmitTxs(ctx, sends)
}

// What is sent to a replica, by JSON-RPC or raw ingest, goes to the leader as by the
// replica, with its sender; who has the answer finds the receipt on the replica.
func TestAReplicaHandsOverWithSenders(t *testing.T) {
	l := newLeader(t, 2)
	var mu sync.Mutex
	leaderNode := &noting{Backend: &node.Backend{Node: l.node, Submit: l.submit(&mu)}}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	address := crypto.PubkeyToAddress(key.PublicKey)
	addr, _ := serveIngest(t, "127.0.0.1:0", leaderNode, ingest.Options{Vouch: func(v *rpc.Voucher) error {
		if v.Replica != address {
			return rpc.ErrNotTrusted
		}
		return nil
	}})
	leaderURL := serve(t, leaderNode.Backend)
	l.open()
	f := l.followAt(t.TempDir(), LiveOptions{})
	f.reaches(l)
	g := NewGateway(f.node, NewIngestForwarder(IngestOptions{
		URL: "tcp://" + addr, ChainID: l.g.Config.ChainID, Log: quiet(),
		Sign: func(digest common.Hash) ([]byte, error) { return crypto.Sign(digest[:], key) },
	}))
	ours := &node.Backend{Node: f.node, Submit: g.Submit, ReadyHook: f.live.Ready}
	url := serve(t, ours)
	t.Cleanup(g.Close)
	raw, _ := serveIngest(t, "127.0.0.1:0", ours, ingest.Options{})

	receipt := func(what string, hash common.Hash) {
		t.Helper()
		type receipt struct{ Status hexutil.Uint64 }
		if got, failed := ask[*receipt](t, url, "eth_getTransactionReceipt", hash); failed != nil || got == nil {
			t.Fatalf("%s: answered, and no receipt here: %v", what, failed)
		}
	}
	for i, method := range []string{"eth_sendRawTransaction", "eth_sendRawTransactionSync"} {
		for n := range uint64(10) {
			mu.Lock()
			tx := l.sign(i, 0, &storeAddr, 0, make([]byte, 64))
			mu.Unlock()
			if _, failed := ask[any](t, url, method, hexutil.Bytes(tx.Raw())); failed != nil {
				t.Fatalf("%s: %v", method, failed)
			}
			receipt(method, tx.Hash())
			if nonce, _ := ask[hexutil.Uint64](t, url, "eth_getTransactionCount", tx.From(), "latest"); uint64(nonce) != n+1 {
				t.Errorf("%s: nonce %d, want %d", method, nonce, n+1)
			}
		}
	}
	acked := make(chan sdk.Ack, 100)
	c, err := sdk.Dial(t.Context(), raw, sdk.Options{OnAck: func(list []sdk.Ack) {
		for _, a := range list {
			acked <- a
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var batch []sdk.Tx
	mu.Lock()
	for n := range uint64(40) {
		tx := l.sign(2, n, &storeAddr, 0, nil)
		batch = append(batch, sdk.Tx{Raw: tx.Raw(), Hash: tx.Hash(), Sender: common.Address{1}}) // a hint that is wrong
	}
	mu.Unlock()
	if err := c.Send(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	for range batch {
		if a := <-acked; a.Status != sdk.Succeeded {
			t.Fatalf("raw ingest: %+v", a)
		} else {
			receipt("raw ingest", a.Hash)
		}
	}
	leaderNode.mu.Lock()
	for _, s := range leaderNode.sends {
		tx, err := chain.DecodeTx(s.Raw, &l.g.Config)
		if err != nil || s.Voucher == nil || s.Voucher.Replica != address || s.Sender != tx.From() {
			t.Fatalf("the leader got %+v: %v", s, err)
		}
	}
	if n := len(leaderNode.sends); n != 60 {
		t.Errorf("the leader got %d transactions, want 60", n)
	}
	leaderNode.mu.Unlock()

	mu.Lock()
	again, gap := l.sign(0, 0, &storeAddr, 0, nil), l.sign(1, 3, &storeAddr, 0, nil)
	mu.Unlock()
	if _, failed := ask[any](t, url, "eth_sendRawTransactionSync", hexutil.Bytes(again.Raw())); failed != nil {
		t.Fatal(failed)
	}
	for name, tx := range map[string]*chain.Tx{"again": again, "a nonce ahead": gap} {
		_, theirs := ask[any](t, leaderURL, "eth_sendRawTransactionSync", hexutil.Bytes(tx.Raw()))
		_, ours := ask[any](t, url, "eth_sendRawTransactionSync", hexutil.Bytes(tx.Raw()))
		switch {
		case theirs == nil || ours == nil:
			t.Errorf("%s: the leader says %v, the replica %v", name, theirs, ours)
		case name == "again" && (fmt.Sprint(theirs) != fmt.Sprint(ours) || theirs.Code != ours.Code):
			t.Errorf("%s: the leader says %v, the replica %v", name, theirs, ours)
		case name != "again" && ours.Code != rpc.CodeNonceGap:
			t.Errorf("%s: the replica says %v", name, ours)
		}
	}
}

// A connection that breaks off loses nothing and answers nobody wrongly: what was not
// acknowledged is handed over again on the next.
func TestWhatIsNotAcknowledgedIsHandedOverAgain(t *testing.T) {
	l := newLeader(t, 2)
	var mu sync.Mutex
	first := &noting{Backend: &node.Backend{Node: l.node, Submit: l.submit(&mu)}, hold: make(chan struct{})}
	addr, stop := serveIngest(t, "127.0.0.1:0", first, ingest.Options{})
	l.open()
	f := l.followAt(t.TempDir(), LiveOptions{})
	f.reaches(l)
	to := NewIngestForwarder(IngestOptions{
		URL: "tcp://" + addr, ChainID: l.g.Config.ChainID, Log: quiet(),
		Sign: func(digest common.Hash) ([]byte, error) { // which this leader does not trust
			return crypto.Sign(digest[:], l.users[0])
		},
	})
	g := NewGateway(f.node, to)
	defer g.Close()
	mu.Lock()
	one, two := l.sign(0, 0, &storeAddr, 0, nil), l.sign(1, 0, &storeAddr, 0, nil)
	mu.Unlock()
	subs := g.Submit([]rpc.Send{{Raw: one.Raw()}, {Raw: two.Raw()}, {Raw: one.Raw()}})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		first.mu.Lock()
		n := len(first.sends)
		first.mu.Unlock()
		if n == 2 { // the same twice is handed over once
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the leader got %d transactions, want 2", n)
		}
	}
	// The leader executes one and dies before it says so.
	mu.Lock()
	if _, err := l.node.Exec().Apply(one); err != nil {
		t.Fatal(err)
	}
	l.mini()
	mu.Unlock()
	second := &node.Backend{Node: l.node, Submit: l.submit(&mu)}
	go func() { // while the first hangs
		stop()
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		listener, err := net.Listen("tcp", addr)
		if err == nil {
			_ = listener.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	serveIngest(t, addr, second, ingest.Options{})
	for i, sub := range subs {
		select {
		case <-sub.Done():
		case <-time.After(20 * time.Second):
			t.Fatalf("transaction %d is not answered", i)
		}
		info, err := sub.Result()
		var e *rpc.Error
		switch {
		case err == nil && info.Tx.Hash() == sub.Hash():
		case errors.As(err, &e) && e.Code == rpc.CodeNotReady: // there was a moment without a leader
		default:
			t.Errorf("transaction %d: %v", i, err)
		}
	}
	close(first.hold)
}
