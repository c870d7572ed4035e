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

// Bounds of looking for claims, from either end of those that may hold a withdrawal: places
// that are searched for right claims, and right claims whose standing is asked. Each place
// is a bond; wrong ones are as good as lost to who made them.
const (
	maxSearch = 8_192
	maxLook   = 64
)

// gameType is the type of HybridGame; others are passed over.
const gameType = 7411

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

// statusOf are the questions about what can change of a game.
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
	next, err := r.pickOldest(ctx, v, first, n, f)
	if err != nil || f.Claim != nil {
		return err
	}
	if err := r.pickNewest(ctx, v, next, n, f); err != nil || f.Claim != nil {
		return err
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
const maxClaims = 2 * maxSearch

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

// Claims that are searched together: the first ones will mostly do, and L1 answers a
// bounded call.
const (
	firstPage = 8
	maxPage   = 128
)

// pickOldest picks among the first right claims from a place on, and tells up to where it
// has looked.
func (r *Reader) pickOldest(ctx context.Context, v *view, from, n uint64, f *bridge.Facts) (uint64, error) {
	end := from + min(n-from, maxSearch)
	for left, size := maxLook, uint64(firstPage); from < end && left > 0 && f.Claim == nil; size = min(2*size, maxPage) {
		to := min(from+size, end)
		right, err := r.rightIn(ctx, v, from, to, f.Block)
		if err != nil {
			return from, err
		}
		if len(right) > left {
			to, right = right[left].Index, right[:left]
		}
		if err := r.pick(ctx, v, right, f); err != nil {
			return from, err
		}
		from, left = to, left-len(right)
	}
	return from, nil
}

// pickNewest picks among the last right claims from a place on.
func (r *Reader) pickNewest(ctx context.Context, v *view, from, n uint64, f *bridge.Facts) error {
	var right []game
	from = max(from, n-min(n, maxSearch))
	for to := n; from < to && len(right) < maxLook; {
		at := max(from, to-min(to, maxPage))
		some, err := r.rightIn(ctx, v, at, to, f.Block)
		if err != nil {
			return err
		}
		right, to = append(some, right...), at
	}
	return r.pick(ctx, v, right[max(0, len(right)-maxLook):], f)
}

// atOnce is how many claims' standing is asked together.
const atOnce = 8

// pick takes the earliest of some right claims that is not disputed.
func (r *Reader) pick(ctx context.Context, v *view, right []game, f *bridge.Facts) error {
	for some := range slices.Chunk(right, atOnce) {
		var questions []question
		for i := range some {
			questions = append(questions, r.statusOf(&some[i])...)
		}
		if err := v.ask(ctx, questions...); err != nil {
			return err
		}
		for i := range some {
			g := &some[i]
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

// rightIn are the claims in places from..to-1 that are right and hold a block, in order.
func (r *Reader) rightIn(ctx context.Context, v *view, from, to, block uint64) ([]game, error) {
	all, err := r.page(ctx, v, from, to)
	if err != nil {
		return nil, err
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

// pageWeight is of how many claims L1 reads roots for the price of a plain question.
const pageWeight = 16

// page is what is fixed of the claims in places from..to-1, in order, without games of other
// types. One question gives as many as are not remembered.
func (r *Reader) page(ctx context.Context, v *view, from, to uint64) ([]game, error) {
	out := make([]game, 0, to-from)
	for place := from; place < to; place++ {
		g, ok := r.claims.Get(place)
		if !ok || g.kind == gameType && g.block == nil {
			break
		}
		out = append(out, g)
	}
	if from += uint64(len(out)); from < to {
		more, err := r.search(ctx, v, from, to)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return slices.DeleteFunc(out, func(g game) bool { return g.kind != gameType }), nil
}

// search asks for the games in places from..to-1, in order.
func (r *Reader) search(ctx context.Context, v *view, from, to uint64) ([]game, error) {
	var rows []bindings.DisputeGameFactoryGameSearchResult
	start, n := new(big.Int).SetUint64(to-1), new(big.Int).SetUint64(to-from)
	if err := v.turns.wait(ctx, int(to-from)/pageWeight); err != nil {
		return nil, err
	}
	err := v.ask(ctx, into(r.factory, r.factories.PackFindLatestGames(gameType, start, n), r.factories.UnpackFindLatestGames, &rows))
	if err != nil {
		return nil, err
	}
	out := make([]game, to-from)
	for _, row := range rows {
		if row.Index.Cmp(start) > 0 || row.Index.Uint64() < from { // of before, where there are games of other types
			continue
		}
		g := &out[row.Index.Uint64()-from]
		g.Claim = bridge.Claim{Index: row.Index.Uint64(), Game: common.BytesToAddress(row.Metadata[12:]), Created: row.Timestamp}
		g.kind, g.root, g.block = gameType, row.RootClaim, new(big.Int).SetBytes(row.ExtraData)
	}
	var others []uint64
	for i := range out {
		if out[i].kind == gameType {
			r.remember(v, &out[i])
		} else {
			others = append(others, from+uint64(i))
		}
	}
	_, err = r.at(ctx, v, others) // has them remembered
	return out, err
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
