package exec

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/invariant"
	"github.com/talaria-l2/talaria/state"
)

// BlockReads is what a block looks at in the chain before it: what its witness holds
// besides what it changes. Execution notes what it leaves as it was, which is nothing for
// a plain transfer. The zero value is that of no block.
type BlockReads struct {
	set       state.ReadSet
	ancestors uint64        // how far back block hashes were asked for, 0..256
	prices    []common.Hash // slots of L1Block
	scratch   state.Reads
}

// Reset begins a block.
func (r *BlockReads) Reset() {
	r.set.Reset()
	r.ancestors, r.prices = 0, r.prices[:0]
}

// Note adds what the machine has executed last, a transaction that is part of the block or
// a system call.
func (r *BlockReads) Note(vm *evm.Machine) {
	r.scratch.Reset()
	ancestors := vm.ReadsInto(&r.scratch)
	r.add(&r.scratch, ancestors)
}

// add adds what a transaction looked at.
func (r *BlockReads) add(reads *state.Reads, ancestors uint64) {
	r.set.Add(reads)
	r.ancestors = max(r.ancestors, ancestors)
}

// Price adds a slot of L1Block that says what transactions pay. Where the currency is
// ether nothing can have written a rate.
func (r *BlockReads) Price(cfg *chain.Config, slot common.Hash) {
	if slot == chain.GasTokenRateSlot && cfg.GasToken.IsZero() {
		return
	}
	if !slices.Contains(r.prices, slot) {
		r.prices = append(r.prices, slot)
	}
}

// Ancestors is how many blocks back the block asked for hashes, at least the parent: 1..256.
func (r *BlockReads) Ancestors() uint64 { return max(1, r.ancestors) }

// Set is everything that was looked at in a block with these transactions, whose fees go
// to coinbase.
func (r *BlockReads) Set(txs []*chain.Tx, coinbase common.Address) *state.ReadSet {
	// The header holds the storage root of one, and the end of a mini-block asks whether
	// there is the other.
	r.set.Account(chain.MessagePasserAddr)
	r.set.Account(chain.MiniBlockClockAddr)
	if len(txs) > 0 {
		for _, slot := range r.prices {
			r.set.Slot(chain.L1BlockAddr, slot)
		}
	}
	if slices.ContainsFunc(txs, func(tx *chain.Tx) bool { return !tx.IsDeposit() }) {
		r.set.Account(coinbase) // others than this node look at it also if it is paid nothing
	}
	return &r.set
}

// recorder makes the witnesses of a chain's blocks.
type recorder struct {
	wanted bool // for the blocks to come
	on     bool // for the open block
	reads  BlockReads
	again  again        // of the chain's own goroutine
	budget atomic.Int64 // gas that may be interpreted again in the open block
	// headers are of the ancestors, as far as they are known.
	headers map[uint64]*types.Header
	last    *chain.Witness // of the last sealed block
}

// SetWitness says whether the blocks that are opened from now on get a witness. Without,
// nothing is noted.
func (c *Chain) SetWitness(on bool) { c.rec.wanted = on }

// Witness is that of the last sealed block. It is nil if none was wanted when the block
// was opened, if not all of the block was executed, if a header that the witness must hold
// is not known, or if the block has too many transactions of which it would take long to
// find out what they looked at before they ran out of gas.
func (c *Chain) Witness() *chain.Witness { return c.rec.last }

// begin prepares for a new block.
func (r *recorder) begin() {
	r.last = nil
	if r.on = r.wanted; r.on {
		r.reads.Reset()
		r.budget.Store(budgetAgain)
	}
}

// budgetAgain is the gas of transactions that are interpreted again in a block, at most: a
// tenth of a second. Those are transactions that run out of gas in compiled code, few of
// which are honest.
const budgetAgain = 50_000_000

// again is what executes transactions again that the compiled code cut short.
type again struct {
	vm     *evm.Machine // nil until it is needed
	result evm.Result
}

// readsInto is evm.Machine.ReadsInto of a transaction that vm has just executed over view,
// with everything that its gas was enough for. It is false if that would take too long to
// find out.
func (c *Chain) readsInto(r *state.Reads, vm *evm.Machine, a *again, view state.View, tx *chain.Tx, gasUsed chain.Gas) (ancestors uint64, ok bool) {
	r.Reset()
	if !vm.CutShort() {
		return vm.ReadsInto(r), true
	}
	if c.rec.budget.Add(-int64(gasUsed)) < 0 {
		return 0, false
	}
	if a.vm == nil {
		a.vm = evm.NewMachine(c.cfg)
		a.vm.SetExact(true)
	}
	if err := a.vm.Execute(view, tx, c.open.env, &a.result); err != nil {
		return 0, false // of a transaction that ran ahead: it is executed anew anyway
	}
	return a.vm.ReadsInto(r), true
}

// stop ends the recording of a block of which not everything is executed.
func (r *recorder) stop() { r.on, r.last = false, nil }

// sealWitness makes the witness of the open block, whose changes are diff. The trie does not
// have them yet.
func (c *Chain) sealWitness(diff state.Diff) {
	r, b := &c.rec, c.open
	if !r.on {
		return
	}
	headers := make([]*types.Header, 0, r.reads.Ancestors())
	for n := b.env.Number - r.reads.Ancestors(); n < b.env.Number; n++ {
		h := r.headers[n]
		if h == nil {
			return
		}
		headers = append(headers, h)
	}
	w, err := NewWitness(c.trie, r.reads.Set(b.txs, b.env.Coinbase), diff, headers, c.newest.Code)
	invariant.Assert(err == nil, "the code of every account is known")
	r.last = w
}

// NewWitness is the witness of a block on the state that the trie has: of what it read and
// what it changes. code returns the code with a hash; it is an error if there is none.
func NewWitness(trie *state.Trie, reads *state.ReadSet, diff state.Diff, headers []*types.Header, code func(common.Hash) []byte) (*chain.Witness, error) {
	nodes, codes := trie.Witness(reads, diff)
	w := &chain.Witness{Headers: headers, Codes: make([][]byte, len(codes)), State: nodes}
	for i, hash := range codes {
		if w.Codes[i] = code(hash); len(w.Codes[i]) == 0 {
			return nil, fmt.Errorf("witness: no code %s", hash)
		}
	}
	slices.SortFunc(w.Codes, bytes.Compare)
	return w, nil
}
