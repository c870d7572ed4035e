package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/snapshot"
	"github.com/talaria-l2/talaria/store"
)

// A server that lies is found out, whatever it lies about, and nothing of it stays.
func TestNothingOfALyingServerIsKept(t *testing.T) {
	l := newLeader(t, 31)
	l.work(80)
	url := serveSnapshots(t, l.node, snapshots.Options{PieceBytes: smallPieces, Every: time.Hour})
	stop := make(chan struct{})
	go func() { // the mini-block that confirms
		defer close(stop)
		l.work(8)
	}()
	<-stop
	account := func(pieces []*snapshot.Content) *snapshot.Content {
		for _, c := range pieces {
			if len(c.Accounts) > 1 {
				return c
			}
		}
		t.Fatal("no accounts")
		return nil
	}
	slots := func(pieces []*snapshot.Content) *snapshot.Content {
		for _, c := range pieces {
			if len(c.Slots) > 1 {
				return c
			}
		}
		t.Fatal("no slots")
		return nil
	}
	type pieces = []*snapshot.Content
	lies := map[string]struct {
		change func(m *snapshot.Manifest, p pieces) pieces
		bend   func(path string, times, status int, body []byte) (int, []byte)
		want   string
	}{
		"a damaged piece": {bend: func(path string, _, status int, body []byte) (int, []byte) {
			if path == "3" {
				body = append(bytes.Clone(body[:len(body)-1]), ^body[len(body)-1])
			}
			return status, body
		}, want: "piece 3 of"},
		"a missing piece": {bend: func(path string, _, status int, body []byte) (int, []byte) {
			if path == "3" {
				status = http.StatusNotFound
			}
			return status, body
		}, want: "did not have every piece"},
		"no manifest": {bend: func(path string, _, status int, body []byte) (int, []byte) { return http.StatusOK, []byte("hello") }, want: "malformed"},
		"a balance": {change: func(_ *snapshot.Manifest, p pieces) pieces {
			account(p).Accounts[1].Balance.AddUint64(&account(p).Accounts[1].Balance, 1)
			return p
		}, want: "has root"},
		"a nonce":         {change: func(_ *snapshot.Manifest, p pieces) pieces { account(p).Accounts[0].Nonce++; return p }, want: "has root"},
		"a slot":          {change: func(_ *snapshot.Manifest, p pieces) pieces { slots(p).Slots[1].Value[30]++; return p }, want: "has root"},
		"a slot less":     {change: func(_ *snapshot.Manifest, p pieces) pieces { c := slots(p); c.Slots = c.Slots[1:]; return p }, want: "has root"},
		"an account less": {change: func(_ *snapshot.Manifest, p pieces) pieces { c := account(p); c.Accounts = c.Accounts[1:]; return p }, want: "has root"},
		"a slot of no account": {change: func(_ *snapshot.Manifest, p pieces) pieces {
			return append(pieces{{Slots: []snapshot.Slot{{Address: common.Address{1, 2, 3}, Value: common.Hash{31: 1}}}}}, p...)
		}, want: "has root"},
		"the same account twice, in two pieces": {change: func(_ *snapshot.Manifest, p pieces) pieces {
			again := account(p).Accounts[0]
			again.Nonce += 5
			for i, c := range p { // the last of the state, so that it comes later
				if len(c.Headers)+len(c.MiniBlocks) > 0 {
					return slices.Insert(p, i, &snapshot.Content{Accounts: []snapshot.Account{again}})
				}
			}
			return nil
		}, want: "has root"},
		"a code less": {change: func(m *snapshot.Manifest, p pieces) pieces {
			for _, c := range p {
				if n := len(c.Codes); n > 0 {
					c.Codes = c.Codes[:n-1]
					return p
				}
			}
			return nil
		}, want: "code"},
		"another header": {change: func(m *snapshot.Manifest, p pieces) pieces { m.Header.Root[0]++; return p }, want: "the leader signed"},
		"another signer": {change: func(m *snapshot.Manifest, p pieces) pieces {
			key, _ := crypto.ToECDSA(crypto.Keccak256([]byte("somebody")))
			m.Signature, _ = m.Confirmation.Sign(key)
			return p
		}, want: "the leader is"},
		"nobody's signature": {change: func(m *snapshot.Manifest, p pieces) pieces { m.Signature = chain.Signature{}; return p }, want: "what confirms it"},
		"another diff":       {change: func(m *snapshot.Manifest, p pieces) pieces { m.Diff = append(m.Diff, 0); return p }, want: "not the one that was signed"},
		"another chain":      {change: func(m *snapshot.Manifest, p pieces) pieces { m.ChainID++; return p }, want: "is of chain"},
		"an ancestor": {change: func(m *snapshot.Manifest, p pieces) pieces {
			for _, c := range p {
				if len(c.Headers) > 0 {
					c.Headers[0].GasUsed++
					return p
				}
			}
			return nil
		}, want: "ancestor"},
		"a receipt": {change: func(m *snapshot.Manifest, p pieces) pieces {
			for _, c := range p {
				for i := range c.MiniBlocks {
					if r := c.MiniBlocks[i].Receipts; len(r) > 0 {
						other, err := chain.UnmarshalStoredReceipt(r[0])
						if err != nil {
							t.Fatal(err)
						}
						other.CumulativeGasUsed++
						r[0] = other.StoredBinary()
						return p
					}
				}
			}
			return nil
		}, want: "not those of its header"},
		"a mini-block that somebody else signed": {change: func(m *snapshot.Manifest, p pieces) pieces {
			key, _ := crypto.ToECDSA(crypto.Keccak256([]byte("somebody")))
			for _, c := range p {
				if n := len(c.MiniBlocks); n > 0 {
					c.MiniBlocks[n-1].Signature, _ = c.MiniBlocks[n-1].Header.Sign(key)
				}
			}
			return p
		}, want: "the leader is"},
		"the signature of another mini-block": {change: func(m *snapshot.Manifest, p pieces) pieces {
			for _, c := range p {
				if n := len(c.MiniBlocks); n > 0 {
					c.MiniBlocks[n-1].Signature = m.Signature
				}
			}
			return p
		}, want: "the leader is"},
		"too much in a piece": {change: func(m *snapshot.Manifest, p pieces) pieces {
			codes := make([][]byte, 4<<20)
			for i := range codes {
				codes[i] = []byte{1}
			}
			return append(pieces{{Codes: codes}}, p...)
		}, want: "order of hashes"},
		"a piece too large": {change: func(m *snapshot.Manifest, p pieces) pieces {
			return append(pieces{{Codes: [][]byte{make([]byte, snapshot.MaxStateBytes)}}}, p...)
		}, want: "at most"},
		"a mini-block less": {change: func(m *snapshot.Manifest, p pieces) pieces {
			for _, c := range p {
				if n := len(c.MiniBlocks); n > 0 {
					c.MiniBlocks = c.MiniBlocks[1:]
					return p
				}
			}
			return nil
		}, want: "mini-block"},
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, url)
			if lie.bend == nil {
				lie.bend = forge(t, url, lie.change)
			}
			w.set(lie.bend)
			path := filepath.Join(t.TempDir(), "joined")
			err := l.load(t.Context(), path, w.url)
			var fault *snapshots.FaultError
			if !errors.As(err, &fault) || !strings.Contains(err.Error(), lie.want) || !strings.Contains(err.Error(), w.url) {
				t.Fatalf("loaded with: %v; want %q", err, lie.want)
			}
			isEmpty(t, path)
			w.set(nil)
			if err := l.load(t.Context(), path, w.url); err != nil {
				t.Fatalf("the honest server: %v", err)
			}
		})
	}
}

// A server may die, refuse for a while, or damage a piece once: what was loaded is not
// loaded again.
func TestALoaderIsPatient(t *testing.T) {
	l := newLeader(t, 32)
	l.work(80)
	w := newWire(t, serveSnapshots(t, l.node, snapshots.Options{PieceBytes: smallPieces, Every: time.Hour}))
	dying := 0
	w.set(func(path string, times, status int, body []byte) (int, []byte) {
		if _, err := strconv.Atoi(path); err != nil {
			return status, body
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if dying++; dying > 10 && dying < 30 {
			return 0, nil
		}
		switch {
		case path == "2" && times == 1:
			return status, append(bytes.Clone(body[:len(body)-1]), ^body[len(body)-1])
		case path == "4" && times < 3:
			return http.StatusTooManyRequests, nil
		case path == "5" && times < 3:
			return http.StatusServiceUnavailable, nil
		}
		return status, body
	})
	dir := filepath.Join(t.TempDir(), "joined")
	l.loaded(dir, w.url)
	if w.times("0") != 1 {
		t.Errorf("piece 0 was asked for %d times", w.times("0"))
	}
	f := l.followAt(dir, LiveOptions{})
	l.work(10)
	f.agrees(l)
}

// Killed in the middle a loader goes on where it was; meanwhile there is no chain.
func TestAKilledLoaderGoesOn(t *testing.T) {
	l := newLeader(t, 33)
	l.work(80)
	w := newWire(t, serveSnapshots(t, l.node, snapshots.Options{PieceBytes: smallPieces, Every: time.Hour}))
	held, reached := make(chan struct{}), make(chan struct{}, 100)
	const from = 8
	w.set(func(path string, _, status int, body []byte) (int, []byte) {
		if i, err := strconv.Atoi(path); err == nil && i >= from {
			reached <- struct{}{}
			<-held
		}
		return status, body
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "joined")
	done := make(chan error, 1)
	go func() { done <- l.load(ctx, dir, w.url) }()
	for n := 0; n < 4; { // all workers wait
		select {
		case <-reached:
			n++
		case <-time.After(5 * time.Millisecond):
			l.work(1)
		}
	}
	image := filepath.Join(t.TempDir(), "image") // as a kill leaves it
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(held)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	opened, err := store.OpenDir(image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(opened, node.Options{Genesis: l.g, Log: quiet()}); err == nil || !strings.Contains(err.Error(), "a part of a snapshot") {
		t.Fatalf("a node opens what is not whole: %v", err)
	}
	before := w.times("0")
	l.loaded(image, w.url)
	if w.times("0") != before {
		t.Error("piece 0 was loaded again")
	}
	f := l.followAt(image, LiveOptions{Execute: true})
	l.work(10)
	f.agrees(l)

	// The other one, which was stopped, finds another snapshot in place of its own.
	other := serveSnapshots(t, f.node, snapshots.Options{PieceBytes: smallPieces})
	l.loaded(dir, other)
	g := l.followAt(dir, LiveOptions{})
	l.work(10)
	g.agrees(l)
}

// The leader takes back the block whose snapshot is being loaded: another one is. Taken back
// later, behind where its chain begins, the replica stops and says what to do.
func TestASnapshotOfABlockThatIsTakenBack(t *testing.T) {
	l := newLeader(t, 34)
	l.work(80)
	w := newWire(t, serveSnapshots(t, l.node, snapshots.Options{PieceBytes: smallPieces, Every: time.Hour}))
	var once sync.Once
	back, gone := make(chan struct{}), make(chan struct{})
	w.set(func(path string, _, status int, body []byte) (int, []byte) {
		if path == "6" {
			once.Do(func() { close(back); <-gone })
		}
		return status, body
	})
	dir := filepath.Join(t.TempDir(), "joined")
	done := make(chan error, 1)
	go func() { done <- l.load(t.Context(), dir, w.url) }()
	rewind := func(blocks uint64) {
		t.Helper()
		if err := l.node.Rewind(l.node.PublishedHead().Number.Uint64() - blocks); err != nil {
			t.Fatal(err)
		}
		l.epoch++
		l.now = l.node.PublishedHead().Time
	}
	for waiting := true; waiting; {
		select {
		case <-back:
			rewind(8)
			close(gone)
			waiting = false
		case err := <-done:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
			l.work(1)
		}
	}
	for waiting := true; waiting; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		case <-time.After(5 * time.Millisecond):
			l.work(1)
		}
	}
	f := l.followAt(dir, LiveOptions{})
	l.work(10)
	f.agrees(l)
	rewind(1)
	l.work(10)
	f.agrees(l)
	if err := l.node.Rewind(f.node.Base() - 2); err != nil {
		t.Fatal(err)
	}
	l.epoch++
	l.now = l.node.PublishedHead().Time
	l.work(40)
	select {
	case <-f.node.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("the replica goes on")
	}
	if err := f.node.Failure(); !strings.Contains(fmt.Sprint(err), "remove") {
		t.Errorf("the replica stops with: %v", err)
	}
}
