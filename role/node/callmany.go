package node

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// CallMany implements rpc.BundleCaller. Each bundle is one block and one second after
// the one before, unless it says otherwise.
func (n *Node) CallMany(ctx context.Context, req *rpc.CallManyRequest) ([][]*rpc.CallResult, error) {
	var out [][]*rpc.CallResult
	err := n.read(req.State, func(v state.View, h *types.Header) error {
		return n.machine(func(m *evm.Machine) error {
			overrides, err := stateOverrides(req.Overrides)
			if err != nil {
				return err
			}
			view, moves, err := overrides.Over(v, m)
			if err != nil {
				return moveError(err)
			}
			now, env, size := state.NewOverlay(view), n.envOf(h), 0
			for i := range req.Bundles {
				block, err := blockOverrides(&req.Bundles[i].Block)
				if err != nil {
					return err
				}
				results := make([]*rpc.CallResult, 0, len(req.Bundles[i].Calls))
				for _, c := range req.Bundles[i].Calls {
					r, err := n.bundled(ctx, m, now, c, block, moves, env)
					if err != nil {
						return err
					}
					if size += answerBytes(r.ReturnData, nil); req.MaxBytes > 0 && size > req.MaxBytes {
						return answerTooLarge(req.MaxBytes)
					}
					results = append(results, r)
				}
				out = append(out, results)
				env.Number++
				env.Timestamp++
			}
			return nil
		})
	})
	return out, err
}

// bundled runs one call and keeps its changes. An error ends all.
func (n *Node) bundled(ctx context.Context, m *evm.Machine, now *state.Overlay, c *rpc.CallRequest, block *evm.BlockOverrides, moves evm.PrecompileMoves, env *evm.Env) (*rpc.CallResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	msg, err := callMsg(c)
	if err != nil {
		return nil, err
	}
	if msg.GasCap == 0 || msg.GasCap > n.opts.GasCap {
		msg.GasCap = n.opts.GasCap
	}
	msg.Block, msg.Moves, msg.Done = block, moves, ctx.Done()
	res, err := m.Call(now, msg, env)
	if errors.Is(err, evm.ErrCancelled) && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return &rpc.CallResult{Err: err}, nil
	}
	now.Apply(res.Diff)
	out := &rpc.CallResult{ReturnData: res.ReturnData, GasUsed: res.GasUsed}
	var revert *evm.RevertError
	if errors.As(res.Err, &revert) {
		out.Reverted = true
	} else {
		out.Err = res.Err
	}
	return out, nil
}
