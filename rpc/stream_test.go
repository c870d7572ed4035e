package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	gethrpc "github.com/ethereum/go-ethereum/rpc"
)

// pushed is a notification.
type pushed struct {
	Params struct {
		Subscription string
		Result       json.RawMessage
		Cursor       string
		Gap          *struct{ From, To, Reason string }
	}
}

func nextPush(t testing.TB, ctx context.Context, ws *websocket.Conn) pushed {
	t.Helper()
	var p pushed
	msg := next(t, ctx, ws)
	if err := json.Unmarshal([]byte(msg), &p); err != nil || p.Params.Subscription == "" {
		t.Fatalf("%v in %s", err, msg)
	}
	return p
}

// streams are eth_subscribe's arguments of every kind with a history, and the events
// that one mini-block of the fake gives.
var streams = map[string]struct {
	params string // without options
	events int
}{
	"newHeads":             {`["newHeads",null`, 1},
	"logs":                 {`["logs",{}`, 1},
	"logs by address":      {`["logs",{"address":"0x00000000000000000000000000000000000000aa"}`, 1},
	"logs by topic":        {`["logs",{"topics":["` + logTopic.Hex() + `"]}`, 1},
	"miniBlocks":           {`["miniBlocks",null`, 1},
	"miniBlocks, hashes":   {`["miniBlocks",{"transactions":"hashes"}`, 1},
	"pending":              {`["newPendingTransactions",false`, 1},
	"pending, whole":       {`["newPendingTransactions",true`, 1},
	"receipts":             {`["receipts",null`, 1},
	"stateChanges":         {`["stateChanges",null`, 2},
	"stateChanges, chosen": {`["stateChanges",["0x00000000000000000000000000000000000000bb"]`, 1},
}

func TestAStreamResumesBehindAnyCursor(t *testing.T) {
	for name, tc := range streams {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			_, addr := serve(t, b, Options{})
			ws, ctx := dial(t, addr)
			subscribed(t, ctx, ws, tc.params+"]")
			const minis = 6
			grow := func() {
				for range minis {
					b.send(t)
					b.Seal()
				}
			}
			grow()
			var seen []pushed
			for range minis * tc.events {
				seen = append(seen, nextPush(t, ctx, ws))
			}
			for i := range seen {
				again, ctx := dial(t, addr)
				id := subscribed(t, ctx, again, tc.params+`,{"cursor":"`+seen[i].Params.Cursor+`"}]`)
				for k := i + 1; k < len(seen); k++ {
					got := nextPush(t, ctx, again)
					if got.Params.Cursor != seen[k].Params.Cursor || got.Params.Subscription != id || got.Params.Gap != nil {
						t.Fatalf("behind %s: event %d is %+v, want cursor %s", seen[i].Params.Cursor, k, got.Params, seen[k].Params.Cursor)
					}
				}
				if i < len(seen)-1 {
					again.CloseNow()
					continue
				}
				grow() // and live from there
				for range minis * tc.events {
					if live, replayed := nextPush(t, ctx, ws), nextPush(t, ctx, again); live.Params.Cursor != replayed.Params.Cursor {
						t.Fatalf("live %s, resumed %s", live.Params.Cursor, replayed.Params.Cursor)
					}
				}
			}
			all, ctx := dial(t, addr)
			subscribed(t, ctx, all, tc.params+`,{"fromBlock":"0x1"}]`)
			for k := range seen {
				if got := nextPush(t, ctx, all); got.Params.Cursor != seen[k].Params.Cursor {
					t.Fatalf("from block 1: event %d is %+v, want %s", k, got.Params, seen[k].Params.Cursor)
				}
			}
		})
	}
}

func TestASlowConsumerIsBroughtUpWithoutLoss(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxQueueMessages: 8})
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["miniBlocks"]`)
	n := fall(t, b, s, 0)
	for i := range n {
		p := nextPush(t, ctx, ws)
		if want := fmt.Sprintf("v1:m:%d.0:", i); !strings.HasPrefix(p.Params.Cursor, want) {
			t.Fatalf("event %d has cursor %s, gap %+v", i, p.Params.Cursor, p.Params.Gap)
		}
	}
}

// fall grows the chain until the only subscription, whose client does not read, is at
// least that far behind the hub, and returns the mini-blocks there are.
func fall(t *testing.T, b *fakeBackend, s *Server, distance uint64) int {
	t.Helper()
	behind := func() bool {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		for _, sub := range s.hub.subs {
			return !sub.live && s.hub.mini.next > sub.pos.next+distance
		}
		return false
	}
	for !behind() {
		b.Deposit()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.minis)
}

func TestAConsumerBeyondTheLimitIsToldWhatItMissed(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxQueueMessages: 8, MaxLag: 20})
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["miniBlocks",{"fromBlock":"latest"}]`)
	n := fall(t, b, s, 50)
	last, gaps := "", 0
	for next := 0; next < n; {
		p := nextPush(t, ctx, ws)
		if g := p.Params.Gap; g != nil {
			if g.From[:strings.IndexByte(g.From, '.')] != last[:strings.IndexByte(last, '.')] || p.Params.Cursor != g.To || !strings.Contains(g.Reason, "more than 20 behind") {
				t.Fatalf("gap %+v behind %s", g, last)
			}
			if _, err := fmt.Sscanf(g.To, "v1:m:%d.end:", &next); err != nil && !strings.HasPrefix(g.To, "v1:m:") {
				t.Fatal(err)
			}
			next++
			gaps++
		} else {
			if want := fmt.Sprintf("v1:m:%d.0:", next); !strings.HasPrefix(p.Params.Cursor, want) {
				t.Fatalf("got %s, want %s", p.Params.Cursor, want)
			}
			next++
		}
		last = p.Params.Cursor
	}
	if gaps == 0 {
		t.Fatal("no gap event")
	}
}

func TestARewindIsToldAndCursorsOfWhatIsGoneAreRefused(t *testing.T) {
	for name, tc := range streams {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			_, addr := serve(t, b, Options{})
			ws, ctx := dial(t, addr)
			subscribed(t, ctx, ws, tc.params+`,{"fromBlock":"latest"}]`)
			var seen []pushed
			for range 3 {
				b.send(t)
				b.Seal()
				for range tc.events {
					seen = append(seen, nextPush(t, ctx, ws))
				}
			}
			b.rewind(2)
			got := nextPush(t, ctx, ws)
			if g := got.Params.Gap; g == nil || g.Reason != "the chain was taken back" || got.Params.Result != nil {
				t.Fatalf("after the rewind: %+v", got.Params)
			}
			old := seen[len(seen)-1].Params.Cursor
			if r := roundTrip(t, ctx, ws, "eth_subscribe", tc.params+`,{"cursor":"`+old+`"}]`); r.Error == nil || !strings.Contains(r.Error.Message, "is not of this node's chain") {
				t.Fatalf("cursor of what is gone: %+v", r)
			}
			again, actx := dial(t, addr)
			subscribed(t, actx, again, tc.params+`,{"cursor":"`+got.Params.Cursor+`"}]`)
			b.Deposit() // another third mini-block
			b.send(t)
			b.Seal()
			for range tc.events {
				if a, c := nextPush(t, ctx, ws), nextPush(t, actx, again); a.Params.Gap != nil || a.Params.Cursor == old || a.Params.Cursor != c.Params.Cursor {
					t.Fatalf("new chain: %+v and %+v, the old one had %s", a.Params, c.Params, old)
				}
			}
		})
	}
}

func TestASubscriptionWithoutOptionsIsClosedAtAGap(t *testing.T) {
	for name, tc := range streams {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			_, addr := serve(t, b, Options{})
			ws, ctx := dial(t, addr)
			subscribed(t, ctx, ws, tc.params+"]")
			for range 3 {
				b.send(t)
				b.Seal()
			}
			b.rewind(2)
			for range 3 * tc.events {
				nextPush(t, ctx, ws)
			}
			b.Deposit()
			again := b.Seal()
			if name == "newHeads" { // heads tell of a branch by their parents
				if p := nextPush(t, ctx, ws); p.Params.Gap != nil || !strings.Contains(string(p.Params.Result), again.Hash().Hex()) {
					t.Fatalf("after the rewind: %+v", p.Params)
				}
				return
			}
			closedAtGap(t, ctx, ws, "missed events: the chain was taken back")
		})
	}
	t.Run("who is too far behind", func(t *testing.T) {
		b := newFake(t)
		s, addr := serve(t, b, Options{MaxQueueMessages: 8, MaxLag: 20})
		ws, ctx := dial(t, addr)
		subscribed(t, ctx, ws, `["miniBlocks"]`)
		fall(t, b, s, 50)
		for i := 0; ; i++ {
			_, msg, err := ws.Read(ctx)
			if err != nil {
				checkClose(t, err, "missed events: client is more than 20 behind")
				return
			}
			if want := fmt.Sprintf(`"cursor":"v1:m:%d.0:`, i); !strings.Contains(string(msg), want) {
				t.Fatalf("event %d: %s", i, msg)
			}
		}
	})
}

func closedAtGap(t *testing.T, ctx context.Context, ws *websocket.Conn, reason string) {
	t.Helper()
	_, msg, err := ws.Read(ctx)
	if err == nil {
		t.Fatalf("not closed: %s", msg)
	}
	checkClose(t, err, reason)
}

func checkClose(t *testing.T, err error, reason string) {
	t.Helper()
	var e websocket.CloseError
	if !errors.As(err, &e) || e.Code != websocket.StatusTryAgainLater || !strings.HasPrefix(e.Reason, reason) {
		t.Fatalf("ended by %v, want %q", err, reason)
	}
}

// Who reverts a development chain knows it: subscriptions go on, as with other nodes for
// development.
func TestSubscriptionsWithoutOptionsOutliveARevertOfADevelopmentChain(t *testing.T) {
	for name, tc := range streams {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.dev = fakeDevControls{}
			_, addr := serve(t, b, Options{})
			ws, ctx := dial(t, addr)
			subscribed(t, ctx, ws, tc.params+"]")
			var old string
			for range 3 {
				b.send(t)
				b.Seal()
				for range tc.events {
					old = nextPush(t, ctx, ws).Params.Cursor
				}
			}
			b.rewind(2)
			b.Deposit()
			b.send(t)
			b.Seal()
			for range tc.events {
				if p := nextPush(t, ctx, ws); p.Params.Gap != nil || len(p.Params.Result) == 0 || p.Params.Cursor == old {
					t.Fatalf("after the rewind: %+v", p.Params)
				}
			}
		})
	}
}

func TestOptionsOfSubscriptionsAreChecked(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{MaxReplays: -1})
	ws, ctx := dial(t, addr)
	for _, tc := range []struct {
		params, want string
		code         int
	}{
		{`["logs",{},{"cursor":"nonsense"}]`, "malformed cursor", -32602},
		{`["logs",{},{"cursor":"v2:l:1.2:0011223344556677"}]`, "cursor of version", -32602},
		{`["logs",{},{"cursor":"v1:r:1.2:0011223344556677"}]`, "another kind", -32602},
		{`["logs",{},{"cursor":"v1:l:01.2:0011223344556677"}]`, "malformed cursor", -32602},
		{`["logs",{"cursor":"v1:l:7.2:0011223344556677"}]`, "not of this node's chain", -32000},
		{`["newHeads",{"cursor":"v1:h:0.end:0011223344556677"}]`, "not of this node's chain", -32000},
		{`["newHeads",{"cursor":"v1:h:start","fromBlock":"0x0"}]`, "not both", -32602},
		{`["newHeads",{"since":1}]`, `option "since" is not known`, -32602},
		{`["newHeads",{"transactions":"hashes"}]`, "one of miniBlocks only", -32602},
		{`["miniBlocks",{"transactions":"none"}]`, `want "full" or "hashes"`, -32602},
		{`["newHeads",{"fromBlock":"0x9"}]`, "has not begun", -32602},
		{`["receipts",[]]`, "array is empty", -32602},
		{`["receipts",{"hashes":["0x12"]}]`, "invalid argument 1", -32602},
		{`["newHeads",{"fromBlock":"earliest"}]`, "which is the limit", -32005},
	} {
		r := roundTrip(t, ctx, ws, "eth_subscribe", tc.params)
		if r.Error == nil || r.Error.Code != tc.code || !strings.Contains(r.Error.Message, tc.want) {
			t.Errorf("%s: %+v, want %d %q", tc.params, r.Error, tc.code, tc.want)
		}
	}
}

func TestReceiptsAreSelectedByHash(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	ws, ctx := dial(t, addr)
	want := b.signed(t, 1).Hash().Hex()
	subscribed(t, ctx, ws, `["receipts",["`+want+`"]]`)
	subscribed(t, ctx, ws, `["receipts",{"hashes":["`+want+`"],"fromBlock":"earliest"}]`)
	for range 3 {
		b.send(t)
	}
	for range 2 {
		if p := nextPush(t, ctx, ws); !strings.Contains(string(p.Params.Result), want) || !strings.Contains(string(p.Params.Result), `"finality":"sequenced"`) {
			t.Fatalf("%s", p.Params.Result)
		}
	}
	if r := ask(t, addr, "eth_getTransactionReceipt", `["`+want+`"]`); r.Error != nil {
		t.Fatal(r.Error)
	}
}

func TestSyncingTellsTheStateAndItsChanges(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{})
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["syncing"]`)
	if p := nextPush(t, ctx, ws); string(p.Params.Result) != "false" {
		t.Fatalf("%s", p.Params.Result)
	}
	b.mu.Lock()
	b.streamFake.sync = SyncStatus{Syncing: true, Current: 5, Highest: 9}
	b.mu.Unlock()
	s.hub.checkSync()
	if p := nextPush(t, ctx, ws); string(p.Params.Result) != `{"syncing":true,"status":{"startingBlock":"0x0","currentBlock":"0x5","highestBlock":"0x9"}}` {
		t.Fatalf("%s", p.Params.Result)
	}
}

func TestEthclientReadsStreamsWithCursors(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	rc, err := gethrpc.Dial("ws://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	hashes := make(chan common.Hash, 10)
	sub, err := ethclient.NewClient(rc).Client().EthSubscribe(t.Context(), hashes, "newPendingTransactions", nil, map[string]any{"fromBlock": "earliest"})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	b.send(t)
	select {
	case got := <-hashes:
		if want := b.signed(t, 0).Hash(); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	case err := <-sub.Err():
		t.Fatal(err)
	}
}

func TestCursorsReadBackAsWritten(t *testing.T) {
	for _, c := range []cursor{
		{letter: 'l', start: true}, {letter: 'r', number: 7, item: 12, tag: 1}, {letter: 'h', number: 1 << 60, item: wholeItem, tag: 1 << 63},
	} {
		got, err := parseCursor(c.String(), c.letter)
		if err != nil || got != c {
			t.Errorf("%s read as %+v, %v", c, got, err)
		}
	}
}

// TestASubscriptionWithoutAnAnswerEnds: nobody knows its id, so that nobody could end it.
func TestASubscriptionWithoutAnAnswerEnds(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxSubscriptions: 2, MaxReplays: 2})
	ws, ctx := dial(t, addr)
	const subscribe = `{"jsonrpc":"2.0","method":"eth_subscribe","params":["miniBlocks",{"fromBlock":"earliest"}]}`
	for _, msg := range []string{subscribe, `[` + subscribe + `,` + subscribe + `]`, `[` + subscribe + `,{"jsonrpc":"2.0","id":7,"method":"eth_chainId"}]`} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	if got := next(t, ctx, ws); !strings.HasPrefix(got, `[{"jsonrpc":"2.0","id":7`) || strings.Contains(got, "},{") {
		t.Errorf("answer %s", got)
	}
	s.hub.mu.Lock()
	subs, asked := len(s.hub.subs), s.hub.asked
	s.hub.mu.Unlock()
	if subs != 0 || asked != 0 {
		t.Errorf("%d subscriptions, %d of them replay", subs, asked)
	}
	subscribed(t, ctx, ws, `["newHeads"]`)
}

// TestWhatSubscriptionsNameIsBounded: over all connections.
func TestWhatSubscriptionsNameIsBounded(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxSubscribed: 1000})
	long := `["logs",{"address":["` + common.Address{1}.Hex() + `","` + common.Address{2}.Hex() + `","` + common.Address{3}.Hex() + `"]}]`
	first, ctx := dial(t, addr)
	id := subscribed(t, ctx, first, long)
	subscribed(t, ctx, first, long)
	second, ctx := dial(t, addr)
	if r := roundTrip(t, ctx, second, "eth_subscribe", long); r.Error == nil || r.Error.Code != CodeLimit {
		t.Fatalf("%s %+v", r.Result, r.Error)
	}
	subscribed(t, ctx, second, `["logs",{}]`)
	roundTrip(t, ctx, first, "eth_unsubscribe", `["`+id+`"]`)
	subscribed(t, ctx, second, long)
	first.CloseNow()
	second.CloseNow()
	for { // the connections end by themselves
		s.hub.mu.Lock()
		words, subs := s.hub.words, len(s.hub.subs)
		s.hub.mu.Unlock()
		if subs == 0 {
			if words != 0 {
				t.Errorf("%d bytes are left", words)
			}
			return
		}
		if ctx.Err() != nil {
			t.Fatal("subscriptions outlive their connections")
		}
		runtime.Gosched()
	}
}
