package core

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/internal/gethevm"
	"github.com/talaria-l2/talaria/state"
)

// gethFlat is go-ethereum's interpreter and transition over Talaria's journal and flat
// state: the same views, the same diffs, another machine.
type gethFlat struct {
	*gethevm.Flat
	env    *evm.Env // of the open block
	result gethevm.Result
}

// GethFlat is go-ethereum's interpreter over Talaria's flat state.
func GethFlat() Peer {
	return &flat{name: "geth, our state", open: func(cfg *chain.Config) executor {
		return &gethFlat{Flat: gethevm.NewFlat(gethevm.Config(cfg.ChainID, gethevm.Osaka))}
	}}
}

// Begin keeps the interpreter if the block is the same as before.
func (g *gethFlat) Begin(env *evm.Env) {
	if g.env != env {
		g.Flat.Begin(gethBlock(env))
		g.env = env
	}
}

func (g *gethFlat) Execute(view state.View, tx *chain.Tx, r *evm.Result) error {
	if err := g.Flat.Execute(view, tx.Eth(), &g.result); err != nil {
		return err
	}
	r.Status, r.GasUsed, r.ReturnData = status(&g.result), g.result.GasUsed, g.result.ReturnData
	r.Logs, r.Diff = g.result.Logs, g.result.Diff
	return nil
}

// geth is go-ethereum as its own node executes: over its StateDB, finalised after every
// transaction. The state lies in a path database in memory, with its flat layer;
// nothing is read from a disk.
type geth struct {
	peer   *gethevm.Geth
	result gethevm.Result
}

// Geth is go-ethereum with its own state database.
func Geth() Peer { return new(geth) }

func (p *geth) Name() string { return "geth StateDB" }

func (p *geth) Load(w *Workload) (err error) {
	p.Close()
	p.peer, err = gethevm.NewGeth(gethevm.Config(w.Config.ChainID, gethevm.Osaka), w.Alloc)
	return err
}

func (p *geth) Reset() error { return p.peer.Reset() }

func (p *geth) Begin(env *evm.Env) { p.peer.Begin(gethBlock(env)) }

func (p *geth) Execute(tx *chain.Tx) error { return p.peer.Execute(tx.Eth(), &p.result) }

// Settle has nothing to do: Execute has finalised the state.
func (p *geth) Settle() {}

func (p *geth) Outcome() (Outcome, error) {
	return outcome(status(&p.result), p.result.GasUsed, p.result.ReturnData, p.result.Logs)
}

func (p *geth) Root() (common.Hash, error) { return p.peer.Root(), nil }

func (p *geth) Close() {
	if p.peer != nil {
		p.peer.Close()
		p.peer = nil
	}
}

// gethBlock is a block for go-ethereum. The workloads' limit of a transaction's gas is
// that of Talaria, so that EIP-7825's is off.
func gethBlock(env *evm.Env) *gethevm.Block {
	return &gethevm.Block{
		Number: env.Number, Time: env.Timestamp, GasLimit: env.GasLimit, BaseFee: env.BaseFee, BlobBaseFee: env.BlobBaseFee,
		Random: env.PrevRandao, Coinbase: env.Coinbase, BlockHash: env.BlockHash, NoGasCap: true,
	}
}

func status(r *gethevm.Result) uint64 {
	if r.Err != nil {
		return 0
	}
	return 1
}
