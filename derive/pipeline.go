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
	MaxOrigins int // L1 blocks kept from the current origin on, ChannelTimeout+2.. [131,072]
	MaxStates  int // states kept for StateBefore, 1.. [7,200]
	MaxDrops   int // drops kept until TakeDrops; beyond that the oldest go, 1.. [1,024]
}

func (s Settings) withDefaults() Settings {
	if s.MaxOrigins == 0 {
		s.MaxOrigins = 131_072
	}
	if s.MaxStates == 0 {
		s.MaxStates = 7_200
	}
	if s.MaxDrops == 0 {
		s.MaxDrops = 1_024
	}
	return s
}

// Pipeline turns consecutive L1 blocks into block inputs. It is not safe for
// concurrent use.
type Pipeline struct {
	cfg      *chain.Config
	settings Settings

	state  State
	start  State      // that the pipeline was reset to
	l1     []*L1Block // consecutive; batches and foreign logs removed
	bank   bank
	done   uint64  // channels completed, to order them
	states []State // older ones, by PostedIn
	drops  []Drop
}

// New makes a pipeline that goes on from state. The first block to push is
// state.FirstL1().
func New(cfg *chain.Config, state State, settings Settings) *Pipeline {
	p := &Pipeline{cfg: cfg, settings: settings.withDefaults()}
	p.Reset(state)
	return p
}

// Reset forgets everything and goes on from state; the next block to push is
// state.FirstL1().
func (p *Pipeline) Reset(state State) {
	p.state, p.start = state, state
	p.l1, p.bank, p.done, p.states, p.drops = nil, bank{}, 0, []State{state}, nil
}

// State is where derivation stands.
func (p *Pipeline) State() State { return p.state }

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
	return p.state.FirstL1()
}

// L1Hash is the hash of a pushed L1 block; false when it is not kept. After a
// ReorgError it finds the last block that both forks share.
func (p *Pipeline) L1Hash(number uint64) (common.Hash, bool) {
	if b := p.origin(number); b != nil {
		return b.Hash, true
	}
	return common.Hash{}, false
}

// StateBefore is the newest kept state that the L1 blocks up to number decide: the
// one to Reset to when that is the last block that both forks share. It is false
// when none is kept; genesis is always a correct one.
func (p *Pipeline) StateBefore(number uint64) (State, bool) {
	for i := len(p.states) - 1; i >= 0; i-- {
		if p.states[i].PostedIn.Number <= number {
			return p.states[i], true
		}
	}
	return State{}, false
}

// TakeDrops returns what was dropped since the last call.
func (p *Pipeline) TakeDrops() []Drop {
	drops := p.drops
	p.drops = nil
	return drops
}

// Push reads the next L1 block and returns the blocks that it makes derivable, in
// order. The pipeline keeps b except for its batches. On an error nothing changed:
// *ReorgError when b is on another fork, ErrSequence when it is not the next,
// ErrWindow when too many L1 blocks are waiting for an L2 block, ErrOrigin when the
// state to start from is of another fork.
func (p *Pipeline) Push(b L1Block) ([]BlockInput, error) {
	if err := p.fits(&b); err != nil {
		return nil, err
	}
	batches := b.Batches
	b.Batches, b.Deposits = nil, portalLogs(b.Deposits, p.cfg.Portal)
	p.l1 = append(p.l1, &b)

	for _, c := range p.bank.expire(b.Number) {
		p.drop(&b, c.id, drop(DropTimeout, "opened in L1 block %d", c.opened))
	}
	for _, blobs := range batches {
		for i, blob := range blobs {
			frames, err := batch.DecodeBlob(blob)
			if err != nil {
				p.drop(&b, batch.ChannelID{}, drop(DropBlob, "blob %d: %v", i, err))
				continue
			}
			for _, f := range frames {
				p.frame(&b, f)
			}
		}
	}
	out := p.advance(&b)
	p.forget()
	return out, nil
}

// fits checks that b continues the known L1 chain.
func (p *Pipeline) fits(b *L1Block) error {
	tip, ok := p.Tip()
	switch {
	case b.Number != p.NextL1():
		return fmt.Errorf("push L1 block %d: %w: want %d", b.Number, ErrSequence, p.NextL1())
	case ok && b.ParentHash != tip.Hash:
		return &ReorgError{Number: tip.Number, Known: tip.Hash, Now: b.ParentHash}
	case len(p.l1) >= p.settings.MaxOrigins:
		return fmt.Errorf("push L1 block %d: %w: %d blocks since origin %d: raise the limit", b.Number, ErrWindow, len(p.l1), p.state.Head.Origin.Number)
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

// origin is a kept L1 block, nil when it is not.
func (p *Pipeline) origin(number uint64) *L1Block {
	if len(p.l1) == 0 || number < p.l1[0].Number || number-p.l1[0].Number >= uint64(len(p.l1)) {
		return nil
	}
	return p.l1[number-p.l1[0].Number]
}

// frame puts a frame into the bank and looks at the channel that it completes.
func (p *Pipeline) frame(l1 *L1Block, f batch.Frame) {
	c, evicted, refused := p.bank.add(f, l1.Number)
	for _, e := range evicted {
		p.drop(l1, e.id, drop(DropEvicted, "opened in L1 block %d, %d bytes", e.opened, e.bytes))
	}
	if refused != nil {
		p.drop(l1, f.Channel, refused)
	}
	if c == nil {
		return
	}
	if id := batch.IDOf(c.data); id != c.id {
		p.bank.remove(c)
		p.drop(l1, c.id, drop(DropChannel, "content has the id %s", id))
		return
	}
	header, err := batch.DecodeChannelHeader(c.data)
	if err != nil {
		p.bank.remove(c)
		p.drop(l1, c.id, drop(DropChannel, "%v", err))
		return
	}
	p.done++
	c.header, c.order = header, p.done
}

// advance takes complete channels in order of completion for as long as one
// continues the chain; what is ahead of the chain waits in the bank.
func (p *Pipeline) advance(l1 *L1Block) []BlockInput {
	// Behind the state's posting block lies the past: it only fills the bank.
	past := l1.Number < p.start.PostedIn.Number
	var out []BlockInput
	for {
		c := p.ready(past)
		if c == nil {
			return out
		}
		p.bank.remove(c)
		inputs, head, err := p.channel(l1, c)
		if err != nil {
			p.drop(l1, c.id, err)
			continue
		}
		out = append(out, inputs...)
		p.state = State{Head: head, PostedIn: l1.ID()}
	}
}

// ready is the channel that completed first among those not ahead of the chain; of
// the past, among those behind its head.
func (p *Pipeline) ready(past bool) *openChannel {
	limit := p.state.Head.Number
	if !past {
		limit++
	}
	var first *openChannel
	for _, c := range p.bank.open {
		if c.complete() && c.header.FirstNumber <= limit && (first == nil || c.order < first.order) {
			first = c
		}
	}
	return first
}

// channel derives the blocks of a channel: all of them or none.
func (p *Pipeline) channel(l1 *L1Block, c *openChannel) ([]BlockInput, Head, *dropError) {
	head := p.state.Head
	if c.header.FirstNumber != head.Number+1 {
		return nil, head, drop(DropOld, "blocks %d..%d, the chain is at %d", c.header.FirstNumber, c.header.LastNumber(), head.Number)
	}
	if head.Hash != c.header.ParentHash {
		return nil, head, drop(DropParent, "block %d on %x, block %d is %x", c.header.FirstNumber, c.header.ParentHash, head.Number, head.Hash)
	}
	_, blocks, err := batch.DecodeChannel(c.data)
	if err != nil {
		return nil, head, drop(DropChannel, "%v", err)
	}
	inputs := make([]BlockInput, len(blocks))
	for i := range blocks {
		in, next, err := checkBlock(p.cfg, head, &blocks[i], l1, p.origin)
		if err != nil {
			return nil, p.state.Head, err
		}
		inputs[i], head = in, next
	}
	inputs[0].ParentHash = c.header.ParentHash
	inputs[len(inputs)-1].ExpectHash = c.header.LastHash
	head.Hash = c.header.LastHash
	return inputs, head, nil
}

// forget drops what no rule can ask for any more: L1 blocks before the current
// origin, except those that tell reorgs apart, and old states.
func (p *Pipeline) forget() {
	if last := p.states[len(p.states)-1]; last != p.state {
		p.states = append(p.states, p.state)
		if extra := len(p.states) - p.settings.MaxStates; extra > 0 {
			p.states = append([]State(nil), p.states[extra:]...)
		}
	}
	tip := p.l1[len(p.l1)-1].Number
	keep := p.state.Head.Origin.Number
	if tip < ChannelTimeout {
		keep = 0
	} else {
		keep = min(keep, tip-ChannelTimeout)
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
