package node

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
)

const tracedGenesisTime = 1_800_000_000

// tracedChain is a node whose chain a test makes.
type tracedChain struct {
	t     *testing.T
	n     *Node
	key   *ecdsa.PrivateKey
	user  common.Address
	nonce uint64
	now   chain.Micros
}

func newTracedChain(t *testing.T) *tracedChain {
	t.Helper()
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &tracedChain{t: t, key: key, user: crypto.PubkeyToAddress(key.PublicKey), now: tracedGenesisTime * 1_000_000}
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: tracedGenesisTime, Alloc: predeploys.Alloc(predeploys.Settings{})}
	g.Alloc[c.user] = types.Account{Balance: big.NewInt(params.Ether)}
	dir, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if c.n, err = Open(dir, Options{Genesis: g}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.n.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *tracedChain) tx(to *common.Address, value int64, gas uint64, data string) *chain.Tx {
	c.t.Helper()
	id := new(big.Int).SetUint64(c.n.Config().ChainID)
	raw, err := types.MustSignNewTx(c.key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: c.nonce, Gas: gas, To: to, Value: big.NewInt(value), Data: common.FromHex(data),
		GasFeeCap: big.NewInt(2_000_000), GasTipCap: big.NewInt(1),
	}).MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	c.nonce++
	tx, err := chain.DecodeTx(raw, c.n.Config())
	if err != nil {
		c.t.Fatal(err)
	}
	return tx
}

// mini publishes the transactions as a mini-block of the open block, which it opens
// with the deposit of L1 attributes.
func (c *tracedChain) mini(txs ...*chain.Tx) {
	c.t.Helper()
	e := c.n.Exec()
	if !e.IsOpen() {
		if err := e.Open(chain.Attributes{Timestamp: e.Parent().Time + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}}); err != nil {
			c.t.Fatal(err)
		}
		attrs := &chain.L1Attributes{Number: e.Parent().Number.Uint64(), Hash: common.Hash{1}, Timestamp: tracedGenesisTime, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1)}
		txs = append([]*chain.Tx{attrs.Tx()}, txs...)
	}
	for i, tx := range txs {
		if _, err := e.Apply(tx); err != nil {
			c.t.Fatalf("transaction %d: %v", i, err)
		}
	}
	c.now += 1000
	m, version := e.Cut(c.now)
	_, _, attrs := e.OpenBlock()
	c.n.PublishMiniBlock(m, e.OpenHeader(), attrs, version)
}

// seal seals the open block; with written it waits for the store to have it.
func (c *tracedChain) seal(written bool) *chain.Block {
	c.t.Helper()
	b, diff, err := c.n.Exec().Seal()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.n.PublishBlock(b, diff, nil); err != nil {
		c.t.Fatal(err)
	}
	if written {
		if err := c.n.AfterWrites(func() error { return nil }); err != nil {
			c.t.Fatal(err)
		}
	}
	return b
}

func tracedWith(tracer, config string) *rpc.TraceOptions {
	return &rpc.TraceOptions{Tracer: tracer, TracerConfig: json.RawMessage(config), Timeout: 5 * time.Second, MaxBytes: 1 << 20}
}

func (c *tracedChain) traceTx(tx *chain.Tx, o *rpc.TraceOptions) string {
	c.t.Helper()
	raw, err := c.n.TraceTx(context.Background(), tx.Hash(), o)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

func TestTracingABlock(t *testing.T) {
	c := newTracedChain(t)
	to := common.Address{0xaa}
	// Initcode that stores 7 in slot 0 and leaves ten bytes of code, which store 1 there.
	const initcode = "6960003560015560076000600055600a6000f3"
	first, create, second := c.tx(&to, 5, 21_000, ""), c.tx(nil, 0, 200_000, initcode), c.tx(&to, 6, 21_000, "")
	c.mini(first)
	c.mini(create)
	for _, state := range []string{"open", "sealed", "written"} {
		number := uint64(1)
		switch state {
		case "sealed":
			c.mini(second)
			c.seal(false)
		case "written":
			if err := c.n.AfterWrites(func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(state, func(t *testing.T) {
			list, err := c.n.TraceBlock(context.Background(), number, tracedWith("callTracer", ""))
			if err != nil {
				t.Fatal(err)
			}
			want := 4
			if state == "open" {
				want = 3
			}
			if len(list) != want || list[1].Hash != first.Hash() {
				t.Fatalf("%d traces", len(list))
			}
			if !strings.Contains(string(list[0].Result), strings.ToLower(chain.L1AttributesDepositor.Hex())) {
				t.Errorf("deposit: %s", list[0].Result)
			}
			if got := c.traceTx(first, tracedWith("callTracer", "")); got != string(list[1].Result) || !strings.Contains(got, `"value":"0x5"`) {
				t.Errorf("transfer alone %s, in its block %s", got, list[1].Result)
			}
			if got := c.traceTx(create, tracedWith("", "")); !strings.Contains(got, `"op":"SSTORE"`) {
				t.Errorf("struct log %s", got)
			}
		})
	}
	if _, err := c.n.TraceBlock(context.Background(), 9, tracedWith("", "")); err == nil || err.Error() != "block #9 not found" {
		t.Errorf("absent block: %v", err)
	}
}

func TestTracingARawBlock(t *testing.T) {
	c := newTracedChain(t)
	to := common.Address{0xaa}
	c.mini(c.tx(&to, 5, 21_000, ""))
	b := c.seal(true)
	want, err := c.n.TraceBlock(context.Background(), 1, tracedWith("callTracer", ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.n.TraceRawBlock(context.Background(), b.Header, b.Txs, tracedWith("callTracer", ""))
	if err != nil || len(got) != 2 || string(got[1].Result) != string(want[1].Result) {
		t.Errorf("raw block: %v, %v", got, err)
	}
	h := types.CopyHeader(b.Header)
	h.ParentHash = common.Hash{1}
	if _, err := c.n.TraceRawBlock(context.Background(), h, b.Txs, tracedWith("", "")); err == nil {
		t.Error("a block without parent was traced")
	}
}

func TestTracingCalls(t *testing.T) {
	c := newTracedChain(t)
	target := common.Address{0xcc}
	// Adds one to slot 0 and returns it.
	code := common.FromHex("5f54600101805f555f5260205ff3")
	balance := big.NewInt(9)
	c.mini(c.tx(&target, 5, 21_000, ""))
	c.seal(true)
	call := func() *rpc.CallRequest {
		return &rpc.CallRequest{Msg: rpc.CallMsg{From: c.user, To: &target, Value: new(big.Int)}, Overrides: map[common.Address]rpc.AccountOverride{
			target: {Code: &code, Balance: balance},
		}}
	}
	o := tracedWith("callTracer", "")
	out, err := c.n.TraceCalls(context.Background(), rpc.TracePoint{State: rpc.StateRef{Newest: true}},
		[]*rpc.CallRequest{call(), call(), call()}, []*rpc.TraceOptions{o, o, o})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range out {
		if want := `"output":"0x000000000000000000000000000000000000000000000000000000000000000` + string(rune('1'+i)) + `"`; !strings.Contains(string(raw), want) {
			t.Errorf("call %d: %s, want %s", i, raw, want)
		}
	}
	// Before the transfer the account has nothing.
	zero, one := uint64(1), uint64(9)
	read := call()
	read.Overrides = nil
	out, err = c.n.TraceCalls(context.Background(), rpc.TracePoint{State: rpc.StateRef{Number: 1}, BeforeTx: &zero},
		[]*rpc.CallRequest{read}, []*rpc.TraceOptions{tracedWith("prestateTracer", "")})
	if err != nil || strings.Contains(string(out[0]), strings.ToLower(target.Hex())) {
		t.Errorf("before the transfer: %s, %v", out, err)
	}
	out, err = c.n.TraceCalls(context.Background(), rpc.TracePoint{State: rpc.StateRef{Number: 1}},
		[]*rpc.CallRequest{read}, []*rpc.TraceOptions{tracedWith("prestateTracer", "")})
	if err != nil || !strings.Contains(string(out[0]), strings.ToLower(target.Hex())) {
		t.Errorf("after the transfer: %s, %v", out, err)
	}
	_, err = c.n.TraceCalls(context.Background(), rpc.TracePoint{State: rpc.StateRef{Number: 1}, BeforeTx: &one}, []*rpc.CallRequest{read}, []*rpc.TraceOptions{o})
	if err == nil {
		t.Error("an index past the block was taken")
	}
}
