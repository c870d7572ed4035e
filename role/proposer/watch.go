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
	L1Head  uint64    // number of the L1 block before its own: what it claims must follow from it

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

// recentPeriod is how often at the most what cannot be judged, or may change, is looked at.
const recentPeriod = 30 * time.Second

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
	if count < p.next { // L1 reorganised
		p.next = count
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
	return p.lookBack(ctx, count)
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
			p.judged(w.place, g)
		}
	}
	p.watched = append(rest, last...)
	p.countUnchecked()
	if more := len(errs) - mostErrors; more > 0 {
		errs = append(errs[:mostErrors], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// countUnchecked notes how many claims cannot be checked.
func (p *Proposer) countUnchecked() {
	n := uint64(0)
	for _, w := range p.watched {
		if errors.Is(w.err, ErrUnchecked) {
			n++
		}
	}
	p.mu.Lock()
	p.status.Unchecked = n
	p.mu.Unlock()
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
		return p.compare(ctx, g, g.Block.Uint64())
	}
	if derived {
		g.Counter = other(g.Root) // there is no such block
	}
	return derived, nil
}

// compare compares a claim with a block that derivation has made. A right root is wrong,
// too, if the block did not follow from L1 yet when it was claimed: nobody could know it.
func (p *Proposer) compare(ctx context.Context, g *Game, block uint64) (known bool, err error) {
	if g.Counter, err = p.root(ctx, block); err != nil || g.Counter != g.Root {
		return err == nil, err
	}
	l1, noted, err := p.opts.Chain.DecidedIn(block)
	if err != nil {
		return false, err
	}
	if noted && l1 > g.L1Head {
		g.Counter = other(g.Root)
	}
	return true, nil
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
		p.mu.Lock()
		p.status.Missed++
		p.mu.Unlock()
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
