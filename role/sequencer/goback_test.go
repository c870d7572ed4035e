package sequencer

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/rpc"
)

// forkL1 is an L1 that can reorganise.
type forkL1 struct {
	mu     sync.Mutex
	start  uint64 // timestamp of block 0
	every  uint64 // seconds between blocks [1]
	blocks []*derive.L1Block
	logs   map[uint64][]*types.Log // of blocks that are still to come
}

func newForkL1(start uint64) *forkL1 {
	l := &forkL1{start: start}
	l.grow(0, 1)
	return l
}

// grow adds blocks of a fork. Block 0 is that of the rig's genesis, without a hash.
func (l *forkL1) grow(fork byte, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		number := uint64(len(l.blocks))
		b := &derive.L1Block{Number: number, Timestamp: l.start + number*max(l.every, 1), BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1), Logs: l.logs[number]}
		if number > 0 {
			b.ParentHash = l.blocks[number-1].Hash
			b.Hash = crypto.Keccak256Hash(b.ParentHash[:], []byte{fork, byte(number)})
		}
		l.blocks = append(l.blocks, b)
	}
}

func (l *forkL1) cutBack(blocks int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks, l.logs = l.blocks[:len(l.blocks)-blocks], nil
}

func (l *forkL1) block(number uint64) *derive.L1Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number >= uint64(len(l.blocks)) {
		return nil
	}
	return l.blocks[number]
}

func (l *forkL1) tip() chain.L1Origin {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocks[len(l.blocks)-1].ID()
}

func (l *forkL1) connect(at chain.L1Origin) (L1, error) {
	from := L1{Canonical: func(o chain.L1Origin) (bool, error) {
		b := l.block(o.Number)
		return b != nil && b.Hash == o.Hash, nil
	}}
	b := l.block(at.Number)
	if b == nil || b.Hash != at.Hash {
		return from, fmt.Errorf("block %d: %w", at.Number, l1feed.ErrOrphaned)
	}
	from.Origin, from.Next = b, &forkFeed{l: l, next: at.Number + 1}
	return from, nil
}

// forkFeed hands out the blocks of a forkL1.
type forkFeed struct {
	l    *forkL1
	next uint64
}

func (f *forkFeed) Peek() *derive.L1Block { return f.l.block(f.next) }
func (f *forkFeed) Pop()                  { f.next++ }
func (f *forkFeed) Backlog() int {
	f.l.mu.Lock()
	defer f.l.mu.Unlock()
	return max(0, len(f.l.blocks)-int(f.next))
}

// newForkRig is a rig on an L1 that can reorganise, ten minutes behind it.
func newForkRig(t *testing.T, blocks int, change func(*rig)) *rig {
	return newRigWith(t, func(r *rig) {
		r.g.Timestamp -= 600
		r.chain = newForkL1(r.g.Timestamp)
		if change != nil {
			change(r)
		}
		r.chain.grow(0, blocks)
	})
}

// reach waits until a sealed block has the L1 origin, and returns its head.
func (r *rig) reach(origin chain.L1Origin) derive.Head {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	feed := r.node.Subscribe(1000)
	defer feed.Close()
	for {
		if head := r.headAt(r.node.PublishedHead().Number.Uint64()); head.Origin == origin {
			return head
		}
		select {
		case <-feed.Events():
		case <-r.node.Failed():
			r.t.Fatal(r.node.Failure())
		case <-deadline:
			r.t.Fatalf("L1 origin %d is not reached: %v", origin.Number, r.seq.Ready())
		}
	}
}

func (r *rig) headAt(number uint64) derive.Head {
	r.t.Helper()
	if number == 0 {
		state, err := r.node.GenesisState()
		if err != nil {
			r.t.Fatal(err)
		}
		return state.Head
	}
	b, err := r.node.BlockByNumber(context.Background(), number)
	if err != nil {
		r.t.Fatal(err)
	}
	if b == nil { // gone meanwhile
		return derive.Head{}
	}
	head, err := derive.HeadOf(&r.g.Config, b)
	if err != nil {
		r.t.Fatal(err)
	}
	return head
}

// included waits for a transaction that is executed again.
func (r *rig) included(hash common.Hash) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	feed := r.node.Subscribe(1000)
	defer feed.Close()
	for {
		if info, err := r.node.TxByHash(context.Background(), hash); err == nil && info != nil && info.Receipt.Status == 1 {
			return
		}
		select {
		case <-feed.Events():
		case <-deadline:
			r.t.Fatalf("transaction %s is not executed again", hash)
		}
	}
}

func TestBlocksOnAnL1BlockThatIsGoneAreVoid(t *testing.T) {
	for _, depth := range []int{1, 2, 7, 20} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			r := newForkRig(t, 25, nil)
			before := r.reach(r.chain.tip())
			tx := r.transfer(0, 0, 1)
			if _, err := r.await(r.submit(tx)); err != nil {
				t.Fatal(err)
			}
			r.chain.cutBack(depth)
			shared := r.chain.tip()
			r.chain.grow(1, depth+1)
			after := r.reach(r.chain.tip())
			if after.Epoch <= before.Epoch {
				t.Errorf("epoch %d, before %d: numbers are signed twice", after.Epoch, before.Epoch)
			}
			for n := uint64(1); n <= after.Number; n++ {
				if head := r.headAt(n); head.Origin != r.chain.block(head.Origin.Number).ID() {
					t.Fatalf("block %d is on L1 block %d, which is gone", n, head.Origin.Number)
				} else if head.Origin.Number <= shared.Number && head.Epoch != before.Epoch && head.Origin != shared {
					t.Fatalf("block %d on L1 block %d was void without need", n, head.Origin.Number)
				}
			}
			r.included(tx.Hash())
			head := r.node.PublishedHead()
			r.stop()
			r.start()
			if b, err := r.node.BlockByNumber(t.Context(), head.Number.Uint64()); err != nil || b == nil || b.Hash() != head.Hash() {
				t.Fatalf("after a restart block %s is another: %v", head.Number, err)
			}
			if _, err := r.await(r.submit(r.transfer(0, 1, 1))); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// L1 reorganised while the sequencer was away.
func TestAReorgIsFoundAtTheStart(t *testing.T) {
	r := newForkRig(t, 10, nil)
	r.reach(r.chain.tip())
	r.stop()
	r.chain.cutBack(5)
	r.chain.grow(1, 6)
	r.start()
	r.reach(r.chain.tip())
	if _, err := r.await(r.submit(r.transfer(0, 0, 1))); err != nil {
		t.Fatal(err)
	}
}

func TestADerivedBlockReplacesTheSequencersOwn(t *testing.T) {
	r := newForkRig(t, 12, nil)
	r.reach(r.chain.tip())
	tx := r.transfer(0, 0, 1)
	if _, err := r.await(r.submit(tx)); err != nil {
		t.Fatal(err)
	}
	parent := r.headAt(5)
	in, want := derive.NextForced(&r.g.Config, parent, r.chain.block(parent.Origin.Number+1))
	in.ParentHash, in.MiniBlocks[0].TimestampMicros = parent.Hash, in.MiniBlocks[0].TimestampMicros+1
	hash, err := r.seq.Adopt(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	again := r.headAt(6)
	if again.Hash != hash || again.Origin != want.Origin {
		t.Fatalf("block 6 is %+v, derived was %s", again, hash)
	}
	r.reach(r.chain.tip())
	r.included(tx.Hash())
	r.stop()
	r.start()
	if again := r.headAt(6); again.Hash != hash {
		t.Fatalf("after a restart block 6 is %s, derived was %s", again.Hash, hash)
	}
	if _, err := r.await(r.submit(r.transfer(0, 1, 1))); err != nil {
		t.Fatal(err)
	}
}

func TestNoTransactionIsTakenThatCouldNotBePosted(t *testing.T) {
	var mu sync.Mutex
	var said Derived
	say := func(d Derived) {
		mu.Lock()
		defer mu.Unlock()
		said = d
	}
	r := newForkRig(t, 20, func(r *rig) {
		r.g.Config.InclusionWindow = 20
		r.derived = func() Derived {
			mu.Lock()
			defer mu.Unlock()
			return said
		}
	})
	waits := func(why string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			if err := r.seq.Ready(); err != nil && strings.Contains(err.Error(), why) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("ready: %v, want %q", r.seq.Ready(), why)
			}
		}
		var e *rpc.Error
		if _, err := r.await(r.submit(r.transfer(0, 0, 1))); err == nil {
			t.Fatalf("taken: %v", e)
		}
	}
	waits("it has not read all of L1 yet")
	if n := r.node.PublishedHead().Number.Uint64(); n != 0 {
		t.Fatalf("block %d exists", n)
	}
	// L1 is at 20: the blocks of origins up to 20+5-20 will be forced before a batch arrives.
	genesis := r.headAt(0)
	say(Derived{Head: genesis, Tip: 20, CaughtUp: true})
	waits("nothing was posted for 20 L1 blocks")
	r.reach(r.chain.block(19).ID()) // and it comes near to L1 all the same
	parent := genesis
	for n := uint64(1); n <= 5; n++ {
		_, want := derive.NextForced(&r.g.Config, parent, r.chain.block(n))
		got := r.headAt(n)
		if got.Origin != want.Origin || got.Timestamp != want.Timestamp || got.LastMicros != want.LastMicros || got.Epoch != want.Epoch {
			t.Fatalf("block %d is %+v, derivation forces %+v", n, got, want)
		}
		parent = got
	}
	say(Derived{Head: r.headAt(19), Tip: 20, CaughtUp: true, Stuck: errors.New("L1 fails when asked again")})
	waits("L1 fails when asked again")
	say(Derived{Head: r.headAt(19), Tip: 20, CaughtUp: true})
	for deadline := time.Now().Add(10 * time.Second); r.seq.Ready() != nil; {
		if time.Now().After(deadline) {
			t.Fatal(r.seq.Ready())
		}
	}
	if _, err := r.await(r.submit(r.transfer(0, 0, 1))); err != nil {
		t.Fatal(err)
	}
}
