package proposer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// Chain is what a proposer reads of the chain.
type Chain interface {
	// HeaderByNumber returns a sealed header.
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	// Finality is the newest block posted to L1 and the newest that is L1-final.
	Finality() (safe, finalized uint64)
	// L1Status tells how far derivation has read; false: nothing yet.
	L1Status() (rpc.L1Status, bool)
}

// Options of a proposer. The zero value of a field means its default.
type Options struct {
	Chain  Chain
	Claims Claims
	// Interval is the least time between two claims [5 min].
	Interval time.Duration
	// Poll is how often games are looked at [a quarter of Interval, at most 10 s].
	Poll time.Duration
	Log  *slog.Logger // [slog.Default()]
}

// Status is how far a proposer is.
type Status struct {
	Claimed    uint64 // newest block with a claim of this chain's root
	Claims     uint64 // made by this run
	Challenges uint64 // made by this run
	Failing    error  // why nothing can be done at the moment
}

// Proposer claims the outputs of one chain.
type Proposer struct {
	opts Options

	// Of the loop.
	next    uint64    // place of the first game that was not looked at yet
	watched []uint64  // places of games that are not judged yet
	recent  []judged  // the newest that are, oldest first
	open    []*Game   // right and not resolved
	last    time.Time // of the newest own claim
	again   time.Time // when the recent ones were looked at again
	warned  time.Time

	mu     sync.Mutex
	status Status

	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins to propose.
func Start(opts Options) *Proposer {
	if opts.Interval == 0 {
		opts.Interval = 5 * time.Minute
	}
	if opts.Poll == 0 {
		opts.Poll = min(max(opts.Interval/4, 100*time.Millisecond), 10*time.Second)
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proposer{opts: opts, cancel: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

// Close stops and waits for it. What was claimed stays so, and the next run looks after
// it.
func (p *Proposer) Close() {
	p.cancel()
	<-p.done
}

// Status tells how far the proposer is.
func (p *Proposer) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *Proposer) run(ctx context.Context) {
	defer close(p.done)
	ticker := time.NewTicker(p.opts.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := p.step(ctx)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.status.Failing = err
		p.mu.Unlock()
		if err != nil && time.Since(p.warned) >= time.Minute {
			p.warned = time.Now()
			p.opts.Log.Warn("claims on L1; trying again", "err", err)
		}
	}
}

// step looks at new games, settles open ones and claims what is due. What fails with one
// game keeps nothing else from being done.
func (p *Proposer) step(ctx context.Context) error {
	errs := []error{p.look(ctx), p.judgeAll(ctx), p.settle(ctx)}
	if err := p.opts.Claims.TakeBack(ctx); err != nil {
		errs = append(errs, fmt.Errorf("take bonds back: %w", err))
	}
	return errors.Join(append(errs, p.claim(ctx))...)
}

// claim claims the newest block that L1 holds and will not take back, when it is time,
// again if L1 took the claim itself back.
func (p *Proposer) claim(ctx context.Context) error {
	_, final := p.opts.Chain.Finality()
	p.mu.Lock()
	claimed := p.status.Claimed
	p.mu.Unlock()
	if final == 0 || final < claimed || time.Since(p.last) < p.opts.Interval {
		return nil
	}
	root, err := p.root(ctx, final)
	if err != nil {
		return err
	}
	err = p.opts.Claims.Claim(ctx, root, final)
	if err != nil && !errors.Is(err, ErrClaimed) {
		return fmt.Errorf("claim block %d: %w", final, err)
	}
	p.last = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Claimed = final
	if err != nil {
		return nil // it is there
	}
	p.status.Claims++
	p.opts.Log.Info("claimed on L1", "block", final, "root", root)
	return nil
}

// root is the output root of a sealed block.
func (p *Proposer) root(ctx context.Context, number uint64) (Root, error) {
	h, err := p.opts.Chain.HeaderByNumber(ctx, number)
	if err != nil {
		return Root{}, err
	}
	if h == nil {
		return Root{}, fmt.Errorf("block %d is not held", number)
	}
	return chain.OutputRoot(h)
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

// look takes in the games that were created since the last look, and those that have
// changed.
func (p *Proposer) look(ctx context.Context) error {
	count, err := p.opts.Claims.Count(ctx)
	if err != nil {
		return err
	}
	if count < p.next { // L1 reorganised: what is left may be others, too
		p.next, p.again = count, time.Time{}
		p.watched = slices.DeleteFunc(p.watched, func(place uint64) bool { return place >= count })
	}
	for ; p.next < count; p.next++ {
		p.watched = append(p.watched, p.next)
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
			p.watched = append(p.watched, was.place)
		case g.Now.Sub(g.Created) < recentAge:
			rest = append(rest, was)
		}
	}
	p.recent = rest
	return errors.Join(errs...)
}

// forget drops the game that was in a place: L1 took it back.
func (p *Proposer) forget(place uint64) {
	p.open = slices.DeleteFunc(p.open, func(g *Game) bool { return g.place == place })
}

// judgeAll judges the games that can be.
func (p *Proposer) judgeAll(ctx context.Context) error {
	var errs []error
	rest := p.watched[:0]
	for _, place := range p.watched {
		g, err := p.opts.Claims.Game(ctx, place)
		done := err == nil && g == nil // of another type
		if err == nil && g != nil {
			g.place = place
			done, err = p.judge(ctx, g)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("game %d: %w", place, err))
		}
		if !done {
			rest = append(rest, place)
		} else if g != nil {
			p.recent = append(p.recent, judged{place, g.Root, g.Created})
		}
	}
	p.watched = rest
	p.recent = p.recent[max(0, len(p.recent)-recentGames):]
	return errors.Join(errs...)
}

// expired reports whether a game must be judged now: derivation has read L1 as it was
// when half of the window had passed. Nobody can claim a block that is not there then.
func (p *Proposer) expired(g *Game) bool {
	s, ok := p.opts.Chain.L1Status()
	return ok && time.Unix(int64(s.Current.Timestamp), 0).Sub(g.Created) > g.Closes.Sub(g.Created)/2
}

// judge compares a game with the chain, and challenges a wrong one. It is not done while
// the claim is about a block that is not final on L1 and there is time.
func (p *Proposer) judge(ctx context.Context, g *Game) (done bool, err error) {
	safe, final := p.opts.Chain.Finality()
	limit := final
	if p.expired(g) {
		limit = safe
	}
	known := g.Block.IsUint64() && g.Block.Uint64() <= limit
	if !known && !p.expired(g) {
		return false, nil
	}
	if known {
		if g.Counter, err = p.root(ctx, g.Block.Uint64()); err != nil {
			return false, err
		}
	}
	switch {
	case known && g.Counter == g.Root:
		p.mu.Lock()
		p.status.Claimed = max(p.status.Claimed, g.Block.Uint64())
		p.mu.Unlock()
		if !g.Resolved {
			p.open = append(p.open, g)
		}
		return true, nil
	case g.Resolved || g.Challenged:
		if g.Valid {
			p.opts.Log.Error("a wrong claim was resolved as valid on L1: exits must be paused", "game", g.Address, "block", g.Block, "root", g.Root)
		}
		return true, nil
	case !g.Now.Before(g.Closes):
		p.opts.Log.Error("a wrong claim was not challenged in time: exits must be paused", "game", g.Address, "block", g.Block, "root", g.Root)
		return true, nil
	}
	if !known {
		for i := range g.Root { // of a block that does not exist: anything but the claim
			g.Counter[i] = ^g.Root[i]
		}
	}
	if err := p.opts.Claims.Challenge(ctx, g); err != nil {
		return false, fmt.Errorf("challenge the claim of block %v: %w", g.Block, err)
	}
	p.mu.Lock()
	p.status.Challenges++
	p.mu.Unlock()
	p.opts.Log.Warn("challenged a wrong claim", "game", g.Address, "block", g.Block, "root", g.Root)
	return true, nil
}

// settle resolves right claims whose window has closed, whoever made them, so that
// withdrawals can go on. What is no longer right, after L1 reorganised, is judged again.
func (p *Proposer) settle(ctx context.Context) error {
	rest := p.open[:0]
	var errs []error
	for _, g := range p.open {
		if root, err := p.root(ctx, g.Block.Uint64()); err != nil || root != g.Root {
			p.watched = append(p.watched, g.place)
			continue
		}
		done, err := p.opts.Claims.Settle(ctx, g)
		if err != nil {
			errs = append(errs, fmt.Errorf("settle the claim of block %v: %w", g.Block, err))
		}
		if !done {
			rest = append(rest, g)
		}
	}
	p.open = rest
	return errors.Join(errs...)
}

// Game is a claim on L1 as it was looked at.
type Game struct {
	Address Address
	Block   *big.Int // number of the L2 block
	Root    Root
	Created time.Time
	Closes  time.Time // its window
	Now     time.Time // L1's clock at the look

	Challenged, Resolved, Valid bool

	Counter Root // what is claimed against it
	place   uint64
}
