package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// Call implements rpc.Backend.
func (n *Node) Call(ctx context.Context, req *rpc.CallRequest) (*rpc.CallResult, error) {
	var out *rpc.CallResult
	err := n.simulate(ctx, req, func(m *evm.Machine, v state.View, msg *evm.CallMsg, env *evm.Env) error {
		res, err := m.Call(v, msg, env)
		if err != nil {
			return err
		}
		out = &rpc.CallResult{ReturnData: res.ReturnData, GasUsed: res.GasUsed}
		var revert *evm.RevertError
		if errors.As(res.Err, &revert) {
			out.Reverted = true
		} else {
			out.Err = res.Err
		}
		return nil
	})
	return out, err
}

// EstimateGas implements rpc.Backend.
func (n *Node) EstimateGas(ctx context.Context, req *rpc.CallRequest) (gas chain.Gas, err error) {
	err = n.simulate(ctx, req, func(m *evm.Machine, v state.View, msg *evm.CallMsg, env *evm.Env) error {
		gas, err = m.EstimateGas(v, msg, env)
		var revert *evm.RevertError
		if errors.As(err, &revert) {
			return rpc.RevertError(revert.Data)
		}
		return err
	})
	return gas, err
}

// CreateAccessList implements rpc.Backend.
func (n *Node) CreateAccessList(ctx context.Context, req *rpc.CallRequest) (*rpc.AccessListResult, error) {
	var out *rpc.AccessListResult
	err := n.simulate(ctx, req, func(m *evm.Machine, v state.View, msg *evm.CallMsg, env *evm.Env) error {
		list, res, err := m.CreateAccessList(v, msg, env)
		if err != nil {
			return err
		}
		out = &rpc.AccessListResult{AccessList: list, GasUsed: res.GasUsed}
		if res.Err != nil {
			out.Err = res.Err.Error()
		}
		return nil
	})
	return out, err
}

// simulate runs f on the state that the request names and ends it with ctx.
func (n *Node) simulate(ctx context.Context, req *rpc.CallRequest, f func(*evm.Machine, state.View, *evm.CallMsg, *evm.Env) error) error {
	return n.read(req.State, func(v state.View, header *types.Header) error {
		msg, err := callMsg(req)
		if err != nil {
			return err
		}
		if msg.GasCap == 0 || msg.GasCap > n.opts.GasCap {
			msg.GasCap = n.opts.GasCap
		}
		msg.Done = ctx.Done()
		err = n.machine(func(m *evm.Machine) error { return f(m, v, msg, n.envOf(header)) })
		if errors.Is(err, evm.ErrCancelled) && ctx.Err() != nil {
			return ctx.Err()
		}
		return moveError(err)
	})
}

// moveError gives overrides that move precompiled contracts where they cannot be moved
// the codes of eth_simulateV1.
func moveError(err error) error {
	switch {
	case errors.Is(err, evm.ErrMoveToItself):
		return rpc.Errorf(rpc.CodeSimMoveToSelf, "%v", err)
	case errors.Is(err, evm.ErrMoveTwice):
		return rpc.Errorf(rpc.CodeSimMoveTwice, "%v", err)
	}
	return err
}

// envOf is the environment of calls in the block of header.
func (n *Node) envOf(h *types.Header) *evm.Env {
	env := &evm.Env{
		Number: h.Number.Uint64(), Timestamp: h.Time, GasLimit: h.GasLimit, BaseFee: h.BaseFee,
		PrevRandao: h.MixDigest, Coinbase: h.Coinbase, BaseFeeRecipient: chain.BaseFeeVaultAddr, Config: n.cfg,
	}
	if h.ParentBeaconRoot != nil {
		env.ParentBeaconRoot = *h.ParentBeaconRoot
	}
	own := env.Number // callers may move the environment to a later block
	env.BlockHash = func(number uint64) common.Hash {
		if number+1 == own {
			return h.ParentHash
		}
		ancestor, err := n.HeaderByNumber(context.Background(), number)
		if err != nil || ancestor == nil {
			return common.Hash{}
		}
		return ancestor.Hash()
	}
	return env
}

func callMsg(req *rpc.CallRequest) (*evm.CallMsg, error) {
	m := &req.Msg
	msg := &evm.CallMsg{
		From: m.From, To: m.To, Gas: m.Gas, GasPrice: m.GasPrice, GasFeeCap: m.GasFeeCap, GasTipCap: m.GasTipCap,
		Value: m.Value, Data: m.Data, AccessList: m.AccessList, Authorizations: m.AuthList, GasCap: req.GasCap,
	}
	var err error
	if msg.Block, err = blockOverrides(&req.Block); err != nil {
		return nil, err
	}
	msg.Overrides, err = stateOverrides(req.Overrides)
	return msg, err
}

func blockOverrides(b *rpc.BlockOverride) (*evm.BlockOverrides, error) {
	out := &evm.BlockOverrides{
		Time: b.Time, GasLimit: b.GasLimit, Coinbase: b.FeeRecipient, PrevRandao: b.PrevRandao,
		BaseFee: b.BaseFee, BlobBaseFee: b.BlobBaseFee,
	}
	if b.Number != nil {
		if !b.Number.IsUint64() {
			return nil, fmt.Errorf("block override: number %s is outside 0..2^64-1", b.Number)
		}
		number := b.Number.Uint64()
		out.Number = &number
	}
	return out, nil
}

func stateOverrides(in map[common.Address]rpc.AccountOverride) (evm.StateOverrides, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(evm.StateOverrides, len(in))
	for addr, o := range in {
		to := evm.AccountOverride{Nonce: o.Nonce, Code: o.Code, State: o.State, StateDiff: o.StateDiff, MoveTo: o.MovePrecompileTo}
		if o.Balance != nil {
			balance, overflow := uint256.FromBig(o.Balance)
			if overflow || o.Balance.Sign() < 0 {
				return nil, fmt.Errorf("state override of %s: balance is outside 0..2^256-1", addr)
			}
			to.Balance = balance
		}
		out[addr] = to
	}
	return out, nil
}
