package batcher

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/derive"
)

func (w *world) start(change func(*Options)) *Batcher {
	o := Options{
		Chain: w, Tracker: w, L1: w, Inbox: inbox, Certifier: certifier, Patience: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&o)
	}
	return Start(o)
}

// run gives f a world that mines, in virtual time.
func run(t *testing.T, blocks int, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, blocks)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.mine(ctx)
		f(t, w)
	})
}

// settle waits until derivation has found every block, and checks that none is there
// twice.
func (w *world) settle(t *testing.T, b *Batcher, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Second) {
		safe, _ := w.Safe()
		w.mu.Lock()
		want, count := uint64(len(w.blocks)-1), w.posted(len(w.l1))
		w.mu.Unlock()
		if safe == want {
			for number, n := range count {
				if n != 1 {
					t.Errorf("block %d is on L1 %d times", number, n)
				}
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("L1 holds %d blocks of %d after %v: %+v", safe, want, limit, b.Status())
		}
	}
}

// TestABatchHoldsNoMoreFullBlocksThanAnL1BlockBrings, or derivation would drop it.
func TestABatchHoldsNoMoreFullBlocksThanAnL1BlockBrings(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg := chain.DefaultConfig()
	signer, to := types.LatestSignerForChainID(new(big.Int).SetUint64(cfg.ChainID)), common.Address{1}
	eth, err := types.SignNewTx(key, signer, &types.DynamicFeeTx{ChainID: signer.ChainID(), Gas: 21_000, GasFeeCap: big.NewInt(1), GasTipCap: new(big.Int), To: &to, Value: new(big.Int)})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	full, err := chain.DecodeTx(raw, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, 1, func(t *testing.T, w *world) {
		w.full = full
		w.grow(t, 2*derive.MaxFill/1_000_000+1)
		b := w.start(func(o *Options) { o.Place = InBlobs })
		defer b.Close()
		w.settle(t, b, time.Minute)
		if s := b.Status(); s.Batches != 3 {
			t.Errorf("%d batches for twice as many full blocks as one may hold, and one more", s.Batches)
		}
	})
}

func TestBlocksArePostedOnceAndTogether(t *testing.T) {
	run(t, 4, func(t *testing.T, w *world) {
		b := w.start(func(o *Options) { o.Place = InBlobs })
		defer b.Close()
		for range 30 {
			time.Sleep(time.Second)
			w.grow(t, 1)
		}
		w.settle(t, b, time.Minute)
		if s := b.Status(); s.Posted != 33 || s.Batches < 5 || s.Batches > 9 || s.Blobs != s.Batches || s.Failing != nil {
			t.Errorf("%+v: want about one batch in 4 s", s)
		}
	})
}

// TestABatcherThatIsKilledPostsNothingTwice: at every call that it makes, with and
// without the call's effect, and with transactions that never leave the pool.
func TestABatcherThatIsKilledPostsNothingTwice(t *testing.T) {
	for _, place := range []Place{Cheapest, InCalldata} {
		for at := 1; at <= 14; at++ {
			for _, effect := range []bool{false, true} {
				t.Run(fmt.Sprintf("place %d, call %d, effect %v", place, at, effect), func(t *testing.T) {
					run(t, 3, func(t *testing.T, w *world) {
						calls, dead := 0, make(chan struct{})
						w.fault = func(string) (bool, bool) {
							if calls++; calls == at {
								close(dead)
								return effect, false
							}
							return calls < at, calls < at
						}
						first := w.start(func(o *Options) { o.Place = place })
						go func() {
							for w.alive() {
								w.grow(t, 1)
								time.Sleep(700 * time.Millisecond)
							}
						}()
						select {
						case <-dead:
						case <-time.After(3 * time.Minute): // it makes fewer calls
						}
						first.Close()
						w.mu.Lock()
						w.fault = nil
						w.mu.Unlock()
						b := w.start(func(o *Options) { o.Place = place })
						defer b.Close()
						w.settle(t, b, 3*time.Minute)
					})
				})
			}
		}
	}
}

// alive reports whether the chain still grows: it ends at 60 blocks.
func (w *world) alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.blocks) < 60
}

func TestWhatIsStuckInThePoolIsReplaced(t *testing.T) {
	run(t, 5, func(t *testing.T, w *world) {
		w.stuck = true
		first := w.start(nil)
		time.Sleep(10 * time.Second)
		first.Close()
		w.mu.Lock()
		if len(w.pool) != 1 {
			t.Errorf("%d transactions are in the pool, want 1", len(w.pool))
		}
		w.mu.Unlock()
		b := w.start(nil)
		defer b.Close()
		time.Sleep(25 * time.Second) // longer than its patience
		w.mu.Lock()
		if len(w.pool) != 1 {
			t.Errorf("%d transactions are in the pool, want the one that replaced the other", len(w.pool))
		}
		w.stuck = false
		w.mu.Unlock()
		w.grow(t, 3)
		w.settle(t, b, time.Minute)
	})
}

func TestAnL1ThatIsDownLosesNothing(t *testing.T) {
	run(t, 3, func(t *testing.T, w *world) {
		b := w.start(nil)
		defer b.Close()
		time.Sleep(7 * time.Second)
		w.mu.Lock()
		w.fault = func(string) (bool, bool) { return false, false }
		w.mu.Unlock()
		for range 60 {
			time.Sleep(10 * time.Second)
			w.grow(t, 1)
		}
		if s := b.Status(); s.Failing == nil {
			t.Error("status does not tell that L1 is down")
		}
		w.mu.Lock()
		w.fault = nil
		w.mu.Unlock()
		w.settle(t, b, time.Minute)
		if s := b.Status(); s.Failing != nil {
			t.Errorf("after L1 is back: %v", s.Failing)
		}
	})
}

// TestWhatL1ForgetsIsPostedAgain: a reorganisation takes a batch back, and the pool does
// not bring it again.
func TestWhatL1ForgetsIsPostedAgain(t *testing.T) {
	for depth := 1; depth <= 20; depth++ {
		run(t, 6, func(t *testing.T, w *world) {
			b := w.start(nil)
			defer b.Close()
			time.Sleep(9 * time.Second)
			w.grow(t, 4)
			time.Sleep(9 * time.Second)
			w.mu.Lock()
			for i := max(1, len(w.l1)-depth); i < len(w.l1); i++ {
				w.nonce -= uint64(len(w.l1[i].txs))
				w.l1[i] = l1Block{}
			}
			w.mu.Unlock()
			w.grow(t, 2)
			w.settle(t, b, 3*time.Minute)
		})
	}
}

func TestTheCheaperPlaceIsTaken(t *testing.T) {
	for _, tc := range []struct {
		size     int
		gas, blb int64
		blobs    bool
	}{
		{100, 1e9, 1, true},
		{100, 1, 1e9, false},
		{1000, 10, 3, true},    // 61,000 × 10 against 131,072 × 3 + 21,000 × 10
		{1000, 10, 4, false},   // … × 4
		{126_948, 1, 38, true}, // a full blob holds what 5 M gas of calldata do
		{126_948, 1, 40, false},
		{700_000, 1e9, 1e9, true},
	} {
		p := Prices{big.NewInt(tc.gas), big.NewInt(tc.blb)}
		if p.preferBlobs(tc.size) != tc.blobs {
			t.Errorf("%d bytes at %d and %d wei: blobs %v, want %v", tc.size, tc.gas, tc.blb, !tc.blobs, tc.blobs)
		}
	}
}

func TestDearBlobsAreAvoided(t *testing.T) {
	run(t, 3, func(t *testing.T, w *world) {
		w.prices = Prices{big.NewInt(1e9), big.NewInt(1)}
		b := w.start(nil)
		defer b.Close()
		time.Sleep(10 * time.Second)
		if s := b.Status(); s.Batches != 1 || s.Blobs != 1 {
			t.Errorf("%+v while blobs are cheap", s)
		}
		w.mu.Lock()
		w.prices.BlobBaseFee = big.NewInt(100e9)
		w.mu.Unlock()
		w.grow(t, 3)
		w.settle(t, b, time.Minute)
		if s := b.Status(); s.Batches != 2 || s.Blobs != 1 {
			t.Errorf("%+v when they are dear", s)
		}
	})
}

func TestALayerIsUsedWhileItAnswers(t *testing.T) {
	run(t, 3, func(t *testing.T, w *world) {
		b := w.start(func(o *Options) { o.Layer, o.Place = w, InBlobs })
		defer b.Close()
		time.Sleep(10 * time.Second)
		if s := b.Status(); s.Posted != 2 || s.Blobs != 0 || len(w.layer) != 1 {
			t.Errorf("%+v, %d pieces in the layer", s, len(w.layer))
		}
		w.mu.Lock()
		w.fault = func(call string) (bool, bool) { return call != "put", call != "put" }
		w.mu.Unlock()
		w.grow(t, 3)
		time.Sleep(20 * time.Second)
		if s := b.Status(); s.Posted != 2 {
			t.Errorf("%+v: it does not wait for the layer", s)
		}
		time.Sleep(30 * time.Second)
		if s := b.Status(); s.Posted != 5 || s.Blobs != 1 || s.Delegated != 1 || s.LayerFailing == nil {
			t.Errorf("%+v: not on L1 after the time to fall back", s)
		}
		w.mu.Lock()
		w.fault = nil
		w.mu.Unlock()
		w.grow(t, 3)
		w.settle(t, b, time.Minute)
		if s := b.Status(); s.Blobs != 1 || len(w.layer) != 2 || s.Delegated != 2 || s.LayerFailing != nil {
			t.Errorf("%+v, %d pieces: not in the layer again", s, len(w.layer))
		}
	})
}

// certifying is a layer whose certificates L1 refuses.
type certifying struct{ *world }

func (certifying) Put(context.Context, []byte) (da.Commitment, error) {
	return &da.Certificate{Operators: 1, Signers: []byte{1}}, nil
}

func TestWhatL1RefusesOfALayerGoesToL1(t *testing.T) {
	run(t, 3, func(t *testing.T, w *world) {
		asked := 0
		w.refuse = func(tx Tx) bool {
			if tx.To == certifier {
				asked++
				return true
			}
			return false
		}
		b := w.start(func(o *Options) { o.Layer, o.Place = certifying{w}, InBlobs })
		defer b.Close()
		w.settle(t, b, 2*time.Minute)
		if s := b.Status(); s.Batches != 1 || s.Delegated != 0 || s.LayerFailing == nil || asked < 2 {
			t.Errorf("%+v, certified %d times", s, asked)
		}
		before := asked
		w.grow(t, 3)
		time.Sleep(30 * time.Second)
		w.settle(t, b, time.Minute)
		if asked == before {
			t.Error("a layer that failed once is never asked again")
		}
	})
}

func TestARolledBackChainIsGatheredAgain(t *testing.T) {
	run(t, 3, func(t *testing.T, w *world) {
		b := w.start(nil)
		defer b.Close()
		time.Sleep(7 * time.Second)
		w.grow(t, 4) // 3..6
		time.Sleep(time.Second)
		w.mu.Lock()
		w.blocks, w.salt = w.blocks[:5], 1
		w.mu.Unlock()
		time.Sleep(time.Second)
		w.grow(t, 3)
		w.settle(t, b, time.Minute)
	})
}
