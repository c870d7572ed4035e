package evm

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// What a tracer is told: go-ethereum's events with its values, in its order. Changes of
// gas outside of instructions, and what a revert takes back, are not told.

var _ tracing.OpContext = (*frame)(nil)

// MemoryData is the memory before the instruction; it must not be changed.
func (f *frame) MemoryData() []byte { return f.mem }

// StackData is the stack before the instruction, bottom first; it must not be changed.
func (f *frame) StackData() []uint256.Int { return f.stack[:f.height] }

// Caller is CALLER.
func (f *frame) Caller() common.Address { return f.caller }

// Address is ADDRESS.
func (f *frame) Address() common.Address { return f.address }

// CallValue is CALLVALUE in wei.
func (f *frame) CallValue() *uint256.Int { return &f.words[wordCallValue] }

// CallInput is the calldata; it must not be changed.
func (f *frame) CallInput() []byte { return f.input }

// ContractCode is the code that runs; it must not be changed.
func (f *frame) ContractCode() []byte { return f.code.bytes[:f.code.size] }

func execution(gas uint64) tracing.Gas { return tracing.Gas{Execution: gas} }

// traceOpcode tells of the instruction at hand before it changes anything.
func (f *frame) traceOpcode() {
	if t := f.m.tracer; t.HasOpcodeHook() {
		f.step.told = true
		t.EmitOpcode(f.pc, f.step.op, execution(f.step.gas), execution(f.step.cost), f, f.returned, f.depth+1, nil)
	}
}

// traceFailure tells of the instruction at hand that it failed.
func (f *frame) traceFailure(err error) {
	t := f.m.tracer
	if f.step.told {
		t.EmitFault(f.pc, f.step.op, execution(f.step.gas), execution(f.step.cost), f, f.depth+1, foreignError(err))
	} else {
		t.EmitOpcode(f.pc, f.step.op, execution(f.step.gas), execution(f.step.cost), f, f.returned, f.depth+1, foreignError(err))
	}
}

// traceEnter tells of an invocation before anything about it is checked but what
// checkCreate checks.
func (m *Machine) traceEnter(c *invocation) {
	from, to, value := c.caller, c.source, c.value.ToBig()
	switch c.op {
	case opCREATE, opCREATE2:
		to = c.address
	case opDELEGATECALL:
		from = c.address
	case opSTATICCALL:
		value = nil
	}
	m.tracer.EmitEnter(c.depth, c.op, from, to, c.input, execution(c.gas), value)
}

func (m *Machine) traceExit(c *invocation, ret []byte, left uint64, err error) {
	m.tracer.EmitExit(c.depth, ret, execution(c.gas), execution(left), foreignError(err), err != nil)
}

// traceRefused tells of a deposit that could not begin as of a call that failed at once:
// tracers rely on there being one.
func (m *Machine) traceRefused(d *chain.Deposit, err error) {
	op, to := byte(opCALL), d.To
	if to == nil {
		created := m.createAddress(d.From, m.journal.Nonce(d.From))
		op, to = opCREATE, &created
	}
	m.tracer.EmitEnter(0, op, d.From, *to, d.Data, execution(d.Gas), d.Value)
	m.tracer.EmitExit(0, nil, execution(d.Gas), execution(0), err, true)
}

// traceLog tells of the log that was made last. The tracer may keep what it gets; the
// index is that in the transaction.
func (m *Machine) traceLog(l *types.Log) {
	if m.tracer.OnLog != nil {
		m.tracer.OnLog(&types.Log{
			Address: l.Address, Topics: slices.Clone(l.Topics), Data: slices.Clone(l.Data),
			Index: uint(len(m.journal.Logs()) - 1),
		})
	}
}

// traceStart tells that a transaction begins.
func (m *Machine) traceStart(tx *types.Transaction, from common.Address) {
	m.traced = tracedState{m: m}
	if m.tracer.OnTxStart == nil {
		return
	}
	random := common.Hash(m.words.prevRandao.Bytes32())
	m.tracer.OnTxStart(&tracing.VMContext{
		Coinbase: m.coinbase, BlockNumber: new(big.Int).SetUint64(m.number), Time: m.words.timestamp.Uint64(),
		Random: &random, BaseFee: m.baseFee.ToBig(), StateDB: &m.traced,
	}, tx, from)
}

// traceEnd tells that a transaction ended, or with an error that it is invalid.
func (m *Machine) traceEnd(out *executed, logs []*types.Log, err error) {
	m.traced.ended = true
	if m.tracer.OnTxEnd == nil {
		return
	}
	if err != nil {
		m.tracer.OnTxEnd(nil, err)
		return
	}
	receipt := &types.Receipt{GasUsed: out.gasUsed, ContractAddress: out.contract, Logs: logs}
	if out.err == nil {
		receipt.Status = types.ReceiptStatusSuccessful
	}
	m.tracer.OnTxEnd(receipt, nil)
}

// transaction is the message as an unsigned transaction, for a tracer.
func (msg *message) transaction() *types.Transaction {
	if msg.setCode && msg.to != nil {
		return types.NewTx(&types.SetCodeTx{
			Nonce: msg.nonce, GasTipCap: &msg.tipCap, GasFeeCap: &msg.feeCap, Gas: msg.gas, To: *msg.to,
			Value: &msg.value, Data: msg.data, AccessList: msg.accessList, AuthList: msg.auths,
		})
	}
	return types.NewTx(&types.DynamicFeeTx{
		Nonce: msg.nonce, GasTipCap: msg.tipCap.ToBig(), GasFeeCap: msg.feeCap.ToBig(), Gas: msg.gas, To: msg.to,
		Value: msg.value.ToBig(), Data: msg.data, AccessList: msg.accessList,
	})
}

// addBalance adds wei to an account.
func (m *Machine) addBalance(addr common.Address, amount *uint256.Int, reason tracing.BalanceChangeReason) {
	before := m.journal.AddBalance(addr, amount)
	if m.tracer != nil {
		m.traceBalance(addr, before, amount, reason)
	}
}

// subBalance takes wei from an account that has them.
func (m *Machine) subBalance(addr common.Address, amount *uint256.Int, reason tracing.BalanceChangeReason) {
	before := m.journal.SubBalance(addr, amount)
	if m.tracer != nil {
		m.traceBalance(addr, before, amount, reason)
	}
}

// credit pays a fee.
func (m *Machine) credit(addr common.Address, amount *uint256.Int) {
	if m.tracer != nil {
		m.addBalance(addr, amount, tracing.BalanceIncreaseRewardTransactionFee)
		return
	}
	m.journal.Credit(addr, amount)
}

func (m *Machine) traceBalance(addr common.Address, before uint256.Int, amount *uint256.Int, reason tracing.BalanceChangeReason) {
	if m.tracer.OnBalanceChange != nil && !amount.IsZero() {
		after := m.journal.Balance(addr)
		m.tracer.OnBalanceChange(addr, before.ToBig(), after.ToBig(), reason)
	}
}

func (m *Machine) setNonce(addr common.Address, nonce uint64, reason tracing.NonceChangeReason) {
	t := m.tracer
	if t == nil {
		m.journal.SetNonce(addr, nonce)
		return
	}
	before := m.journal.Nonce(addr)
	m.journal.SetNonce(addr, nonce)
	if t.OnNonceChangeV2 != nil {
		t.OnNonceChangeV2(addr, before, nonce, reason)
	} else if t.OnNonceChange != nil {
		t.OnNonceChange(addr, before, nonce)
	}
}

// setCode keeps code.
func (m *Machine) setCode(addr common.Address, code []byte, reason tracing.CodeChangeReason) {
	before := m.journal.SetCode(addr, code)
	t := m.tracer
	if t == nil || t.OnCodeChangeV2 == nil && t.OnCodeChange == nil {
		return
	}
	hashBefore, hash := crypto.Keccak256Hash(before), crypto.Keccak256Hash(code)
	switch {
	case hash == hashBefore:
	case t.OnCodeChangeV2 != nil:
		t.OnCodeChangeV2(addr, hashBefore, before, hash, code, reason)
	default:
		t.OnCodeChange(addr, hashBefore, before, hash, code)
	}
}

// foreignError is an error as go-ethereum's tracers know it.
func foreignError(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *outOfGas:
		return vm.VMErrorFromErr(fmt.Errorf("%w: %v", vm.ErrOutOfGas, e.cause))
	case *sizeError:
		return vm.VMErrorFromErr(fmt.Errorf("%w: code size %v limit %v", foreignCause(e.cause), e.size, e.limit))
	}
	return vm.VMErrorFromErr(foreignCause(err))
}

func foreignCause(err error) error {
	switch err {
	case errReverted:
		return vm.ErrExecutionReverted
	case ErrOutOfGas:
		return vm.ErrOutOfGas
	case ErrGasOverflow:
		return vm.ErrGasUintOverflow
	case errDepth:
		return vm.ErrDepth
	case errInsufficientBalance:
		return vm.ErrInsufficientBalance
	case errCollision:
		return vm.ErrContractAddressCollision
	case errNonceOverflow:
		return vm.ErrNonceUintOverflow
	case errCodeStore:
		return vm.ErrCodeStoreOutOfGas
	case errCodeTooLarge:
		return vm.ErrMaxCodeSizeExceeded
	case errInvalidCode:
		return vm.ErrInvalidCode
	case errInvalidJump:
		return vm.ErrInvalidJump
	case errWriteProtection:
		return vm.ErrWriteProtection
	case errReturnDataBounds:
		return vm.ErrReturnDataOutOfBounds
	}
	return err
}

// tracedState lets a tracer read the state as the transaction sees it, and when the
// transaction has ended, as it leaves it: without accounts that are empty or destroyed.
type tracedState struct {
	m     *Machine
	ended bool
}

// account is an account's values; exists is as go-ethereum has it.
func (s *tracedState) account(addr common.Address) (a state.Account, exists bool) {
	j := s.m.journal
	a = state.Account{Nonce: j.Nonce(addr), Balance: j.Balance(addr), CodeHash: j.CodeHash(addr)}
	exists = j.Exists(addr)
	if s.ended && exists && (j.SelfDestructed(addr) || a.IsEmpty()) {
		return state.Account{}, false
	}
	return a, exists
}

func (s *tracedState) GetBalance(addr common.Address) *uint256.Int {
	a, _ := s.account(addr)
	return &a.Balance
}

func (s *tracedState) GetNonce(addr common.Address) uint64 {
	a, _ := s.account(addr)
	return a.Nonce
}

func (s *tracedState) GetCode(addr common.Address) []byte {
	if !s.Exist(addr) {
		return nil
	}
	return s.m.journal.Code(addr)
}

func (s *tracedState) GetCodeHash(addr common.Address) common.Hash {
	a, _ := s.account(addr)
	return a.CodeHash
}

func (s *tracedState) GetState(addr common.Address, slot common.Hash) common.Hash {
	if !s.Exist(addr) {
		return common.Hash{}
	}
	value, _ := s.m.journal.Storage(addr, slot)
	return value
}

func (s *tracedState) GetTransientState(addr common.Address, slot common.Hash) common.Hash {
	return s.m.journal.Transient(addr, slot)
}

func (s *tracedState) Exist(addr common.Address) bool {
	_, exists := s.account(addr)
	return exists
}

func (s *tracedState) GetRefund() uint64 {
	if s.ended {
		return 0
	}
	return s.m.journal.Refund()
}
