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

// Heads knows L1's own heads, and tells the states which of them L1 will not take back.
// Its methods are not safe for concurrent use.
type Heads struct {
	L1     l1feed.L1
	States *States
}

// Read asks L1 for its heads; current is the newest L1 block that derivation has read. An
// error that wraps derive.ErrReorg says that L1 does not have it any more. What L1 does
// not know, as one that is new may not know what is final, is zero.
func (h *Heads) Read(ctx context.Context, current chain.L1Origin) (s rpc.L1Status, err error) {
	ask := func(tag l1.Tag) (ref rpc.L1Ref) {
		at, err := h.L1.HeaderByTag(ctx, tag)
		if err == nil {
			ref = rpc.L1RefOf(at)
		}
		return ref
	}
	// What is final first: if current is still there afterwards, it stands on what was final,
	// or before it.
	s.Finalized, s.Safe = ask(l1.Finalized), ask(l1.Safe)
	latest, err := h.L1.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return s, err
	}
	s.Head = rpc.L1RefOf(latest)
	at, err := h.L1.HeaderByNumber(ctx, current.Number)
	if err != nil {
		return s, err
	}
	if at.Hash() != current.Hash {
		return s, fmt.Errorf("L1 block %d: %w", current.Number, derive.ErrReorg)
	}
	s.Current = rpc.L1RefOf(at)
	return s, h.States.Final(s.Finalized.Number)
}
