package validator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/verify"
)

// candidates bounds the headers and witnesses that are kept of one height: after the chain
// was taken back there are several.
const candidates = 4

// keptTails is for how many blocks behind the last that was checked parts are still taken
// in, should the chain be taken back.
const keptTails = 256

// parts of a block, as they come.
type parts struct {
	minis     []*feed.RawMiniBlock
	before    *chain.MiniBlockHeader // the one before minis[0]; nil: not known
	headers   []*feed.Block
	witnesses []*feed.Witness
	bytes     int
	changed   time.Time // when the last of them came
	job       *job      // what a worker has, or had, of it; nil: none
}

// job is a block to be checked.
type job struct {
	in     *verify.Input
	minis  []*feed.RawMiniBlock
	number uint64
	hash   common.Hash
}

// assembler puts the parts of blocks together. Its methods are safe for concurrent use.
type assembler struct {
	budget int           // bytes that may wait
	grace  time.Duration // after which parts that do not fit are judged as they are

	mu      sync.Mutex
	changed *sync.Cond
	blocks  map[uint64]*parts
	next    uint64 // the lowest block that is not checked
	newest  uint64 // highest number of a sealed header
	bytes   int
	last    *chain.MiniBlockHeader                 // the newest taken in
	tails   map[common.Hash]*chain.MiniBlockHeader // of each block the last so far
	rewinds int                                    // times that the chain was taken back
	lost    bool                                   // the next mini-block must be a known tail
	ended   bool
}

func newAssembler(next uint64, budget int, grace time.Duration) *assembler {
	a := &assembler{
		budget: budget, grace: grace, next: next, blocks: make(map[uint64]*parts),
		tails: make(map[common.Hash]*chain.MiniBlockHeader),
	}
	a.changed = sync.NewCond(&a.mu)
	return a
}

// end wakes up everybody for good.
func (a *assembler) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	a.changed.Broadcast()
}

// room waits until a part of a block may be taken in. It holds the lock when it returns nil.
func (a *assembler) room(ctx context.Context, number uint64) error {
	a.mu.Lock()
	for !a.ended && ctx.Err() == nil && number > a.next && a.bytes > a.budget {
		a.changed.Wait()
	}
	if a.ended || ctx.Err() != nil {
		a.mu.Unlock()
		return context.Canceled
	}
	return nil
}

func (a *assembler) at(number uint64) *parts {
	p := a.blocks[number]
	if p == nil {
		p = new(parts)
		a.blocks[number] = p
	}
	p.changed = time.Now()
	return p
}

// grow counts bytes of a block's parts.
func (a *assembler) grow(p *parts, bytes int) {
	p.bytes += bytes
	a.bytes += bytes
	a.changed.Broadcast()
}

var (
	// errGap says that mini-blocks are missing between two that came.
	errGap = errors.New("mini-blocks are missing in the feed")
	// errBranch says that a mini-block stands on one that is not known: the chain was taken
	// back while nobody read.
	errBranch = errors.New("the feed goes on from a mini-block that is not known")
)

// miniBlock takes in the next mini-block. One that came before is passed over.
func (a *assembler) miniBlock(ctx context.Context, m *feed.RawMiniBlock) error {
	if err := a.room(ctx, m.Header.BlockNumber); err != nil {
		return err
	}
	defer a.mu.Unlock()
	h, hash := &m.Header, m.Header.Hash()
	if a.last != nil {
		switch {
		case h.Number <= a.last.Number && h.Epoch <= a.last.Epoch:
			return nil // again
		case h.Number > a.last.Number+1:
			return fmt.Errorf("%w: %d after %d", errGap, h.Number, a.last.Number)
		case h.Number == a.last.Number+1 && h.Epoch > a.last.Epoch && h.ParentHash != a.last.Hash():
			return fmt.Errorf("%w: %d", errBranch, h.Number)
		case h.Number <= a.last.Number:
			a.rewind(h)
		}
	} else if a.lost {
		if a.tails[hash] == nil {
			return fmt.Errorf("%w: %d", errBranch, h.Number)
		}
		a.next, a.lost = min(a.next, h.BlockNumber+1), false
	}
	a.last = h
	if h.BlockNumber+keptTails < a.next {
		a.tail(hash, h)
		return nil
	}
	p := a.at(h.BlockNumber)
	if len(p.minis) == 0 {
		p.before = a.tails[h.ParentHash]
	}
	a.tail(hash, h)
	if h.BlockNumber >= a.next {
		p.minis = append(p.minis, m)
		a.grow(p, size(m))
	}
	return nil
}

// tail notes that the mini-block is the last of its block so far.
func (a *assembler) tail(hash common.Hash, h *chain.MiniBlockHeader) {
	if before := a.tails[h.ParentHash]; before != nil && before.BlockNumber == h.BlockNumber {
		delete(a.tails, h.ParentHash)
	}
	a.tails[hash] = h
	if h.Index == 0 {
		for k, t := range a.tails {
			if t.BlockNumber+keptTails < h.BlockNumber {
				delete(a.tails, k)
			}
		}
	}
}

// rewind forgets the mini-blocks from the number of h on: the chain was taken back.
func (a *assembler) rewind(h *chain.MiniBlockHeader) {
	a.rewinds++
	for number, p := range a.blocks {
		kept := p.minis[:0:0]
		for _, m := range p.minis {
			if m.Header.Number < h.Number {
				kept = append(kept, m)
			} else {
				a.grow(p, -size(m))
			}
		}
		p.minis = kept
		if number >= h.BlockNumber {
			p.job = nil
		}
	}
	a.next = min(a.next, h.BlockNumber)
}

// block takes in a sealed header.
func (a *assembler) block(ctx context.Context, b *feed.Block) error {
	number := b.Header.Number.Uint64()
	if err := a.room(ctx, number); err != nil {
		return err
	}
	defer a.mu.Unlock()
	a.newest = max(a.newest, number)
	if number+keptTails < a.next {
		return nil
	}
	p, hash := a.at(number), b.Header.Hash()
	p.headers = slices.DeleteFunc(p.headers, func(old *feed.Block) bool { return old.Header.Hash() == hash })
	if p.headers = append(p.headers, b); len(p.headers) > candidates {
		p.headers = p.headers[1:]
	}
	a.grow(p, 0)
	return nil
}

// witness takes in a witness.
func (a *assembler) witness(ctx context.Context, w *feed.Witness) error {
	if err := a.room(ctx, w.Number); err != nil {
		return err
	}
	defer a.mu.Unlock()
	if w.Number+keptTails < a.next {
		return nil
	}
	p := a.at(w.Number)
	p.witnesses = append(p.witnesses, w)
	bytes := witnessSize(w.Witness)
	if len(p.witnesses) > candidates {
		bytes -= witnessSize(p.witnesses[0].Witness)
		p.witnesses = p.witnesses[1:]
	}
	a.grow(p, bytes)
	return nil
}

// size is about the memory of a mini-block: its encoding, and what leads to the parts.
func size(m *feed.RawMiniBlock) int { return len(m.Encoded) + 68*len(m.Txs) + 512 }

func witnessSize(w *chain.Witness) (bytes int) {
	for _, n := range w.State {
		bytes += len(n) + 24
	}
	for _, c := range w.Codes {
		bytes += len(c) + 24
	}
	return bytes + 700*len(w.Headers)
}

// take waits for a block whose parts are there, the lowest first, at most ahead blocks
// beyond the next. It returns nil when everything ends.
func (a *assembler) take(ahead uint64) *job {
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.ended {
		for n := a.next; n < a.next+ahead; n++ {
			if p := a.blocks[n]; p != nil && p.job == nil {
				if j := a.fit(p); j != nil {
					p.job = j
					return j
				}
			}
		}
		a.changed.Wait()
	}
	return nil
}

// tick lets waiting be over for parts that never fitted.
func (a *assembler) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed.Broadcast()
}

// fit makes a job of parts that are of one block: the header that names the last
// mini-block, and its witness. After the grace a header with a witness is judged with the
// mini-blocks that there are, if one of a later block has come.
func (a *assembler) fit(p *parts) *job {
	if len(p.minis) == 0 {
		return nil
	}
	last := p.minis[len(p.minis)-1].Header
	late := time.Since(p.changed) > a.grace && a.last != nil && a.last.BlockNumber > last.BlockNumber
	for i := len(p.headers) - 1; i >= 0; i-- {
		h := p.headers[i]
		extra, err := chain.DecodeExtra(h.Header.Extra)
		if fits := err == nil && extra.LastMiniBlock == last.Hash(); !fits && !late {
			continue
		}
		hash := h.Header.Hash()
		for k := len(p.witnesses) - 1; k >= 0; k-- {
			if w := p.witnesses[k]; w.Hash == hash {
				return a.job(p, h, w)
			}
		}
	}
	return nil
}

func (a *assembler) job(p *parts, h *feed.Block, w *feed.Witness) *job {
	j := &job{
		in:    &verify.Input{Header: h.Header, Before: p.before, Witness: w.Witness},
		minis: p.minis, number: h.Header.Number.Uint64(), hash: w.Hash,
	}
	for _, m := range p.minis {
		j.in.MiniBlocks = append(j.in.MiniBlocks, &m.RawMiniBlock)
	}
	return j
}

// done says that the block was judged; it reports whether it still counts, or the chain
// was taken back meanwhile.
func (a *assembler) done(j *job) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.blocks[j.number]
	if j.number != a.next || p == nil || p.job != j {
		return false
	}
	a.next++
	a.bytes -= p.bytes
	*p = parts{}
	if a.next > keptTails {
		if old := a.blocks[a.next-keptTails]; old != nil {
			a.bytes -= old.bytes
			delete(a.blocks, a.next-keptTails)
		}
	}
	a.changed.Broadcast()
	return true
}

// current reports whether the job is of the chain as it is.
func (a *assembler) current(j *job) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.blocks[j.number]
	return p != nil && p.job == j
}

// again has a block checked once more, without the witness that did not suffice.
func (a *assembler) again(j *job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.blocks[j.number]
	if p == nil || p.job != j {
		return
	}
	p.witnesses = slices.DeleteFunc(p.witnesses, func(w *feed.Witness) bool {
		if w.Witness != j.in.Witness {
			return false
		}
		a.grow(p, -witnessSize(w.Witness))
		return true
	})
	p.job, p.changed = nil, time.Now()
}
