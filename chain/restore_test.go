package chain

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

func restorable(t *testing.T) (creation, deposit *Tx) {
	t.Helper()
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	eth, err := types.SignNewTx(key, types.NewPragueSigner(new(big.Int).SetUint64(cfg.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(cfg.ChainID), Nonce: 4, GasTipCap: big.NewInt(2), GasFeeCap: big.NewInt(100), Gas: 60_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if creation, err = DecodeTx(raw, &cfg); err != nil {
		t.Fatal(err)
	}
	return creation, NewDepositTx(&Deposit{From: common.Address{5}, Mint: new(big.Int), Value: new(big.Int), Gas: 1})
}

func TestRestoreTxEqualsWhatWasDecoded(t *testing.T) {
	signed, deposit := restorable(t)
	for _, want := range []*Tx{signed, deposit} {
		got, err := RestoreTx(want.Raw(), want.From())
		if err != nil {
			t.Fatal(err)
		}
		if got.Hash() != want.Hash() || got.From() != want.From() || got.Type() != want.Type() || string(got.Raw()) != string(want.Raw()) {
			t.Fatalf("restored %+v, want %+v", got, want)
		}
	}
	for _, raw := range [][]byte{nil, {2}, {DepositTxType, 1}} {
		if _, err := RestoreTx(raw, common.Address{}); !errors.Is(err, ErrTxMalformed) {
			t.Errorf("%x: %v", raw, err)
		}
	}
	if _, err := RestoreTx(deposit.Raw(), common.Address{6}); !errors.Is(err, ErrTxMalformed) {
		t.Errorf("deposit of another sender: %v", err)
	}
}

func TestFillReceiptsSetsTheContext(t *testing.T) {
	signed, deposit := restorable(t)
	h := &types.Header{Number: big.NewInt(7), Difficulty: new(big.Int), BaseFee: big.NewInt(10), Time: 11}
	b := NewBlock(h, []*Tx{deposit, signed}, []*Receipt{
		{Type: DepositTxType, CumulativeGasUsed: 100, DepositNonce: 3, Logs: []*types.Log{{}, {}}},
		{Type: types.DynamicFeeTxType, CumulativeGasUsed: 350, Logs: []*types.Log{{}}},
	}, nil)
	b.FillReceipts()
	for i, want := range []struct {
		gas     Gas
		price   int64
		created common.Address
	}{
		{100, 0, crypto.CreateAddress(deposit.From(), 3)},
		{250, 12, crypto.CreateAddress(signed.From(), 4)},
	} {
		r := b.Receipts[i]
		if r.GasUsed != want.gas || r.EffectiveGasPrice.Int64() != want.price || r.ContractAddress != want.created || r.TxHash != b.Txs[i].Hash() {
			t.Errorf("receipt %d: %+v", i, r)
		}
	}
	index := uint(0)
	for i, r := range b.Receipts {
		for _, l := range r.Logs {
			if l.Index != index || l.TxIndex != uint(i) || l.TxHash != r.TxHash || l.BlockHash != b.Hash() || l.BlockNumber != 7 || l.BlockTimestamp != 11 {
				t.Errorf("log %d: %+v", index, l)
			}
			index++
		}
	}
}
