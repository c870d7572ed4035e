package exits

import (
	"context"
	"math/big"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// maxLook is how many claims are looked at from either end of those that may hold a
// withdrawal.
const maxLook = 64

// clockSkew is by how many seconds L1's timestamps may be behind the sequencer's.
const clockSkew = 60

// Values of GameStatus.
const (
	inProgress = iota
	challengerWins
	defenderWins
)

// game is what L1 says of one claim.
type game struct {
	bridge.Claim
	kind       uint32
	root       [32]byte
	block      *big.Int
	status     uint8
	resolved   uint64
	closes     uint64
	challenger common.Address
	proper     bool
	respected  bool
}

// counts reports whether payments under the claim are possible at all.
func (g *game) counts() bool { return g.proper && g.respected && g.status != challengerWins }

// disputed reports whether the claim waits for a dispute.
func (g *game) disputed() bool {
	return g.status == inProgress && g.challenger != (common.Address{})
}

// fixedOf are the questions about a game whose answers never change.
func (r *Reader) fixedOf(g *game) []question {
	at := g.Game
	return []question{
		into(at, r.game.PackRootClaim(), r.game.UnpackRootClaim, &g.root),
		into(at, r.game.PackL2SequenceNumber(), r.game.UnpackL2SequenceNumber, &g.block),
	}
}

// statusOf are the others.
func (r *Reader) statusOf(g *game) []question {
	at := g.Game
	return []question{
		into(at, r.game.PackStatus(), r.game.UnpackStatus, &g.status),
		into(at, r.game.PackResolvedAt(), r.game.UnpackResolvedAt, &g.resolved),
		into(at, r.game.PackWindowClosesAt(), r.game.UnpackWindowClosesAt, &g.closes),
		into(at, r.game.PackChallenger(), r.game.UnpackChallenger, &g.challenger),
		into(r.registry, r.registries.PackIsGameProper(at), r.registries.UnpackIsGameProper, &g.proper),
		into(r.registry, r.registries.PackIsGameRespected(at), r.registries.UnpackIsGameRespected, &g.respected),
	}
}

// claimsFor fills in what claims there are of outputs that hold a block, made at a time at
// the earliest: the one that pays first, whether others are disputed, and when the next is due.
func (r *Reader) claimsFor(ctx context.Context, v *view, since uint64, f *bridge.Facts) error {
	var count *big.Int
	if err := v.ask(ctx, into(r.factory, r.factories.PackGameCount(), r.factories.UnpackGameCount, &count)); err != nil {
		return err
	}
	n := count.Uint64()
	first, err := r.firstSince(ctx, v, n, since-min(since, clockSkew))
	if err != nil {
		return err
	}
	places := span(first, min(n, first+maxLook))
	if err := r.pick(ctx, v, places, f); err != nil || f.Claim != nil {
		return err
	}
	if from := max(first+maxLook, n-min(n, maxLook)); from < n {
		if err := r.pick(ctx, v, span(from, n), f); err != nil || f.Claim != nil {
			return err
		}
	}
	return r.pace(ctx, v, n, f)
}

func span(from, to uint64) []uint64 {
	var out []uint64
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// firstSince is the place of the first of n claims that was made at a time or later. It
// looks at the same few places whatever is searched for, as they are remembered.
func (r *Reader) firstSince(ctx context.Context, v *view, n, since uint64) (uint64, error) {
	before := uint64(0) // claims known to be older
	for bit := bits.Len64(n); bit > 0; bit-- {
		place := before + 1<<(bit-1) - 1
		if place >= n {
			continue
		}
		at, err := r.at(ctx, v, []uint64{place})
		if err != nil {
			return 0, err
		}
		if at[0].Created < since {
			before = place + 1
		}
	}
	return before, nil
}

// maxClaims is how many claims are remembered.
const maxClaims = 8_192

// remember keeps what is fixed of a claim, unless L1 may still have another in its place.
func (r *Reader) remember(v *view, g *game) {
	if g.Created <= v.final {
		r.claims.Add(g.Index, *g)
	}
}

// at looks claims up by their places.
func (r *Reader) at(ctx context.Context, v *view, places []uint64) ([]game, error) {
	out := make([]game, len(places))
	rows := make([]bindings.GameAtIndexOutput, len(places))
	var questions []question
	var asked []int
	for i, place := range places {
		if g, ok := r.claims.Get(place); ok {
			out[i] = g
			continue
		}
		questions = append(questions, into(r.factory, r.factories.PackGameAtIndex(new(big.Int).SetUint64(place)), r.factories.UnpackGameAtIndex, &rows[i]))
		asked = append(asked, i)
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	for _, i := range asked {
		out[i] = game{Claim: bridge.Claim{Index: places[i], Game: rows[i].Proxy, Created: rows[i].Timestamp}, kind: rows[i].GameType}
		r.remember(v, &out[i])
	}
	return out, nil
}

// gameType is the type of HybridGame; others are passed over.
const gameType = 7411

// atOnce is how many claims are looked at together: mostly the first that is right will do.
const atOnce = 8

// pick takes the earliest of some claims that is right, holds the block and is not disputed.
func (r *Reader) pick(ctx context.Context, v *view, places []uint64, f *bridge.Facts) error {
	for some := range slices.Chunk(places, atOnce) {
		all, err := r.rightOf(ctx, v, some, f.Block)
		if err != nil {
			return err
		}
		var questions []question
		for i := range all {
			questions = append(questions, r.statusOf(&all[i])...)
		}
		if err := v.ask(ctx, questions...); err != nil {
			return err
		}
		for i := range all {
			g := &all[i]
			switch {
			case !g.counts():
			case g.disputed():
				f.Disputed = true
			default:
				f.Claim = &g.Claim
				return nil
			}
		}
	}
	return nil
}

// rightOf are those of some claims that are right and hold a block.
func (r *Reader) rightOf(ctx context.Context, v *view, places []uint64, block uint64) ([]game, error) {
	all, err := r.at(ctx, v, places)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(g game) bool { return g.kind != gameType })
	var questions []question
	var asked []*game
	for i := range all {
		if all[i].block == nil {
			questions = append(questions, r.fixedOf(&all[i])...)
			asked = append(asked, &all[i])
		}
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	for _, g := range asked {
		r.remember(v, g)
	}
	var out []game
	for _, g := range all {
		if !g.block.IsUint64() || g.block.Uint64() < block {
			continue
		}
		g.Block = g.block.Uint64()
		right, err := r.right(ctx, &g)
		if err != nil {
			return nil, err
		}
		if right {
			out = append(out, g)
		}
	}
	return out, nil
}

// right reports whether a claim is what this chain says.
func (r *Reader) right(ctx context.Context, g *game) (bool, error) {
	if g.Block > r.Chain.Head().Number.Uint64() {
		return false, nil
	}
	h, err := r.Chain.HeaderByNumber(ctx, g.Block)
	if err != nil || h == nil {
		return false, err
	}
	root, err := chain.OutputRoot(h)
	return err == nil && root == common.Hash(g.root), err
}

// paceClaims is of how many claims the pace is the mean.
const paceClaims = 4

// pace estimates when the next claim is made, from those of late.
func (r *Reader) pace(ctx context.Context, v *view, n uint64, f *bridge.Facts) error {
	if n < 2 {
		return nil
	}
	places := span(n-min(n, paceClaims+1), n)
	late, err := r.at(ctx, v, places)
	if err != nil {
		return err
	}
	first, last := late[0].Created, late[len(late)-1].Created
	f.NextClaim = last + (last-first)/uint64(len(late)-1)
	return nil
}
