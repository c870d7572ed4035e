package core

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/state"
)

// A Peer executes workloads in this process.
type Peer interface {
	Name() string
	// Load takes the workload's state; what was loaded before is gone.
	Load(*Workload) error
	// Reset returns to the workload's state. It is not measured.
	Reset() error
	// Begin starts a block.
	Begin(*evm.Env)
	// Execute runs one transaction.
	Execute(*chain.Tx) error
	// Settle makes what it changed visible to the next.
	Settle()
	// Outcome is that of the last transaction.
	Outcome() (Outcome, error)
	// Root is the state root after all that was executed since Reset.
	Root() (common.Hash, error)
	Close()
}

// executor is a machine over flat state: Talaria's, or a peer of its shape.
type executor interface {
	// Begin starts a block; the environment is kept.
	Begin(*evm.Env)
	Execute(view state.View, tx *chain.Tx, r *evm.Result) error
	Close()
}

// talaria is Talaria's machine as the sequencer uses it: it leaves credits to the commit.
type talaria struct {
	machine *evm.Machine
	env     evm.Env
}

func (t *talaria) Begin(env *evm.Env) {
	t.env = *env
	t.env.DeferCredits = true
}

func (t *talaria) Execute(view state.View, tx *chain.Tx, r *evm.Result) error {
	return t.machine.Execute(view, tx, &t.env, r)
}

func (t *talaria) Close() { t.machine.Close() }

// flat is an executor over Talaria's flat state: an overlay over the newest version of
// a database, as the sequencer has it.
type flat struct {
	name string
	open func(*chain.Config) executor

	machine executor
	db      *state.DB
	overlay *state.Overlay
	result  evm.Result
}

// Ours is Talaria's machine.
func Ours() Peer {
	return &flat{name: "talaria", open: func(cfg *chain.Config) executor { return &talaria{machine: evm.NewMachine(cfg)} }}
}

func (p *flat) Name() string { return p.name }

func (p *flat) Load(w *Workload) error {
	p.Close()
	db, err := load(w.Alloc)
	if err != nil {
		return err
	}
	p.db, p.machine = db, p.open(w.Config)
	p.overlay = state.NewOverlay(db.Head())
	return nil
}

// load is a database with the accounts of alloc.
func load(alloc types.GenesisAlloc) (*state.DB, error) {
	diff, err := exec.GenesisDiff(&chain.Genesis{Alloc: alloc})
	if err != nil {
		return nil, err
	}
	db := state.NewDB()
	db.Apply(diff)
	db.Trim(db.Version())
	return db, nil
}

func (p *flat) Reset() error {
	p.overlay.Reset()
	return nil
}

func (p *flat) Begin(env *evm.Env) { p.machine.Begin(env) }

func (p *flat) Execute(tx *chain.Tx) error {
	return p.machine.Execute(p.overlay, tx, &p.result)
}

func (p *flat) Settle() {
	p.overlay.Apply(p.result.Diff)
	for i := range p.result.Credits {
		c := &p.result.Credits[i]
		p.overlay.Credit(c.Address, &c.Amount)
	}
}

func (p *flat) Outcome() (Outcome, error) {
	return outcome(p.result.Status, p.result.GasUsed, p.result.ReturnData, p.result.Logs)
}

func (p *flat) Root() (common.Hash, error) {
	trie := state.BuildTrie(p.db)
	trie.Apply(p.overlay.Diff())
	return trie.Root(), nil
}

func (p *flat) Close() {
	if p.machine != nil {
		p.machine.Close()
		p.machine = nil
	}
}

// outcome digests what a transaction did. Return data of a failure are left out: they
// are not part of a receipt, and machines differ in what they keep of them.
func outcome(status, gas uint64, data []byte, logs []*types.Log) (Outcome, error) {
	encoded, err := rlp.EncodeToBytes(logs)
	if err != nil {
		return Outcome{}, fmt.Errorf("encode logs: %w", err)
	}
	o := Outcome{Status: status, GasUsed: gas, Logs: crypto.Keccak256Hash(encoded)}
	if status == 1 {
		o.Return = crypto.Keccak256Hash(data)
	}
	return o, nil
}
