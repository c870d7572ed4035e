package derivation

import (
	"context"
	"fmt"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/rpc"
)

// Heads knows which of the derived blocks L1 will not take back, and L1's own heads. Its
// methods are not safe for concurrent use.
type Heads struct {
	l1 headers
	// posted are derived heads with the L1 blocks that made them derivable, of which
	// those behind the first are not final; ascending.
	posted    []posting
	finalized uint64
}

type posting struct{ l2, l1 uint64 }

// NewHeads begins with a derived block that L1 block in made derivable.
func NewHeads(l1 l1feed.L1, block, in uint64) *Heads {
	return &Heads{l1: l1, posted: []posting{{block, in}}}
}

// Add says that derived blocks up to the number came from an L1 block.
func (h *Heads) Add(block, in uint64) { h.posted = append(h.posted, posting{block, in}) }

// Rewind forgets what came behind a block.
func (h *Heads) Rewind(block, in uint64) {
	h.posted = []posting{{block, in}}
	h.finalized = min(h.finalized, block)
}

// Finalized is the newest block whose data are final on L1, as far as was read.
func (h *Heads) Finalized() uint64 { return h.finalized }

// Read asks L1 for its heads; current is the newest L1 block that derivation has read.
// A devnet's L1 may have no final block yet: what is not known is zero.
func (h *Heads) Read(ctx context.Context, current chain.L1Origin) (rpc.L1Status, error) {
	var s rpc.L1Status
	at, err := h.l1.HeaderByNumber(ctx, current.Number)
	if err != nil {
		return s, err
	}
	if at.Hash() != current.Hash {
		return s, fmt.Errorf("L1 block %d: %w", current.Number, derive.ErrReorg)
	}
	s.Current = rpc.L1RefOf(at)
	latest, err := h.l1.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return s, err
	}
	s.Head = rpc.L1RefOf(latest)
	if safe, err := h.l1.HeaderByTag(ctx, l1.Safe); err == nil {
		s.Safe = rpc.L1RefOf(safe)
	}
	final, err := h.l1.HeaderByTag(ctx, l1.Finalized)
	if err != nil {
		return s, fmt.Errorf("L1 finality is not known: %w", err)
	}
	s.Finalized = rpc.L1RefOf(final)
	for len(h.posted) > 0 && h.posted[0].l1 <= s.Finalized.Number {
		h.finalized = max(h.finalized, h.posted[0].l2)
		h.posted = h.posted[1:]
	}
	return s, nil
}
