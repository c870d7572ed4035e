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
	"github.com/talaria-l2/talaria/telemetry"
)

// Chain is what a proposer reads of the chain.
type Chain interface {
	// HeaderByNumber returns a sealed header.
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	// Finality is the newest block posted to L1 and the newest that is L1-final.
	Finality() (safe, finalized uint64)
	// L1Status tells how far derivation has read; false: nothing yet.
	L1Status() (rpc.L1Status, bool)
	// DecidedIn is the L1 block from which a block follows, with those before it, if that
	// is known.
	DecidedIn(number uint64) (l1 uint64, known bool, err error)
}

// Options of a proposer. The zero value of a field means its default.
type Options struct {
	Chain  Chain
	Claims Claims
	// Interval is the least time between two claims [1 h].
	Interval time.Duration
	// Poll is how often games are looked at [a quarter of Interval, at most 10 s].
	Poll    time.Duration
	Metrics *telemetry.Claims // nil: not measured
	Log     *slog.Logger      // [slog.Default()]
}

// Status is how far a proposer is.
type Status struct {
	Claimed    uint64 // newest block with a claim of this chain's root
	Claims     uint64 // made by this run
	Challenges uint64 // made by this run
	Held       uint64 // of the challenges, those of claims that could not be checked
	Unchecked  uint64 // claims whose window closes soon and that cannot be checked
	Missed     uint64 // wrong claims that were not challenged in time
	Failing    error  // why something cannot be done at the moment; ErrReserve, ErrUnchecked among others
}

// Conditions that need the operator's help.
var (
	// ErrReserve means that another claim would leave less than a stake in the account.
	ErrReserve = errors.New("the account must keep another stake in reserve: nothing more is claimed")
	// ErrUnchecked means that a claim's window is about to close and this node cannot tell
	// whether it is right.
	ErrUnchecked = errors.New("a claim whose window closes soon cannot be checked")
)

// Proposer claims the outputs of one chain.
type Proposer struct {
	opts Options

	// Of the loop that judges, which waits for no transaction.
	next    uint64     // place of the first game that was not looked at yet
	watched []*watched // not judged yet, or challenged and not final
	recent  []judged   // those that are judged and not final on L1, by place

	// Of the loop that spends and earns.
	last time.Time // of the newest own claim

	slots   chan struct{} // a token for each challenge under way
	sending sync.WaitGroup

	mu      sync.Mutex
	open    []*Game  // right and not resolved
	anchor  []*Game  // own claims that are resolved, oldest first
	back    []uint64 // places that were right and are to be judged again
	status  Status
	failing [2]error // of each loop
	told    Status   // to the metrics

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// The loops, as failing has them.
const (
	watching = iota
	trading
)

// mostChallenges are under way at once. Each waits for its block on L1.
const mostChallenges = 32

// Start begins to propose.
func Start(opts Options) *Proposer {
	if opts.Interval == 0 {
		opts.Interval = time.Hour
	}
	if opts.Poll == 0 {
		opts.Poll = min(max(opts.Interval/4, 100*time.Millisecond), 10*time.Second)
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proposer{opts: opts, cancel: cancel, slots: make(chan struct{}, mostChallenges)}
	for i, step := range []func(context.Context) error{watching: p.watch, trading: p.trade} {
		p.done.Go(func() { p.run(ctx, i, step) })
	}
	return p
}

// Close stops and waits for it. What was claimed stays so, and the next run looks after
// it.
func (p *Proposer) Close() {
	p.cancel()
	p.done.Wait()
	p.sending.Wait()
}

// Status tells how far the proposer is.
func (p *Proposer) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Failing = errors.Join(p.failing[:]...)
	return s
}

// run takes a step at each poll.
func (p *Proposer) run(ctx context.Context, loop int, step func(context.Context) error) {
	ticker := time.NewTicker(p.opts.Poll)
	defer ticker.Stop()
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := step(ctx)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.failing[loop] = err
		p.mu.Unlock()
		p.measure()
		if err != nil && time.Since(warned) >= time.Minute {
			warned = time.Now()
			p.opts.Log.Warn("claims on L1; trying again", "err", err)
		}
	}
}

// watch looks at new games and judges them. It waits for no transaction, so that nothing
// that others do on L1 keeps it from the next claim.
func (p *Proposer) watch(ctx context.Context) error {
	return errors.Join(p.look(ctx), p.judgeAll(ctx))
}

// trade claims what is due, settles right claims and takes bonds back, each a bounded
// number of times.
func (p *Proposer) trade(ctx context.Context) error {
	errs := []error{p.claim(ctx), p.settle(ctx)}
	if err := p.opts.Claims.TakeBack(ctx); err != nil {
		errs = append(errs, fmt.Errorf("take bonds back: %w", err))
	}
	return errors.Join(append(errs, p.moveAnchor(ctx))...)
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
	if err := p.fund(ctx); err != nil {
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

// gasShare is the part of a stake that is kept for the gas of challenges.
const gasShare = 50

// fund stakes before the first claim, and reports whether the account can pay another bond
// and then still another stake: bonds are locked for the window, and a stake may be barred.
func (p *Proposer) fund(ctx context.Context) error {
	purse, err := p.opts.Claims.Purse(ctx)
	if err != nil {
		return fmt.Errorf("look into the account: %w", err)
	}
	if !purse.Staked {
		if err := p.opts.Claims.Stake(ctx); err != nil {
			return fmt.Errorf("stake before the first claim: %w", err)
		}
		if purse, err = p.opts.Claims.Purse(ctx); err != nil {
			return fmt.Errorf("look into the account: %w", err)
		}
	}
	want := new(big.Int).Div(purse.Stake, big.NewInt(gasShare))
	want.Add(want, purse.Stake).Add(want, purse.Bond)
	if purse.Balance.Cmp(want) < 0 {
		return fmt.Errorf("%w: it has %v wei; a bond, a stake and gas are %v", ErrReserve, purse.Balance, want)
	}
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

// mostSettled are resolved in one step, at most: each waits for its block on L1.
const mostSettled = 4

// settle resolves right claims whose window has closed, whoever made them, so that
// withdrawals can go on. What is no longer right, after L1 reorganised, is judged again.
func (p *Proposer) settle(ctx context.Context) error {
	p.mu.Lock()
	open := slices.Clone(p.open)
	p.mu.Unlock()
	var errs []error
	for tried, i := 0, 0; i < len(open) && tried < mostSettled; i++ {
		g := open[i]
		if root, err := p.root(ctx, g.Block.Uint64()); err != nil || root != g.Root {
			p.mu.Lock()
			p.back = append(p.back, g.place)
			p.open = without(p.open, g)
			p.mu.Unlock()
			continue
		}
		done, err := p.opts.Claims.Settle(ctx, g)
		if err == nil && !done {
			continue
		}
		tried++
		p.mu.Lock()
		p.open = without(p.open, g)
		if err != nil { // its turn comes after the others'
			errs = append(errs, fmt.Errorf("settle the claim of block %v: %w", g.Block, err))
			p.open = append(p.open, g)
		} else if g.Own {
			p.anchor = append(p.anchor, g)
		}
		p.mu.Unlock()
	}
	return errors.Join(errs...)
}

func without(list []*Game, g *Game) []*Game {
	return slices.DeleteFunc(list, func(have *Game) bool { return have == g })
}

// moveAnchor makes the newest own claim that is final the anchor of claims to come.
func (p *Proposer) moveAnchor(ctx context.Context) error {
	p.mu.Lock()
	list := slices.Clone(p.anchor)
	p.mu.Unlock()
	for i, g := range slices.Backward(list) {
		done, err := p.opts.Claims.MoveAnchor(ctx, g)
		if err != nil {
			return fmt.Errorf("move the anchor to block %v: %w", g.Block, err)
		}
		if done {
			p.mu.Lock()
			p.anchor = slices.Delete(p.anchor, 0, i+1)
			p.mu.Unlock()
			return nil
		}
	}
	return nil
}
