package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// submit executes what is sent, each in a mini-block of its own.
func (l *leader) submit(mu *sync.Mutex) func(sends []rpc.Send) []*rpc.Submission {
	return func(sends []rpc.Send) []*rpc.Submission {
		mu.Lock()
		defer mu.Unlock()
		subs := rpc.NewSubmissions(sends)
		for i, sub := range subs {
			tx, err := chain.DecodeTx(sends[i].Raw, &l.g.Config)
			if err == nil {
				sub.Decoded(tx.Hash())
				_, err = l.node.Exec().Apply(tx)
			}
			if err != nil {
				sub.Resolve(nil, err)
				continue
			}
			l.mini()
			sub.Resolve(l.node.TxByHash(l.t.Context(), tx.Hash()))
		}
		return subs
	}
}

// ask asks one question, and returns the result or the error.
func ask[T any](t *testing.T, url, method string, params ...any) (out T, failed *rpc.Error) {
	t.Helper()
	c := NewClient(url)
	defer c.Close()
	err := c.call(t.Context(), &out, method, params...)
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out, failed
}

// A receipt that a replica passes on is one that it can explain: the answer waits until
// the replica has the mini-block.
func TestAReplicaAnswersWhenItHasWhatTheLeaderHas(t *testing.T) {
	l := newLeader(t, 2)
	var mu sync.Mutex
	leaderURL := serve(t, &node.Backend{Node: l.node, Submit: l.submit(&mu)})
	l.open()
	f := l.followAt(t.TempDir(), LiveOptions{})
	f.reaches(l)
	c := NewClient(leaderURL)
	g := NewGateway(f.node, NewRPCForwarder(c))
	url := serve(t, &node.Backend{Node: f.node, Submit: g.Submit, ReadyHook: f.live.Ready})
	t.Cleanup(func() { g.Close(); c.Close() })

	type receipt struct {
		TransactionHash common.Hash
		Status          hexutil.Uint64
	}
	for i, method := range []string{"eth_sendRawTransactionSync", "realtime_sendRawTransaction", "eth_sendRawTransaction"} {
		release := l.hold()
		mu.Lock()
		tx := l.sign(i, 0, &storeAddr, 0, make([]byte, 64))
		mu.Unlock()
		answered := make(chan json.RawMessage, 1)
		go func() {
			out, failed := ask[json.RawMessage](t, url, method, hexutil.Bytes(tx.Raw()))
			if failed != nil {
				t.Errorf("%s: %v", method, failed)
			}
			answered <- out
		}()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if info, err := l.node.TxByHash(t.Context(), tx.Hash()); err != nil || time.Now().After(deadline) {
				t.Fatalf("%s: the leader does not get it: %v", method, err)
			} else if info != nil {
				break
			}
		}
		select {
		case out := <-answered:
			t.Fatalf("%s: answered before the replica has it: %s", method, out)
		case <-time.After(50 * time.Millisecond):
		}
		release()
		out := <-answered
		if got, _ := ask[*receipt](t, url, "eth_getTransactionReceipt", tx.Hash()); got == nil || got.Status != 1 {
			t.Fatalf("%s: answered %s, and has no receipt", method, out)
		}
		if nonce, _ := ask[hexutil.Uint64](t, url, "eth_getTransactionCount", tx.From(), "latest"); nonce != 1 {
			t.Errorf("%s: nonce %d", method, nonce)
		}
	}

	// What the leader refuses is refused as the leader does; what nobody takes never gets there.
	mu.Lock()
	again, gap := l.sign(0, 0, &storeAddr, 0, nil), l.sign(2, 3, &storeAddr, 0, nil)
	mu.Unlock()
	if _, failed := ask[receipt](t, url, "eth_sendRawTransactionSync", hexutil.Bytes(again.Raw())); failed != nil {
		t.Fatalf("a good one: %v", failed)
	}
	for name, tx := range map[string]*chain.Tx{"again": again, "a nonce ahead": gap} {
		_, theirs := ask[receipt](t, leaderURL, "eth_sendRawTransactionSync", hexutil.Bytes(tx.Raw()))
		_, ours := ask[receipt](t, url, "eth_sendRawTransactionSync", hexutil.Bytes(tx.Raw()))
		if theirs == nil || ours == nil || fmt.Sprint(theirs) != fmt.Sprint(ours) || theirs.Code != ours.Code {
			t.Errorf("%s: the leader says %v, the replica %v", name, theirs, ours)
		}
	}
	for name, raw := range map[string]hexutil.Bytes{"no transaction": {1, 2, 3}, "a signature that is none": flip(again.Raw())} {
		if _, ours := ask[receipt](t, url, "eth_sendRawTransactionSync", raw); ours == nil {
			t.Errorf("%s is taken", name)
		}
	}
	mu.Lock()
	l.seal()
	mu.Unlock()
	f.agrees(l)
}

func flip(raw []byte) []byte {
	out := append([]byte(nil), raw...)
	for i := len(out) - 32; i < len(out); i++ {
		out[i] = 0xff
	}
	return out
}

// A leader that is not there is said to be so, and what waits is answered.
func TestALeaderThatIsDownIsTold(t *testing.T) {
	l := newLeader(t, 2)
	l.open()
	f := l.followAt(t.TempDir(), LiveOptions{})
	f.reaches(l)
	c := NewClient("http://127.0.0.1:1")
	g := NewGateway(f.node, NewRPCForwarder(c))
	tx := l.sign(0, 0, &storeAddr, 0, nil)
	subs := g.Submit([]rpc.Send{{Raw: tx.Raw()}})
	select {
	case <-subs[0].Done():
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
	failed := new(rpc.Error)
	if _, err := subs[0].Result(); !errors.As(err, &failed) || failed.Code != rpc.CodeNotReady {
		t.Errorf("answered %v", err)
	}
	g.Close()
	c.Close()
	late := g.Submit([]rpc.Send{{Raw: tx.Raw()}})
	<-late[0].Done()
	if _, err := late[0].Result(); err == nil {
		t.Error("taken after the end")
	}
}
