package proposer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/rpc"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// stalled is a chain whose derivation stands still while L1 goes on: its data are withheld.
type stalled struct {
	*games
	at time.Time
}

func (s *stalled) L1Status() (rpc.L1Status, bool) {
	return rpc.L1Status{Current: rpc.L1Ref{Timestamp: uint64(s.at.Unix())}, Head: rpc.L1Ref{Timestamp: uint64(time.Now().Unix())}}, true
}

func TestAClaimThatCannotBeCheckedIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20}
		g.add(Root{0xad}, 500)
		p := Start(Options{Chain: &stalled{g, time.Now()}, Claims: g, Interval: 10 * time.Second, Log: quiet})
		defer p.Close()
		time.Sleep(window * 2 / 3)
		synctest.Wait()
		if s := p.Status(); g.challenged(0) || s.Failing != nil {
			t.Errorf("two thirds of the window: challenged %v, %+v", g.challenged(0), s)
		}
		time.Sleep(window/3 - time.Second)
		synctest.Wait()
		if s := p.Status(); !g.challenged(0) || s.Held != 1 || !errors.Is(s.Failing, ErrUnchecked) {
			t.Errorf("end of the window: challenged %v, %+v", g.challenged(0), s)
		}
	})
}

// TestAChallengeThatL1TookBackIsMadeAgain, be it this account's or one that the claimant
// himself made.
func TestAChallengeThatL1TookBackIsMadeAgain(t *testing.T) {
	for _, own := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := &games{safe: 20}
			g.add(Root{7}, 5)
			g.list[0].Closes = time.Now().Add(7 * 24 * time.Hour)
			g.list[0].Challenged = !own
			p := g.start()
			defer p.Close()
			time.Sleep(10 * time.Minute)
			g.set(func() {
				if !g.list[0].Challenged {
					t.Error("not challenged at first")
				}
				g.list[0].Challenged = false
			})
			time.Sleep(time.Minute)
			g.set(func() {
				if !g.list[0].Challenged {
					t.Error("not challenged again")
				}
				g.list[0].Held = true
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(p.watched) != 0 {
				t.Error("still watched though the challenge is final")
			}
		})
	}
}

// purse is an account with so many wei; a claim locks 1, a stake is 100.
type purse struct {
	*games
	left   int64
	staked bool
}

func (p *purse) Purse(context.Context) (Purse, error) {
	return Purse{Balance: big.NewInt(p.left), Bond: big.NewInt(1), Stake: big.NewInt(100), Staked: p.staked}, nil
}

func (p *purse) Stake(context.Context) error {
	if p.left < 100 {
		return errors.New("insufficient funds")
	}
	p.left, p.staked = p.left-100, true
	return nil
}

func (p *purse) Claim(ctx context.Context, root Root, block uint64) error {
	if !p.staked {
		return errors.New("claimed without a stake")
	}
	p.left--
	return p.games.Claim(ctx, root, block)
}

func TestBondsLeaveAStakeInReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 1}
		c := &purse{games: g, left: 242} // two stakes, 40 claims, and gas
		p := Start(Options{Chain: g, Claims: c, Interval: 5 * time.Minute, Log: quiet})
		defer p.Close()
		for range 24 * 12 {
			time.Sleep(5 * time.Minute)
			g.set(func() { g.safe++ })
		}
		synctest.Wait()
		if c.left != 102 || len(g.list) != 40 || !c.staked || !errors.Is(p.Status().Failing, ErrReserve) {
			t.Errorf("%d wei are left after %d claims, staked %v, %+v", c.left, len(g.list), c.staked, p.Status())
		}
	})
}

// busy never comes back from taking bonds back.
type busy struct{ *games }

func (b busy) TakeBack(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestTakingBondsBackDoesNotKeepFromJudging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20}
		p := Start(Options{Chain: g, Claims: busy{g}, Interval: 5 * time.Minute, Log: quiet})
		defer p.Close()
		time.Sleep(time.Hour)
		g.set(func() { g.add(Root{0xee}, 2) })
		at := 1
		time.Sleep(window / 2)
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.list[at].Challenged {
			t.Error("a wrong claim is not challenged")
		}
	})
}

// anchored counts what becomes the anchor: a claim is final 10 s after its window.
type anchored struct {
	*games
	own   bool
	moved []uint64
}

func (a *anchored) Game(ctx context.Context, place uint64) (*Game, error) {
	g, err := a.games.Game(ctx, place)
	if g != nil {
		g.Own = a.own
	}
	return g, err
}

func (a *anchored) MoveAnchor(_ context.Context, g *Game) (bool, error) {
	if time.Since(g.Closes) < 10*time.Second {
		return false, nil
	}
	a.moved = append(a.moved, g.Block.Uint64())
	return true, nil
}

// TestTheAnchorMovesToOwnClaims once for each, also for one that an earlier run resolved.
func TestTheAnchorMovesToOwnClaims(t *testing.T) {
	for _, own := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := &games{safe: 9}
			g.add(rootOf(t, 7), 7)
			g.list[0].Resolved, g.list[0].Valid = true, true
			a := &anchored{games: g, own: own}
			p := Start(Options{Chain: g, Claims: a, Interval: 10 * time.Second, Log: quiet})
			time.Sleep(5 * time.Minute)
			p.Close()
			if want := []uint64{7, 9}; own && !slices.Equal(a.moved, want) || !own && a.moved != nil {
				t.Errorf("own %v: the anchor moved to %v, want %v", own, a.moved, want)
			}
		})
	}
}

// slow takes a block of L1 for each challenge.
type slow struct {
	*games
	count int
}

func (s *slow) at(a Address) *Game { return s.list[int(a[0])<<8|int(a[1])] }

func (s *slow) Challenge(ctx context.Context, g *Game) error {
	time.Sleep(12 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.at(g.Address); !have.Challenged {
		have.Challenged = true
		s.count++
	}
	return nil
}

func (s *slow) Settle(context.Context, *Game) (bool, error) { return false, nil }

func (s *slow) Claim(context.Context, Root, uint64) error { return ErrClaimed }

func TestThousandsOfWrongClaimsAreChallenged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		g := &games{safe: 20}
		now := time.Now()
		for i := range n {
			g.list = append(g.list, &Game{
				Address: common.Address{byte(i >> 8), byte(i)}, Block: big.NewInt(7), Root: Root{byte(i), byte(i >> 8), 1}, Created: now, Closes: now.Add(time.Hour),
			})
		}
		s := &slow{games: g}
		p := Start(Options{Chain: g, Claims: s, Interval: 24 * time.Hour, Log: quiet})
		defer p.Close()
		time.Sleep(time.Hour)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.count != n {
			t.Errorf("%d of %d are challenged when the window closes", s.count, n)
		}
	})
}
