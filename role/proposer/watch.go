package proposer

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Game is a claim on L1 as it was looked at.
type Game struct {
	Address Address
	Block   *big.Int // number of the L2 block
	Root    Root
	Created time.Time
	Closes  time.Time // its window
	Now     time.Time // L1's clock at the look
	Own     bool      // made by this account

	Challenged, Resolved, Valid bool
	// Held means that the challenge is in a block that is L1-final: it stays.
	Held bool

	Counter Root // what is claimed against it
	place   uint64
}

// passed reports whether so many sixteenths of the window have passed, by L1's clock.
func (g *Game) passed(sixteenths time.Duration) bool {
	return g.Now.Sub(g.Created) >= g.Closes.Sub(g.Created)/16*sixteenths
}

// watched is a game that is not done with.
type watched struct {
	place uint64
	seen  time.Time // L1's clock when this run saw it first
	next  time.Time // it need not be looked at before
	told  bool      // the alarm was raised
	err   error     // of the newest look

	// Under the proposer's lock.
	sending bool  // its challenge is under way
	again   bool  // it has failed since the newest look
	failed  error // why, until one succeeds
}

// judged is what a place held when it was judged.
type judged struct {
	place   uint64
	root    Root
	created time.Time
}

// A reorganisation of L1 may put another game into a place that was judged: the newest
// are looked at again for as long as that can be.
const (
	recentGames  = 64
	recentPeriod = 30 * time.Second
	recentAge    = 20 * time.Minute
)

// A claim that cannot be checked is challenged when three quarters of its window have
// passed and this run has watched it for a sixteenth of it: a node that has just been
// started is behind for a good reason.
const (
	holdFrom   = 12 // sixteenths
	watchedFor = 1
	leastWatch = 10 * time.Second // windows of development are shorter than that
)

// mostErrors are named at once.
const mostErrors = 8

// look takes in the games that were created since the last look, and those that have
// changed.
func (p *Proposer) look(ctx context.Context) error {
	count, err := p.opts.Claims.Count(ctx)
	if err != nil {
		return err
	}
	if count < p.next { // L1 reorganised: what is left may be others, too
		p.next, p.again = count, time.Time{}
		p.watched = slices.DeleteFunc(p.watched, func(w *watched) bool { return w.place >= count })
	}
	p.mu.Lock()
	back := p.back
	p.back = nil
	p.mu.Unlock()
	for _, place := range back {
		if place < count {
			p.watched = append(p.watched, &watched{place: place})
		}
	}
	for ; p.next < count; p.next++ {
		p.watched = append(p.watched, &watched{place: p.next})
	}
	if time.Since(p.again) < recentPeriod {
		return nil
	}
	p.again = time.Now()
	var errs []error
	rest := p.recent[:0]
	for _, was := range p.recent {
		if was.place >= count {
			p.forget(was.place) // it will be new
			continue
		}
		g, err := p.opts.Claims.Game(ctx, was.place)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("game %d: %w", was.place, err))
			rest = append(rest, was)
		case g == nil || g.Root != was.root || !g.Created.Equal(was.created):
			p.forget(was.place)
			p.watched = append(p.watched, &watched{place: was.place})
		case g.Now.Sub(g.Created) < recentAge:
			rest = append(rest, was)
		}
	}
	p.recent = rest
	return errors.Join(errs...)
}

// forget drops the game that was in a place: L1 took it back.
func (p *Proposer) forget(place uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(g *Game) bool { return g.place == place })
}

// judgeAll judges the games that can be. One that cannot be challenged waits behind the
// others.
func (p *Proposer) judgeAll(ctx context.Context) error {
	var errs []error
	var rest, last []*watched
	for _, w := range p.watched {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.mu.Lock()
		sending, again, failed := w.sending, w.again, w.failed
		w.again = false
		p.mu.Unlock()
		if failed != nil {
			errs = append(errs, fmt.Errorf("game %d: %w", w.place, failed))
		}
		if again {
			last = append(last, w)
			continue
		}
		if sending || time.Now().Before(w.next) {
			if w.err != nil {
				errs = append(errs, w.err)
			}
			rest = append(rest, w)
			continue
		}
		g, err := p.opts.Claims.Game(ctx, w.place)
		done := err == nil && g == nil // of another type
		if err == nil && g != nil {
			g.place = w.place
			done, err = p.judge(ctx, w, g)
		}
		w.err = nil
		if err != nil {
			w.err = fmt.Errorf("game %d: %w", w.place, err)
			errs = append(errs, w.err)
		}
		if !done {
			rest = append(rest, w)
		} else if g != nil {
			p.recent = append(p.recent, judged{w.place, g.Root, g.Created})
		}
	}
	p.watched = append(rest, last...)
	p.recent = p.recent[max(0, len(p.recent)-recentGames):]
	if more := len(errs) - mostErrors; more > 0 {
		errs = append(errs[:mostErrors], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// derived reports whether derivation has read L1 as it was when half of the window had
// passed. Nobody can claim a block that is not there then.
func (p *Proposer) derived(g *Game) bool {
	s, ok := p.opts.Chain.L1Status()
	return ok && time.Unix(int64(s.Current.Timestamp), 0).Sub(g.Created) > g.Closes.Sub(g.Created)/2
}

// check compares a claim with the chain and sets what is right instead. It is not known
// while the claim is about a block that is not final on L1 and there is time, and as long
// as derivation has not come so far.
func (p *Proposer) check(ctx context.Context, g *Game) (known bool, err error) {
	safe, limit := p.opts.Chain.Finality()
	derived := p.derived(g)
	if derived || g.passed(holdFrom) {
		limit = safe
	}
	if g.Block.IsUint64() && g.Block.Uint64() <= limit {
		g.Counter, err = p.root(ctx, g.Block.Uint64())
		return err == nil, err
	}
	if derived {
		g.Counter = other(g.Root) // there is no such block
	}
	return derived, nil
}

// other is anything but a root.
func other(r Root) Root {
	for i := range r {
		r[i] = ^r[i]
	}
	return r
}

// judge compares a game with the chain, and has a wrong one challenged. It is done when it
// is right, when its challenge stays, and when nothing can be done.
func (p *Proposer) judge(ctx context.Context, w *watched, g *Game) (done bool, err error) {
	if w.seen.IsZero() {
		w.seen = g.Now
	}
	closed, window := !g.Now.Before(g.Closes), g.Closes.Sub(g.Created)
	known, err := p.check(ctx, g)
	if !known {
		w.next = time.Now().Add(min(recentPeriod, window/16))
		if closed || g.Resolved || !g.passed(holdFrom) {
			return false, err
		}
		err = errors.Join(fmt.Errorf("block %v, until %v: %w", g.Block, g.Closes.UTC(), ErrUnchecked), err)
		if g.Now.Sub(w.seen) < max(window/16*watchedFor, leastWatch) {
			return false, err
		}
		g.Counter = other(g.Root)
	}
	switch {
	case known && g.Counter == g.Root:
		p.mu.Lock()
		p.status.Claimed = max(p.status.Claimed, g.Block.Uint64())
		if !g.Resolved {
			p.open = append(p.open, g)
		} else if g.Own && g.Valid {
			p.anchor = append(p.anchor, g)
		}
		p.mu.Unlock()
		return true, nil
	case g.Challenged:
		w.next = time.Now().Add(min(recentPeriod, window/16)) // L1 may take the challenge back
		return g.Held || closed || g.Resolved, err
	case g.Resolved || closed:
		p.opts.Log.Error("a wrong claim was not challenged in time: exits must be paused", "game", g.Address, "block", g.Block, "root", g.Root, "valid", g.Valid)
		return true, nil
	}
	if !known && !w.told {
		w.told = true
		p.opts.Log.Error("a claim cannot be checked and its window closes soon: it is held; see why derivation stands still", "game", g.Address, "block", g.Block, "root", g.Root)
	}
	p.challenge(ctx, w, g, known)
	return false, err
}

// challenge begins to counter a game if as many as may be are not under way, and does not
// wait for it.
func (p *Proposer) challenge(ctx context.Context, w *watched, g *Game, known bool) {
	select {
	case p.slots <- struct{}{}:
	default:
		w.next = time.Time{}
		return
	}
	p.mu.Lock()
	w.sending = true
	p.mu.Unlock()
	p.sending.Go(func() {
		err := p.opts.Claims.Challenge(ctx, g)
		<-p.slots
		p.mu.Lock()
		defer p.mu.Unlock()
		w.sending, w.again, w.failed = false, err != nil, nil
		if err != nil {
			w.failed = fmt.Errorf("challenge the claim of block %v: %w", g.Block, err)
			return
		}
		p.status.Challenges++
		if !known {
			p.status.Held++
		}
		p.opts.Log.Warn("challenged a wrong claim", "game", g.Address, "block", g.Block, "root", g.Root, "checked", known)
	})
}
