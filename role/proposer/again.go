package proposer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// judged is what a place held when it was judged.
type judged struct {
	place   uint64
	address Address
	created time.Time
	sure    bool // those before it were seen in their places while L1 had it
}

// judged remembers what was judged until L1 will not take it back.
func (p *Proposer) judged(place uint64, g *Game) {
	at, found := slices.BinarySearchFunc(p.recent, place, func(have judged, want uint64) int { return cmp.Compare(have.place, want) })
	now := judged{place: place, address: g.Address, created: g.Created}
	if found {
		p.recent[at] = now
	} else {
		p.recent = slices.Insert(p.recent, at, now)
	}
	for i := at; i < len(p.recent); i++ {
		p.recent[i].sure = false
	}
}

// lookBack has what L1 has put in the place of judged games judged, too. A game's address
// commits to the L1 blocks before its own: once those before it were seen there, they are for
// as long as it is, and one question does for any number of them. What was judged since the
// last look may be of another branch of L1. Those in final blocks of L1 stay.
func (p *Proposer) lookBack(ctx context.Context, count uint64) error {
	if s, ok := p.opts.Chain.L1Status(); ok && s.Finalized.Timestamp > 0 {
		final := time.Unix(int64(s.Finalized.Timestamp), 0)
		p.recent = slices.DeleteFunc(p.recent, func(was judged) bool { return !was.created.After(final) })
	}
	var there time.Time // when one was created that is there with those before it
	for i, was := range slices.Backward(slices.Clone(p.recent)) {
		if was.created.Before(there) {
			break
		}
		var at Address
		if was.place < count {
			var err error
			if at, err = p.opts.Claims.At(ctx, was.place); err != nil {
				return fmt.Errorf("game %d: %w", was.place, err)
			}
		}
		if at == was.address {
			if was.sure {
				there = was.created
			}
			continue
		}
		p.recent = slices.Delete(p.recent, i, i+1)
		p.forget(was.place)
		if was.place < p.next && !slices.ContainsFunc(p.watched, func(w *watched) bool { return w.place == was.place }) {
			p.watched = append(p.watched, &watched{place: was.place})
		}
	}
	for i := range p.recent {
		if !p.recent[i].created.Before(there) {
			p.recent[i].sure = true
		}
	}
	return nil
}

// forget drops the game that was in a place: L1 took it back.
func (p *Proposer) forget(place uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(g *Game) bool { return g.place == place })
}
