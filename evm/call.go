package evm

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/state"
)

// CallMsg is a simulated transaction: eth_call, eth_estimateGas,
// eth_createAccessList. The sender's nonce, its code and chain.Config.TxGasCap are
// not checked. Without a price nothing is paid, and the call sees a base fee of
// zero; with one, the sender must own what it costs, the L1 data fee of a transaction
// like it included.
type CallMsg struct {
	From common.Address
	To   *common.Address // nil creates a contract
	Gas  uint64          // limit; 0 is the most allowed

	GasPrice  *big.Int // wei per gas; excludes the next two
	GasFeeCap *big.Int // wei per gas
	GasTipCap *big.Int // wei per gas
	Value     *big.Int // wei; nil is zero

	Data       []byte
	AccessList types.AccessList
	// Authorizations are EIP-7702's; nil is none, empty is an error.
	Authorizations []types.SetCodeAuthorization

	// GasCap bounds Gas; 0 is the block's gas limit.
	GasCap uint64
	// Overrides change what the call sees of the state.
	Overrides StateOverrides
	// Moves say where precompiled contracts run; those of Overrides, if any, go first.
	Moves PrecompileMoves
	// Nonce is what the sender's is to be, of which only Strict takes notice.
	Nonce uint64
	// Strict checks nonce and price as for a transaction. The sender may still have
	// code, and the gas limit be above chain.Config.TxGasCap.
	Strict bool
	// KeepBaseFee lets a call without a price see the block's base fee, not zero.
	KeepBaseFee bool
	// Block changes what the call sees of the block; nil is nothing.
	Block *BlockOverrides
	// Done, when closed, ends the call with ErrCancelled; nil never does.
	Done <-chan struct{}
}

// CallResult is what a call did, or would have done.
type CallResult struct {
	ReturnData []byte // or the code of a creation, or the data of a REVERT
	GasUsed    uint64 // after refunds and the calldata floor
	PeakGas    uint64 // before refunds
	Logs       []*types.Log
	// ContractAddress is set for a creation.
	ContractAddress common.Address
	// Err is why the execution failed; a *RevertError carries the data.
	Err  error
	Diff state.Diff
}

var errBothPrices = errors.New("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")

// prepare applies the overrides and converts msg. The moves of precompiled contracts
// hold until the next call.
func (m *Machine) prepare(msg *CallMsg, view state.View, env *Env) (state.View, *Env, message, error) {
	view, moves, err := msg.Overrides.Over(view, m)
	if err != nil {
		return nil, nil, message{}, err
	}
	if m.moves = msg.Moves; moves != nil {
		m.moves = moves
	}
	view, env, out, err := msg.convert(view, env)
	if err != nil {
		m.moves = nil
	}
	return view, env, out, err
}

func (msg *CallMsg) convert(view state.View, env *Env) (state.View, *Env, message, error) {
	var err error
	env = msg.Block.apply(env)
	m := message{
		from: msg.From, to: msg.To, gas: msg.Gas, data: msg.Data,
		accessList: msg.AccessList, auths: msg.Authorizations, setCode: msg.Authorizations != nil,
		nonce: msg.Nonce, simulated: true, strict: msg.Strict,
	}
	gasCap := msg.GasCap
	if gasCap == 0 {
		gasCap = env.GasLimit
	}
	if m.gas == 0 || m.gas > gasCap {
		m.gas = gasCap
	}
	feeCap, tipCap := msg.GasFeeCap, msg.GasTipCap
	if msg.GasPrice != nil {
		if feeCap != nil || tipCap != nil {
			return nil, nil, message{}, errBothPrices
		}
		feeCap, tipCap = msg.GasPrice, msg.GasPrice
	}
	if m.feeCap, err = wei(feeCap); err != nil {
		return nil, nil, message{}, fmt.Errorf("fee cap: %w", err)
	}
	if m.tipCap, err = wei(tipCap); err != nil {
		return nil, nil, message{}, fmt.Errorf("tip cap: %w", err)
	}
	if m.value, err = wei(msg.Value); err != nil {
		return nil, nil, message{}, fmt.Errorf("value: %w", err)
	}
	m.priced = msg.GasPrice != nil
	m.free = m.feeCap.IsZero() && m.tipCap.IsZero() && !msg.Strict
	m.keepBaseFee = msg.KeepBaseFee
	return view, env, m, nil
}

// simulate runs a prepared call; the machine's journal holds its effects.
func (m *Machine) simulate(view state.View, env *Env, msg *message, done <-chan struct{}) (executed, error) {
	m.begin(view, env, msg.free && !msg.keepBaseFee)
	msg.price = effectivePrice(&msg.feeCap, &msg.tipCap, &m.baseFee)
	m.estimateL1Fee(msg, view, env)
	if m.tracer != nil {
		m.traceStart(msg.transaction(), msg.from)
	}
	var out executed
	var err error
	if m.runCancellable(done, func() { out, err = m.transition(msg) }) {
		out, err = executed{}, ErrCancelled
	}
	if m.tracer != nil {
		m.journal.FoldCredits()
		m.traceEnd(&out, m.journal.Logs(), err)
	}
	return out, err
}

// runCancellable reports whether done was closed before run returned. A goroutine
// waits for done, since the interpreter only polls a flag; it ends before this returns.
func (m *Machine) runCancellable(done <-chan struct{}, run func()) (cancelled bool) {
	if done == nil {
		run()
		return false
	}
	select {
	case <-done:
		return true
	default:
	}
	finished, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		select {
		case <-done:
			m.stopped.Store(true)
		case <-finished:
		}
	}()
	defer func() {
		close(finished)
		<-joined
		cancelled = m.stopped.Swap(false)
	}()
	run()
	return false
}

// Call runs msg over view in the block of env and changes nothing. An error means
// that the call is not possible; a failure of the execution is in the result.
func (m *Machine) Call(view state.View, msg *CallMsg, env *Env) (*CallResult, error) {
	view, env, prepared, err := m.prepare(msg, view, env)
	if err != nil {
		return nil, err
	}
	defer func() { m.moves = nil }()
	out, err := m.simulate(view, env, &prepared, msg.Done)
	if errors.Is(err, ErrCancelled) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("err: %w (supplied gas %d)", err, prepared.gas)
	}
	m.journal.FoldCredits()
	return &CallResult{
		ReturnData: bytes.Clone(out.data), GasUsed: out.gasUsed, PeakGas: out.peakUsed,
		Logs: m.journal.Logs(), ContractAddress: out.contract,
		Err: out.err, Diff: m.journal.Diff(),
	}, nil
}
