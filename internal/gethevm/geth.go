package gethevm

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/ethereum/go-ethereum/triedb/pathdb"
	"github.com/holiman/uint256"
)

// Geth is go-ethereum with its own state, in memory. It is used by one goroutine.
//
// Unlike Flat it does not obey EIP-7610 for an account that has storage and no code or
// nonce: no such account can be made on a chain with these rules.
type Geth struct {
	engine
	tries *triedb.Database
	db    gethstate.Database
	root  common.Hash
	state *gethstate.StateDB
	rules params.Rules
	txs   int
}

// NewGeth returns a peer for the chain of cfg whose state is alloc.
func NewGeth(cfg *params.ChainConfig, alloc types.GenesisAlloc) (*Geth, error) {
	disk := rawdb.NewMemoryDatabase()
	g := &Geth{engine: newEngine(cfg), rules: cfg.Rules(new(big.Int), true, 0)}
	g.tries = triedb.NewDatabase(disk, &triedb.Config{PathDB: pathdb.Defaults})
	g.db = gethstate.NewMPTDatabase(g.tries, gethstate.NewCodeDB(disk))
	s, err := gethstate.New(types.EmptyRootHash, g.db)
	if err != nil {
		return nil, fmt.Errorf("open an empty state: %w", err)
	}
	for addr, a := range alloc {
		if a.Balance != nil {
			s.AddBalance(addr, uint256.MustFromBig(a.Balance), tracing.BalanceIncreaseGenesisBalance)
		}
		s.SetNonce(addr, a.Nonce, tracing.NonceChangeGenesis)
		s.SetCode(addr, a.Code, tracing.CodeChangeGenesis)
		for slot, value := range a.Storage {
			s.SetState(addr, slot, value)
		}
	}
	if g.root, err = s.Commit(g.rules, 0); err != nil {
		return nil, fmt.Errorf("commit the state: %w", err)
	}
	// Out of the diff layers, where reads take longer.
	if err = g.tries.Commit(g.root, false); err != nil {
		return nil, fmt.Errorf("flush the state: %w", err)
	}
	return g, g.Reset()
}

// Reset brings back the state that NewGeth had. Begin follows.
func (g *Geth) Reset() error {
	g.close()
	s, err := gethstate.New(g.root, g.db)
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	g.state, g.txs = s, 0
	return nil
}

// Begin opens a block.
func (g *Geth) Begin(b *Block) {
	var db vm.StateDB = g.state
	if b.Hooks != nil {
		db = gethstate.NewHookedState(g.state, b.Hooks)
	}
	g.begin(b, db)
}

// Execute runs tx and keeps its changes. An error means that tx is invalid and nothing
// changed.
func (g *Geth) Execute(tx *types.Transaction, r *Result) error {
	g.state.SetTxContext(tx.Hash(), g.txs, uint32(g.txs+1))
	g.txs++
	before := g.state.Snapshot()
	out, err := g.apply(tx, true)
	if err != nil {
		g.state.RevertToSnapshot(before)
		return err
	}
	r.GasUsed, r.ReturnData, r.Err, r.Diff = out.UsedGas, out.ReturnData, out.Err, nil
	r.Logs = g.state.GetLogs(tx.Hash(), g.block.Number, common.Hash{}, g.block.Time)
	g.vm.StateDB.Finalise(g.rules)
	return nil
}

// Root is the Merkle-Patricia root of the state.
func (g *Geth) Root() common.Hash { return g.state.IntermediateRoot(g.rules) }

// Close releases the state.
func (g *Geth) Close() {
	g.close()
	_ = g.tries.Close() // memory only
}

// Trace runs tx as number index of the block, as go-ethereum's RPC does: the hooks of the
// block learn of the end when the state is final. BlockHash is that of b.
func (g *Geth) Trace(b *Block, hash common.Hash, index int, tx *types.Transaction) (*types.Receipt, error) {
	g.Begin(b)
	msg, err := core.TransactionToMessage(tx, g.signer, b.BaseFee)
	if err != nil {
		return nil, err
	}
	g.state.SetTxContext(tx.Hash(), index, uint32(index+1))
	receipt, _, err := core.ApplyTransactionWithEVM(context.Background(), msg, core.NewGasPool(msg.GasLimit), g.state,
		new(big.Int).SetUint64(b.Number), hash, b.Time, tx, g.vm)
	return receipt, err
}
