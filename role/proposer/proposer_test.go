package proposer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// window is how long a claim may be challenged.
const window = 30 * time.Second

// games is a chain of as many blocks as L1 holds, and the games about it.
type games struct {
	mu         sync.Mutex
	safe       uint64
	list       []*Game
	down       bool
	behind     bool // derivation has read nothing
	decided    map[uint64]uint64
	final      time.Time // of L1
	looks      int       // at addresses of games
	blind      bool      // no address can be looked at
	challenges int
	resolved   int
}

func (g *games) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	return header(number), nil
}

func header(number uint64) *types.Header {
	return &types.Header{Number: new(big.Int).SetUint64(number), Difficulty: new(big.Int), WithdrawalsHash: &types.EmptyWithdrawalsHash}
}

func rootOf(t *testing.T, number uint64) Root {
	t.Helper()
	r, err := chain.OutputRoot(header(number))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (g *games) Finality() (safe, finalized uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.safe, g.safe
}

func (g *games) L1Status() (rpc.L1Status, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := rpc.L1Status{Current: rpc.L1Ref{Timestamp: uint64(time.Now().Unix())}}
	if !g.final.IsZero() {
		s.Finalized.Timestamp = uint64(g.final.Unix())
	}
	return s, !g.behind
}

func (g *games) DecidedIn(number uint64) (l1 uint64, known bool, err error) {
	l1, known = g.decided[number]
	return l1, known, nil
}

// stubborn is a claim of which every challenge reverts.
var stubborn = Root{0x5b}

var errDown = errors.New("connection refused")

// errGone is told of a place that L1 had when its games were counted.
var errGone = errors.New("execution reverted")

func (g *games) Count(context.Context) (uint64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return 0, errDown
	}
	return uint64(len(g.list)), nil
}

func (g *games) Game(_ context.Context, place uint64) (*Game, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if place >= uint64(len(g.list)) {
		return nil, errGone
	}
	if g.list[place] == nil {
		return nil, nil
	}
	seen := *g.list[place]
	seen.Now = time.Now()
	return &seen, nil
}

func (g *games) At(_ context.Context, place uint64) (Address, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looks++
	if g.blind {
		return Address{}, errors.New("cannot look")
	}
	if place >= uint64(len(g.list)) {
		return Address{}, errGone
	}
	return g.list[place].Address, nil
}

// add makes a claim. Its address begins with its place, and is another at another time.
func (g *games) add(root Root, block uint64) {
	now := time.Now()
	address := common.Address{byte(len(g.list) + 1)}
	binary.BigEndian.PutUint64(address[1:], uint64(now.UnixNano()))
	g.list = append(g.list, &Game{
		Address: address, Block: new(big.Int).SetUint64(block), Root: root, Created: now, Closes: now.Add(window),
	})
}

func (g *games) Claim(_ context.Context, root Root, block uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, have := range g.list {
		if have != nil && have.Root == root {
			return ErrClaimed
		}
	}
	g.add(root, block)
	return nil
}

func (g *games) at(address Address) *Game { return g.list[address[0]-1] }

func (g *games) Challenge(_ context.Context, c *Game) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	have := g.at(c.Address)
	if have.Challenged || time.Now().After(have.Closes) || c.Counter == have.Root || have.Root == stubborn {
		return errors.New("reverted")
	}
	have.Challenged, have.Counter = true, c.Counter
	g.challenges++
	return nil
}

func (g *games) Settle(_ context.Context, c *Game) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if int(c.Address[0]) > len(g.list) {
		return false, errors.New("no code there") // L1 took the game back
	}
	have := g.at(c.Address)
	if time.Now().Before(have.Closes) || have.Challenged {
		return false, nil
	}
	have.Resolved, have.Valid = true, true
	g.resolved++
	return true, nil
}

func (g *games) TakeBack(context.Context) error { return nil }

func (g *games) Stake(context.Context) error { return nil }

func (g *games) Purse(context.Context) (Purse, error) {
	return Purse{Balance: big.NewInt(1000), Bond: big.NewInt(1), Stake: big.NewInt(100), Staked: true}, nil
}

func (g *games) MoveAnchor(context.Context, *Game) (bool, error) { return true, nil }

func (g *games) start() *Proposer {
	return Start(Options{Chain: g, Claims: g, Interval: 10 * time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// challenged reports whether a game is.
func (g *games) challenged(place int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.list[place].Challenged
}

// set changes something that the proposer sees.
func (g *games) set(f func()) {
	g.mu.Lock()
	f()
	g.mu.Unlock()
}

func TestWhatL1HoldsIsClaimedOnceAndResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{}
		p := g.start()
		time.Sleep(time.Minute)
		if len(g.list) != 0 {
			t.Fatal("claimed a chain of which L1 holds nothing")
		}
		for n := uint64(1); n <= 60; n++ {
			g.set(func() { g.safe = n })
			time.Sleep(time.Second)
		}
		p.Close()
		if len(g.list) < 5 || len(g.list) > 7 {
			t.Errorf("%d claims in a minute, one in 10 s is wanted", len(g.list))
		}
		for _, c := range g.list {
			if c.Root != rootOf(t, c.Block.Uint64()) {
				t.Errorf("block %v: wrong claim", c.Block)
			}
		}
		claims := len(g.list)
		p = g.start() // it looks after what the other run claimed, and does not claim it again
		time.Sleep(time.Minute)
		p.Close()
		if extra := len(g.list) - claims; extra > 1 || g.resolved != len(g.list) && g.resolved != len(g.list)-1 || g.challenges != 0 {
			t.Errorf("%d more claims of the same chain, %d resolved of %d, %d challenges", extra, g.resolved, len(g.list), g.challenges)
		}
	})
}

func TestWrongClaimsOfOthersAreChallenged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20}
		g.list = append(g.list, nil) // of another type
		g.add(Root{7}, 5)            // wrong
		g.add(rootOf(t, 6), 6)       // right
		g.add(rootOf(t, 6), 7)       // right for another block
		g.add(Root{8}, 500)          // of a block that L1 does not hold
		g.add(rootOf(t, 501), 25)    // wrong, and of a block that comes
		g.add(stubborn, 9)           // stands in nobody's way
		g.add(Root{}, 4)             // wrong
		g.list = append(g.list, &Game{
			Address: common.Address{9}, Block: new(big.Int).Lsh(big.NewInt(1), 255), Root: Root{1}, Created: time.Now(), Closes: time.Now().Add(window),
		})
		p := g.start()
		defer p.Close()
		time.Sleep(11 * time.Second)
		g.set(func() { g.safe = 30 })
		time.Sleep(time.Minute)
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, want := range map[int]Root{1: rootOf(t, 5), 2: {}, 3: rootOf(t, 7), 4: inverse(Root{8}), 5: rootOf(t, 25), 6: {}, 7: rootOf(t, 4), 8: inverse(Root{1})} {
			if c := g.list[i]; c.Counter != want || c.Challenged != (want != Root{}) {
				t.Errorf("claim %d of block %v: challenged %v with %s, want %s", i, c.Block, c.Challenged, c.Counter, want)
			}
		}
		if !g.list[2].Resolved {
			t.Error("the right claim of somebody else is not resolved")
		}
		if s := p.Status(); s.Challenges != 6 || s.Claimed != 30 {
			t.Errorf("%+v", s)
		}
	})
}

func inverse(r Root) Root {
	for i := range r {
		r[i] = ^r[i]
	}
	return r
}

// TestAGameThatL1ReorganisedIsJudgedAgain: its place holds another claim now.
func TestAGameThatL1ReorganisedIsJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20}
		g.add(rootOf(t, 20), 20)
		p := g.start()
		defer p.Close()
		time.Sleep(5 * time.Second)
		g.set(func() {
			g.list = nil
			g.add(Root{6}, 6)
			g.list[0].Closes = time.Now().Add(10 * time.Minute)
		})
		time.Sleep(2 * time.Minute)
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.list[0].Challenged {
			t.Error("the wrong claim in the same place was not challenged")
		}
	})
}

// TestAClaimMadeBeforeItsBlockWasPostedIsChallenged: nobody could know that it is right.
func TestAClaimMadeBeforeItsBlockWasPostedIsChallenged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20, decided: map[uint64]uint64{10: 100, 11: 100, 12: 103}}
		for i, head := range []uint64{99, 100, 102, 5} {
			g.add(rootOf(t, uint64(10+i)), uint64(10+i))
			g.list[i].L1Head = head
		}
		p := g.start()
		defer p.Close()
		time.Sleep(time.Minute)
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, want := range []bool{true, false, true, false} { // nothing was noted of block 13
			if c := g.list[i]; c.Challenged != want || c.Resolved == want || want && c.Counter != inverse(c.Root) {
				t.Errorf("claim of block %v with L1 block %d: challenged %v with %s, resolved %v", c.Block, c.L1Head, c.Challenged, c.Counter, c.Resolved)
			}
		}
	})
}

func TestAnL1ThatIsDownIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 3, down: true}
		p := g.start()
		defer p.Close()
		time.Sleep(10 * time.Minute)
		if s := p.Status(); !errors.Is(s.Failing, errDown) {
			t.Errorf("%+v", s)
		}
		g.set(func() { g.down = false })
		time.Sleep(20 * time.Second)
		if s := p.Status(); s.Failing != nil || s.Claimed != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestANodeThatIsBehindWaits: what it does not have may be right, and there is time.
func TestANodeThatIsBehindWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{behind: true}
		g.add(rootOf(t, 20), 20)
		g.list[0].Closes = time.Now().Add(time.Hour)
		p := g.start()
		defer p.Close()
		time.Sleep(44 * time.Minute)
		g.set(func() { g.behind, g.safe = false, 20 })
		time.Sleep(20 * time.Minute)
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.list[0].Challenged || !g.list[0].Resolved {
			t.Errorf("challenged %v, resolved %v", g.list[0].Challenged, g.list[0].Resolved)
		}
	})
}

// TestANodeThatWasJustStartedWaits: three quarters of the window have passed before it.
func TestANodeThatWasJustStartedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{behind: true}
		g.add(rootOf(t, 20), 20)
		g.list[0].Closes = time.Now().Add(16 * time.Hour)
		time.Sleep(14 * time.Hour)
		p := g.start()
		defer p.Close()
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if s := p.Status(); g.challenged(0) || !errors.Is(s.Failing, ErrUnchecked) {
			t.Errorf("challenged %v, %+v", g.challenged(0), s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := p.Status(); !g.challenged(0) || s.Held != 1 {
			t.Errorf("challenged %v, %+v", g.challenged(0), s)
		}
	})
}
