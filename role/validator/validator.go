package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/signers"
	"github.com/talaria-l2/talaria/telemetry"
	"github.com/talaria-l2/talaria/verify"
)

// Options of a validator.
type Options struct {
	Genesis *chain.Genesis
	// GenesisHash is the hash of block 0, on which block 1 must stand.
	GenesisHash common.Hash
	Feed        Feed
	Sink        feed.Sink // takes attestations; nil: they are not published
	Node        Node      // is asked for what the feed does not hold; nil: nobody
	// Dir holds the file of the last checked block, that of the last signed one, and
	// evidence.
	Dir string
	// From is the first block to check where Dir names none [1]. Its parent is believed
	// then, unless it is block 0.
	From uint64
	// Leader is who signs mini-blocks [whom L1's SystemConfig names as of a block's L1 origin;
	// without L1, the genesis file].
	Leader  common.Address
	Workers int // blocks checked at a time [one for each processor]
	// BudgetBytes is what may wait to be checked, about [96 MiB].
	BudgetBytes int
	// Grace is how long parts of a block may come after each other before a node is asked for
	// them, or what is there is judged as it is [3 s].
	Grace time.Duration
	Key   *bls.SecretKey // signs checked blocks; nil: none are signed
	L1    *L1Options     // nil: nothing is compared with L1
	// StopOnFault ends the validator at the first fault of a block.
	StopOnFault bool
	// SecondOpinion also has go-ethereum execute every block that it can.
	SecondOpinion bool
	Metrics       *telemetry.Validation // nil: none
	Log           *slog.Logger          // [slog.Default()]
}

const (
	defaultBudget = 96 << 20
	defaultGrace  = 3 * time.Second
	// aheadOfWorker is how many blocks beyond the next each worker may take.
	aheadOfWorker = 2
)

// Validator checks one chain. It must be closed.
type Validator struct {
	opts      Options
	log       *slog.Logger
	assembler *assembler
	attestor  *attestor
	votes     *votes
	posted    *posted
	opinion   *secondOpinion
	signers   *signers.Signers // nil: L1 is not asked who signs
	file      string

	mu      sync.Mutex
	status  Status
	checked map[uint64]checkedBlock // the newest, by number
	waiting map[uint64]*verdict     // judged, not in order yet
	asked   map[common.Hash]bool    // blocks whose witness a node gave
	changed chan struct{}           // closed, and made anew, with every checked block
	failure error

	cancel context.CancelFunc
	failed chan struct{}
	done   chan struct{}
}

// checkedBlock is what is kept of a checked block.
type checkedBlock struct {
	hash   common.Hash
	last   chain.MiniBlockHeader // its last mini-block
	plan   plan                  // what L1 must say
	origin chain.L1Origin        // zero: not known
	leader common.Address        // who signed it
}

// keptChecked bounds checked.
const keptChecked = 1 << 15

// verdict is what checking a block gave.
type verdict struct {
	job    *job
	result *verify.Result
	err    error
	took   time.Duration
}

// Start begins to check behind the last block that was checked.
func Start(opts Options) (*Validator, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.From == 0 {
		opts.From = 1
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.BudgetBytes <= 0 {
		opts.BudgetBytes = defaultBudget
	}
	if opts.Grace <= 0 {
		opts.Grace = defaultGrace
	}
	v := &Validator{
		opts: opts, log: opts.Log, file: filepath.Join(opts.Dir, "checked.json"), votes: newVotes(opts.Genesis.Config.ChainID),
		checked: make(map[uint64]checkedBlock), waiting: make(map[uint64]*verdict), asked: make(map[common.Hash]bool), changed: make(chan struct{}),
		failed: make(chan struct{}), done: make(chan struct{}),
	}
	last, err := loadPlace(v.file)
	if err != nil {
		return nil, err
	}
	if opts.L1 != nil {
		if v.posted, err = newPosted(v, opts.L1, filepath.Join(opts.Dir, "derivation.json")); err != nil {
			return nil, err
		}
		if opts.Leader == (common.Address{}) {
			v.signers = signers.Start(signers.Options{
				L1: opts.L1.L1, Config: &opts.Genesis.Config, From: v.posted.states.Oldest().Head, Poll: opts.L1.Poll, Log: opts.Log,
			})
			defer func() {
				if v.cancel == nil { // nothing was started
					v.signers.Close()
				}
			}()
		}
		// What L1 has not told yet is checked again: what L1 must tell is not on disk.
		if head := v.posted.states.Newest().Head; last != nil && head.Number < last.Number {
			last = &place{Number: head.Number, Hash: head.Hash}
		}
	}
	next := opts.From
	switch {
	case last != nil:
		next = last.Number + 1
		v.checked[last.Number] = checkedBlock{hash: last.Hash}
	case next == 1:
		v.checked[0] = checkedBlock{hash: opts.GenesisHash}
	}
	v.status = Status{ChainID: opts.Genesis.Config.ChainID, From: next, Checked: next - 1, Workers: opts.Workers}
	if opts.Key != nil {
		if v.attestor, err = newAttestor(opts.Key, opts.Genesis.Config.ChainID, filepath.Join(opts.Dir, "attested.json")); err != nil {
			return nil, err
		}
	}
	if opts.SecondOpinion {
		v.opinion = &secondOpinion{cfg: &opts.Genesis.Config, log: opts.Log}
	}
	v.assembler = newAssembler(next, opts.BudgetBytes, opts.Grace)
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel = cancel
	go v.run(ctx)
	return v, nil
}

// Close stops everything and waits for it.
func (v *Validator) Close() {
	v.cancel()
	v.assembler.end()
	<-v.done
}

// Failed is closed when the validator cannot go on, or must not: Failure says why.
func (v *Validator) Failed() <-chan struct{} { return v.failed }

// Failure is why the validator ended by itself.
func (v *Validator) Failure() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failure
}

// fail ends the validator.
func (v *Validator) fail(err error) {
	v.mu.Lock()
	first := v.failure == nil
	if first {
		v.failure = err
	}
	v.mu.Unlock()
	if first {
		close(v.failed)
		v.cancel()
		v.assembler.end()
	}
}

func (v *Validator) run(ctx context.Context) {
	defer close(v.done)
	if v.signers != nil {
		defer v.signers.Close()
	}
	var all sync.WaitGroup
	defer all.Wait()
	verdicts := make(chan *verdict, v.opts.Workers)
	var workers sync.WaitGroup
	for range v.opts.Workers {
		workers.Go(func() { v.work(ctx, verdicts) })
	}
	go func() { workers.Wait(); close(verdicts) }()
	for _, follow := range []func(context.Context){v.followMiniBlocks, v.followBlocks, v.followWitnesses, v.followAttestations, v.fill} {
		all.Go(func() { follow(ctx) })
	}
	if v.posted != nil {
		all.Go(func() { v.posted.run(ctx) })
	}
	for d := range verdicts {
		v.judge(ctx, d)
	}
	v.cancel()
}

// work checks blocks until everything ends.
func (v *Validator) work(ctx context.Context, out chan<- *verdict) {
	verifier := verify.New(&v.opts.Genesis.Config)
	defer verifier.Close()
	for {
		j := v.assembler.take(uint64(aheadOfWorker * v.opts.Workers))
		if j == nil {
			return
		}
		leader, err := v.leader(ctx, j.in)
		if err != nil {
			return
		}
		j.in.Leader, j.in.Genesis = leader, v.opts.Genesis.L1Origin
		start := time.Now()
		result, err := verifier.Block(j.in)
		d := &verdict{job: j, result: result, err: err, took: time.Since(start)}
		if v.opinion != nil && err == nil {
			d.err = v.opinion.compare(j.in)
		}
		out <- d
	}
}

// leader is who must have signed a block: whom the options name, else L1 as of the block's
// L1 origin, for which it waits, else the genesis file. It fails only when ctx ends.
func (v *Validator) leader(ctx context.Context, in *verify.Input) (common.Address, error) {
	switch {
	case v.opts.Leader != (common.Address{}):
		return v.opts.Leader, nil
	case v.signers == nil:
		return v.opts.Genesis.Config.Sequencer, nil
	}
	origin := uint64(0) // a block that does not say it has a fault anyway
	if len(in.MiniBlocks) > 0 && len(in.MiniBlocks[0].Txs) > 0 {
		if tx, err := chain.DecodeAnyTx(in.MiniBlocks[0].Txs[0], &v.opts.Genesis.Config); err == nil {
			if a, err := chain.ParseL1Attributes(tx); err == nil {
				origin = a.Number
			}
		}
	}
	within, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	signer, err := v.signers.At(within, origin)
	if err != nil && ctx.Err() == nil { // an origin that L1 may never have: who was named last
		signer, _ = v.signers.Known(origin)
		err = nil
	}
	return signer, err
}

// leaderPatience is how long L1 is waited for to say who signs.
const leaderPatience = 30 * time.Second

// judge takes a verdict in, and all behind it that waited for it.
func (v *Validator) judge(ctx context.Context, d *verdict) {
	if !v.assembler.current(d.job) {
		return // the chain was taken back
	}
	v.mu.Lock()
	v.waiting[d.job.number] = d
	v.mu.Unlock()
	for {
		next, _, _, _, _ := v.assembler.where()
		v.mu.Lock()
		d = v.waiting[next]
		delete(v.waiting, next)
		v.mu.Unlock()
		if d == nil || !v.assembler.current(d.job) {
			return
		}
		if !v.settle(ctx, d) {
			return
		}
	}
}

// settle takes in the verdict about the next block. It reports whether the next one's turn
// has come.
func (v *Validator) settle(ctx context.Context, d *verdict) bool {
	var fault *verify.Fault
	switch {
	case errors.As(d.err, &fault):
	case d.err != nil:
		v.log.Error("a block cannot be checked; its parts are asked for again", "block", d.job.number, "err", d.err)
		v.assembler.again(d.job)
		return false
	default:
		fault = v.linked(d.job)
	}
	if fault != nil && fault.Kind.Undecided() && v.opts.Node != nil && !v.wasAsked(d.job.hash) {
		v.log.Warn("a witness does not suffice; a node is asked for another", "block", d.job.number, "fault", fault)
		v.assembler.again(d.job)
		return false
	}
	if !v.assembler.done(d.job) {
		return false
	}
	v.count(d, fault)
	if fault != nil {
		v.alarm(d.job, fault)
		return !v.opts.StopOnFault
	}
	if err := savePlace(v.file, d.job); err != nil {
		v.fail(fmt.Errorf("note that block %d is checked: %w", d.job.number, err))
		return false
	}
	v.attest(ctx, d.job)
	return true
}

// linked checks that a block stands on the one that was checked before it.
func (v *Validator) linked(j *job) *verify.Fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, ok := v.checked[j.number-1]
	if !ok || before.hash == j.in.Header.ParentHash {
		return nil
	}
	return &verify.Fault{
		Kind: verify.KindParent, Where: fmt.Sprintf("block %d", j.number),
		Want: before.hash.Hex() + ", which was checked", Have: j.in.Header.ParentHash.Hex(),
	}
}

// checkedAt is the block of that number, if it was checked and is of the chain as it is; from
// where on blocks were checked; and what is closed when another is.
func (v *Validator) checkedAt(number uint64) (block checkedBlock, ok bool, from uint64, changed <-chan struct{}) {
	next, _, _, _, _ := v.assembler.where()
	v.mu.Lock()
	defer v.mu.Unlock()
	block, ok = v.checked[number]
	return block, ok && number < next, v.status.From, v.changed
}

// count notes a verdict.
func (v *Validator) count(d *verdict, fault *verify.Fault) {
	v.mu.Lock()
	s := &v.status
	s.Checked, s.Hash, s.CheckedAt = d.job.number, d.job.hash, time.Now().UTC()
	s.Blocks++
	s.LastMillis = float64(d.took.Microseconds()) / 1000
	last := d.job.minis[len(d.job.minis)-1].Header
	checked := checkedBlock{hash: d.job.hash, last: last, plan: planOf(d.job.in), leader: d.job.in.Leader}
	if d.result != nil {
		checked.origin = chain.L1Origin{Number: d.result.L1.Number, Hash: d.result.L1.Hash}
	}
	v.checked[d.job.number] = checked
	delete(v.checked, d.job.number-keptChecked)
	delete(v.asked, d.job.hash)
	close(v.changed)
	v.changed = make(chan struct{})
	if s.Tainted != 0 && d.job.number <= s.Tainted {
		s.Tainted = 0 // the chain was taken back
	}
	if d.result != nil && fault == nil {
		s.Txs += uint64(d.result.Txs)
		s.Gas += d.result.GasUsed
		if d.result.Unsigned {
			s.Unsigned++
		}
	}
	if fault != nil && s.Tainted == 0 {
		s.Tainted = d.job.number
	}
	v.mu.Unlock()
	if m := v.opts.Metrics; m != nil {
		txs := 0
		if d.result != nil && fault == nil {
			txs = d.result.Txs
		}
		m.Checked(d.job.number, d.took, txs)
	}
}
