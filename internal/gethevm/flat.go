package gethevm

import (
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/state"
)

// Flat is go-ethereum's transition and interpreter over a state.View. It is used by one
// goroutine.
type Flat struct {
	engine
	db     journalDB
	buffer state.DiffBuffer
}

// NewFlat returns a peer for the chain of cfg.
func NewFlat(cfg *params.ChainConfig) *Flat {
	f := &Flat{engine: newEngine(cfg)}
	f.db.j = state.NewJournal(nil)
	f.db.precompiles = newPrecompiles(cfg)
	return f
}

// Begin opens a block. Hooks learn nothing about changes of state but logs.
func (f *Flat) Begin(b *Block) {
	f.db.hooks = b.Hooks
	f.begin(b, &f.db)
}

// Execute runs tx over view, which does not see the changes: they are r.Diff. An error
// means that tx is invalid and nothing changed.
func (f *Flat) Execute(view state.View, tx *types.Transaction, r *Result) error {
	f.db.j.Reset(view)
	f.db.creating = notCreating
	out, err := f.apply(tx, true)
	if err != nil {
		return err
	}
	f.db.j.FoldCredits()
	r.GasUsed, r.ReturnData, r.Err, r.Logs = out.UsedGas, out.ReturnData, out.Err, f.db.j.Logs()
	r.Diff, _ = f.db.j.DiffInto(&f.buffer)
	return nil
}

// Close releases the interpreter.
func (f *Flat) Close() { f.close() }
