package chain

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

func TestUnsignedTransactionsAreKnownByTheirEncoding(t *testing.T) {
	cfg := DefaultConfig()
	id, one := new(big.Int).SetUint64(cfg.ChainID), big.NewInt(1)
	word := func() *uint256.Int { return uint256.NewInt(1) }
	to := common.Address{7}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]func() types.TxData{
		"legacy": func() types.TxData { return &types.LegacyTx{GasPrice: one, Gas: 21_000, To: &to, Value: one} },
		"access list": func() types.TxData {
			return &types.AccessListTx{ChainID: id, GasPrice: one, Gas: 21_000, To: &to, Value: one}
		},
		"EIP-1559": func() types.TxData {
			return &types.DynamicFeeTx{ChainID: id, GasFeeCap: one, GasTipCap: one, Gas: 21_000, Value: one, Data: []byte{1}}
		},
		"EIP-7702": func() types.TxData {
			return &types.SetCodeTx{ChainID: uint256.NewInt(cfg.ChainID), GasFeeCap: word(), GasTipCap: word(), Gas: 50_000, To: to, Value: word(),
				AuthList: []types.SetCodeAuthorization{{Address: to}}, R: word(), S: word(), V: word()}
		},
	} {
		hashes := make(map[common.Hash]bool)
		for _, from := range []common.Address{{}, {1}, {19: 0xff}} {
			tx, err := NewUnsignedTx(data(), from)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if hashes[tx.Hash()] = true; tx.From() != from || !tx.Unsigned() || tx.Hash() != tx.Eth().Hash() {
				t.Errorf("%s from %s: from %s, unsigned %v", name, from, tx.From(), tx.Unsigned())
			}
			restored, err := RestoreTx(tx.Raw(), from)
			if err != nil || !restored.Unsigned() || restored.Hash() != tx.Hash() {
				t.Errorf("%s from %s: restored %+v (%v)", name, from, restored, err)
			}
			if decoded, err := DecodeTx(tx.Raw(), &cfg); err == nil && (decoded.From() == from || decoded.Unsigned()) {
				t.Errorf("%s from %s: a stranger's encoding is taken for the sender's", name, from)
			}
		}
		if len(hashes) != 3 {
			t.Errorf("%s: three senders have %d hashes", name, len(hashes))
		}
		signed := types.MustSignNewTx(key, types.NewPragueSigner(id), data())
		raw, err := signed.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if tx, err := DecodeTx(raw, &cfg); err != nil || tx.Unsigned() {
			t.Errorf("%s: a signed transaction counts as unsigned (%v)", name, err)
		}
	}
}
