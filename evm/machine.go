package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// Machine executes transactions one after another and reuses its memory. It is
// used by one goroutine and keeps no state of the chain between calls.
type Machine struct {
	cfg     *chain.Config
	rules   params.Rules
	journal *state.Journal
	db      *stateDB
	vm      *vm.EVM
	jumps   *jumpCache

	ethConfig *params.ChainConfig

	msg message // of the present transaction

	// Of the present block; the interpreter's context points to the first three.
	number           big.Int
	blobBaseFee      *big.Int
	random           common.Hash
	baseFee          uint256.Int
	baseFeeRecipient common.Address
}

// NewMachine returns a machine for the chain of cfg, which must not change.
// Close gives its memory back.
func NewMachine(cfg *chain.Config) *Machine {
	m := &Machine{
		cfg:         cfg,
		journal:     state.NewJournal(nil),
		jumps:       newJumpCache(),
		ethConfig:   osaka(cfg.ChainID),
		blobBaseFee: big.NewInt(blobBaseFee),
	}
	m.rules = m.ethConfig.Rules(new(big.Int), true, 0)
	m.db = &stateDB{j: m.journal}
	m.vm = m.newInterpreter(nil)
	return m
}

// Close releases the machine's memory; it must not be used afterwards.
func (m *Machine) Close() { m.vm.Release() }

// newInterpreter returns an interpreter on the machine's journal. Rules do not
// depend on the block, so it serves any block whose context it is given.
func (m *Machine) newInterpreter(hooks *tracing.Hooks) *vm.EVM {
	i := vm.NewEVM(vm.BlockContext{BlockNumber: new(big.Int), Random: &m.random}, m.db, m.ethConfig, vm.Config{Tracer: hooks})
	i.SetJumpDestCache(m.jumps)
	return i
}

// begin prepares for one transaction over view in the block of env. A zero-price
// simulation sees a base fee of zero.
func (m *Machine) begin(view state.View, env *Env, noBaseFee bool) {
	m.journal.Reset(view)
	m.db.creating = notCreating
	m.number.SetUint64(env.Number)
	m.random = env.PrevRandao
	m.baseFeeRecipient = env.BaseFeeRecipient
	m.baseFee.Clear()
	baseFee := env.BaseFee
	if noBaseFee || baseFee == nil {
		baseFee = new(big.Int)
	} else {
		m.baseFee.SetFromBig(baseFee)
	}
	getHash := vm.GetHashFunc(env.BlockHash)
	if getHash == nil {
		getHash = noBlockHash
	}
	m.vm.Context = vm.BlockContext{
		CanTransfer: canTransfer,
		Transfer:    transfer,
		GetHash:     getHash,
		Coinbase:    env.Coinbase,
		GasLimit:    env.GasLimit,
		BlockNumber: &m.number,
		Time:        env.Timestamp,
		Difficulty:  m.blobBaseFee, // not visible after the merge
		BaseFee:     baseFee,
		BlobBaseFee: m.blobBaseFee,
		Random:      &m.random,
	}
}

func noBlockHash(uint64) common.Hash { return common.Hash{} }

func canTransfer(db vm.StateDB, from common.Address, amount *uint256.Int) bool {
	return !db.GetBalance(from).Lt(amount)
}

func transfer(db vm.StateDB, from, to common.Address, amount *uint256.Int, _ *params.Rules) {
	db.SubBalance(from, amount, tracing.BalanceChangeTransfer)
	db.AddBalance(to, amount, tracing.BalanceChangeTransfer)
}

// Execute runs tx over view in the block of env and fills r. An error means that tx
// is invalid and nothing changed; it wraps one of the errors of this package. The
// view does not see the changes: they are the result's Diff and Credits.
func (m *Machine) Execute(view state.View, tx *chain.Tx, env *Env, r *Result) error {
	m.begin(view, env, false)
	if tx.IsDeposit() {
		m.executeDeposit(tx, env, r)
		return nil
	}
	var err error
	if m.msg, err = signedMessage(tx, &m.baseFee); err != nil {
		return err
	}
	out, err := m.transition(&m.msg)
	if err != nil {
		return err
	}
	m.result(tx, env, &out, r)
	r.EffectiveGasPrice = m.msg.price
	return nil
}

// result fills r with what the journal and the execution hold.
func (m *Machine) result(tx *chain.Tx, env *Env, out *executed, r *Result) {
	if !env.DeferCredits {
		m.journal.FoldCredits()
	}
	*r = Result{
		GasUsed:         out.gasUsed,
		Logs:            m.journal.Logs(),
		ContractAddress: out.contract,
		ReturnData:      out.data,
		Err:             out.err,
		buffer:          r.buffer,
	}
	r.Diff, r.Credits = m.journal.DiffInto(&r.buffer)
	if out.err == nil {
		r.Status = 1
	}
	hash := tx.Hash()
	for _, l := range r.Logs {
		l.TxHash = hash
	}
}
