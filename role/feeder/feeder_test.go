package feeder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	ethcommon "github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testChain = 7411

// fakeNode is a chain of blocks of three mini-blocks.
type fakeNode struct {
	events rpc.Feed

	mu     sync.Mutex
	epoch  uint64
	minis  []*chain.MiniBlock
	blocks []*chain.Block // from number 0
	lost   uint64         // mini-blocks below cannot be had

	witnesses bool // are recorded
	executed  []uint64
}

func (n *fakeNode) RecordsWitnesses() bool { return n.witnesses }

// ExecutionWitness makes the witness of a block anew; block 4 has none.
func (n *fakeNode) ExecutionWitness(_ context.Context, number uint64, hash ethcommon.Hash) (*chain.Witness, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.executed = append(n.executed, number)
	if number == 4 || number >= uint64(len(n.blocks)) || n.blocks[number].Hash() != hash {
		return nil, errors.New("the state is not kept")
	}
	return n.witnessOf(number), nil
}

func (n *fakeNode) witnessOf(number uint64) *chain.Witness {
	return &chain.Witness{Headers: []*types.Header{n.blocks[number-1].Header}, State: [][]byte{{byte(number)}}}
}

func newFakeNode() *fakeNode {
	return &fakeNode{epoch: 1, blocks: []*chain.Block{chain.NewBlock(&types.Header{Number: new(big.Int), Difficulty: new(big.Int)}, nil, nil, nil)}}
}

// mini publishes a mini-block.
func (n *fakeNode) mini() {
	n.mu.Lock()
	m := &chain.MiniBlock{Diff: []byte{0xc0}}
	m.Header = chain.MiniBlockHeader{ChainID: testChain, Epoch: n.epoch, Number: uint64(len(n.minis)), BlockNumber: uint64(len(n.blocks))}
	if len(n.minis) > 0 {
		m.Header.ParentHash = n.minis[len(n.minis)-1].Header.Hash()
	}
	n.minis = append(n.minis, m)
	n.mu.Unlock()
	n.events.Publish(rpc.Event{MiniBlock: &rpc.MiniBlock{MiniBlock: m, Hash: m.Header.Hash()}})
}

// block publishes three mini-blocks and seals them.
func (n *fakeNode) block() {
	for range 3 {
		n.mini()
	}
	n.mu.Lock()
	var headers []chain.MiniBlockHeader
	for _, m := range n.minis[len(n.minis)-3:] {
		headers = append(headers, m.Header)
	}
	last := headers[2].Hash()
	b := chain.NewBlock(&types.Header{Number: big.NewInt(int64(len(n.blocks))), Difficulty: new(big.Int), Extra: last[:]}, nil, nil, headers)
	n.blocks = append(n.blocks, b)
	w := &rpc.Witness{Number: b.Number(), Hash: b.Hash(), Witness: n.witnessOf(b.Number())}
	n.mu.Unlock()
	n.events.Publish(rpc.Event{Sealed: b})
	if n.witnesses {
		n.events.Publish(rpc.Event{Witness: w})
	}
}

// rewind makes a block the newest again.
func (n *fakeNode) rewind(block int) {
	n.mu.Lock()
	n.blocks, n.minis, n.epoch = n.blocks[:block+1], n.minis[:3*block], n.epoch+1
	n.mu.Unlock()
	n.events.Publish(rpc.Event{Rewound: &rpc.Rewound{Mini: uint64(3 * block), Block: uint64(block + 1)}})
}

func (n *fakeNode) Subscribe(buffer int) *rpc.FeedReader { return n.events.Subscribe(buffer) }

func (n *fakeNode) ForFeed(_ context.Context, m *rpc.MiniBlock) (*feed.MiniBlock, error) {
	return &feed.MiniBlock{MiniBlock: m.MiniBlock}, nil
}

func (n *fakeNode) FeedMiniBlocks(_ context.Context, number uint64) (list []*feed.MiniBlock, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number < n.lost {
		return nil, errors.New("the state is not kept")
	}
	for ; number < uint64(len(n.minis)) && len(list) < 3; number++ {
		list = append(list, &feed.MiniBlock{MiniBlock: n.minis[number]})
	}
	return list, nil
}

func (n *fakeNode) MiniBlockByNumber(_ context.Context, number uint64) (*rpc.MiniBlock, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number >= uint64(len(n.minis)) {
		return nil, nil
	}
	return &rpc.MiniBlock{MiniBlock: n.minis[number], Hash: n.minis[number].Header.Hash()}, nil
}

func (n *fakeNode) BlockByNumber(_ context.Context, number uint64) (*chain.Block, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number >= uint64(len(n.blocks)) {
		return nil, nil
	}
	return n.blocks[number], nil
}

func (n *fakeNode) PublishedHead() *types.Header {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blocks[len(n.blocks)-1].Header
}

// start feeds from n into the directory.
func start(t *testing.T, n *fakeNode, dir string) *Feeder {
	t.Helper()
	f, err := Start(t.Context(), n, Options{ChainID: testChain, Dir: dir, Host: "127.0.0.1", Public: true, Metrics: telemetry.New(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func reader(t *testing.T, f *Feeder) *feed.Client {
	t.Helper()
	c, err := feed.Dial(t.Context(), feed.ClientOptions{ChainID: testChain, URL: f.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// follow reads mini-blocks from 0 and blocks from 1 until both are where the node is, and
// returns them by name, in order. Followers pass over what they know.
func follow(t *testing.T, c *feed.Client, n *fakeNode) (minis, blocks []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n.mu.Lock()
	lastMini, lastBlock := n.minis[len(n.minis)-1].Header.Hash(), n.blocks[len(n.blocks)-1].Hash()
	n.mu.Unlock()
	enough := errors.New("enough")
	err := c.MiniBlocks(ctx, 0, func(m *feed.MiniBlock) error {
		minis = append(minis, fmt.Sprintf("%d.%d", m.Header.Epoch, m.Header.Number))
		if m.Header.Hash() == lastMini {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("mini-blocks: %v (%v)", err, minis)
	}
	err = c.Blocks(ctx, 1, func(b *feed.Block) error {
		blocks = append(blocks, fmt.Sprintf("%d (%d)", b.Header.Number, b.LastMiniBlock))
		if b.Header.Hash() == lastBlock {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("blocks: %v (%v)", err, blocks)
	}
	return minis, blocks
}

// names are runs of numbers, each of an epoch, from, to.
func names(runs ...[3]int) (out []string) {
	for _, r := range runs {
		for i := r[1]; i < r[2]; i++ {
			out = append(out, fmt.Sprintf("%d.%d", r[0], i))
		}
	}
	return out
}

func sealed(runs ...[2]int) (out []string) {
	for _, r := range runs {
		for i := r[0]; i < r[1]; i++ {
			out = append(out, fmt.Sprintf("%d (%d)", i, 3*i-1))
		}
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n%v, want\n%v", what, got, want)
	}
}

func TestAFeedHoldsWhatItsNodePublishes(t *testing.T) {
	n, dir := newFakeNode(), t.TempDir()
	for range 5 {
		n.block()
	}
	f := start(t, n, dir)
	for range 5 {
		n.block()
	}
	c := reader(t, f)
	minis, blocks := follow(t, c, n)
	same(t, "mini-blocks", minis, names([3]int{1, 0, 30}))
	same(t, "blocks", blocks, sealed([2]int{1, 11}))
	f.Close()

	// Others while it is away; then it goes back before it.
	n.block()
	n.mini()
	f = start(t, n, dir)
	minis, blocks = follow(t, reader(t, f), n)
	same(t, "mini-blocks after a restart", minis, names([3]int{1, 0, 34}))
	same(t, "blocks after a restart", blocks, sealed([2]int{1, 12}))
	f.Close()
	n.rewind(7)
	n.block()
	f = start(t, n, dir)
	minis, blocks = follow(t, reader(t, f), n)
	same(t, "mini-blocks of a branch", minis, names([3]int{1, 0, 34}, [3]int{2, 21, 24}))
	same(t, "blocks of a branch", blocks, sealed([2]int{1, 12}, [2]int{8, 9}))

	// And while it is there.
	n.rewind(3)
	n.block()
	n.block()
	minis, blocks = follow(t, reader(t, f), n)
	same(t, "mini-blocks of a third", minis, names([3]int{1, 0, 34}, [3]int{2, 21, 24}, [3]int{3, 9, 15}))
	same(t, "blocks of a third", blocks, sealed([2]int{1, 12}, [2]int{8, 9}, [2]int{4, 6}))
	f.Close()
}

func TestAFeedThatMissedEventsReadsThemFromTheNode(t *testing.T) {
	n := newFakeNode()
	f := start(t, n, t.TempDir())
	defer f.Close()
	for range maxEvents / 2 { // twice as many events as wait
		n.block()
	}
	minis, blocks := follow(t, reader(t, f), n)
	same(t, "mini-blocks", minis, names([3]int{1, 0, 3 * maxEvents / 2}))
	same(t, "blocks", blocks, sealed([2]int{1, maxEvents/2 + 1}))
}

func TestAFeedBeginsWithTheLastBlocksOfALongChain(t *testing.T) {
	n := newFakeNode()
	for range history + 10 {
		n.block()
	}
	f := start(t, n, t.TempDir())
	defer f.Close()
	c := reader(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for { // until it is up
		if id, err := c.MiniBlockAt(ctx, 3*(history+10)-1); err == nil && id != "" {
			break
		} else if !pause(ctx, 10*time.Millisecond) {
			t.Fatal(err)
		}
	}
	if _, err := c.MiniBlockAt(ctx, 29); !errors.Is(err, feed.ErrGone) {
		t.Errorf("mini-block 29: %v", err)
	}
	if id, err := c.MiniBlockAt(ctx, 30); err != nil || id != feed.MiniBlockID(&n.minis[30].Header) {
		t.Errorf("mini-block 30: %s, %v", id, err)
	}
}

func TestWhatTheNodeCannotTellIsLeftOut(t *testing.T) {
	n, dir := newFakeNode(), t.TempDir()
	n.block()
	f := start(t, n, dir)
	follow(t, reader(t, f), n)
	f.Close()
	for range 5 {
		n.block()
	}
	n.lost = 18 // all of them
	f = start(t, n, dir)
	defer f.Close()
	go func() { // until it is there
		for pause(t.Context(), 200*time.Millisecond) {
			n.block()
		}
	}()
	c := reader(t, f)
	var minis []string
	err := c.MiniBlocks(t.Context(), 0, func(m *feed.MiniBlock) error {
		minis = append(minis, fmt.Sprintf("%d.%d", m.Header.Epoch, m.Header.Number))
		if len(minis) == 6 {
			return errors.New("enough")
		}
		return nil
	})
	if len(minis) != 6 || minis[2] != "1.2" || minis[3] < "1.18" {
		t.Errorf("%v, %v", minis, err)
	}
}

// Witnesses of blocks that were sealed while the feed was away are published when it is back,
// in order and each once; one that cannot be made again is left out.
func TestWitnessesThatTheFeedMissedAreMadeAgain(t *testing.T) {
	n, dir := newFakeNode(), t.TempDir()
	n.witnesses = true
	n.block()
	f := start(t, n, dir)
	follow(t, reader(t, f), n)
	n.block()
	witnessed(t, reader(t, f), n, 2, 1, 2)
	f.Close()
	for range 4 {
		n.block() // 3 to 6
	}
	f = start(t, n, dir)
	witnessed(t, reader(t, f), n, 6, 1, 2, 3, 5, 6)
	n.block()
	witnessed(t, reader(t, f), n, 7, 1, 2, 3, 5, 6, 7)
	f.Close()
	n.rewind(5)
	n.block()
	f = start(t, n, dir)
	witnessed(t, reader(t, f), n, 6, 1, 2, 3, 5, 6, 7, 6)
	f.Close()

	n.witnesses = false
	n.executed = nil
	n.block()
	f = start(t, n, dir)
	follow(t, reader(t, f), n)
	f.Close()
	if len(n.executed) > 0 {
		t.Errorf("blocks %v were executed for witnesses that nobody wants", n.executed)
	}
	for range filledWitnesses + 20 {
		n.block()
	}
	n.witnesses = true
	f = start(t, n, dir)
	defer f.Close()
	last := uint64(7 + filledWitnesses + 20)
	list := []uint64{1, 2, 3, 5, 6, 7, 6}
	for i := last + 1 - filledWitnesses; i <= last; i++ {
		list = append(list, i)
	}
	witnessed(t, reader(t, f), n, last, list...)
}

// witnessed wants the feed to hold the witnesses of these blocks, the last of them of the
// node's chain.
func witnessed(t *testing.T, c *feed.Client, n *fakeNode, last uint64, want ...uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n.mu.Lock()
	hash := n.blocks[last].Hash()
	n.mu.Unlock()
	var got []uint64
	enough := errors.New("enough")
	err := c.Witnesses(ctx, 1, func(w *feed.Witness) error {
		got = append(got, w.Number)
		if w.Hash == hash {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("witnesses of %v, want %v: %v", got, want, err)
	}
}

func TestTheLastThatBothHaveIsFound(t *testing.T) {
	for last := range uint64(40) {
		for next := range last + 2 {
			asked := 0
			got, err := common(&feed.Mark{Number: last}, func(n uint64) (bool, error) { asked++; return n < next, nil })
			if err != nil || got != next {
				t.Errorf("of %d, %d are the same: found %d, %v", last+1, next, got, err)
			}
			if asked > 14 {
				t.Errorf("of %d, %d are the same: %d questions", last+1, next, asked)
			}
		}
	}
}

// slowSink takes nothing.
type slowSink struct{ Sink }

func (slowSink) PublishMiniBlock(*feed.MiniBlock) error { return feed.ErrBehind }
func (slowSink) Flush(ctx context.Context) error        { <-ctx.Done(); return ctx.Err() }
func (slowSink) ResumeMiniBlocks(context.Context) (*feed.Mark, error) {
	return nil, nil
}
func (slowSink) ResumeBlocks(context.Context) (*feed.Mark, error)    { return nil, nil }
func (slowSink) ResumeWitnesses(context.Context) (*feed.Mark, error) { return nil, nil }
func (slowSink) Close()                                              {}

func TestAFeedThatTakesNothingHoldsUpNobody(t *testing.T) {
	n := newFakeNode()
	f := begin(n, func(context.Context) (Sink, error) { return slowSink{}, nil }, nil, slog.New(slog.DiscardHandler))
	began := time.Now()
	for range 3 * maxEvents {
		n.mini()
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("publishing took %v", d)
	}
	f.Close()
}
