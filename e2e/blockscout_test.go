package e2e

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// frame is a call of go-ethereum's callTracer.
type frame struct {
	Type    string         `json:"type"`
	From    common.Address `json:"from"`
	To      common.Address `json:"to"`
	Value   *hexutil.Big   `json:"value"`
	GasUsed hexutil.Uint64 `json:"gasUsed"`
	Error   string         `json:"error"`
	Output  hexutil.Bytes  `json:"output"`
	Calls   []frame        `json:"calls"`
}

// flows adds what the call and those inside of it moved.
func (f *frame) flows(to map[common.Address]*big.Int) {
	if f.Error != "" {
		return // taken back, with everything inside
	}
	if f.Value != nil && f.Type != "DELEGATECALL" && f.Type != "STATICCALL" && f.Type != "CALLCODE" {
		move(to, f.From, f.To, f.Value.ToInt())
	}
	for i := range f.Calls {
		f.Calls[i].flows(to)
	}
}

func move(flows map[common.Address]*big.Int, from, to common.Address, value *big.Int) {
	for addr, v := range map[common.Address]*big.Int{from: new(big.Int).Neg(value), to: value} {
		if flows[addr] == nil {
			flows[addr] = new(big.Int)
		}
		if from != to {
			flows[addr].Add(flows[addr], v)
		}
	}
}

// parityTrace is a call as OpenEthereum lists it.
type parityTrace struct {
	Action struct {
		From  common.Address `json:"from"`
		To    common.Address `json:"to"`
		Value *hexutil.Big   `json:"value"`
		Type  string         `json:"callType"`
	} `json:"action"`
	Result *struct {
		GasUsed hexutil.Uint64 `json:"gasUsed"`
		Address common.Address `json:"address"`
	} `json:"result"`
	Error   string      `json:"error"`
	Address []int       `json:"traceAddress"`
	Tx      common.Hash `json:"transactionHash"`
	Type    string      `json:"type"`
}

// parityFlows is what a transaction's calls moved.
func parityFlows(list []parityTrace, flows map[common.Address]*big.Int) {
	var undone [][]int
	for _, p := range list {
		if p.Error != "" {
			undone = append(undone, p.Address)
		}
		inside := false
		for _, u := range undone {
			inside = inside || len(u) <= len(p.Address) && fmt.Sprint(u) == fmt.Sprint(p.Address[:len(u)])
		}
		if inside || p.Action.Value == nil {
			continue
		}
		switch {
		case p.Type == "create":
			move(flows, p.Action.From, p.Result.Address, p.Action.Value.ToInt())
		case p.Action.Type == "call":
			move(flows, p.Action.From, p.Action.To, p.Action.Value.ToInt())
		}
	}
}

// TestBlockscout asks what Blockscout's indexer asks, with go-ethereum's and
// OpenEthereum's methods: they must tell the same story, and the balances too.
func TestBlockscout(t *testing.T) {
	h := newHistory(t)
	for _, n := range h.blocks() {
		h.indexBlock(n)
	}
	f := ask[frame](t, h.client, "debug_traceTransaction", h.fail, map[string]any{"tracer": "callTracer", "timeout": "60s"})
	if f.Error != "execution reverted" || f.Output.String() != "0xdeadbeef" {
		t.Errorf("trace of a transaction that reverted: %+v", f)
	}
	h.indexCodes()
	h.indexPool()
	equal(t, "net_version", ask[string](t, h.client, "net_version"), strconv.FormatUint(h.d.L2.ChainID, 10))
	if v := ask[string](t, h.client, "web3_clientVersion"); !strings.HasPrefix(v, "talaria/") {
		t.Errorf("web3_clientVersion: %s", v)
	}
}

// indexBlock compares all that is told of a block.
func (h *history) indexBlock(number uint64) {
	t, n := h.t, hexutil.Uint64(number)
	t.Helper()
	block := h.block(number)
	receipts := ask[[]*types.Receipt](t, h.client, "eth_getBlockReceipts", n)
	data := ask[[]struct {
		L1Fee *hexutil.Big `json:"l1Fee"` // absent from a deposit's
	}](t, h.client, "eth_getBlockReceipts", n)
	type traced struct {
		Tx     common.Hash `json:"txHash"`
		Result frame       `json:"result"`
	}
	calls := map[string]any{"tracer": "callTracer", "timeout": "60s"}
	traces := ask[[]traced](t, h.client, "debug_traceBlockByNumber", n, calls)
	flat := map[common.Hash][]parityTrace{}
	for _, p := range ask[[]parityTrace](t, h.client, "trace_block", n) {
		if p.Type != "reward" {
			flat[p.Tx] = append(flat[p.Tx], p)
		}
	}
	replayed := ask[[]struct {
		Tx    common.Hash   `json:"transactionHash"`
		Trace []parityTrace `json:"trace"`
	}](t, h.client, "trace_replayBlockTransactions", n, []string{"trace"})
	if len(receipts) != len(block.Transactions) || len(traces) != len(receipts) || len(replayed) != len(receipts) || len(flat) != len(receipts) {
		t.Fatalf("block %d has %d transactions, %d receipts, %d traces, %d replays and calls of %d", number, len(block.Transactions), len(receipts), len(traces), len(replayed), len(flat))
	}
	flows, other := map[common.Address]*big.Int{}, map[common.Address]*big.Int{}
	var gas uint64
	for i, r := range receipts {
		hash := block.Transactions[i].Hash
		gas += r.GasUsed
		equal(t, "cumulative gas of "+hash.Hex(), r.CumulativeGasUsed, gas)
		for what, got := range map[string]common.Hash{"receipt": r.TxHash, "callTracer": traces[i].Tx, "replay": replayed[i].Tx} {
			equal(t, what, got, hash)
		}
		equal(t, "gas in the trace of "+hash.Hex(), uint64(traces[i].Result.GasUsed), r.GasUsed)
		equal(t, "whether the trace of "+hash.Hex()+" failed", traces[i].Result.Error != "", r.Status == types.ReceiptStatusFailed)
		alone := ask[frame](t, h.client, "debug_traceTransaction", hash, calls)
		equal(t, "the trace alone of "+hash.Hex(), fmt.Sprintf("%+v", alone), fmt.Sprintf("%+v", traces[i].Result))
		equal(t, "calls of "+hash.Hex(), len(replayed[i].Trace), len(flat[hash]))
		traces[i].Result.flows(flows)
		parityFlows(replayed[i].Trace, other)
		fee := new(big.Int).Mul(new(big.Int).SetUint64(r.GasUsed), r.EffectiveGasPrice)
		if l1 := data[i].L1Fee; l1 != nil {
			fee.Add(fee, l1.ToInt())
		}
		for _, m := range []map[common.Address]*big.Int{flows, other} {
			from := block.Transactions[i].From
			if m[from] == nil {
				m[from] = new(big.Int)
			}
			m[from].Sub(m[from], fee)
		}
	}
	equal(t, fmt.Sprintf("gas of block %d", number), uint64(block.GasUsed), gas)
	h.checkFlows(block, flows, other)
}

// checkFlows compares what calls moved in a block with the balances before and after it.
func (h *history) checkFlows(block plainBlock, flows, other map[common.Address]*big.Int) {
	t := h.t
	t.Helper()
	checked := 0
	for addr, flow := range flows {
		if addr == block.Miner {
			continue // has fees besides
		}
		batch := make([]rpc.BatchElem, 2)
		balances := make([]hexutil.Big, 2)
		for i := range batch {
			batch[i] = rpc.BatchElem{Method: "eth_getBalance", Args: []any{addr, block.Number - hexutil.Uint64(1-i)}, Result: &balances[i]}
		}
		if err := h.client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			if batch[i].Error != nil {
				t.Fatal(batch[i].Error)
			}
		}
		change := new(big.Int).Sub(balances[1].ToInt(), balances[0].ToInt())
		equal(t, fmt.Sprintf("balance of %s in block %d, by callTracer", addr, block.Number), change.String(), flow.String())
		if other[addr] == nil {
			other[addr] = new(big.Int)
		}
		equal(t, fmt.Sprintf("balance of %s in block %d, by OpenEthereum's trace", addr, block.Number), change.String(), other[addr].String())
		checked++
	}
	if checked == 0 {
		t.Errorf("no balance of block %d was checked", block.Number)
	}
}

// indexCodes asks in one batch for the code of everything, as of two blocks.
func (h *history) indexCodes() {
	t := h.t
	t.Helper()
	first, last := h.receipts[h.made].BlockNumber.Uint64(), h.receipts[h.call].BlockNumber.Uint64()
	var batch []rpc.BatchElem
	for _, c := range []struct {
		addr common.Address
		at   uint64
	}{{h.hub, first - 1}, {h.hub, first}, {h.child, last - 1}, {h.child, last}, {h.user, last}} {
		batch = append(batch, rpc.BatchElem{Method: "eth_getCode", Args: []any{c.addr, hexutil.Uint64(c.at)}, Result: new(hexutil.Bytes)})
	}
	if err := h.client.BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for i, want := range []hexutil.Bytes{{}, hubCode(h.paid), {}, {0x5b}, {}} {
		if batch[i].Error != nil {
			t.Fatal(batch[i].Error)
		}
		equal(t, fmt.Sprintf("code %d of the batch", i), batch[i].Result.(*hexutil.Bytes).String(), want.String())
	}
}

// indexPool: a transaction that waits for an earlier nonce is shown until it need not.
func (h *history) indexPool() {
	t := h.t
	t.Helper()
	first := h.s.sign(t, &h.peer, big.NewInt(1), 21_000, nil)
	second := h.s.sign(t, &h.peer, big.NewInt(1), 21_000, nil)
	type content map[string]map[common.Address]map[string]struct{ Hash common.Hash }
	// It is held half a second, as long as it need be: asking and sending again may take
	// several turns on a busy machine.
	eventually(t, 30*time.Second, "a transaction that waits is shown", func() error {
		sent := make(chan error, 1)
		go func() { _, err := sendSync(t.Context(), h.client, second); sent <- err }()
		for {
			pool := ask[content](t, h.client, "txpool_content")
			if tx := pool["queued"][h.user][fmt.Sprint(second.Nonce())]; tx.Hash == second.Hash() {
				if _, err := sendSync(t.Context(), h.client, first); err != nil && !strings.Contains(err.Error(), "nonce too low") {
					t.Fatal(err)
				}
				<-sent
				return nil
			}
			select {
			case err := <-sent:
				return err
			default:
			}
		}
	})
	// When the first came too late, the second was refused, and is taken now.
	if _, err := sendSync(t.Context(), h.client, second); err != nil && !strings.Contains(err.Error(), "nonce too low") && !strings.Contains(err.Error(), "already known") {
		t.Error(err)
	}
	equal(t, "pending nonce", uint64(ask[hexutil.Uint64](t, h.client, "eth_getTransactionCount", h.user, "pending")), second.Nonce()+1)
	if tx := ask[content](t, h.client, "txpool_content")["queued"][h.user]; len(tx) != 0 {
		t.Errorf("still queued: %v", tx)
	}
}
