package l1feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// testL1 is an L1 that counts what is fetched.
type testL1 struct {
	mu      sync.Mutex
	headers []*types.Header
	lag     int // blocks that the endpoint does not show
	fetched map[uint64]int
}

func (l *testL1) grow(fork byte, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		h := &types.Header{Number: big.NewInt(int64(len(l.headers))), Difficulty: new(big.Int), Extra: []byte{fork}}
		if len(l.headers) > 0 {
			h.ParentHash = l.headers[len(l.headers)-1].Hash()
		}
		l.headers = append(l.headers, h)
	}
}

func (l *testL1) HeaderByTag(context.Context, l1.Tag) (*types.Header, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.headers[len(l.headers)-1-l.lag], nil
}

func (l *testL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number >= uint64(len(l.headers)) {
		return nil, l1.ErrNotFound
	}
	return l.headers[number], nil
}

func (l *testL1) Fetch(ctx context.Context, number uint64, _ common.Address) (*l1.Block, error) {
	h, err := l.HeaderByNumber(ctx, number)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fetched[number]++
	return &l1.Block{Number: number, Hash: h.Hash(), ParentHash: h.ParentHash}, nil
}

func (l *testL1) id(number uint64) chain.L1Origin {
	h, _ := l.HeaderByNumber(context.Background(), number)
	return chain.L1Origin{Number: number, Hash: h.Hash()}
}

// feedOf reads an L1 of ten blocks to its end, in virtual time.
func feedOf(t *testing.T, f func(*testing.T, *testL1, *Feed)) {
	synctest.Test(t, func(t *testing.T) {
		l := &testL1{fetched: map[uint64]int{}}
		l.grow(0, 10)
		cfg := chain.DefaultConfig()
		feed := Start(l, Options{From: 2, Batches: &Batches{Config: &cfg}, Log: slog.New(slog.DiscardHandler)})
		defer feed.Close()
		read(t, l, feed, 2, 9)
		f(t, l, feed)
	})
}

// read takes blocks, which must be L1's.
func read(t *testing.T, l *testL1, f *Feed, from, to uint64) {
	t.Helper()
	for number := from; number <= to; number++ {
		b, err := f.Next(t.Context())
		if err != nil || b.ID() != l.id(number) {
			t.Fatalf("block %d: %+v %v", number, b, err)
		}
	}
}

func TestAForkShowsBeforeItIsLonger(t *testing.T) {
	for depth := 1; depth <= 7; depth++ {
		for length := 1; length <= depth; length++ {
			t.Run(fmt.Sprintf("%d blocks for %d", length, depth), func(t *testing.T) {
				feedOf(t, func(t *testing.T, l *testL1, f *Feed) {
					l.mu.Lock()
					l.headers = l.headers[:10-depth]
					l.mu.Unlock()
					l.grow(1, length)
					if _, err := f.Next(t.Context()); !errors.Is(err, derive.ErrReorg) {
						t.Fatalf("error %v", err)
					}
					shared := l.id(uint64(9 - depth))
					f.Rewind(2, chain.SystemConfig{}, shared)
					read(t, l, f, 2, uint64(9-depth+length))
					for number := uint64(2); number <= shared.Number; number++ {
						if l.fetched[number] != 1 {
							t.Errorf("block %d is fetched %d times", number, l.fetched[number])
						}
					}
				})
			})
		}
	}
}

func TestAnEndpointThatLagsIsNoFork(t *testing.T) {
	feedOf(t, func(t *testing.T, l *testL1, f *Feed) {
		l.mu.Lock()
		l.lag = 5
		l.mu.Unlock()
		time.Sleep(time.Minute)
		l.grow(0, 1)
		l.mu.Lock()
		l.lag = 0
		l.mu.Unlock()
		read(t, l, f, 10, 10)
	})
}

func TestWhatIsKeptOfAnotherForkIsFetchedAgain(t *testing.T) {
	feedOf(t, func(t *testing.T, l *testL1, f *Feed) {
		l.mu.Lock()
		l.headers = l.headers[:3]
		l.mu.Unlock()
		l.grow(1, 9)
		f.Rewind(2, chain.SystemConfig{}, l.id(6)) // which was never fetched
		read(t, l, f, 2, 11)
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	feedOf(t, func(t *testing.T, l *testL1, f *Feed) {
		l.grow(0, 3*maxKept)
		read(t, l, f, 10, 9+3*maxKept)
		if len(f.kept) != maxKept || f.bytes != maxKept*1024 {
			t.Fatalf("%d blocks, %d bytes are kept", len(f.kept), f.bytes)
		}
		big := &derive.L1Block{Number: f.next, Batches: []derive.BatchTx{{Data: make([]byte, maxKeptBytes)}}}
		f.mu.Lock()
		f.append(big)
		f.mu.Unlock()
		if len(f.kept) != 0 || f.bytes != 0 {
			t.Fatalf("%d blocks, %d bytes are kept", len(f.kept), f.bytes)
		}
	})
}
