package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if clientProcess() {
		return
	}
	goleak.VerifyTestMain(m)
}

type reply struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
}

func post(t testing.TB, addr, body string) (int, string) {
	t.Helper()
	res, err := http.Post("http://"+addr, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(out)
}

func ask(t testing.TB, addr, method, params string) reply {
	t.Helper()
	_, out := post(t, addr, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
	var r reply
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%s: %v in %q", method, err, out)
	}
	return r
}

func TestBadInputGetsAStandardError(t *testing.T) {
	b := newFake(t)
	for range 3 {
		b.Seal()
	}
	_, addr := serve(t, b, Options{MaxLogBlocks: 3, MaxBatchItems: 3, MaxResponseBytes: 4096, MaxJSONDepth: 10})
	call := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	}
	const who = `"0x00000000000000000000000000000000000000aa"`
	const hash = `"0x00000000000000000000000000000000000000000000000000000000000000aa"`
	for name, tc := range map[string]struct {
		body string
		code int
		want string
	}{
		"empty body":               {"", -32700, "parse error"},
		"not JSON":                 {"{", -32700, "parse error"},
		"two values":               {"{} {}", -32700, "parse error"},
		"invalid UTF-8":            {"{\"id\":\"\xff\"}", -32700, "parse error"},
		"a number":                 {"1", -32600, "invalid request"},
		"null":                     {"null", -32600, "invalid request"},
		"empty batch":              {"[]", -32600, "empty batch"},
		"no version":               {`{"id":1,"method":"eth_chainId"}`, -32600, "jsonrpc"},
		"no method":                {`{"jsonrpc":"2.0","id":1}`, -32600, "method"},
		"id is an object":          {`{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}`, -32600, "id"},
		"too deep":                 {strings.Repeat("[", 11), -32005, "deeper than 10"},
		"too many items":           {"[1,2,3,4]", -32005, "more than 3 items"},
		"unknown method":           {call("eth_foo", "[]"), -32601, "the method eth_foo does not exist/is not available"},
		"params by name":           {call("eth_getBalance", "{}"), -32602, "non-array args"},
		"missing argument":         {call("eth_getBalance", "[]"), -32602, "missing value for required argument 0"},
		"null argument":            {call("eth_getBalance", "[null]"), -32602, "missing value for required argument 0"},
		"too many arguments":       {call("eth_chainId", "[1]"), -32602, "too many arguments, want at most 0"},
		"short address":            {call("eth_getBalance", `["0x12"]`), -32602, "invalid argument 0: address: hex string has length 2, want 40"},
		"no prefix":                {call("eth_getBalance", `["12"]`), -32602, "without 0x prefix"},
		"bad digit":                {call("eth_getTransactionByHash", `["0x`+strings.Repeat("zz", 32)+`"]`), -32602, "invalid hex"},
		"bad tag":                  {call("eth_getBalance", "["+who+`,"newest"]`), -32602, "invalid argument 1"},
		"leading zero":             {call("eth_getBalance", "["+who+`,"0x01"]`), -32602, "leading zero"},
		"future block":             {call("eth_getBalance", "["+who+`,"0xffff"]`), -32000, "header not found"},
		"unknown block hash":       {call("eth_getBalance", "["+who+`,`+hash+`]`), -32000, "header for hash not found"},
		"both hash and number":     {call("eth_getBalance", "["+who+`,{"blockHash":`+hash+`,"blockNumber":"0x1"}]`), -32602, "cannot specify both"},
		"neither hash nor number":  {call("eth_getBalance", "["+who+`,{}]`), -32602, "must specify either"},
		"long storage key":         {call("eth_getStorageAt", "["+who+`,"0x`+strings.Repeat("0", 66)+`"]`), -32602, "storage key too long"},
		"flag is a string":         {call("eth_getBlockByNumber", `["latest","true"]`), -32602, "invalid argument 1"},
		"both prices":              {call("eth_call", `[{"gasPrice":"0x1","maxFeePerGas":"0x1"}]`), -32000, "both gasPrice and"},
		"data is not input":        {call("eth_call", `[{"data":"0x01","input":"0x02"}]`), -32000, "set and not equal"},
		"call to another chain":    {call("eth_call", `[{"chainId":"0x1"}]`), -32000, "chainId does not match"},
		"call is a list":           {call("eth_call", `[[]]`), -32602, "invalid argument 0"},
		"state and stateDiff":      {call("eth_call", `[{},"latest",{`+who+`:{"state":{},"stateDiff":{}}}]`), -32000, "both 'state' and 'stateDiff'"},
		"revert":                   {call("eth_call", `[{"data":"0xfd"}]`), 3, "execution reverted: no"},
		"revert of an estimate":    {call("eth_estimateGas", `[{"data":"0xfd"}]`), 3, "execution reverted"},
		"EVM failure":              {call("eth_call", `[{"data":"0xfe"}]`), -32000, "out of gas"},
		"crash of a handler":       {call("eth_call", `[{"data":"0xff"}]`), -32603, "method handler crashed"},
		"response too large":       {call("eth_call", `[{"data":"0x`+strings.Repeat("00", 4096)+`"}]`), -32005, "larger than 4096"},
		"too many blocks":          {call("eth_getLogs", `[{"fromBlock":"0x0","toBlock":"0x3"}]`), -32005, "spans 4 blocks, limit 3"},
		"blocks in reverse":        {call("eth_getLogs", `[{"fromBlock":"0x2","toBlock":"0x1"}]`), -32602, "invalid block range"},
		"blocks of the future":     {call("eth_getLogs", `[{"fromBlock":"0x2","toBlock":"0x99"}]`), -32602, "beyond current head"},
		"logs of hash and range":   {call("eth_getLogs", `[{"fromBlock":"0x2","blockHash":`+hash+`}]`), -32602, "cannot specify both"},
		"logs of unknown block":    {call("eth_getLogs", `[{"blockHash":`+hash+`}]`), -32000, "unknown block"},
		"five topics":              {call("eth_getLogs", `[{"topics":[null,null,null,null,null]}]`), -32602, "exceed max topics"},
		"bad topic":                {call("eth_getLogs", `[{"topics":["0x1"]}]`), -32602, "topics"},
		"subscription over HTTP":   {call("eth_subscribe", `["newHeads"]`), -32601, "notifications not supported"},
		"unknown filter":           {call("eth_getFilterChanges", `["0x1"]`), -32000, "filter not found"},
		"percentiles out of order": {call("eth_feeHistory", `["0x1","latest",[50,10]]`), -32602, "invalid reward percentile"},
		"fees of the future":       {call("eth_feeHistory", `["0x1","0x99",[]]`), -32000, "request beyond head block"},
		"no transaction":           {call("eth_sendRawTransaction", `["0x"]`), -32000, "malformed transaction"},
		"malformed RLP":            {call("eth_sendRawTransaction", `["0x02c0"]`), -32000, "malformed transaction"},
		"blob transaction":         {call("eth_sendRawTransaction", `["0x03c0"]`), -32000, "transaction type not supported"},
		"send without argument":    {call("eth_sendRawTransactionSync", `[]`), -32602, "missing value for required argument 0"},
		"nonce gap":                {call("eth_sendRawTransaction", "["+b.raw(t, 3)+"]"), -32000, "nonce too high: next nonce 0, tx nonce 3"},
		"nonce gap, synchronous":   {call("eth_sendRawTransactionSync", "["+b.raw(t, 3)+"]"), 6, "nonce too high: next nonce 0, tx nonce 3"},
		"timeout is text":          {call("eth_sendRawTransactionSync", "["+b.raw(t, 3)+`,"soon"]`), -32602, "invalid argument 1"},
		"unknown mini-block":       {call("talaria_getMiniBlock", `[true]`), -32602, "number or the hash"},
		"error inside a batch":     {"[" + call("eth_foo", "[]") + "]", -32601, "eth_foo"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out := post(t, addr, tc.body)
			var r reply
			if err := json.Unmarshal([]byte(strings.Trim(out, "[]")), &r); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			if status != 200 || r.Error == nil || r.Error.Code != tc.code || !strings.Contains(r.Error.Message, tc.want) {
				t.Fatalf("status %d, answer %s; want code %d, %q", status, out, tc.code, tc.want)
			}
		})
	}
	r := ask(t, addr, "eth_sendRawTransactionSync", "["+b.raw(t, 3)+"]")
	if string(r.Error.Data) != `"0x0"` {
		t.Fatalf("nonce gap data %s, want the expected nonce", r.Error.Data)
	}
}

func TestAnswersAboveTheLimitAreRefused(t *testing.T) {
	b := newFake(t)
	for range 20 {
		b.send(t)
	}
	b.Seal()
	_, addr := serve(t, b, Options{MaxResponseBytes: 4096})
	_, roomy := serve(t, b, Options{})
	for _, tc := range []struct{ method, params, cure string }{
		{"eth_getLogs", `[{"fromBlock":"0x1","toBlock":"0x1"}]`, "narrow the block range, addresses or topics"},
		{"eth_getLogs", `[{"blockHash":"` + b.Head().Hash().Hex() + `"}]`, "narrow the block range, addresses or topics"},
		{"eth_getBlockReceipts", `["0x1"]`, "ask for single receipts with eth_getTransactionReceipt"},
		{"eth_getBlockByNumber", `["0x1",true]`, "ask for less at once"},
	} {
		want := "response is larger than 4096 bytes: " + tc.cure
		if r := ask(t, addr, tc.method, tc.params); r.Error == nil || r.Error.Code != CodeLimit || r.Error.Message != want {
			t.Errorf("%s: %+v, want %q", tc.method, r.Error, want)
		}
		if r := ask(t, roomy, tc.method, tc.params); r.Error != nil || len(r.Result) < 4096 {
			t.Errorf("%s within the limit: %d bytes, %+v", tc.method, len(r.Result), r.Error)
		}
	}
}

func TestAnswersOfABatchComeInOrderAndSendsAreSubmittedBeforeAnyIsAwaited(t *testing.T) {
	b := newFake(t)
	b.hold = true
	_, addr := serve(t, b, Options{})
	var items []string
	for i := range 5 {
		items = append(items, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"eth_sendRawTransaction","params":[%s]}`, i, b.raw(t, uint64(i))))
	}
	items = append(items, `{"jsonrpc":"2.0","method":"eth_chainId"}`, `{"jsonrpc":"2.0","id":"x","method":"eth_chainId"}`, `7`)
	answer := make(chan string, 1)
	go func() {
		_, out := post(t, addr, "["+strings.Join(items, ",")+"]")
		answer <- out
	}()
	var held []func()
	for len(held) < 5 { // all are submitted although none is resolved
		b.mu.Lock()
		held = b.held
		b.mu.Unlock()
	}
	for i := len(held) - 1; i >= 0; i-- {
		held[i]()
	}
	var got []reply
	out := <-answer
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(got) != 7 {
		t.Fatalf("%d answers: %s", len(got), out)
	}
	for i := range 5 {
		want := fmt.Sprintf("%q", b.signed(t, uint64(i)).Hash().Hex())
		if string(got[i].ID) != fmt.Sprint(i) || string(got[i].Result) != want {
			t.Errorf("answer %d: id %s result %s, want %s", i, got[i].ID, got[i].Result, want)
		}
		if b.order[i] != b.signed(t, uint64(i)).Hash() {
			t.Errorf("submission %d is out of order", i)
		}
	}
	if string(got[5].ID) != `"x"` || string(got[5].Result) != `"0x1cf3"` || got[6].Error.Code != -32600 {
		t.Errorf("last answers: %s", out)
	}
}

func TestANotificationGetsNoAnswer(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	for _, body := range []string{`{"jsonrpc":"2.0","method":"eth_chainId"}`, `[{"jsonrpc":"2.0","method":"eth_foo"}]`} {
		if status, out := post(t, addr, body); status != 204 || out != "" {
			t.Errorf("%s: %d %q", body, status, out)
		}
	}
}

func TestASynchronousSendTimesOutWithTheHash(t *testing.T) {
	b := newFake(t)
	b.hold = true
	_, addr := serve(t, b, Options{})
	for i, timeout := range []string{`5`, `"0x5"`} {
		r := ask(t, addr, "eth_sendRawTransactionSync", "["+b.raw(t, uint64(i))+","+timeout+"]")
		want := fmt.Sprintf("%q", b.signed(t, uint64(i)).Hash().Hex())
		if r.Error == nil || r.Error.Code != 4 || string(r.Error.Data) != want {
			t.Fatalf("answer %+v, want code 4 and %s", r.Error, want)
		}
	}
}

func TestASynchronousSendAnswersWithTheReceipt(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	for i, method := range []string{"eth_sendRawTransactionSync", "realtime_sendRawTransaction"} {
		r := ask(t, addr, method, "["+b.raw(t, uint64(i))+"]")
		var got map[string]any
		if err := json.Unmarshal(r.Result, &got); err != nil {
			t.Fatal(err)
		}
		log := got["logs"].([]any)[0].(map[string]any)
		if got["blockHash"] != zeroHash.Hex() || got["finality"] != "sequenced" || got["miniBlockNumber"] != fmt.Sprintf("0x%x", i) ||
			got["blockNumber"] != "0x1" || log["blockHash"] != zeroHash.Hex() || log["logIndex"] != fmt.Sprintf("0x%x", i) {
			t.Fatalf("receipt %s", r.Result)
		}
	}
}

// endless is a body that tells how much of it was read.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n.Load() > 100<<20 {
		return 0, io.EOF
	}
	e.n.Add(int64(len(p)))
	return len(p), nil
}

func TestABodyOf100MBIsRefusedEarly(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	for _, length := range []int64{100 << 20, -1} {
		body := new(endless)
		req, err := http.NewRequest("POST", "http://"+addr, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var r reply
		err = json.NewDecoder(res.Body).Decode(&r)
		res.Body.Close()
		if err != nil || res.StatusCode != 413 || r.Error.Code != -32005 || !strings.Contains(r.Error.Message, "5242880") {
			t.Fatalf("length %d: status %d, %v, %+v", length, res.StatusCode, err, r.Error)
		}
		if n := body.n.Load(); n > 50<<20 {
			t.Errorf("length %d: server took %d bytes", length, n)
		}
	}
}

func TestOriginsHostsAndHealth(t *testing.T) {
	b := newFake(t)
	b.ready = errors.New("recovering")
	trailing := func() Trailing { return Trailing{Age: 1234567 * time.Microsecond, Blocks: 2} }
	_, addr := serve(t, b, Options{Origins: []string{"https://app.example"}, Hosts: []string{"127.0.0.1"}, Trailing: trailing})
	for name, tc := range map[string]struct {
		method, path, origin, host string
		status                     int
		want                       string
	}{
		"health":              {"GET", "/health", "", "", 200, `"status":"ok"`},
		"root":                {"GET", "/", "", "", 200, `"chainId":7411`},
		"how far it trails":   {"GET", "/health", "", "", 200, `"trailing":{"seconds":1.235,"blocks":2}`},
		"not ready":           {"GET", "/ready", "", "", 503, `"reason":"recovering"`},
		"no such page":        {"GET", "/x", "", "", 404, ""},
		"preflight":           {"OPTIONS", "/", "https://app.example", "", 204, ""},
		"foreign origin":      {"OPTIONS", "/", "https://evil.example", "", 403, "not allowed"},
		"foreign host":        {"GET", "/", "", "evil.example:80", 403, "not served"},
		"other method":        {"PUT", "/", "", "", 405, "use POST"},
		"post without a type": {"POST", "/", "", "", 415, "only application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(tc.method, "http://"+addr+tc.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", tc.origin)
			if tc.origin == "" {
				req.Header.Del("Origin")
			}
			req.Host = tc.host
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			out, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.status || !strings.Contains(string(out), tc.want) {
				t.Fatalf("status %d, %s", res.StatusCode, out)
			}
			if tc.status == 204 && res.Header.Get("Access-Control-Allow-Origin") != tc.origin {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

// TestAPageIsNotOursBecauseItsNameLeadsHere: with DNS rebinding a foreign page has an
// origin that equals the Host it asks.
func TestAPageIsNotOursBecauseItsNameLeadsHere(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{Origins: []string{"https://app.example"}})
	for host, status := range map[string]int{"evil.example:8545": 403, "evil.example": 403, "localhost:8545": 204, "127.0.0.1:8545": 204, "[::1]:8545": 204} {
		req, err := http.NewRequest("OPTIONS", "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Origin", "http://"+host)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: status %d, want %d", host, res.StatusCode, status)
		}
	}
}

func TestShutdownFinishesRequestsInFlight(t *testing.T) {
	b := newFake(t)
	b.gate = make(chan struct{})
	s, addr := serve(t, b, Options{})
	answer := make(chan reply, 1)
	go func() { answer <- ask(t, addr, "eth_call", `[{"data":"0x01"}]`) }()
	<-b.entered
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		down <- s.Shutdown(ctx)
	}()
	for { // the port closes while the request is still served
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(b.gate)
	if r := <-answer; string(r.Result) != `"0x01"` {
		t.Fatalf("answer %+v", r)
	}
	if err := <-down; err != nil {
		t.Fatal(err)
	}
}

func TestAConnectionAboveTheLimitIsToldSo(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{MaxConnections: 1})
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	out, err := io.ReadAll(second)
	if err != nil || !bytes.Contains(out, []byte("1 connections open, which is the limit")) {
		t.Fatalf("%v %q", err, out)
	}
}
