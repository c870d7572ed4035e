package evm

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// storer writes 1 to slot 1 and the gas price to slot 2, then does what follows.
func storer(last ...vm.OpCode) []byte {
	var p assembler
	p.push(1).push(1).op(vm.SSTORE).op(vm.GASPRICE).push(2).op(vm.SSTORE)
	for _, op := range last {
		p.op(op)
	}
	return p.code
}

func TestDeposits(t *testing.T) {
	from := common.HexToAddress("0xf00d")
	rich := common.HexToAddress("0x51c4") // has a balance, a nonce and code: an aliased contract
	plain := common.HexToAddress("0xbeef")
	works, reverts := common.HexToAddress("0xaaaa"), common.HexToAddress("0xbbbb")
	alloc := types.GenesisAlloc{
		rich:    {Balance: big.NewInt(1000), Nonce: 4, Code: []byte{byte(vm.STOP)}},
		works:   {Code: storer(), Nonce: 1},
		reverts: {Code: append(storer(vm.PUSH0), byte(vm.PUSH0), byte(vm.REVERT)), Nonce: 1},
	}
	initcode := func(last ...vm.OpCode) []byte { return storer(append(last, vm.PUSH0, vm.PUSH0, vm.RETURN)...) }

	type want struct {
		status    uint64
		gasUsed   uint64 // 0: less than the limit
		err       error
		sender    uint64 // balance after
		receiver  uint64 // balance after
		storage   bool   // of To or the new contract
		wantNonce uint64 // after
	}
	tests := []struct {
		name string
		d    chain.Deposit
		want want
	}{
		{"mint to an absent account creates it",
			chain.Deposit{From: from, To: &plain, Mint: big.NewInt(50), Gas: 21000},
			want{status: 1, gasUsed: 21000, sender: 50, wantNonce: 1}},
		{"mint pays for the value",
			chain.Deposit{From: from, To: &plain, Mint: big.NewInt(50), Value: big.NewInt(30), Gas: 21000},
			want{status: 1, gasUsed: 21000, sender: 20, receiver: 30, wantNonce: 1}},
		{"a sender with code may deposit",
			chain.Deposit{From: rich, To: &plain, Value: big.NewInt(30), Gas: 21000},
			want{status: 1, gasUsed: 21000, sender: 970, receiver: 30, wantNonce: 5}},
		{"value above the balance fails and keeps the mint",
			chain.Deposit{From: from, To: &plain, Mint: big.NewInt(50), Value: big.NewInt(51), Gas: 100_000},
			want{gasUsed: 100_000, err: ErrInsufficientTransfer, sender: 50, wantNonce: 1}},
		{"gas below the intrinsic gas fails and keeps the mint",
			chain.Deposit{From: rich, To: &works, Mint: big.NewInt(50), Value: big.NewInt(1), Gas: 20_999},
			want{gasUsed: 20_999, err: ErrIntrinsicGas, sender: 1050, wantNonce: 5}},
		{"gas below the calldata floor fails and keeps the mint",
			chain.Deposit{From: rich, To: &works, Mint: big.NewInt(5), Gas: 30_000, Data: make([]byte, 1000)},
			want{gasUsed: 30_000, err: ErrFloorDataGas, sender: 1005, wantNonce: 5}},
		{"a call executes at gas price zero",
			chain.Deposit{From: from, To: &works, Gas: 100_000},
			want{status: 1, storage: true, wantNonce: 1}},
		{"a revert keeps mint and nonce and returns the gas left",
			chain.Deposit{From: from, To: &reverts, Mint: big.NewInt(50), Value: big.NewInt(30), Gas: 100_000},
			want{err: ErrReverted, sender: 50, wantNonce: 1}},
		{"out of gas uses all gas",
			chain.Deposit{From: from, To: &works, Mint: big.NewInt(50), Value: big.NewInt(30), Gas: 22_000},
			want{gasUsed: 22_000, err: ErrOutOfGas, sender: 50, wantNonce: 1}},
		{"a creation puts its contract at the deposit nonce",
			chain.Deposit{From: rich, Value: big.NewInt(3), Gas: 200_000, Data: initcode()},
			want{status: 1, sender: 997, receiver: 3, storage: true, wantNonce: 5}},
		{"a creation that reverts bumps the nonce once",
			chain.Deposit{From: rich, Mint: big.NewInt(1), Gas: 200_000, Data: storer(vm.PUSH0, vm.PUSH0, vm.REVERT)},
			want{err: ErrReverted, sender: 1001, wantNonce: 5}},
		{"initcode above the limit fails before execution",
			chain.Deposit{From: rich, Gas: 30_000_000, Data: make([]byte, 1_048_577)},
			want{gasUsed: 30_000_000, err: ErrInitCodeTooLarge, sender: 1000, wantNonce: 5}},
		{"the cap on a transaction's gas is not for deposits",
			chain.Deposit{From: from, To: &plain, Mint: big.NewInt(1), Gas: testCfg.TxGasCap + 1},
			want{status: 1, gasUsed: 21000, sender: 1, wantNonce: 1}},
		{"a deposit that cannot run and has no mint still bumps the nonce",
			chain.Deposit{From: from, To: &plain, Gas: 1},
			want{gasUsed: 1, err: ErrIntrinsicGas, wantNonce: 1}},
	}
	m := NewMachine(&testCfg)
	defer m.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, want := test.d, test.want
			if d.Mint == nil {
				d.Mint = new(big.Int)
			}
			if d.Value == nil {
				d.Value = new(big.Int)
			}
			view := newMemoryFrom(alloc)
			before, _ := view.Account(d.From)
			env := testEnv()
			r, err := executeOn(m, view, chain.NewDepositTx(&d), env)
			if err != nil {
				t.Fatal(err)
			}
			view.apply(r.Diff)
			if r.Status != want.status || !errors.Is(r.Err, want.err) || r.DepositNonce != before.Nonce || r.EffectiveGasPrice.Sign() != 0 {
				t.Errorf("status %d, error %v, deposit nonce %d, price %v", r.Status, r.Err, r.DepositNonce, r.EffectiveGasPrice)
			}
			if want.gasUsed != 0 && r.GasUsed != want.gasUsed || want.gasUsed == 0 && r.GasUsed >= d.Gas {
				t.Errorf("gas used %d, want %d", r.GasUsed, want.gasUsed)
			}
			var target common.Address
			if d.To != nil {
				target = *d.To
			} else if target = crypto.CreateAddress(d.From, before.Nonce); r.ContractAddress != target {
				t.Errorf("contract at %v, want %v", r.ContractAddress, target)
			}
			sender, receiver := view.accounts[d.From], view.accounts[target]
			if sender.Nonce != want.wantNonce || sender.Balance != *uint256.NewInt(want.sender) || receiver.Balance != *uint256.NewInt(want.receiver) {
				t.Errorf("sender %+v, receiver %+v", sender, receiver)
			}
			if got := view.Storage(target, common.Hash{31: 1}) != (common.Hash{}); got != want.storage {
				t.Errorf("storage written: %v", got)
			}
			if v := view.Storage(target, common.Hash{31: 2}); v != (common.Hash{}) {
				t.Errorf("gas price %v inside a deposit", v)
			}
			for _, fee := range []common.Address{env.Coinbase, env.BaseFeeRecipient} {
				if _, ok := view.Account(fee); ok {
					t.Errorf("%v got a fee", fee)
				}
			}
		})
	}
}

func TestADepositGetsRefundsInGasOnly(t *testing.T) {
	from, to := common.HexToAddress("0xf00d"), common.HexToAddress("0xaaaa")
	var p assembler
	p.push(0).push(1).op(vm.SSTORE)
	view := newMemoryFrom(types.GenesisAlloc{to: {Code: p.code, Nonce: 1, Storage: map[common.Hash]common.Hash{{31: 1}: {31: 1}}}})
	r, err := executeOnce(view, chain.NewDepositTx(&chain.Deposit{From: from, To: &to, Mint: big.NewInt(9), Value: new(big.Int), Gas: 100_000}), testEnv())
	if err != nil {
		t.Fatal(err)
	}
	view.apply(r.Diff)
	const executed = 21000 + 2 + 3 + 5000 // PUSH0, PUSH1, SSTORE to zero
	if want := uint64(executed - 4800); r.GasUsed != want {
		t.Errorf("gas used %d, want %d", r.GasUsed, want)
	}
	if sender := view.accounts[from].Balance; sender.Uint64() != 9 {
		t.Errorf("sender has %v", &sender)
	}
}

func TestL1AttributesReachTheirPredeploy(t *testing.T) {
	var p assembler // stores the calldata's size
	p.op(vm.CALLDATASIZE).push(0).op(vm.SSTORE)
	view := newMemoryFrom(types.GenesisAlloc{chain.L1BlockAddr: {Code: p.code, Nonce: 1}})
	attributes := chain.L1Attributes{Number: 5, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}
	r, err := executeOnce(view, attributes.Tx(), testEnv())
	if err != nil || r.Status != 1 {
		t.Fatal(r, err)
	}
	view.apply(r.Diff)
	if got := view.Storage(chain.L1BlockAddr, common.Hash{}); got != common.BigToHash(big.NewInt(164)) {
		t.Errorf("calldata of %v bytes", got)
	}
}
