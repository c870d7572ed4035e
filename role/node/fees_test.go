package node

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// chargedWorld has a sealed block behind one of other prices: a transfer, two calls and a
// creation, in two mini-blocks.
func chargedWorld(t *testing.T) (*world, *chain.Block) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(3, 1, 7)})
	noise := crypto.Keccak256([]byte{1})
	for range 10 {
		noise = append(noise, crypto.Keccak256(noise)...)
	}
	b := w.block([]*chain.Tx{w.call(0, common.Address{0xaa}, 5, nil), w.put(1, 2, 3)}, []*chain.Tx{
		w.call(0, storeAddr, 0, noise),
		w.sign(2, &types.DynamicFeeTx{Data: storeCode, Gas: 100_000, GasFeeCap: big.NewInt(worldFee), GasTipCap: big.NewInt(3)}),
	})
	return w, b
}

// stateDiff is trace_replayTransaction's of one transaction.
type stateDiff map[common.Address]struct {
	Balance json.RawMessage
}

// gain is by how much the balance of an account grew.
func (d stateDiff) gain(t *testing.T, addr common.Address) *big.Int {
	t.Helper()
	raw := d[addr].Balance
	if len(raw) == 0 || raw[0] == '"' { // "=": unchanged
		return new(big.Int)
	}
	var change struct {
		Changed struct{ From, To *hexutil.Big } `json:"*"`
		Born    *hexutil.Big                    `json:"+"`
	}
	if err := json.Unmarshal(raw, &change); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if change.Born != nil {
		return change.Born.ToInt()
	}
	return new(big.Int).Sub(change.Changed.To.ToInt(), change.Changed.From.ToInt())
}

func TestTracesTellTheFeesThatReceiptsTell(t *testing.T) {
	w, b := chargedWorld(t)
	c := w.serve(rpc.Options{})
	replayed := result[[]struct{ StateDiff stateDiff }](c, "trace_replayBlockTransactions", `["`+hexutil.EncodeUint64(b.Number())+`",["stateDiff"]]`)
	if len(replayed) != len(b.Txs) {
		t.Fatalf("%d traces of %d transactions", len(replayed), len(b.Txs))
	}
	for i, tx := range b.Txs[1:] {
		diff := replayed[i+1].StateDiff
		r := result[struct {
			L1Fee, EffectiveGasPrice *hexutil.Big
			GasUsed                  hexutil.Uint64
		}](c, "eth_getTransactionReceipt", `["`+tx.Hash().Hex()+`"]`)
		gas := new(big.Int).SetUint64(uint64(r.GasUsed))
		l1, base := r.L1Fee.ToInt(), new(big.Int).Mul(gas, b.Header.BaseFee)
		if l1.Sign() <= 0 {
			t.Fatalf("transaction %d pays %v", i, l1)
		}
		all := new(big.Int).Mul(gas, r.EffectiveGasPrice.ToInt())
		tips := new(big.Int).Sub(all, base)
		lost := all.Add(all, l1)
		lost.Add(lost, tx.Value()).Neg(lost)
		for addr, want := range map[common.Address]*big.Int{
			chain.L1FeeVaultAddr: l1, chain.BaseFeeVaultAddr: base, chain.SequencerFeeVaultAddr: tips, tx.From(): lost,
		} {
			if got := diff.gain(t, addr); got.Cmp(want) != 0 {
				t.Errorf("transaction %d: %v gains %v, want %v", i, addr, got, want)
			}
		}
		pre := result[struct {
			Pre, Post map[common.Address]struct{ Balance *hexutil.Big }
		}](c, "debug_traceTransaction", `["`+tx.Hash().Hex()+`",{"tracer":"prestateTracer","tracerConfig":{"diffMode":true}}]`)
		if got := new(big.Int).Sub(pre.Post[tx.From()].Balance.ToInt(), pre.Pre[tx.From()].Balance.ToInt()); got.Cmp(lost) != 0 {
			t.Errorf("transaction %d: the sender gains %v, want %v", i, got, lost)
		}
	}
}

func TestReceiptsTellTheSameFromMemoryAndFromTheStore(t *testing.T) {
	w, b := chargedWorld(t)
	ask := func() []string {
		c := w.serve(rpc.Options{})
		var all []string
		for _, tx := range b.Txs {
			all = append(all, string(c.ask("eth_getTransactionReceipt", `["`+tx.Hash().Hex()+`"]`).Result))
		}
		return all
	}
	before := ask()
	if err := w.node.AfterWrites(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.start(Options{})
	for i, got := range ask() {
		if got != before[i] || strings.Contains(got, "l1Fee") == b.Txs[i].IsDeposit() {
			t.Errorf("receipt %d from the store:\n%s\nbefore:\n%s", i, got, before[i])
		}
	}
}

func TestSimulationsChargeWhatTransactionsWouldPay(t *testing.T) {
	w, b := chargedWorld(t)
	c := w.serve(rpc.Options{})
	parent, err := w.node.BlockByNumber(context.Background(), b.Number()-1)
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := chain.ParseL1Attributes(parent.Txs[0])
	if err != nil {
		t.Fatal(err)
	}
	prices := attrs.FeeParams() // a simulated block has no attributes of its own
	var calls []string
	var want uint256.Int
	for _, tx := range b.Txs[1:] {
		feeCap, tip, _ := tx.Fees()
		to := ""
		if tx.To() != nil {
			to = `"to":"` + tx.To().Hex() + `",`
		}
		calls = append(calls, fmt.Sprintf(`{"from":"%s",%s"gas":"%#x","value":"%#x","input":"%#x","nonce":"%#x","maxFeePerGas":"%s","maxPriorityFeePerGas":"%s"}`,
			tx.From().Hex(), to, tx.Gas(), tx.Value(), tx.Data(), tx.Nonce(), feeCap.Hex(), tip.Hex()))
		fee := prices.Fee(chain.FastLZLength(tx.Raw()))
		want.Add(&want, &fee)
	}
	vault, err := w.node.Balance(context.Background(), chain.L1FeeVaultAddr, rpc.StateRef{Number: parent.Number()})
	if err != nil {
		t.Fatal(err)
	}
	look := fmt.Sprintf(`{"from":"%s","to":"%s","input":"0x%s","gas":"0x30d40","maxFeePerGas":"0x1312d00"}`, w.user(3).Hex(), readAddr.Hex(), chain.L1FeeVaultAddr.Hex()[2:])
	got := result[[]simBlock](c, "eth_simulateV1", `[{"validation":true,"blockStateCalls":[{"calls":[`+strings.Join(calls, ",")+`,`+look+`]}]},"`+hexutil.EncodeUint64(parent.Number())+`"]`)
	held := new(big.Int).SetBytes(got[0].Calls[len(calls)].ReturnData)
	if held.Sub(held, vault).Cmp(want.ToBig()) != 0 {
		t.Errorf("the simulated transactions pay %v, want %s", held, &want)
	}
}

func TestACallWithAPriceSeesItsSendersBalanceWithoutTheFee(t *testing.T) {
	w, b := chargedWorld(t)
	c := w.serve(rpc.Options{})
	user := w.user(3)
	balance, err := w.node.Balance(context.Background(), user, rpc.StateRef{Number: b.Number()})
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := chain.ParseL1Attributes(b.Txs[0])
	if err != nil {
		t.Fatal(err)
	}
	prices := attrs.FeeParams()
	least := prices.Fee(0)
	call := func(price string) *big.Int {
		return new(big.Int).SetBytes(result[hexutil.Bytes](c, "eth_call", fmt.Sprintf(`[{"from":"%s","to":"%s","gas":"0x186a0","input":"0x%s"%s},"latest"]`,
			user.Hex(), readAddr.Hex(), user.Hex()[2:], price)))
	}
	if seen := call(""); seen.Cmp(balance) != 0 {
		t.Errorf("without a price the sender has %v, want %v", seen, balance)
	}
	want := new(big.Int).Sub(balance, big.NewInt(100_000*worldFee))
	want.Sub(want, least.ToBig())
	if seen := call(`,"gasPrice":"` + hexutil.EncodeUint64(worldFee) + `"`); seen.Cmp(want) != 0 {
		t.Errorf("with a price the sender has %v, want %v", seen, want)
	}
}
