package sequencing

import (
	"fmt"

	"github.com/talaria-l2/talaria/chain"
)

// Cutter decides where mini-blocks end. Zero fields mean their defaults.
type Cutter struct {
	MaxMicros chain.Micros // a mini-block with content is cut this long after the one before, 1,000..1,000,000 [10,000]
	MinMicros chain.Micros // none is cut sooner, 1..MaxMicros [1,000]
	MaxTxs    uint64       // transactions of one mini-block, 1..chain.MaxMiniBlockTxs [chain.MaxMiniBlockTxs]
}

// Defaults of a Cutter.
const (
	DefaultMaxMicros chain.Micros = 10_000
	DefaultMinMicros chain.Micros = 1_000
)

// NewCutter fills in defaults and checks ranges; the error names the setting.
func NewCutter(c Cutter) (Cutter, error) {
	if c.MaxMicros == 0 {
		c.MaxMicros = DefaultMaxMicros
	}
	if c.MinMicros == 0 {
		c.MinMicros = min(DefaultMinMicros, c.MaxMicros)
	}
	if c.MaxTxs == 0 {
		c.MaxTxs = chain.MaxMiniBlockTxs
	}
	switch {
	case c.MaxMicros < 1_000 || c.MaxMicros > 1_000_000:
		return Cutter{}, fmt.Errorf("miniblock-ms: %d µs: must be 1..1000 ms", c.MaxMicros)
	case c.MinMicros > c.MaxMicros:
		return Cutter{}, fmt.Errorf("miniblock-min-ms: %d µs: must be at most miniblock-ms, %d µs", c.MinMicros, c.MaxMicros)
	case c.MaxTxs > chain.MaxMiniBlockTxs:
		return Cutter{}, fmt.Errorf("transactions of a mini-block: %d: must be 1..%d", c.MaxTxs, chain.MaxMiniBlockTxs)
	}
	return c, nil
}

// Progress is what the Cutter looks at.
type Progress struct {
	Now      chain.Micros // the clock
	LastCut  chain.Micros // what the clock showed at the previous cut
	BlockEnd chain.Micros // when the open block closes
	TxCount  uint64       // transactions executed since the previous cut
	Idle     bool         // everything admitted has been executed
	Durable  bool         // the mini-block before is on disk: the log has nothing to do
}

// Decision is what to do now. At most one of the fields is set; neither means that
// nothing happens before the next transaction or the end of the block.
type Decision struct {
	Cut       bool
	WaitUntil chain.Micros // ask again then, or when a transaction has been executed
}

// Decide says whether to cut a mini-block now. An empty one is never cut here: the
// one that every block has is cut when the block opens. A mini-block with content
// is cut at the end of its block at the latest, so that it never spans two. While more
// waits for execution it grows for as long as the one before takes to become durable: those
// who wait for their receipts before they send again would otherwise all wait for MaxMicros.
func (c Cutter) Decide(p Progress) Decision {
	switch {
	case p.TxCount == 0:
		return Decision{}
	case p.TxCount >= c.MaxTxs, p.Now >= p.BlockEnd:
		return Decision{Cut: true}
	case p.Now < p.LastCut:
		// The clock stepped back: how long ago the cut was is not known, and a
		// receipt must not wait for the clock to catch up.
		return Decision{Cut: true}
	}
	due := p.LastCut + c.MaxMicros
	if p.Idle || p.Durable {
		due = p.LastCut + c.MinMicros
	}
	due = min(due, p.BlockEnd)
	if p.Now >= due {
		return Decision{Cut: true}
	}
	return Decision{WaitUntil: due}
}

// Stamp is the timestamp of a mini-block cut when the clock shows now: never before
// the previous one's and, unless that one's already is, before the end of its block.
func Stamp(now, previous, blockEnd chain.Micros) chain.Micros {
	return max(previous, min(now, blockEnd-1))
}
