package evm

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/chain"
)

var (
	callee = common.HexToAddress("0xaaaa")
	caller = common.HexToAddress("0xca11")
)

// returning is code that returns the word that op pushes.
func returning(ops ...vm.OpCode) []byte {
	var p assembler
	for _, op := range ops {
		p.op(op)
	}
	return p.push(0).op(vm.MSTORE).push(32).push(0).op(vm.RETURN).code
}

func word(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }

func TestCallSeesBlockAndOverrides(t *testing.T) {
	nine := uint64(9)
	elsewhere := common.HexToAddress("0xe15e")
	sload := func(slot byte) []byte { return returning(vm.PUSH1, vm.OpCode(slot), vm.SLOAD) }
	code := func(c []byte) *[]byte { return &c }
	tests := []struct {
		name string
		msg  CallMsg
		code []byte
		want []byte
	}{
		{"number", CallMsg{}, returning(vm.NUMBER), word(7)},
		{"base fee is zero without a price", CallMsg{}, returning(vm.BASEFEE), word(0)},
		{"base fee is the block's with a price", CallMsg{From: caller, Gas: 100_000, GasPrice: big.NewInt(1_000_001)}, returning(vm.BASEFEE), word(1_000_000)},
		{"the price is the effective one", CallMsg{From: caller, Gas: 100_000, GasFeeCap: big.NewInt(2_000_000), GasTipCap: big.NewInt(3)}, returning(vm.GASPRICE), word(1_000_003)},
		{"blob base fee is one", CallMsg{}, returning(vm.BLOBBASEFEE), word(1)},
		{"gas without the intrinsic gas", CallMsg{Gas: 121_000}, returning(vm.GAS), word(99_998)},
		{"gas is capped", CallMsg{Gas: 1 << 60, GasCap: 121_000}, returning(vm.GAS), word(99_998)},
		{"block number overridden", CallMsg{Block: &BlockOverrides{Number: &nine}}, returning(vm.NUMBER), word(9)},
		{"time overridden", CallMsg{Block: &BlockOverrides{Time: &nine}}, returning(vm.TIMESTAMP), word(9)},
		{"gas limit overridden", CallMsg{Gas: 50_000, Block: &BlockOverrides{GasLimit: &nine}, GasCap: 50_000}, returning(vm.GASLIMIT), word(9)},
		{"coinbase overridden", CallMsg{Block: &BlockOverrides{Coinbase: &common.Address{19: 5}}}, returning(vm.COINBASE), word(5)},
		{"randomness overridden", CallMsg{Block: &BlockOverrides{PrevRandao: &common.Hash{31: 6}}}, returning(vm.PREVRANDAO), word(6)},
		{"base fee overridden", CallMsg{From: caller, Gas: 100_000, GasPrice: big.NewInt(9), Block: &BlockOverrides{BaseFee: big.NewInt(8)}}, returning(vm.BASEFEE), word(8)},
		{"balance overridden", CallMsg{Overrides: StateOverrides{callee: {Balance: uint256.NewInt(4)}}}, returning(vm.SELFBALANCE), word(4)},
		{"storage as it is", CallMsg{}, sload(1), word(0x11)},
		{"one slot overridden", CallMsg{Overrides: StateOverrides{callee: {StateDiff: map[common.Hash]common.Hash{{31: 1}: {31: 3}}}}}, sload(1), word(3)},
		{"other slots stay", CallMsg{Overrides: StateOverrides{callee: {StateDiff: map[common.Hash]common.Hash{{31: 2}: {31: 3}}}}}, sload(1), word(0x11)},
		{"all storage overridden", CallMsg{Overrides: StateOverrides{callee: {State: map[common.Hash]common.Hash{{31: 2}: {31: 3}}}}}, sload(1), word(0)},
		{"code overridden", CallMsg{Overrides: StateOverrides{callee: {Code: code(returning(vm.CHAINID))}}}, nil, word(chain.DefaultL2ChainID)},
		{"code put where nothing is", CallMsg{To: &elsewhere, Overrides: StateOverrides{elsewhere: {Code: code(returning(vm.CALLER))}}, From: caller}, nil, common.LeftPadBytes(caller[:], 32)},
		{"a creation returns its code", CallMsg{To: nil, Data: returning(vm.PUSH1, 0)}, []byte("create"), word(0)},
	}
	m := NewMachine(&testCfg)
	defer m.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			view := newMemoryFrom(types.GenesisAlloc{
				callee: {Code: test.code, Nonce: 1, Storage: map[common.Hash]common.Hash{{31: 1}: {31: 0x11}}},
				caller: {Balance: ether},
			})
			msg := test.msg
			if msg.To == nil && string(test.code) != "create" {
				msg.To = &callee
			}
			r, err := m.Call(view, &msg, testEnv())
			if err != nil || r.Err != nil || !bytes.Equal(r.ReturnData, test.want) {
				t.Errorf("result %+v, error %v, want %x", r, err, test.want)
			}
		})
	}
}

func TestCallErrors(t *testing.T) {
	view := newMemoryFrom(types.GenesisAlloc{callee: {Code: storer(vm.PUSH0, vm.PUSH0, vm.REVERT), Nonce: 1}, caller: {Balance: big.NewInt(5)}})
	tests := []struct {
		name string
		msg  CallMsg
		text string
	}{
		{"value above the balance", CallMsg{From: caller, To: &callee, Gas: 50_000, Value: big.NewInt(6)},
			"err: insufficient funds for gas * price + value: address " + caller.Hex() + " have 5 want 6 (supplied gas 50000)"},
		{"a price that cannot be paid", CallMsg{From: caller, To: &callee, Gas: 50_000, GasPrice: big.NewInt(1_000_000)},
			"err: insufficient funds for gas * price + value: address " + caller.Hex() + " have 5 want 50000000000 (supplied gas 50000)"},
		{"a price below the base fee", CallMsg{From: caller, To: &callee, Gas: 50_000, GasPrice: big.NewInt(1)},
			"err: max fee per gas less than block base fee: address " + caller.Hex() + ", maxFeePerGas: 1, baseFee: 1000000 (supplied gas 50000)"},
		{"two kinds of price", CallMsg{GasPrice: big.NewInt(1), GasFeeCap: big.NewInt(1)},
			"both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"},
		{"too little gas to begin", CallMsg{To: &callee, Gas: 20_000}, "err: intrinsic gas too low: have 20000, want 21000 (supplied gas 20000)"},
		{"two kinds of storage", CallMsg{To: &callee, Overrides: StateOverrides{callee: {State: map[common.Hash]common.Hash{}, StateDiff: map[common.Hash]common.Hash{}}}},
			"account " + callee.Hex() + " has both 'state' and 'stateDiff'"},
		{"a negative value", CallMsg{To: &callee, Value: big.NewInt(-1)}, "value: value exceeds 256 bits: -1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if r, err := NewMachine(testEnv().Config).Call(view, &test.msg, testEnv()); err == nil || err.Error() != test.text {
				t.Errorf("result %+v, error %v, want %s", r, err, test.text)
			}
		})
	}
	r, err := NewMachine(testEnv().Config).Call(view, &CallMsg{To: &callee}, testEnv())
	if err != nil || !errors.Is(r.Err, ErrReverted) {
		t.Errorf("revert: %+v, %v", r, err)
	}
	if r, err = NewMachine(testEnv().Config).Call(view, &CallMsg{To: &callee, Gas: 22_000}, testEnv()); err != nil || !errors.Is(r.Err, ErrOutOfGas) {
		t.Errorf("out of gas: %+v, %v", r, err)
	}
}

func TestACancelledCallEndsAndLeavesTheMachineUsable(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var forever assembler
	forever.op(vm.JUMPDEST).push(0).op(vm.JUMP)
	view := newMemoryFrom(types.GenesisAlloc{callee: {Code: forever.code, Nonce: 1}})
	m := NewMachine(&testCfg)
	defer m.Close()
	env := testEnv()
	env.GasLimit = 1 << 62

	started := make(chan struct{})
	done := make(chan struct{})
	ended := make(chan error)
	go func() {
		close(started)
		_, err := m.Call(view, &CallMsg{To: &callee, Done: done}, env)
		ended <- err
	}()
	<-started
	close(done)
	if err := <-ended; !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	if _, err := m.EstimateGas(view, &CallMsg{To: &callee, Done: done}, env); !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	view = newMemoryFrom(types.GenesisAlloc{callee: {Code: returning(vm.NUMBER), Nonce: 1}})
	if r, err := m.Call(view, &CallMsg{To: &callee, Done: make(chan struct{})}, env); err != nil || !bytes.Equal(r.ReturnData, word(7)) {
		t.Fatal(r, err)
	}
}

// cancelAt is a View that closes done when the account is read, in the middle of
// an execution.
type cancelAt struct {
	*memory
	addr common.Address
	done chan struct{}
}

func (v *cancelAt) Storage(addr common.Address, slot common.Hash) common.Hash {
	if addr == v.addr {
		close(v.done)
	}
	return v.memory.Storage(addr, slot)
}

func TestACallIsCancelledWhileItRuns(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var p assembler
	p.push(0).op(vm.SLOAD).op(vm.POP).op(vm.JUMPDEST).push(3).op(vm.JUMP)
	view := &cancelAt{memory: newMemoryFrom(types.GenesisAlloc{callee: {Code: p.code, Nonce: 1}}), addr: callee, done: make(chan struct{})}
	env := testEnv()
	env.GasLimit = 1 << 62
	if _, err := NewMachine(testEnv().Config).Call(view, &CallMsg{To: &callee, Done: view.done}, env); !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
}

func TestEstimateGas(t *testing.T) {
	plain := common.HexToAddress("0xbeef")
	var nested assembler // hands on 63/64 of its gas
	nested.push(0).push(0).push(0).push(0).push(0).pushBytes(common.HexToAddress("0xbbbb").Bytes()).op(vm.GAS).op(vm.CALL)
	nested.skipIf([]byte{byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.REVERT)})
	var demanding assembler // reverts unless it has 200,000 gas
	demanding.push(200_000).op(vm.GAS).op(vm.GT).skipIf([]byte{byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.REVERT)})
	var clearing assembler
	clearing.push(0).push(1).op(vm.SSTORE)
	reason := append(storer(), returning(vm.CALLER)[:len(returning(vm.CALLER))-1]...)
	reason = append(reason, byte(vm.REVERT))

	alloc := types.GenesisAlloc{
		caller:                        {Balance: big.NewInt(100_000)},
		common.HexToAddress("0xa1"):   {Code: storer(), Nonce: 1},
		common.HexToAddress("0xa2"):   {Code: nested.code, Nonce: 1},
		common.HexToAddress("0xbbbb"): {Code: demanding.code, Nonce: 1},
		common.HexToAddress("0xa3"):   {Code: clearing.code, Nonce: 1, Storage: map[common.Hash]common.Hash{{31: 1}: {31: 1}}},
		common.HexToAddress("0xa4"):   {Code: reason, Nonce: 1},
		common.HexToAddress("0xa5"):   {Code: []byte{byte(vm.JUMPDEST), byte(vm.PUSH0), byte(vm.JUMP)}, Nonce: 1},
	}
	at := func(hex string) *common.Address { a := common.HexToAddress(hex); return &a }
	tests := []struct {
		name string
		msg  CallMsg
		err  string
		// low: the estimate must succeed, and low gas must not.
		low uint64
		is  uint64
	}{
		{name: "a plain transfer", msg: CallMsg{From: caller, To: &plain, Value: big.NewInt(5)}, is: 21000},
		{name: "a transfer with an access list", msg: CallMsg{From: caller, To: &plain, Value: big.NewInt(5), AccessList: types.AccessList{{Address: plain}}}, is: 23400},
		{name: "a call", msg: CallMsg{To: at("0xa1")}, low: 43_000},
		{name: "a call whose callee needs gas left", msg: CallMsg{To: at("0xa2")}, low: 220_000},
		{name: "a call with a refund", msg: CallMsg{To: at("0xa3")}, low: 21_000 + 4_000},
		{name: "a creation", msg: CallMsg{Data: returning(vm.CALLER)}, low: 53_000},
		{name: "calldata above the floor", msg: CallMsg{To: &plain, Data: bytes.Repeat([]byte{1}, 100)}, is: 21_000 + 4_000},
		{name: "a revert", msg: CallMsg{From: caller, To: at("0xa4")}, err: "execution reverted"},
		{name: "an endless loop", msg: CallMsg{To: at("0xa5"), GasCap: 1_000_000}, err: "gas required exceeds allowance (1000000)"},
		{name: "less gas than a transfer allowed", msg: CallMsg{To: at("0xa1"), GasCap: 30_000}, err: "gas required exceeds allowance (30000)"},
		{name: "what the sender can pay is the limit", msg: CallMsg{From: caller, To: at("0xa1"), GasFeeCap: big.NewInt(10), Block: &BlockOverrides{BaseFee: big.NewInt(1)}},
			err: "gas required exceeds allowance (10000)"},
		{name: "value above the balance, with a price", msg: CallMsg{From: caller, To: at("0xa1"), GasPrice: big.NewInt(1_000_000), Value: big.NewInt(100_001)},
			err: "insufficient funds for transfer"},
		{name: "value above the balance", msg: CallMsg{From: caller, To: &plain, Value: big.NewInt(100_001), GasCap: 50_000},
			err: "failed with 50000 gas: insufficient funds for gas * price + value: address " + caller.Hex() + " have 100000 want 100001"},
	}
	m := NewMachine(&testCfg)
	defer m.Close()
	view := newMemoryFrom(alloc)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			gas, err := m.EstimateGas(view, &test.msg, testEnv())
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("%d, error %v, want %s", gas, err, test.err)
				}
				return
			}
			if err != nil || test.is != 0 && gas != test.is || gas <= test.low {
				t.Fatalf("%d, error %v", gas, err)
			}
			with := test.msg
			with.Gas = gas
			if r, err := m.Call(view, &with, testEnv()); err != nil || r.Err != nil {
				t.Errorf("%d gas does not suffice: %+v, %v", gas, r, err)
			}
			with.Gas = gas - gas/1000*estimateSlackPermille - 1000
			if r, err := m.Call(view, &with, testEnv()); err == nil && r.Err == nil {
				t.Errorf("%d gas is more than 1.5 %% too high", gas)
			}
		})
	}
	_, err := m.EstimateGas(view, &CallMsg{From: caller, To: at("0xa4")}, testEnv())
	var reverted *RevertError
	if !errors.As(err, &reverted) || !bytes.Equal(reverted.Data, common.LeftPadBytes(caller[:], 32)) {
		t.Errorf("revert data: %v", err)
	}
}

func TestCreateAccessList(t *testing.T) {
	other := common.HexToAddress("0xbbbb")
	var p assembler
	p.push(5).op(vm.SLOAD).op(vm.POP).pushBytes(other[:]).op(vm.BALANCE).op(vm.POP).push(3).op(vm.SLOAD).op(vm.POP)
	p.pushBytes([]byte{2}).op(vm.EXTCODESIZE) // a precompile
	view := newMemoryFrom(types.GenesisAlloc{callee: {Code: p.code, Nonce: 1}})
	list, r, err := NewMachine(testEnv().Config).CreateAccessList(view, &CallMsg{From: caller, To: &callee}, testEnv())
	if err != nil || r.Err != nil {
		t.Fatal(r, err)
	}
	want := types.AccessList{
		{Address: callee, StorageKeys: []common.Hash{{31: 3}, {31: 5}}},
		{Address: other, StorageKeys: []common.Hash{}},
	}
	if rlpHash(t, list) != rlpHash(t, want) {
		t.Errorf("access list %v", list)
	}
	again, err := NewMachine(testEnv().Config).Call(view, &CallMsg{From: caller, To: &callee, AccessList: list}, testEnv())
	if err != nil || again.GasUsed != r.GasUsed {
		t.Errorf("gas used %d with the list, %d told", again.GasUsed, r.GasUsed)
	}
}

func TestSystemCall(t *testing.T) {
	system := common.HexToAddress("0xfffffffffffffffffffffffffffffffffffffffe")
	var p assembler // stores the argument under the caller
	p.push(0).op(vm.CALLDATALOAD).op(vm.CALLER).op(vm.SSTORE)
	view := newMemoryFrom(types.GenesisAlloc{
		BeaconRootsAddr: {Code: p.code, Nonce: 1},
		HistoryAddr:     {Code: storer(vm.INVALID), Nonce: 1},
	})
	env := testEnv()
	d, err := NewMachine(testEnv().Config).SystemCall(view, env, BeaconRootsAddr, common.Hash{1, 2}.Bytes())
	if err != nil || len(d) != 1 || d[0].Address != BeaconRootsAddr || len(d[0].Storage) != 1 {
		t.Fatalf("diff %+v, error %v", d, err)
	}
	if got := d[0].Storage[0]; got.Slot != common.BytesToHash(system[:]) || got.Value != (common.Hash{1, 2}) {
		t.Errorf("stored %+v", got)
	}
	if d, err := NewMachine(testEnv().Config).SystemCall(view, env, HistoryAddr, nil); err == nil || d != nil || !strings.Contains(err.Error(), "system call") {
		t.Errorf("failing: diff %+v, error %v", d, err)
	}
	if d, err := NewMachine(testEnv().Config).SystemCall(view, env, callee, nil); err != nil || d != nil {
		t.Errorf("no code: diff %+v, error %v", d, err)
	}
}
