package safehead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
)

// failingL1 answers once it is up.
type failingL1 struct {
	l1feed.L1
	up     time.Time
	answer *types.Header // nil: there is no such block
	asked  int
}

func (f *failingL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	f.asked++
	if time.Now().Before(f.up) {
		return nil, errors.New("connection refused")
	}
	if f.answer == nil {
		return nil, fmt.Errorf("header %d: %w", number, l1.ErrNotFound)
	}
	return f.answer, nil
}

func TestAnL1ThatFailsBeforeABlockIsReplacedIsAskedAgain(t *testing.T) {
	mine, other := &types.Header{Number: big.NewInt(7), Difficulty: new(big.Int)}, &types.Header{Number: big.NewInt(7), Difficulty: big.NewInt(1)}
	in := &derive.BlockInput{PostedIn: chain.L1Origin{Number: 7, Hash: mine.Hash()}}
	for _, tc := range []struct {
		name   string
		answer *types.Header
		reorg  bool
	}{
		{"it has the block", mine, false},
		{"it has another", other, true},
		{"it has none", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := &failingL1{up: time.Now().Add(10 * time.Minute), answer: tc.answer}
				var mu sync.Mutex
				var said []error
				say := func(err error) {
					mu.Lock()
					defer mu.Unlock()
					said = append(said, err)
				}
				heard := func() []error {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(said)
				}
				tracker := &Tracker{opts: Options{L1: from, Log: slog.New(slog.DiscardHandler), Waits: say}}
				done := make(chan error, 1)
				go func() { done <- tracker.confirm(t.Context(), in) }()
				time.Sleep(9 * time.Minute)
				if said := heard(); tracker.Stuck() == nil || len(said) != 1 || said[0] == nil {
					t.Errorf("stuck: %v, said %v", tracker.Stuck(), said)
				}
				err := <-done
				if (err != nil) != tc.reorg || tc.reorg && !errors.Is(err, derive.ErrReorg) {
					t.Errorf("%v", err)
				}
				if said := heard(); tracker.Stuck() != nil || len(said) != 2 || said[1] != nil {
					t.Errorf("afterwards stuck: %v, said %v", tracker.Stuck(), said)
				}
				if from.asked < 60 || from.asked > 100 {
					t.Errorf("asked %d times in ten minutes", from.asked)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tracker := &Tracker{opts: Options{L1: &failingL1{up: time.Now().Add(time.Hour)}, Log: slog.New(slog.DiscardHandler)}}
		if err := tracker.confirm(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
