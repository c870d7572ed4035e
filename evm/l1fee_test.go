package evm

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// l1Prices make the least fee 1,600 × 10^9 wei.
var l1Prices = types.Account{Storage: map[common.Hash]common.Hash{
	{31: 1}: common.BigToHash(big.NewInt(1e9)), {31: 3}: {17: 0x0f, 18: 0x42, 19: 0x40}, // 10^6 millionths
}}

const leastL1Fee = 1_600_000_000_000

func TestTheL1DataFeeIsPaidBesideGas(t *testing.T) {
	key, from := testKey(t, 1)
	store, revert := common.HexToAddress("0xbeef"), common.HexToAddress("0xdead")
	var code, fails assembler
	code.push(7).push(1).op(vm.SSTORE)
	fails.push(0).push(0).op(vm.REVERT)
	alloc := types.GenesisAlloc{
		from: {Balance: ether}, chain.L1BlockAddr: l1Prices,
		store: {Code: code.code, Nonce: 1}, revert: {Code: fails.code, Nonce: 1},
	}
	random := append(crypto.Keccak256([]byte{1}), crypto.Keccak256([]byte{2})...)
	random = append(random, crypto.Keccak256(random)...)
	for what, tc := range map[string]struct {
		to   *common.Address
		data []byte
		flat bool
	}{
		"a transfer":          {to: &common.Address{1}, flat: true},
		"a call":              {to: &store, flat: true},
		"one that fails":      {to: &revert, flat: true},
		"a creation":          {data: fails.code, flat: true},
		"a long one":          {to: &store, data: random},
		"a long one of zeros": {to: &store, data: make([]byte, 200), flat: true},
	} {
		tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 200_000, To: tc.to,
			Value: new(big.Int), GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(7), Data: tc.data})
		free := newMemoryFrom(alloc)
		delete(free.storage, chain.L1BlockAddr)
		paying := newMemoryFrom(alloc)
		r, err := executeOnce(free, tx, testEnv())
		if err != nil {
			t.Fatal(err)
		}
		p, err := executeOnce(paying, tx, testEnv())
		if err != nil {
			t.Fatal(err)
		}
		if r.GasUsed != p.GasUsed || r.Status != p.Status || r.EffectiveGasPrice != p.EffectiveGasPrice {
			t.Errorf("%s: the fee changes the result: %+v and %+v", what, r, p)
		}
		free.apply(r.Diff)
		paying.apply(p.Diff)
		fee := new(uint256.Int).Sub(ptr(free.accounts[from].Balance), ptr(paying.accounts[from].Balance))
		params := chain.L1FeeParams{BaseFee: *uint256.NewInt(1e9), BaseFeeScalar: 1e6}
		if want := params.Fee(chain.FastLZLength(tx.Raw())); !fee.Eq(&want) || tc.flat != (fee.Uint64() == leastL1Fee) {
			t.Errorf("%s: fee %s, want %s", what, fee, &want)
		}
		if got := paying.accounts[chain.L1FeeVaultAddr].Balance; !got.Eq(fee) {
			t.Errorf("%s: the vault has %s, want %s", what, &got, fee)
		}
		for _, vault := range []common.Address{chain.SequencerFeeVaultAddr, chain.BaseFeeVaultAddr} {
			if free.accounts[vault] != paying.accounts[vault] {
				t.Errorf("%s: %v has %v, without an L1 data fee %v", what, vault, paying.accounts[vault], free.accounts[vault])
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestGivenL1FeesReplaceThoseOfL1Block(t *testing.T) {
	key, from := testKey(t, 1)
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}, chain.L1BlockAddr: l1Prices})
	env := testEnv()
	env.L1Fees = chain.NewL1FeeSchedule(chain.L1FeeParams{BlobBaseFee: *uint256.NewInt(5), BlobBaseFeeScalar: 1e6})
	tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 21_000, To: &common.Address{1}, GasFeeCap: big.NewInt(3_000_000)})
	r, err := executeOnce(view, tx, env)
	if err != nil {
		t.Fatal(err)
	}
	view.apply(r.Diff)
	if got := view.accounts[chain.L1FeeVaultAddr].Balance; got.Uint64() != 500 {
		t.Errorf("fee %s, want 500", &got)
	}
}

// TestACallPaysTheFeeOfItsTransaction compares calls with a price with the transactions
// that they stand for.
func TestACallPaysTheFeeOfItsTransaction(t *testing.T) {
	key, from := testKey(t, 1)
	to := common.HexToAddress("0xbeef")
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}, to: {Balance: ether}, chain.L1BlockAddr: l1Prices})
	m := NewMachine(&testCfg)
	defer m.Close()
	id := big.NewInt(chain.DefaultL2ChainID)
	price, tip := big.NewInt(3_000_000), big.NewInt(7)
	random := crypto.Keccak256([]byte("data"))
	for range 4 {
		random = append(random, crypto.Keccak256(random)...)
	}
	list := types.AccessList{{Address: to, StorageKeys: []common.Hash{common.Hash(random)}}}
	for what, tc := range map[string]struct {
		call CallMsg
		tx   types.TxData
	}{
		"a transfer": {CallMsg{GasFeeCap: price, GasTipCap: tip}, &types.DynamicFeeTx{ChainID: id, GasFeeCap: price, GasTipCap: tip}},
		"with data":  {CallMsg{GasFeeCap: price, GasTipCap: tip, Data: random}, &types.DynamicFeeTx{ChainID: id, GasFeeCap: price, GasTipCap: tip, Data: random}},
		"legacy":     {CallMsg{GasPrice: price, Data: random}, &types.LegacyTx{GasPrice: price, Data: random}},
		"with a list": {CallMsg{GasPrice: price, Data: random, AccessList: list},
			&types.AccessListTx{ChainID: id, GasPrice: price, Data: random, AccessList: list}},
		"with a list and a tip": {CallMsg{GasFeeCap: price, GasTipCap: tip, Data: random, AccessList: list},
			&types.DynamicFeeTx{ChainID: id, GasFeeCap: price, GasTipCap: tip, Data: random, AccessList: list}},
	} {
		call := tc.call
		call.From, call.To, call.Gas, call.Value = from, &to, 100_000, big.NewInt(5)
		switch d := tc.tx.(type) {
		case *types.DynamicFeeTx:
			d.To, d.Gas, d.Value = &to, call.Gas, call.Value
		case *types.LegacyTx:
			d.To, d.Gas, d.Value = &to, call.Gas, call.Value
		case *types.AccessListTx:
			d.To, d.Gas, d.Value = &to, call.Gas, call.Value
		}
		r, err := executeOnce(view, signTx(t, key, tc.tx), testEnv())
		if err != nil {
			t.Fatal(what, err)
		}
		c, err := m.Call(view, &call, testEnv())
		if err != nil {
			t.Fatal(what, err)
		}
		paid, called := view.clone(), view.clone()
		paid.apply(r.Diff)
		called.apply(c.Diff)
		fee, want := called.accounts[chain.L1FeeVaultAddr].Balance, paid.accounts[chain.L1FeeVaultAddr].Balance
		if want.IsZero() || !fee.Eq(&want) {
			t.Errorf("%s: the call pays %s, the transaction %s", what, &fee, &want)
		}
	}
	c, err := m.Call(view, &CallMsg{From: from, To: &to, Data: random}, testEnv())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Diff {
		if d.Address == chain.L1FeeVaultAddr {
			t.Error("a call without a price pays an L1 data fee")
		}
	}
}

func TestEstimatesKnowWhatIsLeftForGas(t *testing.T) {
	_, from := testKey(t, 1)
	to := common.HexToAddress("0xbeef")
	price := big.NewInt(2_000_000)
	exact := int64(leastL1Fee + 21_000*2_000_000 + 5)
	m := NewMachine(&testCfg)
	defer m.Close()
	for balance, want := range map[int64]string{exact: "", exact - 1: "gas required exceeds allowance (20999)", leastL1Fee + 4: "for the L1 data fee"} {
		view := newMemoryFrom(types.GenesisAlloc{from: {Balance: big.NewInt(balance)}, to: {Balance: ether}, chain.L1BlockAddr: l1Prices})
		gas, err := m.EstimateGas(view, &CallMsg{From: from, To: &to, GasPrice: price, Value: big.NewInt(5)}, testEnv())
		switch {
		case want == "" && (err != nil || gas != 21_000):
			t.Errorf("balance %d: gas %d, %v", balance, gas, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("balance %d: gas %d, %v", balance, gas, err)
		}
	}
}

func TestALikelySignatureHasAllItsBytes(t *testing.T) {
	if likelyR.BitLen() <= 248 || likelyS.BitLen() <= 248 {
		t.Error("a half of the signature is shorter than 32 bytes")
	}
}
