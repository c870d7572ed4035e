package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
)

// serveSnapshots answers JSON-RPC over a node, with snapshots of it.
func serveSnapshots(t testing.TB, n *node.Node, opts snapshots.Options) (url string) {
	t.Helper()
	opts.Log = quiet()
	if opts.KeepFree == 0 {
		opts.KeepFree = 1
	}
	made, err := snapshots.Start(n, opts)
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.New(&node.Backend{Node: n}, rpc.Options{Logger: quiet(), Snapshots: made.Answer})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
		made.Close()
	})
	return "http://" + ln.Addr().String()
}

// Without room on its disk a node makes no snapshot, and says so.
func TestASnapshotIsNotMadeWithoutRoom(t *testing.T) {
	l := newLeader(t, 22)
	l.work(30)
	url := serveSnapshots(t, l.node, snapshots.Options{KeepFree: 1 << 62})
	if res, err := http.Head(url + "/snapshot/latest"); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %v %v", res, err)
	}
	for range 1000 {
		res, err := http.Get(url + "/snapshot/latest")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), "kept free") {
			return
		}
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: %s", res.Status, body)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("it is made for ever")
}

// load fills a data directory from a snapshot.
func (l *leader) load(ctx context.Context, path, url string) error {
	dir, err := store.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(snapshots.Load(ctx, dir, snapshots.LoadOptions{URL: url, Genesis: l.g, Log: quiet()}), dir.Close())
}

// loaded is load, which must succeed, while the leader goes on.
func (l *leader) loaded(path, url string) {
	l.t.Helper()
	done := make(chan error, 1)
	go func() { done <- l.load(l.t.Context(), path, url) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				l.t.Fatal(err)
			}
			return
		case <-time.After(5 * time.Millisecond):
			l.work(1)
		}
	}
}

// A replica begins with a snapshot while the leader goes on, follows the feed from there,
// and answers as the leader does, also after a restart; another one can begin with its
// snapshot.
func TestAReplicaBeginsWithASnapshot(t *testing.T) {
	for mode, execute := range modes {
		t.Run(mode, func(t *testing.T) {
			l := newLeader(t, 21)
			l.work(60)
			dir := filepath.Join(t.TempDir(), "joined")
			l.loaded(dir, serveSnapshots(t, l.node, snapshots.Options{}))
			f := l.followAt(dir, LiveOptions{Execute: execute})
			base := f.node.Base()
			if base == 0 {
				t.Fatal("the replica has the whole chain")
			}
			l.work(30)
			f.agrees(l)
			f.stop()
			l.work(10)
			f = l.followAt(dir, LiveOptions{Execute: execute})
			f.agrees(l)

			second := filepath.Join(t.TempDir(), "second")
			l.loaded(second, serveSnapshots(t, f.node, snapshots.Options{}))
			g := l.followAt(second, LiveOptions{Execute: !execute})
			if g.node.Base() <= base {
				t.Errorf("the second begins with block %d, the first with %d", g.node.Base(), base)
			}
			l.work(10)
			g.agrees(l)
			f.agrees(l)
			pruned(t, l, f)
		})
	}
}

// pruned asks for what is before a replica's history.
func pruned(t *testing.T, l *leader, f *followerNode) {
	t.Helper()
	base := f.node.Base()
	before, err := l.node.BlockByNumber(t.Context(), base-1)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := serve(t, &node.Backend{Node: l.node}), serve(t, &node.Backend{Node: f.node})
	ask := func(url, method string, params ...any) string {
		raw, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		return string(answers(t, url, []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, raw)})[0])
	}
	at := func(n uint64) string { return fmt.Sprintf("%#x", n) }
	for _, q := range []struct {
		method string
		params []any
	}{
		{"eth_getBlockByNumber", []any{at(base - 1), true}},
		{"eth_getBlockByHash", []any{before.Hash(), false}},
		{"eth_getBlockReceipts", []any{at(1)}},
		{"eth_getBalance", []any{storeAddr, at(base - 1)}},
		{"eth_getBalance", []any{storeAddr, "earliest"}},
		{"eth_getStorageAt", []any{storeAddr, "0x1", at(1)}},
		{"eth_call", []any{map[string]any{"to": storeAddr}, at(base - 1)}},
		{"eth_getProof", []any{storeAddr, []string{}, at(base - 1)}},
		{"eth_getLogs", []any{map[string]any{"fromBlock": "earliest", "address": storeAddr}}},
		{"debug_traceBlockByNumber", []any{at(base)}},
		{"debug_executionWitness", []any{at(base)}},
		{"talaria_getMiniBlock", []any{"0x0"}},
		{"talaria_feedMiniBlocks", []any{"0x0", 10}},
		{"talaria_feedBlocks", []any{"0x1", 10}},
	} {
		if a := ask(ours, q.method, q.params...); !strings.Contains(a, `"code":4444`) {
			t.Errorf("%s %v: %.300s", q.method, q.params, a)
		}
	}
	for _, q := range []struct {
		method string
		params []any
	}{
		{"eth_getBlockByNumber", []any{"earliest", true}},
		{"eth_feeHistory", []any{4, at(base), []any{}}},
		{"eth_config", nil},
	} {
		if a, want := ask(ours, q.method, q.params...), ask(theirs, q.method, q.params...); a != want || strings.Contains(a, `"error"`) {
			t.Errorf("%s %v: %s, the leader says %s", q.method, q.params, a, want)
		}
	}
	for _, tag := range []string{"safe", "finalized"} { // nobody has told it of any
		if a := ask(ours, "eth_getBlockByNumber", tag, false); !strings.Contains(a, `"result":null`) {
			t.Errorf("the %s block: %s", tag, a)
		}
		if a := ask(ours, "eth_getBalance", storeAddr, tag); !strings.Contains(a, "header not found") {
			t.Errorf("a balance after the %s block: %s", tag, a)
		}
	}
	if a := ask(ours, "eth_getTransactionByHash", before.Txs[0].Hash()); !strings.Contains(a, `"result":null`) {
		t.Errorf("a transaction before: %s", a)
	}
}
