package light

import (
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Leader says who signs mini-blocks of the blocks from a number on.
type Leader struct {
	Address   common.Address `json:"address"`
	FromBlock uint64         `json:"fromBlock"`
}

// Checkpoint is a mini-block that the user knows to be of the chain. The one before
// mini-block 0 has the number -1 and the hash of the genesis block.
type Checkpoint struct {
	Number int64       `json:"number"`
	Hash   common.Hash `json:"hash"`
}

// Trust is what is taken for true without a check.
type Trust struct {
	ChainID uint64
	// Leaders are in ascending order of FromBlock; the first begins at 0. L1 may name
	// another (docs/spec/derivation.md, "Configuration"): its user follows that.
	Leaders []Leader
	// Checkpoint is where the chain begins that is checked; nil: the first signed
	// mini-block that is seen.
	Checkpoint *Checkpoint
}

func (t *Trust) check() error {
	if t.ChainID == 0 || len(t.Leaders) == 0 || t.Leaders[0].FromBlock != 0 {
		return errors.New("light: want a chain id and leaders, the first from block 0")
	}
	for i := range t.Leaders[1:] {
		if t.Leaders[i].FromBlock >= t.Leaders[i+1].FromBlock {
			return errors.New("light: leaders are not in ascending order")
		}
	}
	return nil
}

// leader is who signs mini-blocks of the block.
func (t *Trust) leader(block uint64) (a common.Address) {
	for _, l := range t.Leaders {
		if l.FromBlock <= block {
			a = l.Address
		}
	}
	return a
}

// Limits of a Chain's memory.
const (
	// DefaultWindow is how many headers of the chain, and as many signed ones of left
	// branches, are remembered: a few hundred bytes each.
	DefaultWindow = 4096
	// maxUnsigned bounds the mini-blocks that wait for a signed one to vouch for them,
	// and maxUnsignedTxs their transactions.
	maxUnsigned    = 4096
	maxUnsignedTxs = 1 << 17
	// maxEpochStep is by how much the epoch may grow in a block.
	maxEpochStep = 1 << 20
)

// Chain is the line of mini-blocks that were checked. It is not safe for concurrent use.
type Chain struct {
	trust  Trust
	window int

	anchor Checkpoint // what the oldest of line continues
	fixed  bool       // anchor is set
	line   []link     // consecutive, the newest last
	wait   []held     // unsigned, consecutive: a signed one must vouch for them

	left *left // what Restart forgot

	seen map[height]Signed // signed headers, of left branches too
	old  []height          // of seen, by age
}

type link struct {
	Signed
	hash common.Hash
	base uint64 // epoch of the block before's last mini-block
}

// held is a mini-block with its place.
type held struct {
	*MiniBlock
	link link
}

// left is the line before Restart.
type left struct {
	head   Header
	oldest uint64
}

type height struct{ epoch, number uint64 }

// Step is what a mini-block did to the chain.
type Step struct {
	// Rewound is set if the chain went back first.
	Rewound *Rewind
	// Gap is set if mini-blocks between the chain so far and Added are not known.
	Gap *Gap
	// Added are the mini-blocks that are now part of it: none if the mini-block was known
	// or waits for a signature behind it, more than one if it vouches for others.
	Added []*MiniBlock
}

// Rewind says that mini-blocks From to To are void: the leader went back.
type Rewind struct{ From, To uint64 }

// NewChain begins at trust's checkpoint. window is how many headers are remembered
// [DefaultWindow].
func NewChain(trust Trust, window int) (*Chain, error) {
	if err := trust.check(); err != nil {
		return nil, err
	}
	if window <= 0 {
		window = DefaultWindow
	}
	c := &Chain{trust: trust, window: window, seen: make(map[height]Signed)}
	if p := trust.Checkpoint; p != nil {
		c.anchor, c.fixed = *p, true
	}
	return c, nil
}

// Head is the newest mini-block of the chain, nil before the first.
func (c *Chain) Head() *Signed {
	if len(c.line) == 0 {
		return nil
	}
	return &c.line[len(c.line)-1].Signed
}

// At is the header with the number and its hash; ok is false if it is not remembered.
func (c *Chain) At(number uint64) (s Signed, hash common.Hash, ok bool) {
	if l := c.at(number); l != nil {
		return l.Signed, l.hash, true
	}
	return s, hash, false
}

func (c *Chain) at(number uint64) *link {
	if len(c.line) == 0 || number < c.line[0].Header.Number || number-c.line[0].Header.Number >= uint64(len(c.line)) {
		return nil
	}
	return &c.line[number-c.line[0].Header.Number]
}

// CheckSignature verifies chain id and signature alone, and looks for equivocation. The
// error is a *Error or a *Equivocation.
func (c *Chain) CheckSignature(s *Signed) error {
	h := &s.Header
	if h.ChainID != c.trust.ChainID {
		return fault(CodeLink, "mini-block %d is of chain %d", h.Number, h.ChainID)
	}
	if s.Unsigned() {
		return nil
	}
	signer, err := s.Signer()
	if err != nil {
		return err
	}
	leader := c.trust.leader(h.BlockNumber)
	if signer != leader {
		return fault(CodeSignature, "mini-block %d is signed by %s, the leader is %s", h.Number, signer, leader)
	}
	at := height{h.Epoch, h.Number}
	if other, ok := c.seen[at]; ok {
		switch {
		case other.Header == *h:
			return nil
		case c.trust.leader(other.Header.BlockNumber) != leader:
			return fault(CodeLink, "mini-block %d of epoch %d is signed by two leaders", h.Number, h.Epoch)
		}
		return &Equivocation{Leader: leader, A: other, B: *s}
	}
	c.seen[at] = *s
	if c.old = append(c.old, at); len(c.old) > 2*c.window {
		delete(c.seen, c.old[0])
		c.old = c.old[1:]
	}
	return nil
}

// Add takes a mini-block in. The error is a *Error, after which the chain is as before,
// or a *Equivocation.
func (c *Chain) Add(m *MiniBlock) (Step, error) {
	if err := c.CheckSignature(&m.Signed); err != nil {
		return Step{}, err
	}
	h, hash := &m.Header, m.Header.Hash()
	if !c.fixed {
		if m.Unsigned() {
			return Step{}, nil
		}
		if l := c.left; l != nil && (h.Epoch < l.head.Epoch || h.Epoch == l.head.Epoch && h.Number <= l.head.Number) {
			return Step{}, fault(CodeStale, "mini-block %d of epoch %d is older than %d of epoch %d", h.Number, h.Epoch, l.head.Number, l.head.Epoch)
		}
		c.anchor, c.fixed = Checkpoint{int64(h.Number) - 1, h.ParentHash}, true
	}
	if held := c.at(h.Number); held != nil && held.hash == hash {
		return Step{}, nil
	}
	l := link{Signed: m.Signed, hash: hash, base: h.Epoch}
	parent, onWait, err := c.parent(h)
	if err != nil {
		return Step{}, err
	}
	if parent != nil {
		if err := follows(parent, h); err != nil {
			return Step{}, err
		}
		if l.base = parent.base; h.Index == 0 {
			l.base = parent.Header.Epoch
		}
	}
	added := []held{{m, l}}
	if onWait {
		added = append(slices.Clone(c.wait), added...)
	}
	if m.Unsigned() {
		return Step{}, c.hold(added)
	}
	return c.adopt(added)
}

// hold keeps what a signed mini-block has yet to vouch for.
func (c *Chain) hold(wait []held) error {
	txs := 0
	for _, w := range wait {
		txs += len(w.Txs)
	}
	if first := wait[0].Header.Number; len(wait) > maxUnsigned || txs > maxUnsignedTxs {
		f := fault(CodeSignature, "mini-blocks %d to %d", first, first+uint64(len(wait))-1)
		f.Err = errNothingSigned
		return f
	}
	c.wait = wait
	return nil
}

// errNothingSigned says that no signature vouches for very many mini-blocks.
var errNothingSigned = errors.New("nobody signed")

// adopt makes mini-blocks part of the line; the last is signed.
func (c *Chain) adopt(added []held) (step Step, err error) {
	first, last := &added[0].Header, &added[len(added)-1].Header
	if len(c.line) > 0 && first.Number <= c.Head().Header.Number {
		head := &c.Head().Header
		if last.Epoch <= head.Epoch {
			return step, fault(CodeLink, "mini-block %d of epoch %d leaves the chain of epoch %d, which went on to %d", first.Number, last.Epoch, head.Epoch, head.Number)
		}
		step.Rewound = &Rewind{first.Number, head.Number}
		c.line = c.line[:first.Number-c.line[0].Header.Number]
	}
	if l := c.left; l != nil {
		from := l.head.Number + 1
		if last.Epoch > l.head.Epoch {
			step.Rewound, from = &Rewind{l.oldest, l.head.Number}, l.oldest
		}
		if first.Number > from {
			step.Gap = &Gap{from, first.Number - 1}
		}
		c.left = nil
	}
	for _, a := range added {
		c.line = append(c.line, a.link)
		step.Added = append(step.Added, a.MiniBlock)
	}
	if out := len(c.line) - c.window; out >= c.window {
		last := &c.line[out-1]
		c.anchor = Checkpoint{int64(last.Header.Number), last.hash}
		c.line = slices.Clone(c.line[out:])
	}
	c.wait = nil
	return step, nil
}

// parent finds what the header continues: nil if that is the anchor. onWait says that it
// is the last of those that wait.
func (c *Chain) parent(h *Header) (p *link, onWait bool, err error) {
	next := uint64(c.anchor.Number + 1)
	if head := c.Head(); head != nil {
		next = head.Header.Number + 1
	}
	if n := len(c.wait); n > 0 {
		last := &c.wait[n-1].link
		if last.hash == h.ParentHash {
			return last, true, nil
		}
		next = max(next, last.Header.Number+1)
	}
	if h.Number == uint64(c.anchor.Number+1) && h.ParentHash == c.anchor.Hash {
		return nil, false, nil
	}
	if h.Number > next {
		return nil, false, fault(CodeGap, "mini-blocks %d to %d are left out", next, h.Number-1)
	}
	if h.Number > 0 {
		if l := c.at(h.Number - 1); l != nil && l.hash == h.ParentHash {
			return l, false, nil
		}
	}
	return nil, false, fault(CodeLink, "mini-block %d has the parent %s, which is not of the chain", h.Number, h.ParentHash)
}

// follows checks what a header may be behind another (docs/spec/miniblock.md).
func follows(p *link, h *Header) error {
	before, base, bad := &p.Header, p.base, ""
	if h.BlockNumber != before.BlockNumber {
		base = before.Epoch
	}
	switch {
	case h.Number != before.Number+1:
		bad = "number"
	case h.Epoch < before.Epoch || h.Epoch-base > maxEpochStep:
		bad = "epoch"
	case h.TimestampMicros < before.TimestampMicros:
		bad = "timestampMicros"
	case h.TxCount > MaxTxs:
		bad = "txCount"
	case h.BlockNumber == before.BlockNumber:
		if h.Index != before.Index+1 {
			bad = "index"
		} else if h.FirstTxIndex != before.FirstTxIndex+before.TxCount {
			bad = "firstTxIndex"
		}
	case h.BlockNumber != before.BlockNumber+1:
		bad = "blockNumber"
	case h.Index != 0:
		bad = "index"
	case h.FirstTxIndex != 0:
		bad = "firstTxIndex"
	}
	if bad != "" {
		return fault(CodeLink, "mini-block %d: %s does not follow from the mini-block before", h.Number, bad)
	}
	return nil
}

// Restart forgets the line, so that the next signed mini-block that is newer begins
// another. What was signed is remembered for evidence.
func (c *Chain) Restart() {
	if head := c.Head(); head != nil {
		c.left = &left{head.Header, c.line[0].Header.Number}
	}
	c.line, c.wait, c.fixed = nil, nil, false
}
