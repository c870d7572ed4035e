package tracer

import (
	"context"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/talaria-l2/talaria/state"
)

// Touching executes the rest of the block and returns the indexes of the transactions
// that concern the account: it sent or got them, they changed it, or it logged.
func (r *Replay) Touching(ctx context.Context, addr common.Address) ([]int, error) {
	var found []int
	for r.next < len(r.block.Txs) {
		i, tx := r.next, r.block.Txs[r.next]
		res, err := r.step(ctx.Done())
		if err != nil {
			return nil, because(ctx, err)
		}
		to := tx.To()
		if tx.From() == addr || to != nil && *to == addr || res.ContractAddress == addr ||
			slices.ContainsFunc(res.Diff, func(d state.AccountDiff) bool { return d.Address == addr }) ||
			slices.ContainsFunc(res.Logs, func(l *types.Log) bool { return l.Address == addr }) {
			found = append(found, i)
		}
	}
	return found, nil
}

// Creator executes the rest of the block until a transaction gives the account code, and
// returns its index and who created the contract. Not ok is none.
func (r *Replay) Creator(ctx context.Context, addr common.Address) (index int, creator common.Address, ok bool, err error) {
	made := false
	r.vm.SetTracer(&tracing.Hooks{OnEnter: func(_ int, typ byte, from, to common.Address, _ []byte, _ uint64, _ *big.Int) {
		if op := vm.OpCode(typ); to == addr && (op == vm.CREATE || op == vm.CREATE2) {
			creator, made = from, true
		}
	}})
	defer r.vm.SetTracer(nil)
	for r.next < len(r.block.Txs) {
		made, index = false, r.next
		res, err := r.step(ctx.Done())
		if err != nil {
			return 0, creator, false, because(ctx, err)
		}
		if made && slices.ContainsFunc(res.Diff, func(d state.AccountDiff) bool { return d.Address == addr && d.CodeChanged }) {
			return index, creator, true, nil
		}
	}
	return 0, creator, false, nil
}
