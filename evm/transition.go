package evm

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// executed is what running a valid message gave.
type executed struct {
	gasUsed  uint64         // after refunds and floor
	peakUsed uint64         // before refunds
	data     []byte         // good until the machine runs again
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
	if m.fork < prague {
		floor = 0
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
	m.warmFirst(msg)
	out, left := m.run(msg, msg.gas-intrinsic)
	m.earn(msg.gas - left)
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
	} else if msg.strict {
		if err := m.checkNonce(msg); err != nil {
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
	if msg.blobs {
		if err := m.checkBlobs(msg); err != nil {
			return err
		}
	}
	if msg.setCode {
		if m.fork < prague {
			return fmt.Errorf("%w: setcode tx (sender %v)", ErrTxType, msg.from)
		}
		if msg.to == nil {
			return fmt.Errorf("%w (sender %v)", ErrSetCodeCreate, msg.from)
		}
		if len(msg.auths) == 0 {
			return fmt.Errorf("%w (sender %v)", ErrEmptyAuthList, msg.from)
		}
	}
	if size := uint64(len(msg.data)); msg.to == nil {
		if limit := m.cfg.MaxInitCode; size > limit {
			return fmt.Errorf("%w: code size %v limit %v", ErrInitCodeTooLarge, size, limit)
		}
	}
	return nil
}

// checkNonce checks the nonce (EIP-2681).
func (m *Machine) checkNonce(msg *message) error {
	next := m.journal.Nonce(msg.from)
	switch {
	case msg.nonce > next:
		return fmt.Errorf("%w: address %v, tx: %d state: %d", ErrNonceTooHigh, msg.from.Hex(), msg.nonce, next)
	case msg.nonce < next:
		return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooLow, next, msg.nonce)
	case next+1 == 0:
		return fmt.Errorf("%w: address %v, nonce: %d", ErrNonceMax, msg.from.Hex(), next)
	}
	return nil
}

// checkSender checks the nonce, the gas cap and that the sender has no code but a
// delegation (EIP-3607, EIP-7702).
func (m *Machine) checkSender(msg *message) error {
	if err := m.checkNonce(msg); err != nil {
		return err
	}
	if limit := m.cfg.TxGasCap; msg.gas > limit {
		return fmt.Errorf("%w (cap: %d, tx: %d)", ErrGasAboveCap, limit, msg.gas)
	}
	code := m.codeBytes(msg.from)
	if _, delegated := types.ParseDelegation(code); len(code) > 0 && !delegated && !msg.unsigned {
		return fmt.Errorf("%w: address %v, len(code): %d", ErrSenderNoEOA, msg.from.Hex(), len(code))
	}
	return nil
}

// checkBlobs checks the hashes and the fee cap of a blob transaction (EIP-4844).
func (m *Machine) checkBlobs(msg *message) error {
	switch n := len(msg.blobHashes); {
	case msg.to == nil:
		return ErrBlobCreate
	case n == 0:
		return ErrNoBlobHashes
	case n > params.BlobTxMaxBlobs && m.fork >= osaka: // EIP-7594
		return ErrTooManyBlobs
	}
	for i := range msg.blobHashes {
		if !kzg4844.IsValidVersionedHash(msg.blobHashes[i][:]) {
			return fmt.Errorf("blob %d has %w", i, ErrBlobHashVersion)
		}
	}
	if msg.blobFeeCap.Lt(&m.blobBaseFee) {
		return fmt.Errorf("%w: address %v blobGasFeeCap: %v, blobBaseFee: %v", ErrBlobFeeCapTooLow, msg.from.Hex(), &msg.blobFeeCap, &m.blobBaseFee)
	}
	return nil
}

// buyGas takes the gas limit at the effective price, and the L1 data fee, from the sender,
// who must own the worst case: the gas limit at the fee cap, plus the value and the L1
// data fee. Blob gas adds to both.
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
	cost.Mul(&gas, &msg.price)
	if len(msg.blobHashes) > 0 && !tooMuch {
		var most, fee uint256.Int
		gas.SetUint64(uint64(len(msg.blobHashes)) * params.BlobTxBlobGasPerBlob)
		if _, tooMuch = most.MulOverflow(&gas, &msg.blobFeeCap); !tooMuch {
			_, tooMuch = need.AddOverflow(&need, &most)
		}
		cost.Add(&cost, fee.Mul(&gas, &m.blobBaseFee))
	}
	if !msg.l1Fee.IsZero() && !tooMuch {
		_, tooMuch = need.AddOverflow(&need, &msg.l1Fee)
		cost.Add(&cost, &msg.l1Fee)
	}
	if tooMuch {
		return fmt.Errorf("%w: address %v required balance exceeds 256 bits", ErrInsufficientFunds, msg.from.Hex())
	}
	if have := m.journal.Balance(msg.from); have.Lt(&need) {
		err := fmt.Errorf("%w: address %v have %v want %v", ErrInsufficientFunds, msg.from.Hex(), have.Dec(), need.Dec())
		if !msg.l1Fee.IsZero() {
			err = fmt.Errorf("%w (of which %v for the L1 data fee)", err, msg.l1Fee.Dec())
		}
		return err
	}
	m.subBalance(msg.from, &cost, tracing.BalanceDecreaseGasBuy)
	return nil
}

// warmFirst fills the access list of a transaction (EIP-2929, EIP-2930, EIP-3651).
// Precompiles are always warm and need no entry.
func (m *Machine) warmFirst(msg *message) {
	m.journal.Warm(msg.from)
	if msg.to != nil {
		m.journal.Warm(*msg.to)
	}
	m.journal.Warm(m.coinbase)
	for i := range msg.accessList {
		a := &msg.accessList[i]
		m.journal.Warm(a.Address)
		for _, slot := range a.StorageKeys {
			m.journal.TouchSlot(a.Address, slot)
		}
	}
}

// run executes the message with gas and returns the gas left.
func (m *Machine) run(msg *message, gas uint64) (out executed, left uint64) {
	m.setSender(msg)
	nonce := m.journal.Nonce(msg.from)
	var err error
	if msg.to == nil {
		out.contract = m.createAddress(msg.from, nonce)
		c := invocation{op: opCREATE, caller: msg.from, address: out.contract, value: msg.value, input: msg.data, gas: gas}
		out.data, left, err = m.create(&c)
	} else {
		m.setNonce(msg.from, nonce+1, tracing.NonceChangeEoACall)
		m.authorize(msg.auths)
		if m.isPlainTransfer(*msg.to) {
			m.transfer(msg)
			return out, gas
		}
		if target, ok := m.delegation(*msg.to); ok {
			m.journal.Warm(target)
		}
		c := invocation{op: opCALL, caller: msg.from, address: *msg.to, source: *msg.to, value: msg.value, input: msg.data, gas: gas}
		out.data, left, err = m.call(&c)
	}
	if err != nil {
		out.err = outcome(err, bytes.Clone(out.data))
	}
	return out, left
}

// isPlainTransfer reports whether a message to the address runs no code, without
// reading more of the account.
func (m *Machine) isPlainTransfer(to common.Address) bool {
	return m.tracer == nil && !m.isPrecompile(to) && m.journal.CodeHashUnread(to) == types.EmptyCodeHash
}

// transfer moves the value of a message; the sender has it. It reads the recipient only
// if the transaction has done so before.
func (m *Machine) transfer(msg *message) {
	if msg.value.IsZero() {
		return
	}
	m.journal.SubBalance(msg.from, &msg.value)
	m.journal.Credit(*msg.to, &msg.value)
}

// settle returns what the sender bought too much and pays the fees.
func (m *Machine) settle(msg *message, gasUsed uint64) {
	if msg.deposit {
		return
	}
	var amount, tip, gas uint256.Int
	gas.SetUint64(msg.gas - gasUsed)
	m.addBalance(msg.from, amount.Mul(&gas, &msg.price), tracing.BalanceIncreaseGasReturn)

	if msg.price.Lt(&m.baseFee) {
		return // a simulation without a price that sees the base fee: nobody is paid
	}
	gas.SetUint64(gasUsed)
	tip.Sub(&msg.price, &m.baseFee)
	m.credit(m.coinbase, amount.Mul(&gas, &tip))
	if m.baseFeeRecipient != (common.Address{}) {
		m.credit(m.baseFeeRecipient, amount.Mul(&gas, &m.baseFee))
	}
	if !msg.l1Fee.IsZero() {
		m.credit(chain.L1FeeVaultAddr, &msg.l1Fee)
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
		m.setNonce(authority, a.Nonce+1, tracing.NonceChangeAuthorization)
		if a.Address != (common.Address{}) {
			m.setCode(authority, types.AddressToDelegation(a.Address), tracing.CodeChangeAuthorization)
		} else if len(code) > 0 {
			m.setCode(authority, nil, tracing.CodeChangeAuthorizationClear)
		}
	}
}
