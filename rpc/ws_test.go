package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func dial(t testing.TB, addr string) (*websocket.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/any/path", nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { ws.CloseNow() })
	return ws, ctx
}

func write(t testing.TB, ctx context.Context, ws *websocket.Conn, id int, method, params string) {
	t.Helper()
	msg := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)
	if err := ws.Write(ctx, websocket.MessageText, []byte(msg)); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, ctx context.Context, ws *websocket.Conn) string {
	t.Helper()
	_, msg, err := ws.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(msg)
}

func roundTrip(t testing.TB, ctx context.Context, ws *websocket.Conn, method, params string) reply {
	t.Helper()
	write(t, ctx, ws, 1, method, params)
	var r reply
	if err := json.Unmarshal([]byte(next(t, ctx, ws)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// subscribed subscribes: what is published from now on is pushed.
func subscribed(t testing.TB, ctx context.Context, ws *websocket.Conn, params string) string {
	t.Helper()
	r := roundTrip(t, ctx, ws, "eth_subscribe", params)
	if r.Error != nil {
		t.Fatalf("subscribe: %+v", r.Error)
	}
	var id string
	if err := json.Unmarshal(r.Result, &id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSubscriptionsPushWhatIsPublished(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	for name, tc := range map[string]struct {
		params string
		event  func()
		want   []string
	}{
		"heads":                {`["newHeads"]`, func() { b.Deposit(); b.Seal() }, []string{`"miniBlockCount":"0x`, `"number":"0x`, `"hash":"0x`}},
		"logs":                 {`["logs",{"address":"0x00000000000000000000000000000000000000aa","topics":["` + logTopic.Hex() + `"]}]`, func() { b.Deposit() }, []string{`"blockHash":"` + zeroHash.Hex(), `"logIndex":`}},
		"mini-blocks":          {`["miniBlocks"]`, func() { b.Deposit() }, []string{`"timestampMicros":"0x0"`, `"signature":"0x`, `"transactions":[{`, `"receipts":[{`, `"sourceHash"`, `"depositNonce":"0x7"`}},
		"mini-blocks, hashes":  {`["miniBlocks",{"transactions":"hashes"}]`, func() { b.Deposit() }, []string{`"signature":"0x`, `"transactions":["0x`, `"]},"cursor":"v1:m:`}},
		"pending transactions": {`["newPendingTransactions"]`, func() { b.send(t) }, []string{`"result":"0x`}},
		"pending, whole":       {`["newPendingTransactions",true]`, func() { b.send(t) }, []string{`"maxFeePerGas":"0x2dc6c0"`}},
	} {
		t.Run(name, func(t *testing.T) {
			ws, ctx := dial(t, addr)
			id := subscribed(t, ctx, ws, tc.params)
			tc.event()
			got := next(t, ctx, ws)
			for _, want := range append(tc.want, id, `"method":"eth_subscription"`) {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
			if r := roundTrip(t, ctx, ws, "eth_unsubscribe", fmt.Sprintf("[%q]", id)); string(r.Result) != "true" {
				t.Errorf("unsubscribe: %s", r.Result)
			}
			if r := roundTrip(t, ctx, ws, "eth_unsubscribe", fmt.Sprintf("[%q]", id)); r.Error == nil || r.Error.Message != "subscription not found" {
				t.Errorf("second unsubscribe: %+v", r)
			}
		})
	}
}

// send submits the next transaction of the fake's only account.
func (b *fakeBackend) send(t testing.TB) {
	t.Helper()
	enc, err := b.signed(t, b.nonceNow()).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.submit(enc).Result(); err != nil {
		t.Fatal(err)
	}
}

func (b *fakeBackend) nonceNow() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nonces {
		return n
	}
	return 0
}

func TestSubscriptionErrors(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{MaxSubscriptions: 1})
	ws, ctx := dial(t, addr)
	for _, tc := range []struct {
		params, want string
		code         int
	}{
		{`[]`, "missing value for required argument 0", -32602},
		{`["weather"]`, `no "weather" subscription in eth namespace`, -32601},
		{`["logs",{"address":"0x1"}]`, "invalid argument 1", -32602},
		{`["newHeads"]`, "", 0},
		{`["newHeads"]`, "1 subscriptions, which is the limit", -32005},
	} {
		r := roundTrip(t, ctx, ws, "eth_subscribe", tc.params)
		if tc.code == 0 {
			if r.Error != nil {
				t.Fatalf("%s: %+v", tc.params, r.Error)
			}
			continue
		}
		if r.Error == nil || r.Error.Code != tc.code || !strings.Contains(r.Error.Message, tc.want) {
			t.Errorf("%s: %+v, want %d %q", tc.params, r.Error, tc.code, tc.want)
		}
	}
}

func TestSendsOnOneConnectionKeepTheirOrder(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	ws, ctx := dial(t, addr)
	const n = 50
	for i := range n {
		write(t, ctx, ws, i, "eth_sendRawTransaction", "["+b.raw(t, uint64(i))+"]")
	}
	for range n {
		if got := next(t, ctx, ws); strings.Contains(got, `"error"`) {
			t.Fatal(got)
		}
	}
}

func TestAMessageAboveTheLimitClosesTheConnection(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{MaxBodyBytes: 1000})
	ws, ctx := dial(t, addr)
	write(t, ctx, ws, 1, "web3_sha3", `["0x`+strings.Repeat("00", 1000)+`"]`)
	_, _, err := ws.Read(ctx)
	if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Fatalf("ended with %v", err)
	}
}

func TestShutdownAnswersWebSocketRequestsInFlight(t *testing.T) {
	b := newFake(t)
	b.gate = make(chan struct{})
	s, addr := serve(t, b, Options{})
	ws, ctx := dial(t, addr)
	write(t, ctx, ws, 1, "eth_call", `[{"data":"0x01"}]`)
	<-b.entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	for draining := false; !draining; {
		s.mu.Lock()
		draining = s.draining
		s.mu.Unlock()
	}
	close(b.gate)
	if got := next(t, ctx, ws); !strings.Contains(got, `"result":"0x01"`) {
		t.Fatal(got)
	}
	_, _, err := ws.Read(ctx)
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Fatalf("ended with %v", err)
	}
	if err := <-down; err != nil {
		t.Fatal(err)
	}
}

func TestAFeedThatFallsBehindEndsFiltersAndLosesNoEventOfStreams(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{FeedBuffer: 1})
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["newHeads"]`)
	filter := ask(t, addr, "eth_newBlockFilter", "[]")
	s.hub.mu.Lock() // the hub stands still
	for range 4 {
		b.Seal()
	}
	s.hub.mu.Unlock()
	for number := 1; number <= 4; number++ {
		if got := next(t, ctx, ws); !strings.Contains(got, fmt.Sprintf(`"number":"0x%x"`, number)) {
			t.Fatalf("want head %d, got %s", number, got)
		}
	}
	if r := ask(t, addr, "eth_getFilterChanges", "["+string(filter.Result)+"]"); r.Error == nil || !strings.Contains(r.Error.Message, "fell behind its own events") {
		t.Fatalf("filter lives on: %s, %v", r.Result, r.Error)
	}
}

func TestPollingFilters(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxFilters: 3, MaxFilterItems: 2})
	install := func(method, params string) string {
		r := ask(t, addr, method, params)
		if r.Error != nil {
			t.Fatalf("%s: %+v", method, r.Error)
		}
		return "[" + string(r.Result) + "]"
	}
	logs := install("eth_newFilter", `[{"fromBlock":"0x0"}]`)
	heads := install("eth_newBlockFilter", `[]`)
	pending := install("eth_newPendingTransactionFilter", `[]`)
	if r := ask(t, addr, "eth_newBlockFilter", "[]"); r.Error == nil || r.Error.Code != -32005 {
		t.Fatalf("fourth filter: %+v", r)
	}
	b.send(t)
	b.Seal()
	items := func(filter string) int {
		var list []json.RawMessage
		for len(list) == 0 {
			r := ask(t, addr, "eth_getFilterChanges", filter)
			if r.Error != nil {
				t.Fatalf("%+v", r.Error)
			}
			if err := json.Unmarshal(r.Result, &list); err != nil {
				t.Fatal(err)
			}
		}
		return len(list)
	}
	if items(logs) != 1 || items(heads) != 1 || items(pending) != 1 {
		t.Error("a filter did not collect one item")
	}
	var all []json.RawMessage
	if r := ask(t, addr, "eth_getFilterLogs", logs); json.Unmarshal(r.Result, &all) != nil || len(all) != 1 {
		t.Errorf("filter logs: %s %+v", r.Result, r.Error)
	}
	for range 3 { // one more than a filter holds
		b.Seal()
	}
	for len(s.filterIDs()) > 2 {
		ask(t, addr, "eth_getFilterChanges", pending) // the hub is not there yet
	}
	s.hub.expire(time.Now().Add(time.Hour))
	for id, want := range map[string]string{heads: "more than 2 items were unread", logs: "not polled for 5m0s"} {
		for range 2 { // it is not told only once
			if r := ask(t, addr, "eth_getFilterChanges", id); r.Error == nil || r.Error.Code != CodeServer || !strings.HasPrefix(r.Error.Message, "filter not found: ") ||
				!strings.Contains(r.Error.Message, want) || !strings.Contains(r.Error.Message, "install it again") {
				t.Errorf("dropped filter: %+v, want %q", r.Error, want)
			}
		}
		for _, want := range []string{"true", "false"} {
			if r := ask(t, addr, "eth_uninstallFilter", id); string(r.Result) != want {
				t.Errorf("uninstalling a dropped filter: %s, want %s", r.Result, want)
			}
		}
	}
}

func (s *Server) filterIDs() (ids []string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for id := range s.hub.filters.byID {
		ids = append(ids, id)
	}
	return ids
}
