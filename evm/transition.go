package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// executed is what running a valid message gave.
type executed struct {
	gasUsed  uint64 // after refunds and floor
	peakUsed uint64 // before refunds
	data     []byte
	contract common.Address // of a creation
	err      error          // the execution's, see outcome
}

// transition validates m, buys its gas, runs it and settles the fees. An error
// means that m is invalid; the journal may hold changes then, and the caller
// abandons or reverts them.
func (m *Machine) transition(msg *message) (executed, error) {
	if err := m.validate(msg); err != nil {
		return executed{}, err
	}
	if err := m.buyGas(msg); err != nil {
		return executed{}, err
	}
	intrinsic, floor, err := intrinsicGas(msg)
	if err != nil {
		return executed{}, err
	}
	if msg.gas < intrinsic {
		return executed{}, fmt.Errorf("%w: have %d, want %d", ErrIntrinsicGas, msg.gas, intrinsic)
	}
	if msg.gas < floor {
		return executed{}, fmt.Errorf("%w: have %d, want %d", ErrFloorDataGas, msg.gas, floor)
	}
	if !msg.value.IsZero() {
		if balance := m.journal.Balance(msg.from); balance.Lt(&msg.value) {
			return executed{}, fmt.Errorf("%w: address %v", ErrInsufficientTransfer, msg.from.Hex())
		}
	}
	m.db.Prepare(m.rules, msg.from, m.vm.Context.Coinbase, msg.to, nil, msg.accessList)

	out, left := m.run(msg, msg.gas-intrinsic)
	out.peakUsed = max(msg.gas-left, floor)
	refund := min(m.journal.Refund(), (msg.gas-left)/refundQuotient)
	out.gasUsed = max(msg.gas-left-refund, floor)
	m.settle(msg, out.gasUsed)
	return out, nil
}

// validate checks what does not need gas or money, in go-ethereum's order.
func (m *Machine) validate(msg *message) error {
	if !msg.simulated {
		if err := m.checkSender(msg); err != nil {
			return err
		}
	}
	if !msg.free {
		if msg.feeCap.Lt(&msg.tipCap) {
			return fmt.Errorf("%w: address %v, maxPriorityFeePerGas: %v, maxFeePerGas: %v", ErrTipAboveFeeCap, msg.from.Hex(), &msg.tipCap, &msg.feeCap)
		}
		if msg.feeCap.Lt(&m.baseFee) {
			return fmt.Errorf("%w: address %v, maxFeePerGas: %v, baseFee: %v", ErrFeeCapTooLow, msg.from.Hex(), &msg.feeCap, &m.baseFee)
		}
	}
	if msg.setCode {
		if msg.to == nil {
			return fmt.Errorf("%w (sender %v)", ErrSetCodeCreate, msg.from)
		}
		if len(msg.auths) == 0 {
			return fmt.Errorf("%w (sender %v)", ErrEmptyAuthList, msg.from)
		}
	}
	if size := uint64(len(msg.data)); msg.to == nil {
		if _, limit := EffectiveLimits(m.cfg); size > limit {
			return fmt.Errorf("%w: code size %v limit %v", ErrInitCodeTooLarge, size, limit)
		}
	}
	return nil
}

// checkSender checks the nonce (EIP-2681), the gas cap and that the sender has no
// code but a delegation (EIP-3607, EIP-7702).
func (m *Machine) checkSender(msg *message) error {
	next := m.journal.Nonce(msg.from)
	switch {
	case msg.nonce > next:
		return fmt.Errorf("%w: address %v, tx: %d state: %d", ErrNonceTooHigh, msg.from.Hex(), msg.nonce, next)
	case msg.nonce < next:
		return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooLow, next, msg.nonce)
	case next+1 == 0:
		return fmt.Errorf("%w: address %v, nonce: %d", ErrNonceMax, msg.from.Hex(), next)
	}
	if limit := m.cfg.TxGasCap; msg.gas > limit {
		return fmt.Errorf("%w (cap: %d, tx: %d)", ErrGasAboveCap, limit, msg.gas)
	}
	code := m.journal.Code(msg.from)
	if _, delegated := types.ParseDelegation(code); len(code) > 0 && !delegated {
		return fmt.Errorf("%w: address %v, len(code): %d", ErrSenderNoEOA, msg.from.Hex(), len(code))
	}
	return nil
}

// buyGas takes the gas limit at the effective price from the sender, who must own
// the worst case: the gas limit at the fee cap, plus the value.
func (m *Machine) buyGas(msg *message) error {
	if msg.deposit {
		return nil
	}
	var need, cost, gas uint256.Int
	gas.SetUint64(msg.gas)
	_, tooMuch := need.MulOverflow(&gas, &msg.feeCap)
	if !tooMuch {
		_, tooMuch = need.AddOverflow(&need, &msg.value)
	}
	if tooMuch {
		return fmt.Errorf("%w: address %v required balance exceeds 256 bits", ErrInsufficientFunds, msg.from.Hex())
	}
	if have := m.journal.Balance(msg.from); have.Lt(&need) {
		return fmt.Errorf("%w: address %v have %v want %v", ErrInsufficientFunds, msg.from.Hex(), have.Dec(), need.Dec())
	}
	m.journal.SubBalance(msg.from, cost.Mul(&gas, &msg.price))
	return nil
}

// run executes the message with gas and returns the gas left.
func (m *Machine) run(msg *message, gas uint64) (executed, uint64) {
	var (
		out    executed
		left   vm.GasBudget
		err    error
		budget = vm.NewGasBudget(gas, 0)
		nonce  = m.journal.Nonce(msg.from)
	)
	m.vm.SetTxContext(vm.TxContext{Origin: msg.from, GasPrice: &msg.price})
	if msg.to == nil {
		out.contract = crypto.CreateAddress(msg.from, nonce)
		out.data, _, left, err = m.vm.Create(msg.from, msg.data, budget, &msg.value)
	} else {
		m.journal.SetNonce(msg.from, nonce+1)
		m.authorize(msg.auths)
		if target, ok := types.ParseDelegation(m.journal.Code(*msg.to)); ok {
			m.journal.Warm(target)
		}
		out.data, left, err = m.vm.Call(msg.from, *msg.to, msg.data, budget, &msg.value)
	}
	out.err = outcome(err, out.data)
	return out, left.ExecutionGas
}

// settle returns what the sender bought too much and pays the fees.
func (m *Machine) settle(msg *message, gasUsed uint64) {
	if msg.deposit {
		return
	}
	var amount, tip, gas uint256.Int
	gas.SetUint64(msg.gas - gasUsed)
	m.journal.AddBalance(msg.from, amount.Mul(&gas, &msg.price))

	gas.SetUint64(gasUsed)
	tip.Sub(&msg.price, &m.baseFee)
	m.journal.Credit(m.vm.Context.Coinbase, amount.Mul(&gas, &tip))
	if m.baseFeeRecipient != (common.Address{}) {
		m.journal.Credit(m.baseFeeRecipient, amount.Mul(&gas, &m.baseFee))
	}
}

// authorize applies the delegations of a type 4 transaction (EIP-7702). An invalid
// authorization is skipped.
func (m *Machine) authorize(auths []types.SetCodeAuthorization) {
	for i := range auths {
		a := &auths[i]
		if !a.ChainID.IsZero() && (!a.ChainID.IsUint64() || a.ChainID.Uint64() != m.cfg.ChainID) {
			continue
		}
		if a.Nonce+1 == 0 {
			continue
		}
		authority, err := a.Authority()
		if err != nil {
			continue
		}
		m.journal.Warm(authority)
		code := m.journal.Code(authority)
		if _, delegated := types.ParseDelegation(code); len(code) > 0 && !delegated {
			continue
		}
		if m.journal.Nonce(authority) != a.Nonce {
			continue
		}
		if m.journal.Exists(authority) {
			m.journal.AddRefund(gasAuthorization - gasAuthExisting)
		}
		var delegation []byte // to the zero address: none
		if a.Address != (common.Address{}) {
			delegation = types.AddressToDelegation(a.Address)
		}
		m.journal.SetCode(authority, delegation)
		m.journal.SetNonce(authority, a.Nonce+1)
	}
}
