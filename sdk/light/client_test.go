package light

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/chain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// following is a client under test with what it tells.
type following struct {
	t      *testing.T
	c      *Client
	events chan string
	ended  chan error
	cancel context.CancelFunc
}

// follow runs a client of the nodes. The world's clock is not this machine's, so that
// nothing is stale unless a test says so.
func follow(t *testing.T, check *Checkpoint, edit func(*Options), nodes ...*fakeNode) *following {
	t.Helper()
	trust := testTrust()
	trust.Checkpoint = check
	o := Options{Trust: trust, StaleAfter: time.Hour, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
	for _, n := range nodes {
		o.Endpoints = append(o.Endpoints, n.url)
	}
	if edit != nil {
		edit(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &following{t: t, c: c, events: make(chan string, 1<<16), ended: make(chan error, 1), cancel: cancel}
	go func() { f.ended <- c.Run(ctx, f.tell) }()
	t.Cleanup(func() {
		cancel()
		<-f.ended
		c.Close()
	})
	return f
}

func (f *following) tell(e Event) error {
	switch e := e.(type) {
	case *MiniBlock:
		f.events <- fmt.Sprintf("m%d.%d", e.Header.Epoch, e.Header.Number)
	case *Block:
		f.events <- fmt.Sprintf("b%d", e.Number())
	case *Rewind:
		f.events <- fmt.Sprintf("rewind%d-%d", e.From, e.To)
	case *Gap:
		f.events <- fmt.Sprintf("gap%d-%d", e.From, e.To)
	case *Fault:
		f.events <- "fault:" + string(e.Err.Code)
	}
	return nil
}

// expect waits for the events in this order. Others of a kind that is not named are passed
// over.
func (f *following) expect(want string) {
	f.t.Helper()
	kinds := ""
	for _, w := range strings.Fields(want) {
		kinds += w[:1]
	}
	var seen []string
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, w := range strings.Fields(want) {
		for {
			select {
			case e := <-f.events:
				if seen = append(seen, e); e == w {
					break
				} else if strings.Contains(kinds, e[:1]) {
					f.t.Fatalf("%s came, want %s, after %v", e, w, seen)
				} else {
					continue
				}
			case <-timer.C:
				f.t.Fatalf("%s did not come, but %v", w, seen)
			}
			break
		}
	}
}

// skipTo waits for the event.
func (f *following) skipTo(want string) {
	f.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e := <-f.events:
			if e == want {
				return
			}
		case <-timer.C:
			f.t.Fatalf("%s did not come", want)
		}
	}
}

// end is the error of Run.
func (f *following) end() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		f.ended <- err
		return err
	case <-time.After(patience):
		f.t.Fatal("Run goes on")
		return nil
	}
}

func blocksOf(t testing.TB, n int) *world {
	w := newWorld(t)
	for range n {
		w.block([]*chain.Tx{})
	}
	w.mini(leaderKey, w.deposit())
	return w
}

func TestAClientFollowsFromGenesis(t *testing.T) {
	n := startNode(t, blocksOf(t, 2))
	f := follow(t, genesisOf(n.w), nil, n)
	f.expect("m0.0 m0.1 m0.2 m0.3 m0.4")
	n.with(func() { n.w.seal(n.w.minis[4].hash); n.w.mini(leaderKey, n.w.deposit()) })
	f.expect("m0.5")
	if head := f.c.Head(); head.Header.Number != 5 {
		t.Errorf("head is %d", head.Header.Number)
	}
}

func TestSealedBlocksAreToldInOrderWithTheirAncestors(t *testing.T) {
	n := startNode(t, blocksOf(t, 2))
	f := follow(t, genesisOf(n.w), nil, n)
	f.expect("m0.0 m0.1 m0.2 m0.3 m0.4")
	f.skipTo("b2")
	n.with(func() {
		n.w.seal(n.w.minis[4].hash)
		for range 5 {
			n.w.block()
		}
		n.w.mini(leaderKey, n.w.deposit())
	})
	f.expect("b3 b4 b5 b6 b7 b8")
	if b := f.c.Block(); b.Hash != n.w.blocks[8].hash || b.LastMiniBlock() != n.w.minis[9].hash {
		t.Errorf("block 8 is %+v", b)
	}
}

func TestAClientResumesWithoutGap(t *testing.T) {
	w := blocksOf(t, 40)
	n := startNode(t, w)
	sent := 0
	n.lie = func(method string, _ []json.RawMessage, result any) any {
		if sent++; method == "event" && sent%7 == 0 {
			return breakUp{}
		}
		return result
	}
	f := follow(t, genesisOf(w), nil, n)
	want := ""
	for i := range w.minis {
		want += fmt.Sprintf("m0.%d ", i)
	}
	f.expect(want)
}

func TestAClientFollowsTheLeaderBack(t *testing.T) {
	n := startNode(t, blocksOf(t, 3))
	f := follow(t, genesisOf(n.w), nil, n)
	f.expect("m0.0 m0.1 m0.2 m0.3 m0.4 m0.5 m0.6")
	n.with(func() { n.w.back(4); n.w.block(); n.w.block() })
	f.expect("rewind4-6 m1.4 m1.5")
	if b := f.c.Block(); b != nil && b.Voucher > 5 {
		t.Errorf("block %d of the left branch is still there", b.Number())
	}
}

func TestAClientFindsTheForkAfterABreak(t *testing.T) {
	n := startNode(t, blocksOf(t, 10))
	f := follow(t, genesisOf(n.w), nil, n)
	f.expect("m0.0 m0.1 m0.2 m0.3 m0.4 m0.5 m0.6 m0.7 m0.8 m0.9 m0.10 m0.11 m0.12 m0.13 m0.14 m0.15 m0.16 m0.17 m0.18 m0.19 m0.20")
	n.with(func() {
		n.w.back(8)
		n.w.block()
		broken := false
		n.lie = func(method string, _ []json.RawMessage, result any) any {
			if method == "event" && !broken {
				broken = true
				return breakUp{}
			}
			return result
		}
	})
	f.expect("rewind8-20 m1.8")
}

func TestAClientBeginsAnewWhereNobodyContinues(t *testing.T) {
	n := startNode(t, blocksOf(t, 3))
	f := follow(t, nil, nil, n)
	n.await("stream", 1)
	n.with(func() { n.w.seal(n.w.minis[6].hash); n.w.mini(leaderKey, n.w.deposit()) })
	f.expect("m0.7")
	n.with(func() {
		n.gone = map[uint64]bool{6: true, 7: true}
		n.w.mini(leaderKey)
		n.lie = func(method string, _ []json.RawMessage, result any) any {
			if m, ok := result.(object); ok && method == "event" && m["number"] == hexutil.Uint64(8) {
				return breakUp{}
			}
			return result
		}
	})
	n.await("stream", 2)
	n.with(func() { n.w.mini(leaderKey) })
	f.expect("gap8-8 m0.9")
}

func TestLiesSendTheClientToTheNextEndpoint(t *testing.T) {
	equals := func(v any, want string) bool { return strings.Trim(string(text(t, v)), `"`) == want }
	for name, tc := range map[string]struct {
		lie  func(method string, params []json.RawMessage, result any) any
		want string
	}{
		"a forged signature": {func(method string, _ []json.RawMessage, r any) any {
			if m, ok := r.(object); ok && method == "event" && equals(m["number"], "0x3") {
				return resignedBy(t, otherKey, m)
			}
			return r
		}, "fault:signature"},
		"a dropped mini-block": {func(method string, _ []json.RawMessage, r any) any {
			if m, ok := r.(object); ok && method == "event" && equals(m["number"], "0x3") {
				return []string{"nothing here"}
			}
			return r
		}, "fault:gap"},
		"another receipt": {func(method string, _ []json.RawMessage, r any) any {
			if m, ok := r.(object); ok && method == "event" && equals(m["number"], "0x3") {
				return edited(asObject(t, m), []any{"receipts", 0, "status"}, "0x0")
			}
			return r
		}, "fault:content"},
		"another transaction": {func(method string, _ []json.RawMessage, r any) any {
			if m, ok := r.(object); ok && method == "event" && equals(m["number"], "0x3") {
				return edited(asObject(t, m), []any{"transactions", 0, "value"}, "0x7")
			}
			return r
		}, "fault:content"},
		"another diff": {func(method string, _ []json.RawMessage, r any) any {
			if method == "talaria_getMiniBlockDiff" {
				return "0xc0"
			}
			return r
		}, "fault:content"},
		"another header": {func(method string, _ []json.RawMessage, r any) any {
			if h, ok := r.(object); ok && method == "eth_getHeaderByHash" {
				return edited(asObject(t, h), []any{"stateRoot"}, common.Hash{1}.Hex())
			}
			return r
		}, "fault:block"},
		"no JSON of a mini-block": {func(method string, _ []json.RawMessage, r any) any {
			if method == "event" {
				return "0x"
			}
			return r
		}, "fault:encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.block([]*chain.Tx{w.pay(types.DynamicFeeTxType, 0)})
			w.block([]*chain.Tx{w.pay(types.LegacyTxType, 1)})
			w.mini(leaderKey, w.deposit())
			liar, honest := startNode(t, w), startNode(t, w)
			liar.lie = tc.lie
			f := follow(t, genesisOf(w), nil, liar, honest)
			f.expect(tc.want)
			honest.with(func() { w.seal(w.minis[4].hash); w.mini(leaderKey) })
			f.skipTo("b3")
			if head := f.c.Head(); head.Header.Hash() != w.minis[5].hash {
				t.Errorf("head is %+v", head)
			}
		})
	}
}

func TestQuestionsAreAnsweredByWhoProvesTheAnswer(t *testing.T) {
	w := newWorld(t)
	w.block([]*chain.Tx{w.pay(types.DynamicFeeTxType, 0)})
	w.block([]*chain.Tx{w.pay(types.LegacyTxType, 1)})
	tx := w.pay(types.SetCodeTxType, 2)
	w.mini(leaderKey, w.deposit())
	w.mini(leaderKey, tx)
	liar, honest := startNode(t, w), startNode(t, w)
	f := follow(t, &Checkpoint{1, w.minis[1].hash}, nil, liar, honest)
	f.skipTo("b2")
	lying := ""
	liar.with(func() {
		liar.lie = func(method string, _ []json.RawMessage, r any) any {
			if method != lying {
				return r
			}
			switch method {
			case "eth_getProof":
				return edited(asObject(t, r), []any{"balance"}, "0x1")
			case "eth_getCode":
				return "0x6002"
			case "eth_getBlockReceipts":
				return edited(asObject(t, object{"list": r}), []any{"list", 1, "status"}, "0x0").(object)["list"]
			case "talaria_getMiniBlock":
				return w.minis[0].json
			case "eth_getTransactionReceipt":
				return object{"miniBlockNumber": "0x4", "blockNumber": "0x3"}
			case "eth_getHeaderByHash":
				return edited(asObject(t, r), []any{"receiptsRoot"}, common.Hash{1}.Hex())
			}
			return nil
		}
	})
	ctx := t.Context()
	for _, method := range []string{"", "eth_getProof", "eth_getCode", "eth_getBlockReceipts", "talaria_getMiniBlock", "eth_getTransactionReceipt", "eth_getHeaderByHash"} {
		liar.with(func() { lying = method })
		a, b, err := f.c.Account(ctx, coin, common.Hash{31: 1})
		if err != nil || a.Nonce != 1 || a.Storage[common.Hash{31: 1}] != (common.Hash{31: 42}) || b.Number() != 2 {
			t.Fatalf("lying about %q: %+v at %+v, %v", method, a, b, err)
		}
		if code, err := f.c.Code(ctx, coin); err != nil || hexutil.Encode(code) != "0x6001" {
			t.Fatalf("lying about %q: code %x, %v", method, code, err)
		}
		if none, _, err := f.c.Account(ctx, common.Address{9}); err != nil || none.Exists || none.Balance.Sign() != 0 {
			t.Fatalf("lying about %q: %+v, %v", method, none, err)
		}
		if old, err := f.c.BlockAt(ctx, 1); err != nil || old.Hash != w.blocks[1].hash {
			t.Fatalf("lying about %q: %+v, %v", method, old, err)
		}
		if o, err := f.c.Transaction(ctx, tx.Hash()); err != nil || o.Receipt.Status != 1 || o.MiniBlock == nil || o.Tx.Hash != tx.Hash() {
			t.Fatalf("lying about %q: %+v, %v", method, o, err)
		}
		sealed := w.pay(types.DynamicFeeTxType, 0).Hash()
		if o, err := f.c.Transaction(ctx, sealed); err != nil || o.Receipt.Status != 1 || o.Receipt.GasUsed != 21_000 || o.Block == nil || o.Block.Number() != 1 || o.Tx.Hash != sealed {
			t.Fatalf("lying about %q: %+v, %v", method, o, err)
		}
		if _, err := f.c.Transaction(ctx, common.Hash{1}); method != "eth_getTransactionReceipt" && !errors.Is(err, ErrNotFound) {
			t.Fatalf("lying about %q: %v", method, err)
		}
	}
}

func TestEquivocationEndsTheFollowing(t *testing.T) {
	for name, split := range map[string]bool{"in one stream": false, "between endpoints": true} {
		t.Run(name, func(t *testing.T) {
			w := blocksOf(t, 2)
			a, b := startNode(t, w), startNode(t, w)
			other := resigned(t, w.minis[4].json, true, func(h *chain.MiniBlockHeader) { h.DiffHash = common.Hash{1} })
			if split {
				b.lie = func(method string, _ []json.RawMessage, r any) any {
					if method == "talaria_getMiniBlock" {
						return other
					}
					return r
				}
			} else {
				twice := false
				a.lie = func(method string, _ []json.RawMessage, r any) any {
					if m, ok := r.(object); ok && method == "event" && m["number"] == hexutil.Uint64(5) && !twice {
						twice = true
						return other
					}
					return r
				}
			}
			f := follow(t, genesisOf(w), nil, a, b)
			if !split {
				f.expect("m0.0 m0.1 m0.2 m0.3 m0.4")
				a.with(func() { w.mini(leaderKey) })
			}
			found := new(Equivocation)
			if err := f.end(); !errors.As(err, &found) {
				t.Fatalf("Run ended with %v", err)
			}
			if err := found.Check(); err != nil || found.A.Header.Number != 4 || found.B.Header.Number != 4 {
				t.Errorf("%v: %+v", err, found)
			}
			if err := f.c.Run(t.Context(), f.tell); !errors.As(err, new(*Equivocation)) {
				t.Errorf("Run again: %v", err)
			}
		})
	}
}

func TestAStaleEndpointIsLeft(t *testing.T) {
	made := func(n int) *world {
		w := newWorldAt(t, 1_700_000_000)
		for range n {
			w.block()
		}
		return w
	}
	a, b := startNode(t, made(2)), startNode(t, made(4))
	f := follow(t, genesisOf(a.w), func(o *Options) { o.StaleAfter = 50 * time.Millisecond }, a, b)
	f.expect("m0.0 m0.1 fault:stale m0.2 m0.3 fault:stale")
}
