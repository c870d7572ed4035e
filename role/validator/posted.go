package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/verify"
)

// L1Options say which L1 checked blocks are compared with.
type L1Options struct {
	L1            l1feed.L1
	Resolver      l1feed.Resolver // finds batch data that is not on L1; nil: there is none
	Confirmations uint64          // how deep an L1 block must be [0]
	Poll          time.Duration   // how often L1 is asked for its head [250 ms]
}

// Posted says how far checked blocks are compared with L1.
type Posted struct {
	Block    uint64 `json:"block"`    // last block that L1 holds as it was checked
	L1Block  uint64 `json:"l1Block"`  // read up to there
	Differs  uint64 `json:"differs"`  // blocks that L1 has otherwise
	Believed uint64 `json:"believed"` // blocks without users' transactions, in place of a batch's that did not execute: only who has the state knows
}

// Kinds of faults that only L1 shows: want is L1's.
const (
	KindL1Timestamp    verify.Kind = "l1Timestamp"
	KindL1Transactions verify.Kind = "l1Transactions" // deposits and L1 attributes among them
	KindL1Randomness   verify.Kind = "l1Randomness"   // mixHash, parentBeaconBlockRoot
	KindL1Params       verify.Kind = "l1Params"       // gas limit, fee parameters
	KindL1MiniBlocks   verify.Kind = "l1MiniBlocks"   // counts, timestamps, epochs
)

// plan is what L1 determines of a block.
type plan struct {
	timestamp          uint64
	txs                common.Hash // transactions root
	randao, beacon     common.Hash
	params             chain.BlockParams
	minis              common.Hash // of counts, timestamps and epochs
	depositsOnly, made bool
}

// planOf is the plan of a checked block.
func planOf(in *verify.Input) plan {
	h, p := in.Header, plan{made: true, depositsOnly: len(in.MiniBlocks) == 1}
	p.timestamp, p.txs, p.randao, p.params = h.Time, h.TxHash, h.MixDigest, chain.ParamsOf(&chain.Config{}, h)
	if h.ParentBeaconRoot != nil {
		p.beacon = *h.ParentBeaconRoot
	}
	minis := make([]derive.MiniPlan, len(in.MiniBlocks))
	for i, m := range in.MiniBlocks {
		minis[i] = derive.MiniPlan{TimestampMicros: m.Header.TimestampMicros, TxCount: m.Header.TxCount, Epoch: m.Header.Epoch}
		for _, raw := range m.Txs {
			p.depositsOnly = p.depositsOnly && len(raw) > 0 && raw[0] == chain.DepositTxType
		}
	}
	p.minis = planHash(minis)
	return p
}

// planFrom is the plan of a block that was derived.
func planFrom(in *derive.BlockInput) plan {
	return plan{
		timestamp: in.Timestamp, txs: types.DeriveSha(chain.Txs(in.AllTxs()), trie.NewStackTrie(nil)),
		randao: in.L1Attributes.PrevRandao, beacon: in.L1Attributes.ParentBeacon, params: in.Params,
		minis: planHash(in.MiniBlocks), depositsOnly: len(in.Txs) == 0, made: true,
	}
}

func planHash(minis []derive.MiniPlan) common.Hash {
	var out []byte
	for _, m := range minis {
		for _, n := range []uint64{uint64(m.TimestampMicros), m.TxCount, m.Epoch} {
			out = rlp.AppendUint64(out, n)
		}
	}
	return keccak.Sum256(out)
}

// compare finds where a block is not as L1 has it.
func (p plan) compare(l1 plan, number uint64) *verify.Fault {
	for _, c := range []struct {
		kind       verify.Kind
		want, have any
	}{
		{KindL1Timestamp, l1.timestamp, p.timestamp},
		{KindL1Transactions, l1.txs, p.txs},
		{KindL1Randomness, [2]common.Hash{l1.randao, l1.beacon}, [2]common.Hash{p.randao, p.beacon}},
		{KindL1Params, l1.params, p.params},
		{KindL1MiniBlocks, l1.minis, p.minis},
	} {
		if c.want != c.have {
			return &verify.Fault{Kind: c.kind, Where: fmt.Sprintf("block %d, as L1 has it", number), Want: fmt.Sprint(c.want), Have: fmt.Sprint(c.have)}
		}
	}
	return nil
}

// posted compares checked blocks with what L1 holds. It implements derivation.Handler:
// executing a block is waiting until it was checked.
type posted struct {
	v      *Validator
	opts   *L1Options
	states *derivation.States
	log    *slog.Logger

	heads   derivation.Heads
	headsAt time.Time // when they were read

	outcomes []Outcome // of the blocks derived since the newest of states

	mu    sync.Mutex
	state Posted
	told  map[common.Hash]bool // blocks that an alarm was for; true: with evidence
}

func newPosted(v *Validator, opts *L1Options, file string) (*posted, error) {
	states, err := derivation.LoadStates(&stateFile{path: file, genesis: derive.GenesisState(v.opts.Genesis, v.opts.GenesisHash)})
	if err != nil {
		return nil, err
	}
	return &posted{
		v: v, opts: opts, states: states, log: v.log, told: make(map[common.Hash]bool),
		heads: derivation.Heads{L1: opts.L1, States: states},
	}, nil
}

func (p *posted) status() Posted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *posted) run(ctx context.Context) {
	driver := &derivation.Driver{
		L1: p.opts.L1, Resolver: p.opts.Resolver, Config: &p.v.opts.Genesis.Config, States: p.states,
		Handler: p, Confirmations: p.opts.Confirmations, Poll: p.opts.Poll, Log: p.log,
	}
	if err := driver.Run(ctx); err != nil {
		p.v.fail(fmt.Errorf("compare with L1: %w", err))
	}
}

// errReplaced is wrapped for a block of a batch in whose place the chain has one without
// users' transactions.
var errReplaced = fmt.Errorf("%w: the chain has deposits only in its place", node.ErrInvalid)

// Execute implements derivation.Handler: it waits until the block was checked and is as L1
// has it. One that differs is an alarm, and then the sequencer must take its chain back.
func (p *posted) Execute(ctx context.Context, in *derive.BlockInput) (common.Hash, error) {
	want := planFrom(in)
	for {
		block, ok, oldest, changed := p.v.checkedAt(in.Number)
		switch {
		case ok && block.plan.made:
			fault := block.plan.compare(want, in.Number)
			if fault == nil {
				p.mu.Lock()
				p.state.Block = in.Number
				p.mu.Unlock()
				p.outcomes = append(p.outcomes, Outcome{Number: in.Number, Hash: block.hash})
				return block.hash, nil
			}
			if in.Kind == derive.FromBatch && !want.depositsOnly && block.plan.depositsOnly && block.plan.timestamp == want.timestamp {
				p.mu.Lock()
				p.state.Believed++
				p.mu.Unlock()
				p.outcomes = append(p.outcomes, Outcome{Number: in.Number, Replaced: true})
				return common.Hash{}, errReplaced
			}
			if p.stands(ctx, in, block) {
				p.alarm(ctx, in, block, fault)
			}
		case in.Number < oldest: // not checked here, but on the way to what is
			if p.v.opts.Node == nil {
				return common.Hash{}, fmt.Errorf("block %d was not checked by this validator, and no node tells its hash", in.Number)
			}
			h, err := p.v.opts.Node.Header(ctx, in.Number)
			if err == nil {
				p.outcomes = append(p.outcomes, Outcome{Number: in.Number, Hash: h.Hash()})
				return h.Hash(), nil
			}
			p.log.Warn("a node did not give a header", "block", in.Number, "err", err)
			wait(ctx, maxPause)
		}
		timer := time.NewTimer(confirmPeriod)
		select {
		case <-changed:
		case <-timer.C:
			if p.gone(ctx, in) {
				return common.Hash{}, fmt.Errorf("L1 block %d: %w", in.PostedIn.Number, derive.ErrReorg)
			}
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return common.Hash{}, ctx.Err()
		}
	}
}

// stands tells whether L1 still has what both blocks follow from. A block whose L1 origin is
// gone is void, and its sequencer takes it back without having lied; a batch that is gone
// decides nothing. An L1 that does not answer tells nothing.
func (p *posted) stands(ctx context.Context, in *derive.BlockInput, block checkedBlock) bool {
	for _, want := range []chain.L1Origin{in.PostedIn, block.origin} {
		if want == (chain.L1Origin{}) {
			continue // not known
		}
		h, err := p.opts.L1.HeaderByNumber(ctx, want.Number)
		if err != nil || h.Hash() != want.Hash {
			return false
		}
	}
	return true
}

// alarm tells once that L1 has another block, and writes evidence as soon as all parts of it
// are to be had.
func (p *posted) alarm(ctx context.Context, in *derive.BlockInput, block checkedBlock, fault *verify.Fault) {
	p.mu.Lock()
	written, told := p.told[block.hash]
	if !told {
		p.told[block.hash] = false
		p.state.Differs++
	}
	p.mu.Unlock()
	if !told {
		p.log.Error("L1 has another block than the sequencer published", "block", in.Number, "hash", block.hash, "kind", fault.Kind, "want", fault.Want, "have", fault.Have)
		p.v.taint(in.Number)
	}
	path := ""
	if !written {
		var err error
		if path, err = p.keep(ctx, in, block, fault); err != nil {
			p.log.Warn("evidence is not complete yet", "block", in.Number, "err", err)
		}
		p.mu.Lock()
		p.told[block.hash] = err == nil
		p.mu.Unlock()
	}
	switch {
	case !told:
		p.v.noteFault(in.Number, block.hash, fault, path)
	case path != "":
		p.v.noteEvidence(block.hash, path)
	}
}

// Settled implements derivation.Handler.
func (p *posted) Settled(_ derive.State, tip chain.L1Origin) error {
	p.outcomes = nil
	p.mu.Lock()
	p.state.L1Block = tip.Number
	p.mu.Unlock()
	if time.Since(p.headsAt) < headsPeriod {
		return nil
	}
	p.headsAt = time.Now()
	// What is final on L1 need not be kept to go back to.
	if _, err := p.heads.Read(context.Background(), tip); errors.Is(err, derive.ErrReorg) {
		return err
	}
	return nil
}

// Pauses between questions to L1.
const (
	headsPeriod   = 2 * time.Second
	confirmPeriod = 2 * time.Second
)

// gone tells whether L1 has taken back what a block follows from.
func (p *posted) gone(ctx context.Context, in *derive.BlockInput) bool {
	h, err := p.opts.L1.HeaderByNumber(ctx, in.PostedIn.Number)
	return err == nil && h.Hash() != in.PostedIn.Hash
}

// Rewound implements derivation.Handler.
func (p *posted) Rewound(state derive.State) error {
	p.outcomes = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Block = min(p.state.Block, state.Head.Number)
	return nil
}

// taint says that nothing behind a block is attested.
func (v *Validator) taint(number uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.status.Tainted == 0 || number < v.status.Tainted {
		v.status.Tainted = number
	}
}

// stateFile keeps the states of derivation in one file.
type stateFile struct {
	path    string
	genesis derive.State
	list    []derive.State
}

// Load implements derivation.Disk.
func (f *stateFile) Load() ([]derive.State, error) {
	if _, err := readJSON(f.path, &f.list); err != nil {
		return nil, err
	}
	if len(f.list) == 0 {
		f.list = []derive.State{f.genesis}
	}
	if hash := f.genesis.Head.Hash; f.list[0].Head.Number == 0 && f.list[0].Head.Hash != hash {
		return nil, errors.New("what the validator knows of L1 is of another chain")
	}
	return append([]derive.State(nil), f.list...), nil
}

// Put implements derivation.Disk.
func (f *stateFile) Put(s derive.State) error {
	for i := range f.list {
		if f.list[i].PostedIn == s.PostedIn {
			f.list[i] = s
			return f.Sync()
		}
	}
	f.list = append(f.list, s)
	return f.Sync()
}

// Drop implements derivation.Disk.
func (f *stateFile) Drop(s derive.State) error {
	kept := f.list[:0:0]
	for i := range f.list {
		if f.list[i].PostedIn != s.PostedIn {
			kept = append(kept, f.list[i])
		}
	}
	f.list = kept
	return f.Sync()
}

// Undecide implements derivation.Disk: which L1 block decides a block is not kept.
func (f *stateFile) Undecide(derive.State) error { return nil }

// Sync implements derivation.Disk.
func (f *stateFile) Sync() error { return writeJSON(f.path, f.list) }
