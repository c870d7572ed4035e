package evm

import (
	"crypto/ecdsa"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

var (
	testCfg = chain.DefaultConfig()
	ether   = big.NewInt(1e18)
)

func testKey(t testing.TB, n byte) (*ecdsa.PrivateKey, common.Address) {
	t.Helper()
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key, crypto.PubkeyToAddress(key.PublicKey)
}

func testEnv() *Env {
	return &Env{
		Number: 7, Timestamp: 1000, GasLimit: testCfg.GasLimit, BaseFee: big.NewInt(1_000_000),
		PrevRandao: common.Hash{1}, Coinbase: chain.SequencerFeeVaultAddr,
		BaseFeeRecipient: chain.BaseFeeVaultAddr, Config: &testCfg,
	}
}

func signTx(t testing.TB, key *ecdsa.PrivateKey, data types.TxData) *chain.Tx {
	t.Helper()
	signed, err := types.SignNewTx(key, types.NewPragueSigner(new(big.Int).SetUint64(testCfg.ChainID)), data)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &testCfg)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestATransferMovesValueAndSplitsTheFee(t *testing.T) {
	key, from := testKey(t, 1)
	to := common.HexToAddress("0xbeef")
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}})
	tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 21000, To: &to,
		Value: big.NewInt(5), GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(7)})
	env := testEnv()
	r, err := executeOnce(view, tx, env)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 1 || r.GasUsed != 21000 || r.Err != nil || r.EffectiveGasPrice.Uint64() != 1_000_007 {
		t.Fatalf("result %+v", r)
	}
	view.apply(r.Diff)
	for addr, want := range map[common.Address]uint64{
		to:                   5,
		env.Coinbase:         7 * 21000,
		env.BaseFeeRecipient: 1_000_000 * 21000,
		from:                 1e18 - 5 - 1_000_007*21000,
	} {
		if got := view.accounts[addr].Balance; got.Uint64() != want {
			t.Errorf("%v has %v, want %d", addr, &got, want)
		}
	}
	if view.accounts[from].Nonce != 1 {
		t.Errorf("nonce %d", view.accounts[from].Nonce)
	}
	for i := 1; i < len(r.Diff); i++ {
		if r.Diff[i-1].Address.Cmp(r.Diff[i].Address) >= 0 {
			t.Error("diff is not sorted")
		}
	}
}
