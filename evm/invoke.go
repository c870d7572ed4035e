package evm

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

const (
	gasCallValue   = 9_000  // of a call that moves value
	gasNewAccount  = 25_000 // of a call that moves value to an empty account (EIP-161)
	gasStipend     = 2_300  // given to the callee of a call that moves value
	gasKeccakWord  = 6
	gasCodeByte    = 200 // of deployed code
	callGasDivisor = 64  // a caller keeps one part (EIP-150)
)

// callArgs are the operands of a call instruction; value is nil where it has none.
type callArgs struct {
	op                             byte
	gas, addr, value               *uint256.Int
	inOff, inSize, outOff, outSize *uint256.Int
}

func (a *callArgs) movesValue() bool { return a.value != nil && !a.value.IsZero() }

// callCost is the gas of a call instruction, what it forwards included, when gas is
// left after the fixed part. forwarded is what the callee gets, with the stipend; end is
// the memory that the call needs.
func (f *frame) callCost(a *callArgs, gas uint64) (cost, forwarded, end uint64, err error) {
	end, err = memoryEnd(a.outOff, a.outSize)
	if err == ErrGasOverflow {
		return 0, 0, 0, err
	}
	inEnd, inErr := memoryEnd(a.inOff, a.inSize)
	if inErr == ErrGasOverflow {
		return 0, 0, 0, inErr
	}
	m, addr, movesValue := f.m, addressOf(a.addr), a.movesValue()
	if a.op == opCALL && movesValue && f.static {
		return 0, 0, 0, errStaticGas
	}
	left := gas
	if !m.warm(addr) {
		if left < gasColdAccount-gasWarmAccess {
			return 0, 0, 0, errCallGas
		}
		left -= gasColdAccount - gasWarmAccess
	}
	if err != nil || inErr != nil {
		return 0, 0, 0, errMemoryTooLarge
	}
	end = max(end, inEnd)
	own := f.memoryCost(end)
	if movesValue {
		own += gasCallValue
	}
	if left < own {
		return 0, 0, 0, errCallGas
	}
	if a.op == opCALL && movesValue && m.journal.Empty(addr) {
		if own += gasNewAccount; left < own {
			return 0, 0, 0, errCallGas
		}
	}
	left -= own
	if target, ok := m.delegation(addr); ok {
		access := uint64(gasWarmAccess)
		if !m.warm(target) {
			access = gasColdAccount
		}
		if left < access {
			return 0, 0, 0, errCallGas
		}
		left -= access
	}
	forwarded = left - left/callGasDivisor
	if a.gas.IsUint64() && a.gas[0] < forwarded {
		forwarded = a.gas[0]
	}
	cost = gas - left + forwarded
	if movesValue {
		forwarded += gasStipend
	}
	return cost, forwarded, end, nil
}

// call runs the callee of a call instruction whose cost was charged and whose memory
// was made. It sets dst to 1 or 0 and the return data, copies the output to memory and
// gives back the gas that is left.
func (f *frame) call(dst *uint256.Int, a *callArgs, forwarded uint64) {
	var input, output []byte
	if n := a.inSize[0]; n > 0 {
		input = f.mem[a.inOff[0] : a.inOff[0]+n]
	}
	if n := a.outSize[0]; n > 0 {
		output = f.mem[a.outOff[0] : a.outOff[0]+n]
	}
	target := addressOf(a.addr)
	c := invocation{
		op: a.op, depth: f.depth + 1, caller: f.address, address: target, source: target,
		input: input, gas: forwarded, static: f.static,
	}
	switch a.op {
	case opCALL:
		c.value = *a.value
	case opCALLCODE:
		c.address, c.value = f.address, *a.value
	case opDELEGATECALL:
		c.address, c.caller, c.value = f.address, f.caller, f.words[wordCallValue]
	case opSTATICCALL:
		c.static = true
	}
	ret, left, err := f.m.call(&c)
	f.gas += left
	f.returned = ret
	dst.Clear()
	if err == nil {
		dst.SetOne()
	}
	if err == nil || err == errReverted {
		copy(output, ret)
	}
}

// invocation is a call of a code, or of a creation's initcode.
type invocation struct {
	op      byte
	depth   int
	caller  common.Address // CALLER
	address common.Address // ADDRESS: whose state the code works on
	source  common.Address // where the code comes from
	value   uint256.Int
	input   []byte // calldata or initcode
	gas     uint64
	static  bool
}

// call runs an invocation and returns its output and the gas left of it. An error other
// than errReverted took all the gas, unless nothing ran at all.
func (m *Machine) call(c *invocation) (ret []byte, left uint64, err error) {
	if m.tracer == nil {
		return m.callUntraced(c)
	}
	m.traceEnter(c)
	ret, left, err = m.callUntraced(c)
	m.traceExit(c, ret, left, err)
	return ret, left, err
}

func (m *Machine) callUntraced(c *invocation) (ret []byte, left uint64, err error) {
	if c.depth > callDepth {
		return nil, c.gas, errDepth
	}
	if m.cancelled() {
		return nil, 0, ErrCancelled
	}
	movesValue := (c.op == opCALL || c.op == opCALLCODE) && !c.value.IsZero() && c.caller != params.SystemAddress
	if movesValue {
		if balance := m.journal.Balance(c.caller); balance.Lt(&c.value) {
			return nil, c.gas, errInsufficientBalance
		}
	}
	snapshot := m.journal.Snapshot()
	if movesValue && c.op == opCALL {
		m.subBalance(c.caller, &c.value, tracing.BalanceChangeTransfer)
		m.addBalance(c.address, &c.value, tracing.BalanceChangeTransfer)
	}
	precompiled := m.isPrecompile(c.source)
	if m.tracer != nil && (c.op == opSTATICCALL || c.op == opCALL && precompiled) {
		m.journal.CreateAccount(c.address) // only seen by a tracer: the account is empty
	}
	if precompiled {
		ret, left, err = m.precompile(c)
	} else {
		ret, left, err = m.execute(c)
	}
	if err == nil {
		return ret, left, nil
	}
	m.journal.Revert(snapshot)
	if err == errReverted {
		return ret, left, err
	}
	return ret, 0, err
}

// execute runs the code of an invocation.
func (m *Machine) execute(c *invocation) (ret []byte, left uint64, err error) {
	code := m.codeOf(c.source)
	if code != nil && m.fork >= prague {
		if target, ok := types.ParseDelegation(code.bytes[:code.size]); ok {
			code = m.codeOf(target) // one step only
		}
	}
	if code == nil {
		return nil, c.gas, nil
	}
	return m.runFrame(c, code, c.input)
}

func (m *Machine) runFrame(c *invocation, code *code, input []byte) (ret []byte, left uint64, err error) {
	f := m.frameAt(c.depth)
	f.setup(code, &c.address, &c.caller, &c.value, input, c.gas, c.static)
	if err = f.run(); err != nil && err != errReverted {
		return nil, f.gas, err
	}
	return f.output, f.gas, err
}

// createCost is the gas of CREATE and CREATE2 on top of the fixed part, and the memory
// that they need. Offset and size are the initcode's.
func (f *frame) createCost(op byte, offset, size *uint256.Int) (cost, end uint64, err error) {
	end, err = memoryEnd(offset, size)
	if err == ErrGasOverflow {
		return 0, 0, err
	}
	if f.static {
		return 0, 0, errStaticGas
	}
	if err != nil {
		return 0, 0, err
	}
	n := size[0]
	if n > f.m.cfg.MaxInitCode {
		return 0, 0, &outOfGas{&sizeError{ErrInitCodeTooLarge, n, f.m.cfg.MaxInitCode}}
	}
	each := uint64(gasInitCodeWord)
	if op == opCREATE2 {
		each += gasKeccakWord
	}
	return f.memoryCost(end) + each*wordCount(n), end, nil
}

// create runs CREATE, or CREATE2 with a salt, whose cost was charged and whose memory
// was made. It sets dst to the new address or zero.
func (f *frame) create(dst, value, offset, size, salt *uint256.Int) {
	m := f.m
	var initcode []byte
	if n := size[0]; n > 0 {
		initcode = f.mem[offset[0] : offset[0]+n]
	}
	c := invocation{op: opCREATE, depth: f.depth + 1, caller: f.address, value: *value, input: initcode}
	if salt == nil {
		c.address = m.createAddress(f.address, m.journal.Nonce(f.address))
	} else {
		c.op = opCREATE2
		c.address = m.create2Address(f.address, salt, initcode)
	}
	c.gas = f.gas - f.gas/callGasDivisor
	f.gas -= c.gas
	ret, left, err := m.create(&c)
	f.gas += left
	f.returned = nil
	dst.Clear()
	switch err {
	case nil:
		dst.SetBytes20(c.address[:])
	case errReverted:
		f.returned = ret
	}
}

// create makes a contract: c.input is its initcode and c.address its place. The result
// is that of call; the output of a success is the code.
func (m *Machine) create(c *invocation) (ret []byte, left uint64, err error) {
	err = m.checkCreate(c)
	if m.tracer != nil {
		m.traceEnter(c)
	}
	if err != nil {
		left = c.gas
	} else {
		ret, left, err = m.createUntraced(c)
	}
	if m.tracer != nil {
		m.traceExit(c, ret, left, err)
	}
	return ret, left, err
}

// checkCreate checks what a creator must fulfil before anything happens.
func (m *Machine) checkCreate(c *invocation) error {
	if c.depth > callDepth {
		return errDepth
	}
	if balance := m.journal.Balance(c.caller); balance.Lt(&c.value) {
		return errInsufficientBalance
	}
	if m.journal.Nonce(c.caller) == math.MaxUint64 {
		return errNonceOverflow
	}
	return nil
}

func (m *Machine) createUntraced(c *invocation) (ret []byte, left uint64, err error) {
	m.setNonce(c.caller, m.journal.Nonce(c.caller)+1, tracing.NonceChangeContractCreator)
	// A creation that fails leaves the address warm.
	m.journal.Warm(c.address)
	if m.occupied(c.address) {
		return nil, 0, errCollision
	}
	snapshot := m.journal.Snapshot()
	m.journal.CreateContract(c.address)
	m.setNonce(c.address, 1, tracing.NonceChangeNewContract)
	if !c.value.IsZero() {
		m.subBalance(c.caller, &c.value, tracing.BalanceChangeTransfer)
		m.addBalance(c.address, &c.value, tracing.BalanceChangeTransfer)
	}
	ret, left = nil, c.gas
	if len(c.input) > 0 {
		ret, left, err = m.runFrame(c, newCode(c.input), nil)
	}
	if err == nil {
		left, err = m.deploy(c.address, ret, left)
	}
	if err == nil {
		return ret, left, nil
	}
	m.journal.Revert(snapshot)
	if err == errReverted {
		return ret, left, err
	}
	return ret, 0, err
}

// occupied reports whether no contract can be made at addr: it has a nonce, code
// (EIP-684) or storage (EIP-7610).
func (m *Machine) occupied(addr common.Address) bool {
	if m.journal.Nonce(addr) != 0 {
		return true
	}
	if hash := m.journal.CodeHash(addr); hash != types.EmptyCodeHash && hash != (common.Hash{}) {
		return true
	}
	return m.journal.HasStorage(addr)
}

// deploy charges for the code of a new contract and stores it.
func (m *Machine) deploy(addr common.Address, code []byte, gas uint64) (left uint64, err error) {
	if len(code) == 0 {
		return gas, nil
	}
	if code[0] == 0xEF { // EIP-3541
		return 0, errInvalidCode
	}
	size := uint64(len(code))
	if cost := size * gasCodeByte; cost > gas {
		return 0, errCodeStore
	} else {
		gas -= cost
	}
	if limit := m.cfg.MaxCodeSize; size > limit {
		return 0, &sizeError{errCodeTooLarge, size, limit}
	}
	m.setCode(addr, append([]byte(nil), code...), tracing.CodeChangeContractCreation)
	return gas, nil
}
