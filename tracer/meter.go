package tracer

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
)

// meter bounds what a tracer gathers: it stops the execution when what the tracer was
// told, as hexadecimal digits, is more than the answer may have. Without it a loop of
// cheap calls with much calldata would fill the memory of the node.
type meter struct {
	hooks    *tracing.Hooks
	limit    int // bytes; 0: none
	parts    int // tracers that keep what is told, each for itself
	used     int
	firstLog uint64 // index in the block of the transaction's first log
	countOps bool   // every instruction is told
	stop     func(error)
	state    tracing.StateDB // of the transaction
}

// Least sizes of what is told, in bytes of JSON.
const (
	sizeOfOp   = 48
	sizeOfCall = 64
	sizeOfLog  = 64
)

func (m *meter) add(n int) {
	m.used += n * m.parts
	if m.limit > 0 && m.used > m.limit {
		m.stop(&TooLargeError{m.limit})
	}
}

// wrap returns the hooks to execute with.
func (m *meter) wrap(c *Config) *tracing.Hooks {
	h := *m.hooks
	if next := m.hooks.OnLog; next != nil {
		h.OnLog = func(l *types.Log) {
			l.Index += uint(m.firstLog)
			m.add(sizeOfLog + 2*len(l.Data) + 66*len(l.Topics))
			next(l)
		}
	}
	if m.limit == 0 || c.isScript() {
		return &h // what a script keeps is not known
	}
	if next := m.hooks.OnTxStart; next != nil {
		h.OnTxStart = func(env *tracing.VMContext, tx *types.Transaction, from common.Address) {
			m.state = env.StateDB
			next(env, tx, from)
		}
	}
	if m.hooks.OnEnter != nil || m.hooks.OnEnterV2 != nil {
		h.OnEnter = nil
		h.OnEnterV2 = func(depth int, typ byte, from, to common.Address, input []byte, gas tracing.Gas, value *big.Int) {
			m.add(sizeOfCall + 2*len(input))
			m.hooks.EmitEnter(depth, typ, from, to, input, gas, value)
		}
	}
	m.wrapExit(&h)
	m.wrapOpcode(&h)
	return &h
}

func (m *meter) wrapExit(h *tracing.Hooks) {
	if next := m.hooks.OnExitV2; next != nil {
		h.OnExitV2 = func(depth int, output []byte, left tracing.Gas, err error, reverted bool) {
			m.add(2 * len(output))
			next(depth, output, left, err, reverted)
		}
	} else if next := m.hooks.OnExit; next != nil {
		h.OnExit = func(depth int, output []byte, used uint64, err error, reverted bool) {
			m.add(2 * len(output))
			next(depth, output, used, err, reverted)
		}
	}
}

func (m *meter) wrapOpcode(h *tracing.Hooks) {
	if !m.hooks.HasOpcodeHook() {
		return
	}
	h.OnOpcode = nil
	h.OnOpcodeV2 = func(pc uint64, op byte, gas, cost tracing.Gas, scope tracing.OpContext, returned []byte, depth int, err error) {
		if m.countOps {
			m.add(sizeOfOp)
		} else {
			m.countReads(vm.OpCode(op), cost.Execution, scope)
		}
		m.hooks.EmitOpcode(pc, op, gas, cost, scope, returned, depth, err)
	}
}

// coldAccount is the gas of the first access to an account, with which a tracer may keep
// its code (EIP-2929).
const coldAccount = 2600

// countReads counts what tracers of the state keep: codes and preimages.
func (m *meter) countReads(op vm.OpCode, cost uint64, scope tracing.OpContext) {
	stack := scope.StackData()
	switch op {
	case vm.SLOAD, vm.SSTORE:
		m.add(1)
	case vm.KECCAK256:
		if n := len(stack); n >= 2 && stack[n-2].IsUint64() && stack[n-2].Uint64() <= uint64(m.limit) {
			m.add(int(stack[n-2].Uint64()))
		}
	case vm.BALANCE, vm.EXTCODESIZE, vm.EXTCODEHASH, vm.EXTCODECOPY, vm.CALL, vm.CALLCODE, vm.DELEGATECALL, vm.STATICCALL, vm.SELFDESTRUCT:
		depth := 1
		if op >= vm.CREATE && op != vm.SELFDESTRUCT {
			depth = 2
		}
		if n := len(stack); n >= depth && cost >= coldAccount && m.state != nil {
			m.add(2 * len(m.state.GetCode(common.Address(stack[n-depth].Bytes20()))))
		}
	}
}
