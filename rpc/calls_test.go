package rpc

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"
)

// busy starts n simulations that wait for the gate, of which the pool runs some.
func busy(t *testing.T, s *Server, addr string, n int) <-chan reply {
	t.Helper()
	methods := []string{"eth_call", "eth_estimateGas", "eth_createAccessList"}
	answers := make(chan reply, n)
	for i := range n {
		go func() { answers <- ask(t, addr, methods[i%len(methods)], `[{}]`) }()
	}
	for {
		if running, waiting := s.calls.busy(); running+waiting >= n {
			return answers
		}
		runtime.Gosched()
	}
}

func TestBlockedCallsDelayNothingElse(t *testing.T) {
	b := newFake(t)
	b.gate = make(chan struct{})
	s, addr := serve(t, b, Options{MaxCalls: 2, MaxCallQueue: 30})
	answers := busy(t, s, addr, 32)
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["newPendingTransactions"]`)
	write(t, ctx, ws, 1, "eth_call", `[{}]`) // refused
	if got := next(t, ctx, ws); !strings.Contains(got, "30 wait, which is the limit") {
		t.Fatalf("call above the limit: %s", got)
	}
	for i := range 100 {
		if r := ask(t, addr, "eth_sendRawTransactionSync", "["+b.raw(t, uint64(i))+"]"); r.Error != nil {
			t.Fatalf("send %d: %+v", i, r.Error)
		}
		if got := next(t, ctx, ws); !strings.Contains(got, "eth_subscription") {
			t.Fatal(got)
		}
	}
	if r := ask(t, addr, "eth_blockNumber", `[]`); string(r.Result) != `"0x0"` {
		t.Fatalf("read: %+v", r)
	}
	if n := len(b.entered); n > 2 {
		t.Fatalf("%d calls ran at once, limit 2", n)
	}
	close(b.gate)
	for range 32 {
		if r := <-answers; r.Error != nil {
			t.Errorf("waiting call: %+v", r.Error)
		}
	}
}

func TestACallBeyondTheQueueIsRefused(t *testing.T) {
	b := newFake(t)
	b.gate = make(chan struct{})
	s, addr := serve(t, b, Options{MaxCalls: 1, MaxCallQueue: 2})
	answers := busy(t, s, addr, 3)
	for _, method := range []string{"eth_call", "eth_estimateGas", "eth_createAccessList"} {
		r := ask(t, addr, method, `[{}]`)
		if r.Error == nil || r.Error.Code != CodeLimit || !strings.Contains(r.Error.Message, "1 calls run and 2 wait, which is the limit: retry later") {
			t.Errorf("%s: %+v", method, r.Error)
		}
	}
	close(b.gate)
	for range 3 {
		<-answers
	}
	if r := ask(t, addr, "eth_call", `[{"data":"0x01"}]`); string(r.Result) != `"0x01"` {
		t.Errorf("after the rush: %+v", r.Error)
	}
}

func TestCallsHaveATimeLimit(t *testing.T) {
	b := newFake(t)
	b.gate = make(chan struct{})
	_, addr := serve(t, b, Options{MaxCalls: 1, CallTimeout: 5 * time.Millisecond})
	for _, method := range []string{"eth_call", "eth_estimateGas", "eth_createAccessList"} {
		r := ask(t, addr, method, `[{}]`)
		if r.Error == nil || r.Error.Code != CodeServer || !strings.HasPrefix(r.Error.Message, "execution timed out: limit 5ms") {
			t.Errorf("%s: %+v", method, r.Error)
		}
	}
}

func TestACallThatWaitsTooLongOrWhoseClientLeavesGivesItsPlaceUp(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxCalls: 1, MaxCallQueue: 1, RequestTimeout: 20 * time.Millisecond})
	if err := s.calls.enter(context.Background(), asker{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := ask(t, addr, "eth_call", `[{}]`); r.Error == nil || r.Error.Code != CodeLimit || !strings.Contains(r.Error.Message, "did not come in time") {
			t.Fatalf("answer %+v", r.Error)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.calls.enter(ctx, asker{}); err != context.Canceled {
		t.Fatalf("entered with %v", err)
	}
	s.calls.leave()
	var r reply
	_, out := post(t, addr, `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0xff"}]}`) // crashes
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Error.Code != CodeInternal {
		t.Fatalf("%v in %s", err, out)
	}
	if r := ask(t, addr, "eth_call", `[{"data":"0x01"}]`); string(r.Result) != `"0x01"` {
		t.Errorf("place of a crashed call is lost: %+v", r.Error)
	}
}

// TestWideQueriesWaitForTheirTurn: narrow ones do not, nor anything else.
func TestWideQueriesWaitForTheirTurn(t *testing.T) {
	b := newFake(t)
	for range wideScan {
		b.Deposit()
		b.Seal()
	}
	s, addr := serve(t, b, Options{MaxSlow: 1, MaxSlowQueue: 1})
	wide := map[string]string{
		"eth_getLogs": `[{"fromBlock":"0x1"}]`, "eth_getLogsWithCursor": `[{"fromBlock":"0x1"}]`, "eth_feeHistory": `["0x64","latest",[50]]`,
	}
	if err := s.scans.enter(t.Context(), asker{}); err != nil {
		t.Fatal(err)
	}
	waits, stop := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- s.scans.enter(waits, asker{}) }()
	for {
		if _, waiting := s.scans.busy(); waiting == 1 {
			break
		}
		runtime.Gosched()
	}
	for method, params := range wide {
		if r := ask(t, addr, method, params); r.Error == nil || r.Error.Code != CodeLimit || !strings.Contains(r.Error.Message, "scans of many blocks") {
			t.Errorf("%s while others scan: %s %+v", method, r.Result, r.Error)
		}
	}
	for method, params := range map[string]string{
		"eth_getLogs": `[{"fromBlock":"0x10"}]`, "eth_feeHistory": `["0x64","latest",[]]`, "eth_getBlockByNumber": `["latest",true]`,
	} {
		if r := ask(t, addr, method, params); r.Error != nil {
			t.Errorf("%s: %+v", method, r.Error)
		}
	}
	stop()
	<-left
	s.scans.leave()
	for method, params := range wide {
		if r := ask(t, addr, method, params); r.Error != nil {
			t.Errorf("%s alone: %+v", method, r.Error)
		}
	}
}
