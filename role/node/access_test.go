package node

import (
	"bytes"
	"context"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
)

// changesOnly is the encoding of a list without what was merely looked at.
func changesOnly(t *testing.T, list []rpc.AccountAccess) []byte {
	t.Helper()
	var kept []rpc.AccountAccess
	for _, a := range list {
		a.Reads = nil
		if len(a.Storage)+len(a.Balances)+len(a.Nonces)+len(a.Codes) > 0 {
			kept = append(kept, a)
		}
	}
	enc, err := rlp.EncodeToBytes(kept)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

func TestBlockAccessLists(t *testing.T) {
	w := newNodeWorld(t)
	ctx := context.Background()
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	asked := common.Address{0xab}
	txs := []*chain.Tx{
		w.put(0, 1, 8), w.put(0, 1, 9), w.put(0, 2, 3),
		w.call(1, readAddr, 0, common.RightPadBytes(asked[:], 32)),
		w.sign(2, &types.DynamicFeeTx{Value: new(big.Int), Gas: 200_000, GasFeeCap: big.NewInt(worldFee), GasTipCap: new(big.Int), Data: common.FromHex("600160005360016000f3")}),
		w.call(2, revertAddr, 1, nil),
	}
	w.begin(txs)
	open, err := w.node.BlockAccesses(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	mini, err := w.node.MiniBlockByNumber(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	block := w.seal()
	list, err := w.node.BlockAccesses(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	// The block is one mini-block, of which execution made a list of changes, too.
	for name, got := range map[string][]rpc.AccountAccess{"open": open, "sealed": list} {
		if !bytes.Equal(changesOnly(t, got), mini.Diff) {
			t.Errorf("%s: changes differ from the mini-block's", name)
		}
	}
	find := func(addr common.Address) *rpc.AccountAccess {
		i := slices.IndexFunc(list, func(a rpc.AccountAccess) bool { return a.Address == addr })
		if i < 0 {
			t.Fatalf("%s is not listed", addr)
		}
		return &list[i]
	}
	// Transaction i has index i+1, and the L1 attributes are transaction 0.
	s := find(storeAddr).Storage
	if len(s) != 2 || s[0].Slot.Uint64() != 1 || len(s[0].Changes) != 2 || s[0].Changes[0].Index != 2 || s[0].Changes[1].Index != 3 || s[0].Changes[1].Value.Uint64() != 9 {
		t.Errorf("storage of the store contract %+v", s)
	}
	if r := find(readAddr); len(r.Reads) != 1 || r.Reads[0].Uint64() != 7 || len(r.Storage) != 0 {
		t.Errorf("slot that was read: %+v", r)
	}
	if a := find(asked); len(a.Balances)+len(a.Nonces)+len(a.Storage) != 0 {
		t.Errorf("account that was looked at: %+v", a)
	}
	if c := find(block.Receipts[5].ContractAddress); len(c.Codes) != 1 || c.Codes[0].Index != 6 || !bytes.Equal(c.Codes[0].Code, []byte{1}) || c.Nonces[0].Value != 1 {
		t.Errorf("new contract %+v", c)
	}
	if r := find(revertAddr); len(r.Balances) != 0 {
		t.Errorf("reverted transfer: %+v", r)
	}
	if h := find(evm.HistoryAddr); len(h.Storage) != 1 || h.Storage[0].Changes[0].Index != 0 {
		t.Errorf("history contract %+v", h)
	}

	c := w.serve(rpc.Options{})
	raw := result[hexutil.Bytes](c, "debug_getRawBlockAccessList", `["0x2"]`)
	if want, err := rlp.EncodeToBytes(list); err != nil || !bytes.Equal(raw, want) {
		t.Errorf("raw list %x", []byte(raw))
	}
	if got := result[[]map[string]any](c, "eth_getBlockAccessList", `["`+block.Hash().Hex()+`"]`); len(got) != len(list) {
		t.Errorf("%d accounts by hash, %d by number", len(got), len(list))
	}
	if got := result[[]any](c, "eth_getBlockAccessList", `["0x0"]`); len(got) != 0 {
		t.Errorf("genesis: %v", got)
	}
	if r := c.ask("eth_getBlockAccessList", `["0x9"]`); string(r.Result) != "null" {
		t.Errorf("no block: %s", r.Result)
	}
	if r := c.ask("debug_getRawBlockAccessList", `["0x9"]`); r.Error == nil || r.Error.Code != rpc.CodeNotFound {
		t.Errorf("no block: %s", r.Result)
	}
}

func TestTheL1FeeIsNoReadOfTheTransaction(t *testing.T) {
	w, b := chargedWorld(t)
	list, err := w.node.BlockAccesses(t.Context(), b.Number())
	if err != nil {
		t.Fatal(err)
	}
	paid := false
	for _, a := range list {
		paid = paid || a.Address == chain.L1FeeVaultAddr && len(a.Balances) == len(b.Txs)-1
		for _, slot := range a.Reads {
			if a.Address == chain.L1BlockAddr && slot.Cmp(chain.GasTokenRateSlot.Big()) == 0 {
				t.Error("the rate of a chain whose currency is ether is said to be read")
			}
		}
	}
	if !paid {
		t.Error("the L1 data fees are not listed")
	}
}
