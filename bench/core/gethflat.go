package core

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	gethcore "github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

// gethFlat is go-ethereum's interpreter and transition over Talaria's journal and flat
// state: the same views, the same diffs, another machine.
type gethFlat struct {
	cfg     *chain.Config
	signer  types.Signer
	journal *state.Journal
	buffer  state.DiffBuffer
	jumps   vm.JumpDestCache
	vm      *vm.EVM
	env     *evm.Env // of vm
}

// GethFlat is go-ethereum's interpreter over Talaria's flat state.
func GethFlat() Peer {
	return &flat{name: "geth, our state", open: func(cfg *chain.Config) executor {
		return &gethFlat{
			cfg: cfg, signer: types.NewPragueSigner(new(big.Int).SetUint64(cfg.ChainID)),
			journal: state.NewJournal(nil), jumps: gethcore.NewJumpDestCache(),
		}
	}}
}

func (g *gethFlat) Execute(view state.View, tx *chain.Tx, env *evm.Env, r *evm.Result) error {
	g.journal.Reset(view)
	if g.env != env {
		g.Close()
		g.vm, g.env = interpreter(env, &journalDB{j: g.journal}, g.cfg.ChainID), env
		g.vm.SetJumpDestCache(g.jumps)
	}
	msg, err := gethcore.TransactionToMessage(tx.Eth, g.signer, env.BaseFee)
	if err != nil {
		return err
	}
	out, err := gethcore.ApplyMessage(g.vm, msg.SkipGasLimitCapCheck(), gethcore.NewGasPool(env.GasLimit))
	if err != nil {
		return err
	}
	g.journal.FoldCredits()
	r.Status, r.GasUsed, r.ReturnData, r.Logs = 1, out.UsedGas, out.ReturnData, g.journal.Logs()
	if out.Failed() {
		r.Status = 0
	}
	r.Diff, r.Credits = g.journal.DiffInto(&g.buffer)
	return nil
}

func (g *gethFlat) Close() {
	if g.vm != nil {
		g.vm.Release()
		g.vm = nil
	}
}

// interpreter is go-ethereum's, in the block of env.
func interpreter(env *evm.Env, db vm.StateDB, chainID uint64) *vm.EVM {
	random := env.PrevRandao
	return vm.NewEVM(vm.BlockContext{
		CanTransfer: gethcore.CanTransfer, Transfer: gethcore.Transfer,
		GetHash:  func(uint64) common.Hash { return common.Hash{} },
		Coinbase: env.Coinbase, GasLimit: env.GasLimit, BlockNumber: new(big.Int).SetUint64(env.Number),
		Time: env.Timestamp, Difficulty: new(big.Int), BaseFee: env.BaseFee, BlobBaseFee: big.NewInt(1), Random: &random,
	}, db, osaka(chainID), vm.Config{})
}
