package node

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// simBlock is what the tests read of a simulated block.
type simBlock struct {
	Number, Timestamp, GasUsed, BaseFeePerGas hexutil.Uint64
	Hash, ParentHash                          common.Hash
	Calls                                     []simCall
}

type simCall struct {
	ReturnData hexutil.Bytes
	Logs       []types.Log
	GasUsed    hexutil.Uint64
	Status     hexutil.Uint64
	Error      *struct {
		Code    int
		Message string
		Data    string
	}
}

func word(n uint64) string { return fmt.Sprintf("%064x", n) }

func TestSimulatedBlocks(t *testing.T) {
	w := newNodeWorld(t)
	head := w.block([]*chain.Tx{w.put(0, 1, 7)})
	c := w.serve(rpc.Options{})
	from, put := w.user(1).Hex(), storeAddr.Hex()
	payload := func(value uint64) string { return "0x" + word(1) + word(value) }
	got := result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[
		{"calls":[{"from":"`+from+`","to":"`+put+`","input":"`+payload(9)+`"},{"from":"`+from+`","to":"`+put+`","input":"`+payload(8)+`"}]},
		{"blockOverrides":{"number":"0x4"},"calls":[{"from":"`+from+`","to":"`+numberAddr.Hex()+`"},{"to":"`+revertAddr.Hex()+`","input":"0xabcd"}]}
	]},"latest"]`)
	if len(got) != 3 || got[0].Number != 2 || got[1].Number != 3 || got[2].Number != 4 {
		t.Fatalf("%+v", got)
	}
	parent, time := head.Hash(), head.Header.Time
	for i, b := range got {
		if b.ParentHash != parent || uint64(b.Timestamp) != time+1 {
			t.Errorf("block %d follows %s at %d, want %s at %d", i, b.ParentHash, b.Timestamp, parent, time+1)
		}
		parent, time = b.Hash, uint64(b.Timestamp)
	}
	if logs := got[0].Calls[1].Logs; len(logs) != 1 || logs[0].Index != 1 || logs[0].BlockHash != got[0].Hash || logs[0].Address != storeAddr {
		t.Errorf("logs of the second call %+v", logs)
	}
	if used := got[0].Calls[0].GasUsed + got[0].Calls[1].GasUsed; got[0].GasUsed != used || got[0].BaseFeePerGas != 0 {
		t.Errorf("gas used %d, of the calls %d, base fee %d", got[0].GasUsed, used, got[0].BaseFeePerGas)
	}
	out := got[2].Calls[0].ReturnData // BLOBBASEFEE, NUMBER, TIMESTAMP, BASEFEE, hash of the block before
	if out[63] != 4 || !bytes.Equal(out[128:160], got[1].Hash[:]) {
		t.Errorf("environment %x", []byte(out))
	}
	failed := got[2].Calls[1]
	if failed.Status != 0 || failed.Error == nil || failed.Error.Code != rpc.CodeReverted || failed.Error.Data != "0xabcd" || failed.ReturnData.String() != "0xabcd" {
		t.Errorf("revert %+v", failed)
	}
	if r := c.ask("eth_getStorageAt", `["`+put+`","0x1","latest"]`); string(r.Result) != `"0x`+word(7)+`"` {
		t.Errorf("the simulation changed the state: %s", r.Result)
	}
}

func TestASimulationSeesTheOpenBlock(t *testing.T) {
	w := newNodeWorld(t)
	head := w.block()
	w.begin([]*chain.Tx{w.put(0, 1, 7)})
	c := w.serve(rpc.Options{})
	read := `{"to":"` + storeAddr.Hex() + `"}`
	got := result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[{"stateOverrides":{"`+storeAddr.Hex()+`":{"code":"0x60015460005260206000f3"}},"calls":[`+read+`]}]}]`)
	if got[0].Number != 2 || got[0].ParentHash != head.Hash() || got[0].Calls[0].ReturnData[31] != 7 {
		t.Errorf("%+v", got)
	}
	got = result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[{"stateOverrides":{"`+storeAddr.Hex()+`":{"code":"0x60015460005260206000f3"}},"calls":[`+read+`]}]},"0x1"]`)
	if got[0].Number != 2 || got[0].Calls[0].ReturnData[31] != 0 {
		t.Errorf("on block 1: %+v", got)
	}
}

func TestSimulatedOverrides(t *testing.T) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	c := w.serve(rpc.Options{})
	const loads = `"code":"0x5f545f52600154602052600254604052606 05ff3"`
	code := strings.ReplaceAll(loads, " ", "")
	at := storeAddr.Hex()
	run := func(overrides, calls string) []simCall {
		t.Helper()
		return result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[{"stateOverrides":{`+overrides+`},"calls":[`+calls+`]}]}]`)[0].Calls
	}
	call := `{"to":"` + at + `"}`
	for name, tc := range map[string]struct{ override, want string }{
		"storage stays":         {code, word(0) + word(7) + word(0)},
		"one slot is replaced":  {code + `,"stateDiff":{"0x` + word(2) + `":"0x` + word(5) + `"}`, word(0) + word(7) + word(5)},
		"all slots are dropped": {code + `,"state":{"0x` + word(2) + `":"0x` + word(5) + `"}`, word(0) + word(0) + word(5)},
	} {
		if got := run(`"`+at+`":{`+tc.override+`}`, call); fmt.Sprintf("%x", []byte(got[0].ReturnData)) != tc.want {
			t.Errorf("%s: %x", name, []byte(got[0].ReturnData))
		}
	}
	// SHA256 moves; what it leaves behind is an account without code.
	moved := run(`"0x0000000000000000000000000000000000000002":{"movePrecompileToAddress":"0x0000000000000000000000000000000000123456"}`,
		`{"to":"0x0000000000000000000000000000000000123456","input":"0x1234"},{"to":"0x0000000000000000000000000000000000000002","input":"0x1234"}`)
	if moved[0].ReturnData.String() != "0x3a103a4e5729ad68c02a678ae39accfbc0ae208096437401b7ceab63cca0622f" || len(moved[1].ReturnData) != 0 {
		t.Errorf("moved: %v, left: %v", moved[0].ReturnData, moved[1].ReturnData)
	}
	if moved[0].GasUsed != 0x5270 || moved[1].GasUsed != 0x5258 {
		t.Errorf("gas %#x and %#x, go-ethereum uses 0x5270 and 0x5258", moved[0].GasUsed, moved[1].GasUsed)
	}
	// In eth_call as well, and gone afterwards.
	r := c.ask("eth_call", `[{"to":"`+at+`","input":"0x1234"},"latest",{"0x0000000000000000000000000000000000000004":{"movePrecompileToAddress":"`+at+`"}}]`)
	if string(r.Result) != `"0x1234"` {
		t.Errorf("eth_call: %s %+v", r.Result, r.Error)
	}
	if r := c.ask("eth_call", `[{"to":"0x0000000000000000000000000000000000000004","input":"0x1234"}]`); string(r.Result) != `"0x1234"` {
		t.Errorf("the identity contract is gone: %s %+v", r.Result, r.Error)
	}
	if r := c.ask("eth_call", `[{"to":"`+numberAddr.Hex()+`"},"latest",{},{"blobBaseFee":"0x9","number":"0x77"}]`); !strings.HasPrefix(string(r.Result), `"0x`+word(9)+word(0x77)) {
		t.Errorf("blobBaseFee: %s %+v", r.Result, r.Error)
	}
}

func TestSimulatedTransfersAreLogged(t *testing.T) {
	w := newNodeWorld(t)
	w.block()
	c := w.serve(rpc.Options{})
	from, to := w.user(1), common.Address{0xc1}
	calls := `"calls":[{"from":"` + from.Hex() + `","to":"` + to.Hex() + `","value":"0x3e8"},{"from":"` + from.Hex() + `","to":"` + revertAddr.Hex() + `","value":"0x1"}]`
	got := result[[]simBlock](c, "eth_simulateV1", `[{"traceTransfers":true,"blockStateCalls":[{`+calls+`}]}]`)[0].Calls
	if len(got[0].Logs) != 1 || len(got[1].Logs) != 0 || got[1].Status != 0 {
		t.Fatalf("%+v", got)
	}
	l := got[0].Logs[0]
	if l.Address != etherAddr || l.Topics[0] != transferTopic || common.Address(l.Topics[1][12:]) != from || common.Address(l.Topics[2][12:]) != to || common.BytesToHash(l.Data).Big().Uint64() != 1000 {
		t.Errorf("%+v", l)
	}
	if got := result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[{`+calls+`}]}]`)[0].Calls; len(got[0].Logs) != 0 {
		t.Errorf("logged without being asked: %+v", got[0].Logs)
	}
}

func TestSimulationErrors(t *testing.T) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	c := w.serve(rpc.Options{CallGasCap: 3_000_000})
	const nobody, other = `"0xc000000000000000000000000000000000000000"`, `"0xc100000000000000000000000000000000000000"`
	call := func(fields string) string {
		return `{"blockStateCalls":[{"calls":[{"from":` + nobody + `,"to":` + other + fields + `}]}]`
	}
	user := func(fields string) string {
		return `{"blockStateCalls":[{"calls":[{"from":"` + w.user(0).Hex() + `","to":` + other + fields + `}]}]`
	}
	move := func(from, to string) string { return from + `:{"movePrecompileToAddress":` + to + `}` }
	overrides := func(s string) string { return `{"blockStateCalls":[{"stateOverrides":{` + s + `}}]` }
	const one, two = `"0x0000000000000000000000000000000000000001"`, `"0x0000000000000000000000000000000000000002"`
	for name, tc := range map[string]struct {
		payload string
		code    int
	}{
		"no blocks":                   {`{"blockStateCalls":[]`, rpc.CodeInvalidParams},
		"too many blocks":             {`{"blockStateCalls":[` + strings.Repeat("{},", 256) + `{}]`, rpc.CodeClientLimit},
		"a gap of too many":           {`{"blockStateCalls":[{"blockOverrides":{"number":"0x1000"}}]`, rpc.CodeClientLimit},
		"number does not rise":        {`{"blockStateCalls":[{"blockOverrides":{"number":"0x1"}}]`, rpc.CodeSimBlockNumber},
		"time does not rise":          {`{"blockStateCalls":[{"blockOverrides":{"time":"0x1"}}]`, rpc.CodeSimTimestamp},
		"an unknown override":         {`{"blockStateCalls":[{"blockOverrides":{"size":"0x1"}}]`, rpc.CodeInvalidParams},
		"an unknown account field":    {overrides(one + `:{"size":"0x1"}`), rpc.CodeInvalidParams},
		"no funds":                    {call(`,"value":"0x1"`), rpc.CodeSimFunds},
		"no gas":                      {call(`,"gas":"0x0"`), rpc.CodeSimIntrinsic},
		"little gas":                  {call(`,"gas":"0x5207"`), rpc.CodeSimIntrinsic},
		"more gas than the block":     {call(`,"gas":"0xffffffffff"`), rpc.CodeSimBlockGas},
		"nonce too low":               {user(`,"maxFeePerGas":"0xffffffff","nonce":"0x0"`) + `,"validation":true`, rpc.CodeSimNonceLow},
		"nonce too high":              {user(`,"maxFeePerGas":"0xffffffff","nonce":"0x9"`) + `,"validation":true`, rpc.CodeSimNonceHigh},
		"price below the base fee":    {user("") + `,"validation":true`, rpc.CodeSimBaseFee},
		"tip above the fee cap":       {user(`,"maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x2"`), rpc.CodeServer},
		"initcode too large":          {`{"blockStateCalls":[{"calls":[{"gas":"0x200000","input":"0x` + strings.Repeat("00", 1_048_577) + `"}]}]`, rpc.CodeSimInitCode},
		"moved to itself":             {overrides(move(one, one)), rpc.CodeSimMoveToSelf},
		"two moved to one":            {overrides(move(one, other) + `,` + move(two, other)), rpc.CodeSimMoveTwice},
		"what moves is no precompile": {overrides(move(other, one)), rpc.CodeServer},
		"moved onto an override":      {overrides(move(one, other) + `,` + other + `:{"nonce":"0x1"}`), rpc.CodeServer},
		"both kinds of storage":       {overrides(other + `:{"state":{},"stateDiff":{}}`), rpc.CodeServer},
	} {
		if r := c.ask("eth_simulateV1", `[`+tc.payload+`}]`); r.Error == nil || r.Error.Code != tc.code {
			t.Errorf("%s: %.100s %+v, want code %d", name, r.Result, r.Error, tc.code)
		}
	}
	for block, code := range map[string]int{`"0x99"`: rpc.CodeServer, `"0xzz"`: rpc.CodeInvalidParams} {
		if r := c.ask("eth_simulateV1", `[{"blockStateCalls":[{}]},`+block+`]`); r.Error == nil || r.Error.Code != code {
			t.Errorf("block %s: %+v, want code %d", block, r.Error, code)
		}
	}
	valid := `,"maxFeePerGas":"0xfffffff","gas":"0x5208","nonce":"0x1"`
	if got := result[[]simBlock](c, "eth_simulateV1", `[`+user(valid)+`,"validation":true}]`); got[0].Calls[0].Status != 1 || got[0].BaseFeePerGas == 0 {
		t.Errorf("valid: %+v", got)
	}
	// An endless loop ends with the gas that one request may use.
	loop := `{"blockStateCalls":[{"stateOverrides":{` + other + `:{"code":"0x5b5f56"}},"calls":[{"to":` + other + `}]}]}`
	got := result[[]simBlock](c, "eth_simulateV1", `[`+loop+`]`)[0].Calls[0]
	if got.Error == nil || got.Error.Code != rpc.CodeVMError || got.GasUsed != 3_000_000 {
		t.Errorf("loop: %+v", got)
	}
}
