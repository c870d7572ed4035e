package exits

import (
	"context"
	"math/big"

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

// details are the questions about a game whose address is known.
func (r *Reader) details(g *game) []question {
	at := g.Game
	return []question{
		into(at, r.game.PackRootClaim(), r.game.UnpackRootClaim, &g.root),
		into(at, r.game.PackL2SequenceNumber(), r.game.UnpackL2SequenceNumber, &g.block),
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

// firstSince is the place of the first of n claims that was made at a time or later.
func (r *Reader) firstSince(ctx context.Context, v *view, n, since uint64) (uint64, error) {
	low, high := uint64(0), n
	for low < high {
		middle := (low + high) / 2
		at, err := r.at(ctx, v, []uint64{middle})
		if err != nil {
			return 0, err
		}
		if at[0].Created < since {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// at looks claims up by their places.
func (r *Reader) at(ctx context.Context, v *view, places []uint64) ([]game, error) {
	rows := make([]bindings.GameAtIndexOutput, len(places))
	questions := make([]question, len(places))
	for i, place := range places {
		questions[i] = into(r.factory, r.factories.PackGameAtIndex(new(big.Int).SetUint64(place)), r.factories.UnpackGameAtIndex, &rows[i])
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	out := make([]game, len(places))
	for i, row := range rows {
		out[i] = game{Claim: bridge.Claim{Index: places[i], Game: row.Proxy, Created: row.Timestamp}, kind: row.GameType}
	}
	return out, nil
}

// gameType is the type of HybridGame; others are passed over.
const gameType = 7411

// pick takes the earliest of some claims that is right, holds the block and is not disputed.
func (r *Reader) pick(ctx context.Context, v *view, places []uint64, f *bridge.Facts) error {
	all, err := r.at(ctx, v, places)
	if err != nil {
		return err
	}
	var questions []question
	for i := range all {
		if all[i].kind == gameType {
			questions = append(questions, r.details(&all[i])...)
		}
	}
	if err := v.ask(ctx, questions...); err != nil {
		return err
	}
	for i := range all {
		g := &all[i]
		if g.kind != gameType || !g.counts() || !g.block.IsUint64() || g.block.Uint64() < f.Block {
			continue
		}
		g.Block = g.block.Uint64()
		right, err := r.right(ctx, g)
		if err != nil {
			return err
		}
		if !right {
			continue
		}
		if g.disputed() {
			f.Disputed = true
			continue
		}
		f.Claim = &g.Claim
		return nil
	}
	return nil
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
