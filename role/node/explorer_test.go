package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// served asks a server of the chain.
func (c *tracedChain) served() func(method, params string) string {
	c.t.Helper()
	url := listen(c.t, rpc.New(&Backend{Node: c.n}, rpc.Options{}))
	return func(method, params string) string {
		c.t.Helper()
		out := send(c.t, url, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
		var answer struct{ Result, Error json.RawMessage }
		if err := json.Unmarshal(out, &answer); err != nil {
			c.t.Fatalf("%s: %v in %s", method, err, out)
		}
		if answer.Error != nil {
			return string(answer.Error)
		}
		return string(answer.Result)
	}
}

// hubCode sends one wei on, keeps the value in slot 0, creates an empty contract and
// logs; with calldata it reverts with deadbeef.
var (
	paid    = common.Address(common.FromHex(strings.Repeat("bb", 20)))
	hubCode = "3615601157" + "63deadbeef5f526004601cfd" + "5b" + "5f5f5f5f600173" + strings.Repeat("bb", 20) + "5af150" + "345f55" + "5f5f5ff050" + "5f5fa0" + "00"
)

// deployed is initcode that leaves the code.
func deployed(code string) string {
	return fmt.Sprintf("61%04x80600a5f395ff3", len(code)/2) + code
}

// explored is a chain with a hub: block 1 makes it; block 2 calls it, fails to, and pays
// somebody else; block 3 is without user transactions; block 4 is open and calls it again.
type explored struct {
	*tracedChain
	hub                          common.Address
	create, call, fail, pay, now *chain.Tx
}

func newExplored(t *testing.T) *explored {
	c := newTracedChain(t)
	e := &explored{tracedChain: c, hub: crypto.CreateAddress(c.user, 0)}
	e.create = c.tx(nil, 0, 300_000, deployed(hubCode))
	c.mini(e.create)
	c.seal(true)
	other := common.Address{0xaa}
	e.call, e.fail, e.pay = c.tx(&e.hub, 9, 300_000, ""), c.tx(&e.hub, 3, 300_000, "01"), c.tx(&other, 5, 21_000, "")
	c.mini(e.call, e.fail)
	c.mini(e.pay)
	c.seal(true)
	c.mini()
	c.seal(true)
	e.now = c.tx(&e.hub, 4, 300_000, "")
	c.mini(e.now)
	return e
}

func quoted(tx *chain.Tx) string { return `"` + tx.Hash().Hex() + `"` }

func wantAll(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s: %s\nwant %s in it", what, got, w)
		}
	}
}

func lower(a common.Address) string { return strings.ToLower(a.Hex()) }

func TestParityTraces(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	one := ask("trace_transaction", `[`+quoted(e.call)+`]`)
	wantAll(t, "trace_transaction", one,
		`"traceAddress":[]`, `"traceAddress":[0]`, `"traceAddress":[1]`, `"subtraces":2`, `"callType":"call"`, `"type":"create"`,
		`"to":"`+lower(paid)+`"`, `"transactionPosition":1`, `"blockNumber":2`, `"transactionHash":`+quoted(e.call))
	block := ask("trace_block", `["0x2"]`)
	wantAll(t, "trace_block", block, one[1:len(one)-1], `"error":"Reverted"`, `"transactionPosition":0`, lower(chain.L1AttributesDepositor))
	wantAll(t, "trace_get", ask("trace_get", `[`+quoted(e.call)+`,["0x0"]]`), `"to":"`+lower(paid)+`"`, `"value":"0x1"`)
	for name, got := range map[string]string{
		"a position that is not there": ask("trace_get", `[`+quoted(e.call)+`,["0x7"]]`),
		"an unknown transaction":       ask("trace_transaction", `["0x0000000000000000000000000000000000000000000000000000000000000001"]`),
	} {
		if got != "null" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := ask("trace_block", `["0x0"]`); got != "[]" {
		t.Errorf("genesis: %s", got)
	}
	wantAll(t, "the open block", ask("trace_block", `["pending"]`), `"blockHash":null`, `"transactionHash":`+quoted(e.now))
}

func TestTraceFilter(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	count := func(filter string) int {
		t.Helper()
		var list []json.RawMessage
		if raw := ask("trace_filter", `[`+filter+`]`); json.Unmarshal([]byte(raw), &list) != nil {
			t.Fatalf("%s: %s", filter, raw)
		}
		return len(list)
	}
	user, hub, payee := `"`+lower(e.user)+`"`, `"`+lower(e.hub)+`"`, `"`+lower(paid)+`"`
	for _, c := range []struct {
		name, filter string
		want         int
	}{
		{"everything up to the head", `{"fromBlock":"0x1"}`, 12}, // L1Block is behind a proxy: two traces a block,
		{"one block", `{"fromBlock":"0x3","toBlock":"0x3"}`, 2},
		{"the open block too", `{"fromBlock":"0x1","toBlock":"pending"}`, 17},
		{"from the user", `{"fromAddress":[` + user + `]}`, 4},
		{"to whom the hub paid", `{"toAddress":[` + payee + `]}`, 1},
		{"created is to", `{"toBlock":"0x1","toAddress":[` + hub + `]}`, 1},
		{"a union is the rule", `{"fromAddress":[` + hub + `],"toAddress":[` + hub + `]}`, 5},
		{"an intersection on demand", `{"fromAddress":[` + user + `],"toAddress":[` + hub + `],"mode":"intersection"}`, 3},
		{"leaving out and counting", `{"fromBlock":"0x1","after":3,"count":4}`, 4},
		{"leaving out more than there is", `{"fromBlock":"0x1","after":"0x63"}`, 0},
	} {
		if got := count(c.filter); got != c.want {
			t.Errorf("%s: %d traces, want %d", c.name, got, c.want)
		}
	}
	wantAll(t, "too many blocks", ask("trace_filter", `[{"fromBlock":"0x1","toBlock":"0x3e9"}]`), `1001 blocks are more than 1000`)
	wantAll(t, "backwards", ask("trace_filter", `[{"fromBlock":"0x3","toBlock":"0x1"}]`), `-32602`)
}

func TestReplayedStateDiffs(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	list := ask("trace_replayBlockTransactions", `["0x2",["trace","stateDiff"]]`)
	var blocks []struct {
		TransactionHash common.Hash
		Output          string
		Trace           []json.RawMessage
		StateDiff       map[common.Address]struct {
			Balance, Nonce, Code json.RawMessage
			Storage              map[common.Hash]json.RawMessage
		}
		VMTrace json.RawMessage
	}
	if err := json.Unmarshal([]byte(list), &blocks); err != nil {
		t.Fatalf("%v in %s", err, list)
	}
	if len(blocks) != 4 || blocks[1].TransactionHash != e.call.Hash() || len(blocks[1].Trace) != 3 || string(blocks[1].VMTrace) != "null" {
		t.Fatalf("%s", list)
	}
	d := blocks[1].StateDiff
	child := crypto.CreateAddress(e.hub, 1)
	for _, c := range []struct{ name, got, want string }{
		{"balance of the hub", string(d[e.hub].Balance), `{"*":{"from":"0x0","to":"0x8"}}`},
		{"code of the hub", string(d[e.hub].Code), `"="`},
		{"nonce of the hub", string(d[e.hub].Nonce), `{"*":{"from":"0x1","to":"0x2"}}`},
		{"slot of the hub", string(d[e.hub].Storage[common.Hash{}]), `{"*":{"from":"0x0000000000000000000000000000000000000000000000000000000000000000","to":"0x0000000000000000000000000000000000000000000000000000000000000009"}}`},
		{"balance of the payee", string(d[paid].Balance), `{"+":"0x1"}`},
		{"code of the payee", string(d[paid].Code), `{"+":"0x"}`},
		{"nonce of what was created", string(d[child].Nonce), `{"+":"0x1"}`},
		{"nonce of the user", string(d[e.user].Nonce), `{"*":{"from":"0x1","to":"0x2"}}`},
		{"output of the failure", blocks[2].Output, "0xdeadbeef"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
	one := ask("trace_replayTransaction", `[`+quoted(e.call)+`,["stateDiff","trace"]]`)
	if want := `{"transactionHash":` + quoted(e.call) + `,` + one[1:]; !strings.Contains(list, want) {
		t.Errorf("alone %s\nin its block %s", one, list)
	}
	wantAll(t, "nothing asked for", ask("trace_replayTransaction", `[`+quoted(e.call)+`,[]]`), `"trace":[]`, `"stateDiff":null`)
	wantAll(t, "an unknown type", ask("trace_replayTransaction", `[`+quoted(e.call)+`,["gas"]]`), `-32602`, "want trace, stateDiff or vmTrace")
}

func TestParityCalls(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	call := `{"from":"` + lower(e.user) + `","to":"` + lower(e.hub) + `","value":"0x2"}`
	wantAll(t, "trace_call", ask("trace_call", `[`+call+`,["trace","stateDiff"],"latest"]`), `"output":"0x"`, `"traceAddress":[1]`, lower(crypto.CreateAddress(e.hub, 3)))
	wantAll(t, "trace_callMany", ask("trace_callMany", `[[[`+call+`,["stateDiff"]],[`+call+`,["stateDiff"]]],"latest"]`),
		lower(crypto.CreateAddress(e.hub, 3)), lower(crypto.CreateAddress(e.hub, 4)))
	wantAll(t, "a call that is none", ask("trace_callMany", `[[["x"]],"latest"]`), `-32602`, `call 0`)
	raw := "0x" + common.Bytes2Hex(e.call.Raw())
	wantAll(t, "trace_rawTransaction", ask("trace_rawTransaction", `["`+raw+`",["trace"]]`), `"value":"0x9"`, `"traceAddress":[0]`)
}

func TestOtterscanTraces(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	wantAll(t, "operations", ask("ots_getInternalOperations", `[`+quoted(e.call)+`]`),
		`{"type":0,"from":"`+lower(e.hub)+`","to":"`+lower(paid)+`","value":"0x1"}`, `{"type":2,"from":"`+lower(e.hub)+`"`)
	wantAll(t, "calls", ask("ots_traceTransaction", `[`+quoted(e.call)+`]`),
		`{"type":"CALL","depth":0,"from":"`+lower(e.user)+`","to":"`+lower(e.hub)+`","value":"0x9","input":"0x","output":"0x"}`, `"type":"CREATE","depth":1`)
	for name, c := range map[string]struct{ got, want string }{
		"no operations":     {ask("ots_getInternalOperations", `[`+quoted(e.pay)+`]`), "[]"},
		"the failure":       {ask("ots_getTransactionError", `[`+quoted(e.fail)+`]`), `"0xdeadbeef"`},
		"no failure":        {ask("ots_getTransactionError", `[`+quoted(e.call)+`]`), `"0x"`},
		"an unknown one":    {ask("ots_traceTransaction", `["0x0000000000000000000000000000000000000000000000000000000000000001"]`), "null"},
		"in the open block": {ask("ots_getTransactionError", `[`+quoted(e.now)+`]`), `"0x"`},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

func TestAccountSearch(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	type page struct {
		Txs       []struct{ Hash common.Hash }
		Receipts  []struct{ Timestamp string }
		FirstPage bool
		LastPage  bool
	}
	hashes := func(txs ...*chain.Tx) (out []common.Hash) {
		for _, tx := range txs {
			out = append(out, tx.Hash())
		}
		return out
	}
	for _, c := range []struct {
		name, method string
		addr         common.Address
		number, size int
		want         []common.Hash
		first, last  bool
	}{
		{"the newest of the user", "Before", e.user, 0, 1, hashes(e.now), true, false},
		{"the next page takes the whole block", "Before", e.user, 4, 1, hashes(e.pay, e.fail, e.call), false, false},
		{"the last page", "Before", e.user, 2, 1, hashes(e.create), false, true},
		{"all at once", "Before", e.user, 0, 25, hashes(e.now, e.pay, e.fail, e.call, e.create), true, true},
		{"the oldest", "After", e.user, 0, 1, hashes(e.create), false, true},
		{"after the oldest", "After", e.user, 1, 3, hashes(e.pay, e.fail, e.call), false, false},
		{"up to the open block", "After", e.user, 2, 3, hashes(e.now), true, false},
		{"the contract, also by a call that failed", "Before", e.hub, 0, 25, hashes(e.now, e.fail, e.call, e.create), true, true},
		{"who was paid by the contract", "Before", paid, 0, 25, hashes(e.now, e.call), true, true},
		{"nobody", "Before", common.Address{0x99}, 0, 25, nil, true, true},
	} {
		raw := ask("ots_searchTransactions"+c.method, fmt.Sprintf(`["%s",%d,%d]`, c.addr, c.number, c.size))
		var p page
		if err := json.Unmarshal([]byte(raw), &p); err != nil {
			t.Fatalf("%s: %v in %s", c.name, err, raw)
		}
		var got []common.Hash
		for _, tx := range p.Txs {
			got = append(got, tx.Hash)
		}
		if !slices.Equal(got, c.want) || p.FirstPage != c.first || p.LastPage != c.last || len(p.Receipts) != len(got) {
			t.Errorf("%s: %v, first %v, last %v; want %v, %v, %v", c.name, got, p.FirstPage, p.LastPage, c.want, c.first, c.last)
		}
	}
}

func TestSenderAndCreatorSearch(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	for nonce, tx := range []*chain.Tx{e.create, e.call, e.fail, e.pay, e.now} {
		if got := ask("ots_getTransactionBySenderAndNonce", fmt.Sprintf(`["%s",%d]`, e.user, nonce)); got != quoted(tx) {
			t.Errorf("nonce %d: %s", nonce, got)
		}
	}
	inner := crypto.CreateAddress(e.hub, 1)
	for name, c := range map[string]struct{ got, want string }{
		"a nonce to come":            {ask("ots_getTransactionBySenderAndNonce", fmt.Sprintf(`["%s",9]`, e.user)), "null"},
		"the contract":               {ask("ots_getContractCreator", `["`+e.hub.Hex()+`"]`), `{"hash":` + quoted(e.create) + `,"creator":"` + lower(e.user) + `"}`},
		"an account":                 {ask("ots_getContractCreator", `["`+e.user.Hex()+`"]`), "null"},
		"a contract without code":    {ask("ots_getContractCreator", `["`+inner.Hex()+`"]`), "null"},
		"a contract of genesis":      {ask("ots_getContractCreator", `["`+chain.L1BlockAddr.Hex()+`"]`), "null"},
		"the nonce of the depositor": {ask("ots_getTransactionBySenderAndNonce", fmt.Sprintf(`["%s",0]`, chain.L1AttributesDepositor)), ""},
	} {
		if c.want == "" {
			if len(c.got) != 68 {
				t.Errorf("%s: %s", name, c.got)
			}
		} else if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

// TestWhatBlockscoutAsksFor sends what the explorer's indexer sends to a node of
// go-ethereum's and to one of OpenEthereum's kind.
func TestWhatBlockscoutAsksFor(t *testing.T) {
	e := newExplored(t)
	ask := e.served()
	got := ask("debug_traceTransaction", `[`+quoted(e.call)+`,{"tracer":"callTracer","timeout":"60s"}]`)
	wantAll(t, "internal transactions", got, `"type":"CALL"`, `"calls":[`, `"type":"CREATE"`)
	block := ask("debug_traceBlockByNumber", `["0x2",{"tracer":"callTracer","timeout":"60s"}]`)
	wantAll(t, "internal transactions of a block", block, `{"txHash":`+quoted(e.call)+`,"result":`+got+`}`, `"error":"execution reverted"`, `"output":"0xdeadbeef"`)
	wantAll(t, "internal transactions in the other dialect", ask("trace_replayBlockTransactions", `["0x2",["trace"]]`), `"stateDiff":null`, `"transactionHash":`+quoted(e.fail))
	wantAll(t, "rewards", ask("trace_block", `["0x3"]`), `"blockNumber":3`)
}
