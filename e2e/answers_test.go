package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// question is a call whose answer depends on the chain alone.
type question struct {
	method string
	args   []any
}

func (q question) String() string { return fmt.Sprintf("%s%v", q.method, q.args) }

// questionsAt asks for a whole block and its receipts, and for balances, nonces, code and
// storage after it.
func questionsAt(number uint64, accounts []common.Address, tokens []common.Address) []question {
	at := hexutil.EncodeUint64(number)
	all := []question{
		{"eth_getBlockByNumber", []any{at, true}}, {"eth_getBlockReceipts", []any{at}}, {"debug_getRawMiniBlockHeaders", []any{at}},
		{"eth_getLogs", []any{map[string]any{"fromBlock": at, "toBlock": at}}}, {"eth_getBlockAccessList", []any{at}},
	}
	for _, a := range accounts {
		all = append(all, question{"eth_getBalance", []any{a, at}}, question{"eth_getTransactionCount", []any{a, at}})
		for _, token := range tokens { // balanceOf is the first of its variables
			slot := crypto.Keccak256Hash(common.LeftPadBytes(a[:], 32), make([]byte, 32))
			all = append(all, question{"eth_getStorageAt", []any{token, slot, at}})
		}
	}
	for _, token := range tokens {
		all = append(all, question{"eth_getCode", []any{token, at}})
	}
	return all
}

// deepQuestionsAt asks for what a node computes, or looks for, to answer: proofs, calls,
// traces, witnesses, searches. hash and txs are of the block.
func deepQuestionsAt(number uint64, hash common.Hash, txs []common.Hash, accounts, tokens []common.Address) []question {
	at := hexutil.EncodeUint64(number)
	calls, parity := map[string]any{"tracer": "callTracer"}, []string{"trace", "stateDiff"}
	all := []question{
		{"eth_getBlockByHash", []any{hash, false}}, {"eth_getHeaderByNumber", []any{at}}, {"eth_getBlockTransactionCountByHash", []any{hash}},
		{"debug_getRawBlock", []any{at}}, {"debug_getRawHeader", []any{at}}, {"debug_getRawReceipts", []any{at}}, {"debug_getRawBlockAccessList", []any{at}},
		{"eth_feeHistory", []any{"0x4", at, []int{10, 50, 90}}},
		{"eth_getLogs", []any{map[string]any{"fromBlock": hexutil.EncodeUint64(number - min(number, 5)), "toBlock": at, "address": tokens}}},
	}
	if number > 0 {
		all = append(all,
			question{"debug_executionWitness", []any{at}}, question{"debug_traceBlockByNumber", []any{at, calls}}, question{"trace_block", []any{at}},
			question{"debug_traceBlockByHash", []any{hash, map[string]any{"tracer": "prestateTracer"}}}, question{"ots_getBlockDetails", []any{at}})
	}
	for i, tx := range txs {
		index := hexutil.EncodeUint64(uint64(i))
		all = append(all, question{"eth_getTransactionByHash", []any{tx}}, question{"eth_getTransactionReceipt", []any{tx}},
			question{"eth_getTransactionByBlockNumberAndIndex", []any{at, index}}, question{"debug_getRawTransaction", []any{tx}})
		if i < 4 {
			all = append(all, question{"debug_traceTransaction", []any{tx}}, question{"trace_transaction", []any{tx}}, question{"trace_replayTransaction", []any{tx, parity}})
		}
	}
	for _, token := range tokens {
		for _, a := range accounts {
			slot := crypto.Keccak256Hash(common.LeftPadBytes(a[:], 32), make([]byte, 32))
			balanceOf := map[string]any{"from": a, "to": token, "data": hexutil.Encode(append(common.FromHex("0x70a08231"), common.LeftPadBytes(a[:], 32)...))}
			all = append(all, question{"eth_getProof", []any{a, []common.Hash{}, at}}, question{"eth_getProof", []any{token, []common.Hash{slot}, at}},
				question{"eth_call", []any{balanceOf, at}}, question{"eth_estimateGas", []any{balanceOf, at}}, question{"eth_createAccessList", []any{balanceOf, at}})
		}
	}
	return all
}

// miniBlockQuestions ask about some mini-blocks.
func miniBlockQuestions(from, to uint64) (all []question) {
	for number := from; number <= to; number++ {
		all = append(all, question{"talaria_getMiniBlock", []any{hexutil.EncodeUint64(number)}}, question{"talaria_getMiniBlockDiff", []any{hexutil.EncodeUint64(number)}})
	}
	return append(all, question{"talaria_feedMiniBlocks", []any{hexutil.EncodeUint64(from), "0x10"}})
}

// answers asks a node, and returns what it says without what depends on how far L1 is.
func answers(t *testing.T, client *rpc.Client, all []question) [][]byte {
	t.Helper()
	const together = 100
	out := make([][]byte, 0, len(all))
	for len(all) > 0 {
		part := all[:min(together, len(all))]
		all = all[len(part):]
		raw, batch := make([]json.RawMessage, len(part)), make([]rpc.BatchElem, len(part))
		for i, q := range part {
			batch[i] = rpc.BatchElem{Method: q.method, Args: q.args, Result: &raw[i]}
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i, q := range part {
			if batch[i].Error != nil {
				t.Fatalf("%v: %v", q, batch[i].Error)
			}
			out = append(out, withoutFinality(t, raw[i]))
		}
	}
	return out
}

func withoutFinality(t *testing.T, raw []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "finality")
			for _, inner := range v {
				strip(inner)
			}
		case []any:
			for _, inner := range v {
				strip(inner)
			}
		}
	}
	strip(v)
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameAnswers asks both nodes about some blocks, and fails where they differ.
func sameAnswers(t *testing.T, name string, want, got *rpc.Client, blocks []uint64, accounts, tokens []common.Address) {
	t.Helper()
	asked, differ, full := 0, 0, 0
	methods := map[string]bool{}
	for i, number := range blocks {
		all := questionsAt(number, accounts, tokens)
		var block struct {
			Hash         common.Hash
			Transactions []common.Hash
		}
		if err := want.CallContext(t.Context(), &block, "eth_getBlockByNumber", hexutil.EncodeUint64(number), false); err != nil {
			t.Fatal(err)
		}
		all = append(all, deepQuestionsAt(number, block.Hash, block.Transactions, accounts, tokens)...)
		if i == len(blocks)-1 {
			all = append(all, miniBlockQuestions(1, 20)...)
		}
		a, b := answers(t, want, all), answers(t, got, all)
		for i, q := range all {
			asked++
			methods[q.method] = true
			if len(b[i]) > 500 {
				full++
			}
			if !bytes.Equal(a[i], b[i]) {
				if differ++; differ <= 3 {
					t.Errorf("%s: %v is %.300s, the sequencer says %.300s", name, q, b[i], a[i])
				}
			}
		}
	}
	t.Logf("%s: %d answers of %d methods are the sequencer's", name, asked-differ, len(methods))
	if differ > 0 || full == 0 {
		t.Errorf("%s: %d of %d answers differ, %d are long", name, differ, asked, full)
	}
}
