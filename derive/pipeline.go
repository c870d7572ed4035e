package derive

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// Settings bound what a pipeline keeps; they never change what it derives. Zero
// fields mean their defaults.
type Settings struct {
	MaxDrops int // drops kept until TakeDrops; beyond that the oldest go, 1.. [1,024]

	limits limits
}

// limits are the protocol's; tests have smaller ones.
type limits struct {
	timeout   uint64 // ChannelTimeout
	bankBytes int    // MaxBankBytes
	work      int    // MaxWork
	fill      uint64 // MaxFill
}

func (s Settings) withDefaults() Settings {
	if s.MaxDrops == 0 {
		s.MaxDrops = 1_024
	}
	if s.limits == (limits{}) {
		s.limits = limits{timeout: ChannelTimeout, bankBytes: MaxBankBytes, work: MaxWork, fill: MaxFill}
	}
	return s
}

// Pipeline turns consecutive L1 blocks into block inputs. Push an L1 block; take the
// blocks that it makes derivable one by one with Next, and answer each with Executed or
// Invalid, until Next returns nil. Equal L1 blocks and equal answers give equal inputs.
// It is not safe for concurrent use.
type Pipeline struct {
	cfg      *chain.Config
	settings Settings

	state  State
	start  State     // that the pipeline was reset to
	l1     []l1Entry // consecutive; batches and foreign logs removed
	bank   bank
	sender common.Address // of the frames in the bank
	noted  State          // the newest that an L1 block left behind
	drops  []Drop

	// Of the L1 block being read:
	before   uint64          // number of the head that the one before left
	resume   Position        // channels of this order or later were not looked at in the one before
	left     int             // of MaxWork
	room     uint64          // of MaxFill
	spent    bool            // a channel takes more than is left of one of them
	line     []*openChannel  // that may give the next block
	number   uint64          // of that block
	queue    []derived       // of the channel that was taken
	channel  batch.ChannelID // that queue is of
	pending  *derived        // handed out and not answered
	finished bool            // Next has returned nil since the last Push
}

// l1Entry is a pushed L1 block and the configuration after it.
type l1Entry struct {
	*L1Block
	system chain.SystemConfig
}

// New makes a pipeline that goes on from state. The first block to push is state.From.
func New(cfg *chain.Config, state State, settings Settings) *Pipeline {
	p := &Pipeline{cfg: cfg, settings: settings.withDefaults()}
	p.Reset(state)
	return p
}

// Reset forgets everything and goes on from state, one that State returned behind a nil
// of Next, or genesis; the next block to push is state.From.
func (p *Pipeline) Reset(state State) {
	*p = Pipeline{
		cfg: p.cfg, settings: p.settings, state: state, start: state, noted: state, finished: true,
		bank: newBank(p.settings.limits), sender: state.Reading.Batcher, resume: state.Resume,
	}
}

// State is where derivation stands. Behind a nil of Next it is a point to go on from.
func (p *Pipeline) State() State { return p.state }

// System is the configuration after the last pushed L1 block: that of the batches in
// the next one.
func (p *Pipeline) System() chain.SystemConfig {
	if len(p.l1) == 0 {
		return p.start.Reading
	}
	return p.l1[len(p.l1)-1].system
}

// Tip is the last pushed L1 block; false before the first.
func (p *Pipeline) Tip() (chain.L1Origin, bool) {
	if len(p.l1) == 0 {
		return chain.L1Origin{}, false
	}
	return p.l1[len(p.l1)-1].ID(), true
}

// NextL1 is the number of the L1 block to push next.
func (p *Pipeline) NextL1() uint64 {
	if tip, ok := p.Tip(); ok {
		return tip.Number + 1
	}
	return p.start.From
}

// TakeDrops returns what was dropped since the last call.
func (p *Pipeline) TakeDrops() []Drop {
	drops := p.drops
	p.drops = nil
	return drops
}

// Push reads the next L1 block. The pipeline keeps b except for its batches. On an error
// nothing changed: *ReorgError when b is on another fork, ErrSequence when it is not the
// next, ErrUnfinished when Next has more to give, ErrOrigin when the state to start from
// is of another fork.
func (p *Pipeline) Push(b L1Block) error {
	if err := p.fits(&b); err != nil {
		return err
	}
	before, first := p.System(), len(p.l1) == 0
	entry := l1Entry{&b, before}
	batches := b.Batches
	b.Batches, b.Logs = nil, slices.Concat(portalLogs(b.Logs, p.cfg.Portal), systemLogs(b.Logs, p.cfg.SystemConfig))
	if !first {
		entry.system = SystemAfter(p.cfg, before, &b, func(err error) { p.drop(&b, batch.ChannelID{}, drop(DropUpdate, "%v", err)) })
	}
	p.l1, p.finished = append(p.l1, entry), false

	p.before, p.left, p.room, p.spent, p.line, p.number = p.state.Head.Number, p.settings.limits.work, p.settings.limits.fill, false, nil, 0
	if before.Batcher != p.sender { // who follows a batcher that was dismissed need not work through what that one left
		p.bank, p.sender = newBank(p.settings.limits), before.Batcher
	}
	for _, c := range p.bank.next(b.Number) {
		p.drop(&b, c.id, drop(DropTimeout, "not looked at in %d L1 blocks", p.settings.limits.timeout))
	}
	if first {
		return nil // too old to matter: see State.From
	}
	at := Position{Block: b.Number}
	for i := range batches {
		tx := &batches[i]
		switch {
		case tx.From != before.Batcher:
		case !tx.Source.Allowed(before.DAMode):
			p.drop(&b, batch.ChannelID{}, drop(DropSource, "source %d in mode %d", tx.Source, before.DAMode))
		default:
			for _, f := range tx.frames(func(why *dropError) { p.drop(&b, batch.ChannelID{}, why) }) {
				for _, c := range p.bank.add(f, at) {
					p.drop(&b, c.id, drop(DropEvicted, "not looked at before %d bytes behind it", p.settings.limits.bankBytes))
				}
				at.Frame++
			}
		}
	}
	p.bank.settle(func(c *openChannel, why *dropError) { p.drop(&b, c.id, why) })
	return nil
}

// fits checks that b continues the known L1 chain.
func (p *Pipeline) fits(b *L1Block) error {
	tip, ok := p.Tip()
	switch {
	case !p.finished:
		return fmt.Errorf("push L1 block %d: %w", b.Number, ErrUnfinished)
	case b.Number != p.NextL1():
		return fmt.Errorf("push L1 block %d: %w: want %d", b.Number, ErrSequence, p.NextL1())
	case ok && b.ParentHash != tip.Hash:
		return &ReorgError{Number: tip.Number, Known: tip.Hash, Now: b.ParentHash}
	}
	if b.Number <= p.start.PostedIn.Number {
		for _, want := range []chain.L1Origin{p.start.Head.Origin, p.start.PostedIn} {
			if b.Number == want.Number && b.Hash != want.Hash {
				return fmt.Errorf("push L1 block %d: %w: it is %x here, %x in the state", b.Number, ErrOrigin, b.Hash, want.Hash)
			}
		}
	}
	return nil
}

// entry is a kept L1 block; false when it is not kept.
func (p *Pipeline) entry(number uint64) (l1Entry, bool) {
	if len(p.l1) == 0 || number < p.l1[0].Number || number-p.l1[0].Number >= uint64(len(p.l1)) {
		return l1Entry{}, false
	}
	return p.l1[number-p.l1[0].Number], true
}

// origin is a kept L1 block, nil when it is not.
func (p *Pipeline) origin(number uint64) *L1Block {
	e, _ := p.entry(number)
	return e.L1Block
}

// Next is the next block to execute, nil when that takes another L1 block. It is the
// same one until it is answered.
func (p *Pipeline) Next() *BlockInput {
	if p.finished {
		return nil
	}
	if p.pending == nil && !p.advance(p.l1[len(p.l1)-1].L1Block) {
		p.finish()
		return nil
	}
	p.pending.in.ParentHash = p.state.Head.Hash
	return &p.pending.in
}

// advance finds the next block: the rest of a channel, deposits whose window is over,
// or the channel that completed first among those that continue the chain.
func (p *Pipeline) advance(l1 *L1Block) bool {
	if p.past(l1) {
		return false
	}
	for {
		if len(p.queue) > 0 {
			p.pending, p.queue = &p.queue[0], p.queue[1:]
			return true
		}
		parent := p.state.Head
		if l1.Number > parent.Origin.Number+p.cfg.InclusionWindow {
			due := forced(p.cfg, parent, p.origin(parent.Origin.Number+1), l1.ID())
			p.pending = &due
			return true
		}
		c := p.candidate()
		if c == nil {
			return false
		}
		if err := p.take(l1, c); err != nil {
			p.drop(l1, c.id, err)
		}
	}
}

// Executed says that the block which Next returned was executed and has this hash.
func (p *Pipeline) Executed(hash common.Hash) {
	in, head := &p.pending.in, p.pending.head
	if in.ExpectHash != (common.Hash{}) && in.ExpectHash != hash {
		p.drop(p.l1[len(p.l1)-1].L1Block, p.channel, drop(FalseClaim, "block %d is %x, not %x", in.Number, hash, in.ExpectHash))
	}
	head.Hash = hash
	p.state.Head, p.state.PostedIn, p.pending = head, in.PostedIn, nil
}

// Invalid says that a user transaction of the block which Next returned is not valid
// where it stands. The next one is the same block with its deposits only; the rest of
// its channel is dropped. The error is ErrDeposits.
func (p *Pipeline) Invalid(why error) error {
	in := p.pending.in
	if in.Kind != FromBatch {
		return fmt.Errorf("block %d: %w: %w", in.Number, ErrDeposits, why)
	}
	p.drop(p.l1[len(p.l1)-1].L1Block, p.channel, drop(DropExecution, "block %d: %v", in.Number, why))
	parent := p.state.Head
	replaced := depositsOnly(parent, open(p.cfg, parent, p.origin(in.L1Attributes.Number)), in.Timestamp, Replaced, in.PostedIn)
	p.pending, p.queue = &replaced, nil
	return nil
}

// finish notes the state that the L1 block leaves behind, and drops what no rule can ask
// for any more: L1 blocks before the current origin, except those that a state goes on
// from.
func (p *Pipeline) finish() {
	p.finished = true
	if l1 := p.l1[len(p.l1)-1].L1Block; !p.past(l1) {
		p.tellOld(l1)
		if !p.spent {
			p.resume = Position{Block: l1.Number + 1}
		}
	}
	timeout := p.settings.limits.timeout
	if p.noted.PostedIn != p.state.PostedIn || p.noted.Head != p.state.Head {
		from := p.state.Head.Origin.Number
		if old := p.state.PostedIn.Number; old < timeout+1 {
			from = 0
		} else {
			from = min(from, old-timeout-1)
		}
		if from > p.state.From {
			e, _ := p.entry(from)
			p.state.From, p.state.Reading = from, e.system
		}
		p.state.Resume = p.resume
		p.noted = p.state
	}
	tip := p.l1[len(p.l1)-1].Number
	keep := p.state.Head.Origin.Number
	if tip < timeout+1 {
		keep = 0
	} else {
		keep = min(keep, tip-timeout-1)
	}
	if first := p.l1[0].Number; keep > first {
		p.l1 = slices.Delete(p.l1, 0, int(min(keep-first, uint64(len(p.l1)-1))))
	}
}

func (p *Pipeline) drop(l1 *L1Block, id batch.ChannelID, why *dropError) {
	if len(p.drops) >= p.settings.MaxDrops {
		p.drops = append(p.drops[:0], p.drops[1:]...)
	}
	p.drops = append(p.drops, Drop{Reason: why.reason, L1: l1.Number, Channel: id, Detail: why.detail})
}
