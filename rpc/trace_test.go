package rpc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// trace is what the fake answers: which options it was asked with.
func (b *fakeBackend) trace(o *TraceOptions) json.RawMessage {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return raw
}

func (b *fakeBackend) TraceTx(_ context.Context, hash common.Hash, o *TraceOptions) (json.RawMessage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.txs[hash] == nil {
		return nil, nil
	}
	return b.trace(o), nil
}

func (b *fakeBackend) TraceBlock(_ context.Context, number uint64, o *TraceOptions) ([]TxTrace, error) {
	return []TxTrace{{Hash: common.Hash{byte(number)}, Result: b.trace(o)}}, nil
}

func (b *fakeBackend) TraceRawBlock(_ context.Context, h *types.Header, txs []*chain.Tx, o *TraceOptions) ([]TxTrace, error) {
	out := make([]TxTrace, len(txs))
	for i, tx := range txs {
		out[i] = TxTrace{Hash: tx.Hash(), Result: b.trace(o)}
	}
	return out, nil
}

func (b *fakeBackend) TraceCalls(_ context.Context, at TracePoint, calls []*CallRequest, o []*TraceOptions) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(calls))
	for i := range calls {
		out[i] = b.trace(o[i])
	}
	return out, nil
}

func TestTraceArguments(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	for _, c := range []struct{ name, method, params, want string }{
		{"an unknown transaction is an error", "debug_traceTransaction", `["0x0000000000000000000000000000000000000000000000000000000000000001"]`, `"message":"transaction not found"`},
		{"genesis cannot be traced", "debug_traceBlockByNumber", `["0x0"]`, `"message":"genesis is not traceable"`},
		{"a block number must be hexadecimal", "debug_traceBlockByNumber", `["3"]`, `"code":-32602,"message":"invalid argument 0`},
		{"an unknown block hash is named", "debug_traceBlockByHash", `["0x0000000000000000000000000000000000000000000000000000000000000001"]`, `"message":"block 0x0000000000000000000000000000000000000000000000000000000000000001 not found"`},
		{"a block that is not there is named", "debug_traceBlockByNumber", `["0x99"]`, `"message":"block #153 not found"`},
		{"pending is the open block", "debug_traceBlockByNumber", `["pending",{"tracer":"callTracer"}]`, `"txHash":"0x0100000000000000000000000000000000000000000000000000000000000000","result":{`},
		{"options reach the tracer", "debug_traceCall", `[{},"latest",{"tracer":"callTracer","tracerConfig":{"withLog":true},"timeout":"2s","reexec":5}]`, `"Tracer":"callTracer","TracerConfig":{"withLog":true}`},
		{"a timeout must be a duration", "debug_traceCall", `[{},"latest",{"timeout":"long"}]`, `"code":-32602,"message":"timeout \"long\"`},
		{"bundles are answered by bundle", "debug_traceCallMany", `[[{"transactions":[{},{}]},{"transactions":[]}],{"blockNumber":"latest","transactionIndex":-1}]`, `},{`},
		{"a raw block must decode", "debug_traceBlock", `["0xc0"]`, `"code":-32602,"message":"could not decode block`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, out := post(t, addr, `{"jsonrpc":"2.0","id":1,"method":"`+c.method+`","params":`+c.params+`}`)
			if !strings.Contains(out, c.want) {
				t.Errorf("answer %s, want %s in it", out, c.want)
			}
		})
	}
}

func (b *fakeBackend) AccountTxs(context.Context, common.Address, uint64, bool, int) ([]*TxInfo, bool, error) {
	return nil, false, nil
}

func (b *fakeBackend) SenderTx(context.Context, common.Address, uint64) (*TxInfo, error) {
	return nil, nil
}

func (b *fakeBackend) Creator(context.Context, common.Address) (*Creation, error) { return nil, nil }

func TestOtterscanShapes(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	for nonce := range uint64(3) {
		b.submit(common.FromHex(strings.Trim(b.raw(t, nonce), `"`)))
	}
	blk := b.Seal()
	hash := func(i int) string { return `"hash":"` + blk.Txs[i].Hash().Hex() + `"` }
	for _, c := range []struct {
		name, method, params string
		want, not            []string
	}{
		{"the level is a number", "ots_getApiLevel", `[]`, []string{`"result":8`}, nil},
		{"an account may have code", "ots_hasCode", `["0x00000000000000000000000000000000000000aa","latest"]`, []string{`"result":true`}, nil},
		{"details have no transactions", "ots_getBlockDetails", `[1]`, []string{`"transactionCount":"0x3"`, `"totalFees":"0xeab19a230"`, `"issuance":{"blockReward":"0x0"`, `"logsBloom":null`}, []string{`"transactions"`}},
		{"details by hash", "ots_getBlockDetailsByHash", `["` + blk.Hash().Hex() + `"]`, []string{`"transactionCount":"0x3"`}, nil},
		{"an absent block is null", "ots_getBlockDetails", `[77]`, []string{`"result":null`}, nil},
		{"the first page is the end of the block", "ots_getBlockTransactions", `["0x1",0,2]`, []string{hash(1), hash(2), `"logs":null`, `"transactionCount":"0x3"`}, []string{hash(0)}},
		{"the last page is what is left", "ots_getBlockTransactions", `["0x1",1,2]`, []string{hash(0)}, []string{hash(1), hash(2)}},
		{"a page past the block is empty", "ots_getBlockTransactions", `["0x1",9007199254740993,4611686018427387904]`, []string{`"transactions":[]`, `"receipts":[]`}, nil},
		{"an account may have code at a number", "ots_hasCode", `["0x00000000000000000000000000000000000000aa",1]`, []string{`"result":true`}, nil},
		{"a header by a number that is not hex", "erigon_getHeaderByNumber", `[0]`, []string{`"parentHash"`}, nil},
		{"a header by Erigon's name", "erigon_getHeaderByNumber", `["0x1"]`, []string{`"parentHash"`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, out := post(t, addr, `{"jsonrpc":"2.0","id":1,"method":"`+c.method+`","params":`+c.params+`}`)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("answer %s, want %s in it", out, want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(out, not) {
					t.Errorf("answer %s has %s", out, not)
				}
			}
		})
	}
}
