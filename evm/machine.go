package evm

import (
	"math/bits"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// Machine executes transactions one after another and reuses its memory. It is
// used by one goroutine and keeps no state of the chain between calls.
type Machine struct {
	cfg     *chain.Config
	journal *state.Journal
	tracer  *tracing.Hooks // nil: none
	traced  tracedState    // what the tracer sees

	fork        fork
	table       *[256]instruction
	precompiles vm.PrecompiledContracts
	moves       PrecompileMoves // of the present call, nil for none

	frames        []*frame // by depth
	frameMemory   int      // bytes that the frames hold
	localCodes    localCodes
	earned        uint64      // by the present transaction, early
	compileCredit int64       // gas used that may be spent on compiling; may fall below zero
	hashes        *hashMemory // nil until the first
	scratch       [85]byte    // of address derivations
	stopped       atomic.Bool // ends the execution with ErrCancelled

	lz     *chain.FastLZ // nil until the first
	msg    message       // of the present transaction
	txHash common.Hash   // of the present transaction, zero for a call

	exact     bool   // every frame is interpreted: see SetExact
	cutShort  bool   // compiled code of the present transaction ran out of gas
	ancestors uint64 // how far back the present transaction asked for block hashes

	// Of the present block.
	number           uint64
	coinbase         common.Address
	baseFee          uint256.Int // zero in a simulation without a price
	blobBaseFee      uint256.Int
	baseFeeRecipient common.Address
	blockHash        func(number uint64) common.Hash // nil answers zero

	words      environment
	blobHashes []common.Hash // of the present transaction
}

// environment are the words that do not change while a transaction runs.
type environment struct {
	origin, gasPrice                                  uint256.Int
	coinbase, timestamp, number, prevRandao, gasLimit uint256.Int
	chainID, baseFee, blobBaseFee                     uint256.Int
}

// of returns the word of an instruction that only reads the environment.
func (w *environment) of(op byte) *uint256.Int {
	switch op {
	case opORIGIN:
		return &w.origin
	case opGASPRICE:
		return &w.gasPrice
	case opCOINBASE:
		return &w.coinbase
	case opTIMESTAMP:
		return &w.timestamp
	case opNUMBER:
		return &w.number
	case opPREVRANDAO:
		return &w.prevRandao
	case opGASLIMIT:
		return &w.gasLimit
	case opCHAINID:
		return &w.chainID
	case opBASEFEE:
		return &w.baseFee
	default:
		return &w.blobBaseFee
	}
}

// NewMachine returns a machine for the chain of cfg, which must not change.
func NewMachine(cfg *chain.Config) *Machine {
	m := &Machine{cfg: cfg, journal: state.NewJournal(nil), compileCredit: firstCredit}
	m.setFork(osaka)
	m.words.chainID.SetUint64(cfg.ChainID)
	return m
}

// Close releases the machine's memory; it must not be used afterwards.
func (m *Machine) Close() { m.frames, m.journal = nil, nil }

// Config is the chain's configuration, which must not change.
func (m *Machine) Config() *chain.Config { return m.cfg }

// SetTracer makes the machine tell go-ethereum's hooks what it executes; nil ends that.
// A traced transaction leaves no Result.Credits.
func (m *Machine) SetTracer(hooks *tracing.Hooks) { m.tracer = hooks }

// ReadsInto appends to r what the last transaction or system call looked at and did not
// change, also if it failed, and returns how many blocks back it asked for a hash: 0..256.
func (m *Machine) ReadsInto(r *state.Reads) (ancestors uint64) {
	m.journal.ReadsInto(r)
	return m.ancestors
}

// SetExact has code interpreted instruction by instruction, which is slow. Compiled code
// takes gas for a whole segment ahead: where that does not suffice, it may stop before
// instructions that the gas is enough for. The outcome is the same, what was looked at on
// the way to it is not.
func (m *Machine) SetExact(on bool) { m.exact = on }

// CutShort reports whether the last transaction may have looked at less than the
// instructions that its gas was enough for: whoever must know everything executes it again
// with SetExact.
func (m *Machine) CutShort() bool { return m.cutShort }

// begin prepares for one transaction over view in the block of env. A zero-price
// simulation sees a base fee of zero.
func (m *Machine) begin(view state.View, env *Env, noBaseFee bool) {
	m.journal.Reset(view)
	if m.frameMemory > keepMemory {
		m.dropMemory()
	}
	m.number, m.blockHash, m.txHash, m.ancestors = env.Number, env.BlockHash, common.Hash{}, 0
	m.cutShort = false
	m.coinbase, m.baseFeeRecipient = env.Coinbase, env.BaseFeeRecipient
	m.baseFee.Clear()
	if !noBaseFee && env.BaseFee != nil {
		m.baseFee.SetFromBig(env.BaseFee)
	}
	m.blobBaseFee.SetUint64(minBlobBaseFee)
	if env.BlobBaseFee != nil {
		m.blobBaseFee.SetFromBig(env.BlobBaseFee)
	}
	w := &m.words
	w.coinbase.SetBytes20(env.Coinbase[:])
	w.timestamp.SetUint64(env.Timestamp)
	w.number.SetUint64(env.Number)
	w.prevRandao.SetBytes32(env.PrevRandao[:])
	w.gasLimit.SetUint64(env.GasLimit)
	w.baseFee, w.blobBaseFee = m.baseFee, m.blobBaseFee
}

// setSender sets what the code of a transaction sees of it.
func (m *Machine) setSender(msg *message) {
	m.words.origin.SetBytes20(msg.from[:])
	m.words.gasPrice = msg.price
	m.blobHashes = msg.blobHashes
}

// cancelled reports whether the execution is to end with ErrCancelled.
func (m *Machine) cancelled() bool { return m.stopped.Load() }

// Execute runs tx over view in the block of env and fills r. An error means that tx
// is invalid and nothing changed; it wraps one of the errors of this package. The
// view does not see the changes: they are the result's Diff and Credits.
func (m *Machine) Execute(view state.View, tx *chain.Tx, env *Env, r *Result) error {
	m.begin(view, env, false)
	m.txHash = tx.Hash()
	if tx.IsDeposit() {
		m.executeDeposit(tx, env, r)
		return nil
	}
	if err := m.msg.setSigned(tx, &m.baseFee); err != nil {
		return err
	}
	if fees := l1Fees(view, env); !fees.Free() {
		m.msg.l1Fee = fees.Fee(tx, m.fastLZ())
	}
	if m.tracer != nil {
		m.traceStart(tx.Eth(), m.msg.from)
	}
	out, err := m.transition(&m.msg)
	if err != nil {
		if m.tracer != nil {
			m.traceEnd(nil, nil, err)
		}
		return err
	}
	m.result(tx, env, &out, r)
	r.EffectiveGasPrice = m.msg.price
	return nil
}

// ExecuteUntil is Execute that ends with ErrCancelled when done is closed; nil never is.
func (m *Machine) ExecuteUntil(done <-chan struct{}, view state.View, tx *chain.Tx, env *Env, r *Result) (err error) {
	if m.runCancellable(done, func() { err = m.Execute(view, tx, env, r) }) {
		return ErrCancelled
	}
	return err
}

// result fills r with what the journal and the execution hold.
func (m *Machine) result(tx *chain.Tx, env *Env, out *executed, r *Result) {
	if !env.DeferCredits || m.tracer != nil {
		m.journal.FoldCredits()
	}
	*r = Result{
		GasUsed:         out.gasUsed,
		ContractAddress: out.contract,
		ReturnData:      append(r.data[:0], out.data...),
		Err:             out.err,
		buffer:          r.buffer,
	}
	r.data = r.ReturnData
	r.Diff, r.Credits = m.journal.DiffInto(&r.buffer)
	r.Logs = m.journal.LogsInto(&r.buffer)
	if out.err == nil {
		r.Status = 1
	}
	if m.tracer != nil {
		m.traceEnd(out, r.Logs, nil)
	}
}

// createAddress is the address of a creation by a nonce: the end of
// keccak256(rlp([creator, nonce])).
func (m *Machine) createAddress(creator common.Address, nonce uint64) common.Address {
	const short, list, item = 0x80, 0xc0, 0x80 + common.AddressLength
	b := append(m.scratch[:0], list, item)
	b = append(b, creator[:]...)
	switch {
	case nonce == 0:
		b = append(b, short)
	case nonce < short:
		b = append(b, byte(nonce))
	default:
		n := (bits.Len64(nonce) + 7) / 8
		b = append(b, short+byte(n))
		for n--; n >= 0; n-- {
			b = append(b, byte(nonce>>(8*n)))
		}
	}
	b[0] += byte(len(b) - 1)
	hash := m.keccak256(b)
	return common.Address(hash[12:])
}

// create2Address is the address of a creation by a salt (EIP-1014).
func (m *Machine) create2Address(creator common.Address, salt *uint256.Int, initcode []byte) common.Address {
	code, word := m.keccak256(initcode), salt.Bytes32()
	b := append(m.scratch[:0], 0xff)
	b = append(b, creator[:]...)
	b = append(b, word[:]...)
	b = append(b, code[:]...)
	hash := m.keccak256(b)
	return common.Address(hash[12:])
}
