package derivation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeL1 is an L1 and the feed of its blocks.
type fakeL1 struct {
	mu      sync.Mutex
	headers []*types.Header // by number
	batches map[common.Hash][]derive.BatchTx
	next    uint64        // block that the feed hands out
	changed chan struct{} // closed when there is something new
	fail    error         // of the next headers
	failing int           // how many
}

func newL1(fork byte, blocks int) *fakeL1 {
	l := &fakeL1{batches: make(map[common.Hash][]derive.BatchTx), changed: make(chan struct{})}
	l.grow(fork, blocks)
	return l
}

// update changes the L1 and tells the feed.
func (l *fakeL1) update(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeL1) grow(fork byte, n int) {
	for range n {
		h := &types.Header{Number: big.NewInt(int64(len(l.headers))), Difficulty: new(big.Int), Extra: []byte{fork}, Time: 1_000 + 12*uint64(len(l.headers))}
		if len(l.headers) > 0 {
			h.ParentHash = l.headers[len(l.headers)-1].Hash()
		}
		l.headers = append(l.headers, h)
	}
}

func (l *fakeL1) id(n int) chain.L1Origin {
	return chain.L1Origin{Number: uint64(n), Hash: l.headers[n].Hash()}
}

func (l *fakeL1) Next(ctx context.Context) (*derive.L1Block, error) {
	for {
		l.mu.Lock()
		if l.next < uint64(len(l.headers)) {
			defer l.mu.Unlock()
			h := l.headers[l.next]
			l.next++
			return &derive.L1Block{Number: h.Number.Uint64(), Hash: h.Hash(), ParentHash: h.ParentHash, Timestamp: h.Time, Batches: l.batches[h.Hash()]}, nil
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *fakeL1) Rewind(number uint64, _ chain.SystemConfig, _ chain.L1Origin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = number
}

func (l *fakeL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing > 0 {
		l.failing--
		return nil, l.fail
	}
	if number >= uint64(len(l.headers)) {
		return nil, fmt.Errorf("header %d: %w", number, l1.ErrNotFound)
	}
	return l.headers[number], nil
}

func (l *fakeL1) HeaderByTag(ctx context.Context, _ l1.Tag) (*types.Header, error) {
	l.mu.Lock()
	head := uint64(len(l.headers) - 1)
	l.mu.Unlock()
	return l.HeaderByNumber(ctx, head)
}

// recorder is a handler that notes what it is told.
type recorder struct {
	derived []uint64 // L2 blocks
	rewound []derive.State
	state   derive.State
	invalid uint64        // block that does not execute
	gone    uint64        // block of which L1 is found to have changed, once
	back    chan struct{} // gets one for each Rewound
}

func (r *recorder) Execute(_ context.Context, in *derive.BlockInput) (common.Hash, error) {
	r.derived = append(r.derived, in.Number)
	if in.Kind == derive.FromBatch && in.Number == r.invalid {
		return common.Hash{}, fmt.Errorf("block %d: %w", in.Number, node.ErrInvalid)
	}
	if in.Number == r.gone {
		r.gone = 0
		return common.Hash{}, fmt.Errorf("block %d: %w", in.Number, derive.ErrReorg)
	}
	return l2Hash(in.Number), nil
}

func (r *recorder) Settled(after derive.State, _ chain.L1Origin) error {
	r.state = after
	return nil
}

func (r *recorder) Rewound(state derive.State) error {
	r.rewound = append(r.rewound, state)
	r.back <- struct{}{}
	return nil
}

// memory is a disk that forgets.
type memory struct{ states []derive.State }

func (m memory) Load() ([]derive.State, error) { return m.states, nil }
func (memory) Put(derive.State) error          { return nil }
func (memory) Drop(derive.State) error         { return nil }
func (memory) Undecide(derive.State) error     { return nil }
func (memory) Sync() error                     { return nil }

// statesOf are kept in memory only.
func statesOf(t *testing.T, states ...derive.State) *States {
	t.Helper()
	s, err := LoadStates(memory{states})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// genesisBlock is the L1 block on which the chain of the tests began.
const genesisBlock = 2

// rig drives an L1 whose blocks 4 and 7 carry L2 blocks 1 and 2, and whose head is 9.
type rig struct {
	*fakeL1
	recorder
	driver *Driver
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // valid after ended
}

func newRig(t *testing.T) *rig {
	r := &rig{fakeL1: newL1(0, 10), recorder: recorder{back: make(chan struct{}, 100)}, ended: make(chan struct{})}
	cfg := chain.DefaultConfig()
	genesis := derive.GenesisState(&chain.Genesis{Config: cfg, Timestamp: r.headers[genesisBlock].Time, L1Origin: r.id(genesisBlock)}, l2Hash(0))
	r.driver = &Driver{Config: &cfg, States: statesOf(t, genesis), Handler: &r.recorder, Log: slog.New(slog.DiscardHandler)}
	r.post(t, 4, 1)
	r.post(t, 7, 2)
	return r
}

func l2Hash(number uint64) common.Hash { return common.Hash{0: 0x12, 31: byte(number)} }

// post puts an empty L2 block into an L1 block.
func (r *rig) post(t *testing.T, in int, number uint64) {
	t.Helper()
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{})
	if err != nil {
		t.Fatal(err)
	}
	at := r.headers[genesisBlock].Time + number
	if err := b.Add(&batch.Block{
		Number: number, Timestamp: at, Origin: r.id(genesisBlock),
		MiniBlocks: []batch.MiniBlock{{Timestamp: chain.Micros(at) * 1_000_000, TxCount: 1}},
	}, l2Hash(number-1), l2Hash(number)); err != nil {
		t.Fatal(err)
	}
	ch, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	frames, err := ch.Frames(0)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := batch.EncodeBlob(frames)
	if err != nil {
		t.Fatal(err)
	}
	r.batches[r.headers[in].Hash()] = []derive.BatchTx{{Source: derive.SourceBlobs, Blobs: []*batch.Blob{blob}}}
}

// start drives until everything there is was read.
func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.next = r.driver.States.Newest().From
	go func() {
		defer close(r.ended)
		r.err = r.driver.drive(ctx, r.fakeL1, r.fakeL1)
	}()
	synctest.Wait()
}

// stop ends the driver, which is no error.
func (r *rig) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	<-r.ended
	if r.err != nil {
		t.Errorf("driver: %v", r.err)
	}
}

func TestReorgGoesBackToTheStateThatBothForksShare(t *testing.T) {
	for _, test := range []struct {
		name   string
		shared int // last L1 block of both forks
		head   uint64
		posted int
	}{
		{"behind both batches", 8, 2, 7},
		{"between the batches", 5, 1, 4},
		{"before the batches", 3, 0, genesisBlock},
		{"right behind the first block", genesisBlock, 0, genesisBlock},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.start()
				defer r.stop(t)
				if !slices.Equal(r.derived, []uint64{1, 2}) || len(r.rewound) != 0 {
					t.Fatalf("derived %v, rewound %v", r.derived, r.rewound)
				}
				r.update(func() {
					r.headers = r.headers[:test.shared+1]
					r.grow(1, 12-test.shared)
				})
				synctest.Wait()
				if len(r.rewound) != 1 || r.rewound[0].Head.Number != test.head || r.rewound[0].PostedIn != r.id(test.posted) {
					t.Fatalf("rewound to %+v", r.rewound)
				}
				if r.next != uint64(len(r.headers)) || r.state != r.rewound[0] {
					t.Fatalf("read up to L1 block %d, state %+v", r.next, r.state)
				}
			})
		})
	}
}

func TestABlockThatDoesNotExecuteIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.invalid = 1
		r.start()
		defer r.stop(t)
		// Block 2 was posted on the block that is void, which has the same hash here.
		if !slices.Equal(r.derived, []uint64{1, 1, 2}) || r.state.Head.Number != 2 {
			t.Fatalf("derived %v, state %+v", r.derived, r.state)
		}
	})
}

// The handler asks L1 once more before it gives a block up, and finds that L1 has changed.
func TestAHandlerThatFindsAReorgMakesTheDriverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.gone = 2
		r.start()
		defer r.stop(t)
		if !slices.Equal(r.derived, []uint64{1, 2, 2}) || len(r.rewound) != 1 || r.rewound[0].Head.Number != 1 || r.state.Head.Number != 2 {
			t.Errorf("derived %v, rewound %+v, at block %d", r.derived, r.rewound, r.state.Head.Number)
		}
	})
}

func TestForeignL1EndsTheDriverAndErasesNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(r *rig)
		want   string
	}{
		{"after a restart of L1", func(r *rig) {
			r.start()
			r.update(func() {
				r.headers = nil
				r.grow(1, 12)
			})
		}, "block 2 is"},
		{"from the start", func(r *rig) {
			r.headers = nil
			r.grow(1, 12)
			r.start()
		}, "block 2 is"},
		{"from the start, in the middle of the chain", func(r *rig) {
			r.driver.States.list = append(r.driver.States.list, derive.State{Head: derive.Head{Number: 2, Hash: l2Hash(2), Origin: r.id(genesisBlock)}, PostedIn: r.id(7), From: genesisBlock})
			r.headers = nil
			r.grow(1, 12)
			r.start()
		}, "block 2 is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				test.change(r)
				<-r.ended
				r.cancel()
				if !errors.Is(r.err, ErrForeignL1) || !strings.Contains(r.err.Error(), test.want) {
					t.Fatalf("error %v", r.err)
				}
				if len(r.rewound) != 0 {
					t.Fatalf("rewound to %+v", r.rewound)
				}
			})
		})
	}
}

// holed is an L1 without one block.
type holed struct {
	*fakeL1
	hole uint64
}

func (l holed) HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error) {
	if number == l.hole {
		return nil, l1.ErrNotFound
	}
	return l.fakeL1.HeaderByNumber(ctx, number)
}

func TestL1WithoutTheFirstBlockIsForeignOnceItIsBeyond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		genesis := r.driver.States.Oldest()
		f := fork{l1: holed{r.fakeL1, genesisBlock}, log: r.driver.Log}
		if err := f.checkOldest(t.Context(), genesis); !errors.Is(err, ErrForeignL1) {
			t.Fatal(err)
		}
		f.l1 = r.fakeL1
		all := r.headers
		r.headers = all[:genesisBlock]
		done := make(chan error, 1)
		go func() { done <- f.checkOldest(t.Context(), genesis) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("L1 has not got so far yet: %v", err)
		default:
		}
		r.update(func() { r.headers = all })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestForkIsFoundOnceL1CanBeReadAgain(t *testing.T) {
	for _, fail := range []error{fmt.Errorf("get header: %w after 5 attempts", l1.ErrUnavailable), l1.ErrMismatch} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start()
			defer r.stop(t)
			r.update(func() {
				r.headers = r.headers[:6]
				r.grow(1, 10)
				r.fail, r.failing = fail, 20
			})
			synctest.Wait()
			if len(r.back) != 0 {
				t.Fatal("rewound without an answer")
			}
			<-r.back
			synctest.Wait()
			if len(r.rewound) != 1 || r.rewound[0].Head.Number != 1 {
				t.Fatalf("rewound to %+v", r.rewound)
			}
		})
	}
}

func TestDriverStopsWhileL1CannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.update(func() {
			r.headers = r.headers[:6]
			r.grow(1, 10)
			r.fail, r.failing = l1.ErrUnavailable, 1_000_000
		})
		synctest.Wait()
		r.stop(t)
		if len(r.rewound) != 0 {
			t.Fatalf("rewound to %+v", r.rewound)
		}
	})
}
