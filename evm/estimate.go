package evm

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// estimateSlackPermille is how much too high an estimate may be: a closer one is
// not worth further executions.
const estimateSlackPermille = 15

// EstimateGas finds a gas limit with which msg succeeds, at most 1.5 % above the
// least one. It is never below: the returned limit was executed. The limit is
// searched up to msg.Gas or the block's gas limit, chain.Config.TxGasCap,
// msg.GasCap, and what the sender can pay.
//
// A call that fails with any gas gives its error: *RevertError with the data, or
// "gas required exceeds allowance (N)".
func (m *Machine) EstimateGas(view state.View, msg *CallMsg, env *Env) (uint64, error) {
	view, env, prepared, err := m.prepare(msg, view, env)
	if err != nil {
		return 0, err
	}
	defer func() { m.moves = nil }()
	e := estimator{m: m, view: view, env: env, msg: &prepared, done: msg.Done}
	most, err := e.most(msg)
	if err != nil {
		return 0, err
	}
	if e.isPlainTransfer() {
		if ok, out, err := e.try(gasTx); err == nil && ok {
			return out.gasUsed, nil
		}
	}
	ok, out, err := e.try(most)
	if err != nil {
		return 0, err
	}
	if !ok {
		if out.err != nil && !errors.Is(out.err, ErrOutOfGas) {
			return 0, out.err
		}
		return 0, fmt.Errorf("gas required exceeds allowance (%d)", most)
	}
	return e.search(out, most)
}

type estimator struct {
	m    *Machine
	view state.View
	env  *Env
	msg  *message
	done <-chan struct{}
}

// most is the highest gas limit to consider.
func (e *estimator) most(msg *CallMsg) (uint64, error) {
	most := e.env.GasLimit
	if msg.Gas >= gasTx {
		most = msg.Gas
	}
	most = min(most, e.m.cfg.TxGasCap)
	if msg.GasCap != 0 {
		most = min(most, msg.GasCap)
	}
	if e.msg.feeCap.IsZero() {
		return most, nil
	}
	account, _ := e.view.Account(e.msg.from)
	available := account.Balance
	if !e.msg.value.IsZero() && !available.Gt(&e.msg.value) {
		return 0, ErrInsufficientTransfer
	}
	available.Sub(&available, &e.msg.value)
	e.m.estimateL1Fee(e.msg, e.view, e.env)
	if fee := &e.msg.l1Fee; available.Lt(fee) {
		return 0, fmt.Errorf("%w: address %v have %v want %v for the L1 data fee", ErrInsufficientFunds, e.msg.from.Hex(), available.Dec(), fee.Dec())
	}
	available.Sub(&available, &e.msg.l1Fee)
	affordable := new(uint256.Int).Div(&available, &e.msg.feeCap)
	if affordable.IsUint64() {
		most = min(most, affordable.Uint64())
	}
	return most, nil
}

// isPlainTransfer reports whether no code can run.
func (e *estimator) isPlainTransfer() bool {
	if len(e.msg.data) > 0 || e.msg.to == nil || e.m.isPrecompile(*e.msg.to) || len(e.msg.auths) > 0 {
		return false
	}
	account, ok := e.view.Account(*e.msg.to)
	return !ok || account.CodeHash == types.EmptyCodeHash
}

// try executes with a gas limit. An error is one that more gas does not cure.
func (e *estimator) try(gas uint64) (ok bool, out executed, err error) {
	e.msg.gas = gas
	out, err = e.m.simulate(e.view, e.env, e.msg, e.done)
	switch {
	case errors.Is(err, ErrIntrinsicGas), errors.Is(err, ErrFloorDataGas):
		return false, executed{}, nil
	case errors.Is(err, ErrCancelled):
		return false, executed{}, err
	case err != nil:
		return false, executed{}, fmt.Errorf("failed with %d gas: %w", gas, err)
	}
	return out.err == nil, out, nil
}

// search narrows down between what the unconstrained execution used and high, which
// sufficed. Most calls need exactly their peak. More is needed where a callee got
// 63/64 of the gas (EIP-150) or a transfer carried a stipend; a limit that allows
// for these once is nearly always close.
func (e *estimator) search(first executed, high uint64) (uint64, error) {
	guesses := []uint64{first.peakUsed, (first.peakUsed + params.CallStipend) * 64 / 63}
	low := first.gasUsed - 1
	for low+1 < high && high-low > high/1000*estimateSlackPermille {
		// Few transactions need much more than they use.
		next := min(low+(high-low)/2, 2*low)
		if len(guesses) > 0 {
			next, guesses = guesses[0], guesses[1:]
			if next <= low || next >= high {
				continue
			}
		}
		ok, _, err := e.try(next)
		if err != nil {
			return 0, err
		}
		if !ok {
			low = next
			continue
		}
		high = next
		if next == first.peakUsed {
			break // with less it would have run out
		}
	}
	return high, nil
}
