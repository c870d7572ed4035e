package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/node"
)

// follower is a replica of a leader.
type followerNode struct {
	t    *testing.T
	node *node.Node
	live *Live
	ask  *Client
}

// followAt starts a replica on a directory.
func (l *leader) followAt(dir string, opts LiveOptions) *followerNode {
	t := l.t.(*testing.T)
	t.Helper()
	f := &followerNode{t: t, node: openNodeAt(t, dir, l.g)}
	if opts.Feed == nil {
		opts.Feed = l.feed
	}
	opts.Retry, opts.Log = 20*time.Millisecond, slog.New(slog.DiscardHandler)
	if opts.Patience == 0 {
		opts.Patience = 300 * time.Millisecond
	}
	var err error
	if f.live, err = StartLive(f.node, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}

func (f *followerNode) stop() {
	if f.node == nil {
		return
	}
	f.live.Close()
	if err := f.node.Close(); err != nil {
		f.t.Error(err)
	}
	f.node = nil
}

// reaches waits until the replica is where the leader is.
func (f *followerNode) reaches(l *leader) {
	f.t.Helper()
	at := func(n *node.Node) string {
		newest := "none"
		if open := n.Pending(); open != nil {
			newest = open.MiniBlocks[len(open.MiniBlocks)-1].Hash().Hex()
		}
		return fmt.Sprint(n.PublishedHead().Number, n.PublishedHead().Hash(), newest)
	}
	for deadline := time.Now().Add(20 * time.Second); at(f.node) != at(l.node); time.Sleep(time.Millisecond) {
		select {
		case <-f.node.Failed():
			f.t.Fatal(f.node.Failure())
		default:
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("is at %s, the leader at %s; follows: %v", at(f.node), at(l.node), f.live.Ready())
		}
	}
}

// questions are all that can be asked about a chain.
func (l *leader) questions() []string { return l.questionsFrom(0) }

// questionsFrom are all that a node can answer whose history begins with a block.
func (l *leader) questionsFrom(base uint64) (out []string) {
	head, firstMini, firstDiff := l.node.PublishedHead().Number.Uint64(), uint64(0), uint64(0)
	if base > 0 {
		b, err := l.node.BlockByNumber(l.t.Context(), base)
		if err != nil {
			l.t.Fatal(err)
		}
		firstMini, firstDiff = b.MiniBlocks[0].Number, b.MiniBlocks[len(b.MiniBlocks)-1].Number+1
	}
	add := func(method string, params ...any) {
		raw, err := json.Marshal(params)
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, len(out), method, raw))
	}
	var accounts []common.Address
	for a := range l.seen {
		accounts = append(accounts, a)
	}
	sort.Slice(accounts, func(i, j int) bool { return accounts[i].Cmp(accounts[j]) < 0 })
	heights := []string{"pending", "latest"}
	for n := base; n <= head; n++ {
		heights = append(heights, fmt.Sprintf("%#x", n))
	}
	for _, at := range heights {
		add("eth_getBlockByNumber", at, true)
		add("eth_getBlockReceipts", at)
		for _, a := range accounts {
			add("eth_getBalance", a, at)
			add("eth_getTransactionCount", a, at)
			add("eth_getCode", a, at)
		}
		for slot := range 4 {
			add("eth_getStorageAt", storeAddr, fmt.Sprintf("%#x", slot), at)
			add("eth_getStorageAt", doomedAddr, fmt.Sprintf("%#x", slot), at)
		}
	}
	add("eth_getLogs", map[string]any{"fromBlock": fmt.Sprintf("%#x", base), "toBlock": "latest"})
	add("eth_blockNumber")
	add("eth_gasPrice")
	for _, hash := range l.txs {
		if info, err := l.node.TxByHash(l.t.Context(), hash); err != nil || info != nil && info.BlockNumber < base {
			continue
		}
		add("eth_getTransactionByHash", hash)
		add("eth_getTransactionReceipt", hash)
	}
	for n := firstMini; n < l.node.Exec().NextMini(); n++ {
		add("talaria_getMiniBlock", fmt.Sprintf("%#x", n))
	}
	add("talaria_feedMiniBlocks", fmt.Sprintf("%#x", firstDiff), 1000)
	add("talaria_feedBlocks", fmt.Sprintf("%#x", base), 1000)
	add("eth_call", map[string]any{"to": storeAddr, "data": "0x" + strings.Repeat("0", 128)}, "latest")
	add("eth_getProof", storeAddr, []string{"0x1"}, "latest")
	add("debug_traceBlockByNumber", fmt.Sprintf("%#x", head), map[string]any{"tracer": "callTracer"})
	return out
}

func answers(t *testing.T, url string, questions []string) []json.RawMessage {
	t.Helper()
	var out []json.RawMessage
	for len(questions) > 0 {
		part := questions[:min(500, len(questions))]
		questions = questions[len(part):]
		res, err := http.Post(url, "application/json", strings.NewReader("["+strings.Join(part, ",")+"]"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil || len(list) != len(part) {
			t.Fatalf("%v: %d answers to %d questions: %.200s", err, len(list), len(part), raw)
		}
		out = append(out, list...)
	}
	http.DefaultClient.CloseIdleConnections()
	return out
}

// agrees compares every answer.
func (f *followerNode) agrees(l *leader) {
	f.t.Helper()
	f.reaches(l)
	for _, n := range []*node.Node{f.node, l.node} {
		if err := n.AfterWrites(func() error { return nil }); err != nil {
			f.t.Fatal(err)
		}
	}
	questions := l.questionsFrom(f.node.Base())
	theirs := answers(f.t, serve(f.t, &node.Backend{Node: l.node}), questions)
	ours := answers(f.t, serve(f.t, &node.Backend{Node: f.node}), questions)
	failed := 0
	for i := range questions {
		if bytes.Contains(theirs[i], []byte(`"error"`)) {
			failed++
		}
		if !bytes.Equal(theirs[i], ours[i]) {
			f.t.Fatalf("%s\nleader  %s\nreplica %s", questions[i], theirs[i], ours[i])
		}
	}
	if failed > 0 {
		f.t.Fatalf("%d of %d questions have no answer", failed, len(questions))
	}
}

var modes = map[string]bool{"diff": false, "execute": true}

// A replica answers every question as its leader does, whatever the chain holds, also
// after the leader went back, and if it starts late.
func TestAReplicaAnswersAsItsLeader(t *testing.T) {
	for mode, execute := range modes {
		for seed := range int64(3) {
			t.Run(fmt.Sprint(mode, seed), func(t *testing.T) {
				l := newLeader(t, seed)
				l.silent = seed == 2 // then blocks are sealed when the next one begins
				f := l.followAt(t.TempDir(), LiveOptions{Execute: execute})
				for range 3 {
					l.work(25)
					f.agrees(l)
					l.rewind()
					l.work(6)
					f.agrees(l)
				}
				late := l.followAt(t.TempDir(), LiveOptions{Execute: execute, Patience: time.Minute})
				late.agrees(l)
				if err := late.live.Ready(); err != nil {
					t.Errorf("not ready: %v", err)
				}
			})
		}
	}
}

// What the feed has lost, or never had, comes from the leader.
func TestAReplicaCatchesUpFromTheLeader(t *testing.T) {
	for mode, execute := range modes {
		t.Run(mode, func(t *testing.T) {
			l := newLeader(t, 11)
			c := NewClient(serve(t, &node.Backend{Node: l.node}))
			t.Cleanup(c.Close)
			l.work(60)
			l.rewind()
			l.work(30)
			l.feed.forget()
			l.work(1)
			f := l.followAt(t.TempDir(), LiveOptions{Leader: c, Execute: execute})
			f.agrees(l)
			l.feed.setDown(true) // and says nothing of it
			l.work(20)
			f.agrees(l)
			l.rewind()
			l.work(20)
			l.seal()
			f.agrees(l)
			l.feed.setDown(false)
			l.work(10)
			f.agrees(l)
		})
	}
}

// A replica that was killed, that slept through what the leader took back, or that lost
// its disk comes back by itself.
func TestAReplicaReturns(t *testing.T) {
	l := newLeader(t, 5)
	c := NewClient(serve(t, &node.Backend{Node: l.node}))
	t.Cleanup(c.Close)
	dir := filepath.Join(t.TempDir(), "replica")
	f := l.followAt(dir, LiveOptions{})
	for i := range 4 {
		l.work(20)
		f.reaches(l)
		image := filepath.Join(t.TempDir(), "image")
		if err := f.node.AfterWrites(f.node.Store().Sync); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(image, os.DirFS(dir)); err != nil { // as a kill leaves it
			t.Fatal(err)
		}
		f.stop()
		l.work(10)
		l.rewind()
		l.work(15)
		if i%2 == 1 {
			l.rewind()
			l.work(5)
		}
		if i == 2 {
			l.feed.forget()
		}
		dir = image
		f = l.followAt(dir, LiveOptions{Leader: c})
		f.agrees(l)
	}
}

// Messages that are missing, come twice, in another order or were changed on the way do
// no harm: what is missing is asked for.
func TestAFeedThatIsAtFaultDoesNoHarm(t *testing.T) {
	changed := func(m *feed.MiniBlock, how int) *feed.MiniBlock {
		switch how % 8 {
		case 0:
			m.Header.GasUsed++
		case 1:
			m.Signature[4]++
		case 2:
			m.Diff[len(m.Diff)/2]++
		case 3:
			m.Receipts = m.Receipts[:len(m.Receipts)/2]
		case 4:
			m.Attributes.Timestamp++
		case 5:
			m.Attributes.ParentBeacon[1]++
		case 6:
			m.Header.Epoch += 5
		case 7:
			m.Attributes.PrevRandao[2]++
		}
		return m
	}
	for name, fault := range map[string]func(number uint64, times int, m *feed.MiniBlock) []*feed.MiniBlock{
		"missing once": func(number uint64, times int, m *feed.MiniBlock) []*feed.MiniBlock {
			if number%5 == 3 && times == 1 {
				return nil
			}
			return []*feed.MiniBlock{m}
		},
		"missing for good": func(number uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
			if number%7 == 3 {
				return nil
			}
			return []*feed.MiniBlock{m}
		},
		"twice": func(_ uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
			again, err := feed.DecodeMiniBlock(m.Encode())
			if err != nil {
				return nil
			}
			return []*feed.MiniBlock{m, again}
		},
		"changed": func(number uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
			if number%6 == 4 {
				return []*feed.MiniBlock{changed(m, int(number))}
			}
			return []*feed.MiniBlock{m}
		},
		"changed where a block begins": func(number uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
			if m.Header.Index == 0 {
				return []*feed.MiniBlock{changed(m, 4+int(m.Header.BlockNumber)%4)}
			}
			return []*feed.MiniBlock{m}
		},
		"changed where a block begins, silent": func(_ uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
			if m.Header.Index == 0 {
				return []*feed.MiniBlock{changed(m, int(m.Header.BlockNumber))}
			}
			return []*feed.MiniBlock{m}
		},
	} {
		for mode, execute := range modes {
			t.Run(name+", "+mode, func(t *testing.T) {
				l := newLeader(t, 7)
				l.feed.fault, l.silent = fault, strings.HasSuffix(name, "silent")
				c := NewClient(serve(t, &node.Backend{Node: l.node}))
				t.Cleanup(c.Close)
				f := l.followAt(t.TempDir(), LiveOptions{Leader: c, Execute: execute})
				closed := func() { // randomness shows with the end of a block only
					for l.node.Exec().IsOpen() && l.node.Exec().OpenHeader().Number.Uint64()%4 == 3 {
						l.seal()
						l.open()
					}
				}
				l.work(60)
				closed()
				f.agrees(l)
				l.rewind()
				l.work(30)
				closed()
				f.agrees(l)
			})
		}
	}
}

// Messages in another order are as good as missing ones.
func TestAnotherOrderDoesNoHarm(t *testing.T) {
	l := newLeader(t, 9)
	var held *feed.MiniBlock
	l.feed.fault = func(number uint64, times int, m *feed.MiniBlock) []*feed.MiniBlock {
		if number%4 == 1 && times == 1 {
			held = m
			return nil
		}
		if held != nil {
			out := []*feed.MiniBlock{m, held}
			held = nil
			return out
		}
		return []*feed.MiniBlock{m}
	}
	f := l.followAt(t.TempDir(), LiveOptions{})
	l.work(41)
	f.agrees(l)
}

// fails waits until the replica stops, and returns why.
func (f *followerNode) fails() *Divergence {
	f.t.Helper()
	select {
	case <-f.node.Failed():
	case <-time.After(20 * time.Second):
		f.t.Fatal("goes on")
	}
	d := new(Divergence)
	if !errors.As(f.node.Failure(), &d) {
		f.t.Fatalf("stopped for another reason: %v", f.node.Failure())
	}
	raw, err := os.ReadFile(d.File)
	if err != nil || !json.Valid(raw) || !bytes.Contains(raw, []byte(d.Kind)) {
		f.t.Fatalf("evidence %s: %v", raw, err)
	}
	return d
}
