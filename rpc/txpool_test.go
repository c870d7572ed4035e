package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

// fakePool is what waits, by caller.
type fakePool map[string]*PoolContent

func (p fakePool) PoolContent(_ context.Context, caller string, all bool) (*PoolContent, error) {
	if p == nil {
		return nil, errors.New("asked for what nobody may see")
	}
	out := new(PoolContent)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if all || name == caller {
			out.Pending = append(out.Pending, p[name].Pending...)
			out.Queued = append(out.Queued, p[name].Queued...)
		}
	}
	return out, nil
}

// poolTx is a transaction of account n.
func poolTx(t *testing.T, n byte, data types.TxData) *chain.Tx {
	t.Helper()
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	cfg := chain.DefaultConfig()
	raw, err := types.MustSignNewTx(key, types.LatestSignerForChainID(new(big.Int).SetUint64(cfg.ChainID)), data).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestThePoolShowsWhatWaits(t *testing.T) {
	b := newFake(t)
	id := new(big.Int).SetUint64(b.cfg.ChainID)
	transfer := poolTx(t, 1, &types.DynamicFeeTx{ChainID: id, Nonce: 10, Gas: 21_000, To: &common.Address{19: 0xbb}, Value: big.NewInt(5), GasFeeCap: big.NewInt(900), GasTipCap: big.NewInt(7)})
	late := poolTx(t, 1, &types.DynamicFeeTx{ChainID: id, Nonce: 10, Gas: 21_000, To: &common.Address{19: 0xcc}, Value: big.NewInt(5), GasFeeCap: big.NewInt(901), GasTipCap: big.NewInt(7)})
	creation := poolTx(t, 1, &types.LegacyTx{Nonce: 9, Gas: 100_000, Value: big.NewInt(0), GasPrice: big.NewInt(800), Data: []byte{0x60}})
	ahead := poolTx(t, 2, &types.AccessListTx{ChainID: id, Nonce: 3, Gas: 30_000, To: &common.Address{19: 1}, Value: big.NewInt(1), GasPrice: big.NewInt(700)})
	one, two := transfer.From().Hex(), ahead.From().Hex()
	b.fakePool = fakePool{
		"ali":  {Pending: []*chain.Tx{transfer, creation, late}},
		"baba": {Queued: []*chain.Tx{ahead}},
	}
	type object = map[string]json.RawMessage
	type bySender struct{ Pending, Queued map[string]object }
	_, addr := serve(t, b, Options{OpenTxPool: true})

	if got := ask(t, addr, "txpool_status", "[]"); string(got.Result) != `{"pending":"0x3","queued":"0x1"}` {
		t.Errorf("status %s", got.Result)
	}
	all := result[bySender](t, addr, "txpool_content", "[]")
	if len(all.Pending) != 1 || len(all.Pending[one]) != 2 || len(all.Queued) != 1 || len(all.Queued[two]) != 1 {
		t.Fatalf("content %v", all)
	}
	var tx struct {
		BlockHash, BlockNumber, TransactionIndex *string
		Hash                                     common.Hash
		GasPrice, Nonce, Type                    string
	}
	if err := json.Unmarshal(all.Pending[one]["10"], &tx); err != nil {
		t.Fatal(err)
	}
	if tx.Hash != transfer.Hash() || tx.GasPrice != "0x384" || tx.Nonce != "0xa" || tx.Type != "0x2" || tx.BlockHash != nil || tx.BlockNumber != nil || tx.TransactionIndex != nil {
		t.Errorf("transaction %s", all.Pending[one]["10"])
	}
	var eth types.Transaction // go-ethereum reads it, and it is the one that was signed
	if err := json.Unmarshal(all.Queued[two]["3"], &eth); err != nil || eth.Hash() != ahead.Hash() {
		t.Errorf("transaction %s: %v", all.Queued[two]["3"], err)
	}
	text := string(ask(t, addr, "txpool_content", "[]").Result)
	if strings.Index(text, `"9":`) > strings.Index(text, `"10":`) {
		t.Errorf("nonce 10 comes before nonce 9")
	}

	want := fmt.Sprintf(`{"pending":{"%s":{"9":"contract creation: 0 wei + 100000 gas × 800 wei","10":"%s: 5 wei + 21000 gas × 900 wei"}},"queued":{"%s":{"3":"%s: 1 wei + 30000 gas × 700 wei"}}}`,
		one, common.Address{19: 0xbb}.Hex(), two, common.Address{19: 1}.Hex())
	if got := ask(t, addr, "txpool_inspect", "[]"); string(got.Result) != want {
		t.Errorf("inspection %s, want %s", got.Result, want)
	}

	from := result[struct{ Pending, Queued object }](t, addr, "txpool_contentFrom", `["`+two+`"]`)
	if len(from.Pending) != 0 || from.Pending == nil || len(from.Queued) != 1 || from.Queued["3"] == nil {
		t.Errorf("content of %s: %v", two, from)
	}
	if got := ask(t, addr, "txpool_contentFrom", `["`+common.Address{9}.Hex()+`"]`); string(got.Result) != `{"pending":{},"queued":{}}` {
		t.Errorf("content of a stranger: %s", got.Result)
	}
	if got := ask(t, addr, "txpool_contentFrom", `[]`); got.Error == nil || got.Error.Code != CodeInvalidParams {
		t.Errorf("content of nobody: %s, %+v", got.Result, got.Error)
	}
}

// Unless the pool is open, a caller sees its own transactions, the operator sees all and
// nobody in particular sees none.
func TestThePoolIsPrivate(t *testing.T) {
	b := newFake(t)
	tx := func(n byte) *chain.Tx {
		return poolTx(t, n, &types.LegacyTx{Gas: 21_000, To: &common.Address{}, Value: new(big.Int), GasPrice: big.NewInt(1)})
	}
	b.fakePool = fakePool{"": {Pending: []*chain.Tx{tx(1)}}, "ali": {Pending: []*chain.Tx{tx(2), tx(3)}}, "baba": {Queued: []*chain.Tx{tx(4)}}}
	s := New(b, Options{})
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		name string
		call call
		want string
	}{
		{"nobody", call{}, `{"pending":"0x0","queued":"0x0"}`},
		{"ali", call{caller: "ali"}, `{"pending":"0x2","queued":"0x0"}`},
		{"baba", call{caller: "baba"}, `{"pending":"0x0","queued":"0x1"}`},
		{"somebody else", call{caller: "cassim"}, `{"pending":"0x0","queued":"0x0"}`},
		{"the operator", call{admin: true}, `{"pending":"0x3","queued":"0x1"}`},
	} {
		test.call.ctx = t.Context()
		if got, err := s.poolStatus(&test.call, new(args)); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, test.want)
		}
	}
}
