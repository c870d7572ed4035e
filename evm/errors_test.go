package evm

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// Clients match on these texts.
func TestInvalidTransactionsAreToldInStandardWords(t *testing.T) {
	key, from := testKey(t, 1)
	const name = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
	if from.Hex() != name {
		t.Fatal(from)
	}
	to := common.HexToAddress("0xbeef")
	id := big.NewInt(chain.DefaultL2ChainID)
	max256 := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	basic := func(change func(*types.DynamicFeeTx)) types.TxData {
		tx := &types.DynamicFeeTx{ChainID: id, Nonce: 5, Gas: 21000, To: &to, Value: big.NewInt(1),
			GasFeeCap: big.NewInt(2_000_000), GasTipCap: big.NewInt(1)}
		change(tx)
		return tx
	}
	account := func(change func(*types.Account)) types.GenesisAlloc {
		a := types.Account{Nonce: 5, Balance: ether}
		change(&a)
		return types.GenesisAlloc{from: a}
	}
	usual := account(func(*types.Account) {})
	tests := []struct {
		name  string
		alloc types.GenesisAlloc
		tx    types.TxData
		is    error
		text  string
	}{
		{"a nonce used before", usual, basic(func(tx *types.DynamicFeeTx) { tx.Nonce = 3 }),
			ErrNonceTooLow, "nonce too low: next nonce 5, tx nonce 3"},
		{"a nonce from the future", usual, basic(func(tx *types.DynamicFeeTx) { tx.Nonce = 6 }),
			ErrNonceTooHigh, "nonce too high: address " + name + ", tx: 6 state: 5"},
		{"the last nonce (EIP-2681)", account(func(a *types.Account) { a.Nonce = math.MaxUint64 }), basic(func(tx *types.DynamicFeeTx) { tx.Nonce = math.MaxUint64 }),
			ErrNonceMax, "nonce has max value: address " + name + ", nonce: 18446744073709551615"},
		{"too little for gas and value", account(func(a *types.Account) { a.Balance = big.NewInt(42_000_000_000) }), basic(func(*types.DynamicFeeTx) {}),
			ErrInsufficientFunds, "insufficient funds for gas * price + value: address " + name + " have 42000000000 want 42000000001"},
		{"more than there can be", usual, basic(func(tx *types.DynamicFeeTx) { tx.GasFeeCap = max256 }),
			ErrInsufficientFunds, "insufficient funds for gas * price + value: address " + name + " required balance exceeds 256 bits"},
		{"gas below a transfer's", usual, basic(func(tx *types.DynamicFeeTx) { tx.Gas = 20_999 }),
			ErrIntrinsicGas, "intrinsic gas too low: have 20999, want 21000"},
		{"gas below the calldata floor", usual, basic(func(tx *types.DynamicFeeTx) { tx.Gas, tx.Data = 26_000, make([]byte, 1000) }),
			ErrFloorDataGas, "insufficient gas for floor data gas cost: have 26000, want 31000"},
		{"gas above the cap", usual, basic(func(tx *types.DynamicFeeTx) { tx.Gas = testCfg.TxGasCap + 1 }),
			ErrGasAboveCap, "transaction gas limit too high (cap: 1000000000, tx: 1000000001)"},
		{"a tip above the cap", usual, basic(func(tx *types.DynamicFeeTx) { tx.GasTipCap = big.NewInt(2_000_001) }),
			ErrTipAboveFeeCap, "max priority fee per gas higher than max fee per gas: address " + name + ", maxPriorityFeePerGas: 2000001, maxFeePerGas: 2000000"},
		{"a cap below the base fee", usual, basic(func(tx *types.DynamicFeeTx) { tx.GasFeeCap = big.NewInt(999_999) }),
			ErrFeeCapTooLow, "max fee per gas less than block base fee: address " + name + ", maxFeePerGas: 999999, baseFee: 1000000"},
		{"a sender with code (EIP-3607)", account(func(a *types.Account) { a.Code = []byte{0, 0} }), basic(func(*types.DynamicFeeTx) {}),
			ErrSenderNoEOA, "sender not an eoa: address " + name + ", len(code): 2"},
		{"initcode above the limit", usual, basic(func(tx *types.DynamicFeeTx) { tx.To, tx.Gas, tx.Data = nil, 90_000_000, make([]byte, 1_048_577) }),
			ErrInitCodeTooLarge, "max initcode size exceeded: code size 1048577 limit 1048576"},
		{"no authorization", usual, &types.SetCodeTx{ChainID: uint256.MustFromBig(id), Nonce: 5, Gas: 21000, To: to, GasFeeCap: uint256.NewInt(2_000_000), GasTipCap: new(uint256.Int), Value: new(uint256.Int)},
			ErrEmptyAuthList, "EIP-7702 transaction with empty auth list (sender " + name + ")"},
	}
	m := NewMachine(&testCfg)
	defer m.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := executeOn(m, newMemoryFrom(test.alloc), signTx(t, key, test.tx), testEnv())
			if r != nil || !errors.Is(err, test.is) || err.Error() != test.text {
				t.Errorf("result %+v, error %v, want %s", r, err, test.text)
			}
		})
	}
	// A machine that refused serves the next.
	if _, err := executeOn(m, newMemoryFrom(usual), signTx(t, key, basic(func(*types.DynamicFeeTx) {})), testEnv()); err != nil {
		t.Error(err)
	}
}

func TestASenderThatDelegatesMaySend(t *testing.T) {
	key, from := testKey(t, 1)
	to := common.HexToAddress("0xbeef")
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether, Code: types.AddressToDelegation(to)}})
	tx := signTx(t, key, &types.LegacyTx{Gas: 21000, GasPrice: big.NewInt(1_000_000), To: &to, Value: new(big.Int)})
	if r, err := executeOnce(view, tx, testEnv()); err != nil || r.Status != 1 {
		t.Error(r, err)
	}
}

func TestRevertErrorNamesTheReason(t *testing.T) {
	reason := common.FromHex("08c379a00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000568656c6c6f000000000000000000000000000000000000000000000000000000")
	for _, test := range []struct {
		data []byte
		want string
	}{
		{nil, "execution reverted"},
		{[]byte{1, 2, 3, 4}, "execution reverted"},
		{reason, "execution reverted: hello"},
	} {
		err := outcome(errReverted, test.data)
		if err.Error() != test.want || !errors.Is(err, ErrReverted) {
			t.Errorf("%x: %v, want %s", test.data, err, test.want)
		}
	}
}
