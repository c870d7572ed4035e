package l1feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// Options of a feed. The zero value of a field means its default.
type Options struct {
	From          uint64        // number of the first block
	Confirmations uint64        // how deep below the head a block must be [0]
	Poll          time.Duration // how often the head is asked for [250 ms]
	Buffer        int           // blocks fetched ahead, 1.. [64]; fewer if they take up more than 256 MiB
	// Batches says what is needed to read batches, too; nil: they are not read.
	Batches *Batches
	Log     *slog.Logger // [slog.Default()]
}

// Batches is what reading batches takes.
type Batches struct {
	Config *chain.Config
	System chain.SystemConfig // after the L1 block Options.From
	// Resolver finds data that is not on L1; nil: a batch that needs it is an error.
	Resolver Resolver
}

// L1 is what a feed reads; *l1.Source and *l1.Quorum are ones.
type L1 interface {
	HeaderByTag(ctx context.Context, tag l1.Tag) (*types.Header, error)
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	Fetch(ctx context.Context, number uint64, batcher common.Address) (*l1.Block, error)
}

// Feed follows an L1. Its methods are safe for concurrent use.
type Feed struct {
	source L1
	opts   Options

	mu      sync.Mutex
	changed *sync.Cond
	blocks  []*derive.L1Block
	waiting int                // that blocks take up, in bytes, about
	next    uint64             // number of the block to fetch
	first   uint64             // block whose batches are not read
	system  chain.SystemConfig // of the batches in next

	epoch   uint64            // grows with every Rewind
	head    uint64            // newest L1 block seen
	kept    []*derive.L1Block // the newest that were fetched, consecutive
	bytes   int               // that kept takes up, about
	forked  bool              // L1 has another block in place of one of them
	stopped bool

	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins to follow at opts.From.
func Start(source L1, opts Options) *Feed {
	if opts.Poll == 0 {
		opts.Poll = 250 * time.Millisecond
	}
	if opts.Buffer == 0 {
		opts.Buffer = 64
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Feed{source: source, opts: opts, next: opts.From, first: opts.From, cancel: cancel, done: make(chan struct{})}
	if opts.Batches != nil {
		f.system = opts.Batches.System
	}
	f.changed = sync.NewCond(&f.mu)
	go f.run(ctx)
	return f
}

// Close stops following and waits for it.
func (f *Feed) Close() {
	f.cancel()
	<-f.done
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	f.changed.Broadcast()
}

// Peek is the next block, nil when there is none yet.
func (f *Feed) Peek() *derive.L1Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.blocks) == 0 {
		return nil
	}
	return f.blocks[0]
}

// Pop drops what Peek returned.
func (f *Feed) Pop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
}

// drop takes the first block that waits away. f.mu is held.
func (f *Feed) drop() {
	f.waiting -= size(f.blocks[0])
	f.blocks[0] = nil // the memory of its batches is free before that of the queue
	f.blocks = f.blocks[1:]
	f.changed.Broadcast()
}

// Backlog is the number of blocks that wait.
func (f *Feed) Backlog() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.blocks)
}

// Head is the newest L1 block seen, fetched or not.
func (f *Feed) Head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// ErrForked is what Next returns, until Rewind, when L1 has a head that is none of the
// blocks that were fetched, without having another block behind them yet.
var ErrForked = fmt.Errorf("%w: it has another head", derive.ErrReorg)

// Next takes the next block, waiting for it.
func (f *Feed) Next(ctx context.Context) (*derive.L1Block, error) {
	stop := context.AfterFunc(ctx, f.changed.Broadcast)
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.forked || len(f.blocks) == 0 {
		if f.forked {
			return nil, ErrForked
		}
		if f.stopped {
			return nil, errors.New("L1 feed is closed")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.changed.Wait()
	}
	b := f.blocks[0]
	f.drop()
	return b, nil
}

// Rewind drops what waits and continues with block number, without its batches; system is
// the configuration after it. L1 has the block shared: it and those before it are fetched
// again only if they are no longer at hand.
func (f *Feed) Rewind(number uint64, system chain.SystemConfig, shared chain.L1Origin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.kept
	f.blocks, f.waiting, f.kept, f.bytes, f.forked = nil, 0, nil, 0, false
	f.next, f.first, f.system = number, number, system
	if slices.ContainsFunc(kept, func(b *derive.L1Block) bool { return b.ID() == shared }) {
		for _, b := range kept {
			if b.Number == f.next && b.Number <= shared.Number {
				f.append(b)
			}
		}
	}
	f.epoch++
	f.changed.Broadcast()
}

func (f *Feed) run(ctx context.Context) {
	defer close(f.done)
	ticker := time.NewTicker(f.opts.Poll)
	defer ticker.Stop()
	failing := false
	for {
		err := f.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			f.opts.Log.Warn("L1 cannot be read; trying again", "err", err)
		case err == nil && failing:
			f.opts.Log.Info("L1 can be read again")
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// poll fetches what is new and deep enough, as far as the buffer has room.
func (f *Feed) poll(ctx context.Context) error {
	head, err := f.source.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return err
	}
	number := head.Number.Uint64()
	f.note(head)
	for {
		f.mu.Lock()
		for f.full() && ctx.Err() == nil {
			stop := context.AfterFunc(ctx, f.changed.Broadcast)
			f.changed.Wait()
			stop()
		}
		next, epoch, system := f.next, f.epoch, f.system
		read := f.opts.Batches != nil && next != f.first
		f.mu.Unlock()
		if ctx.Err() != nil || next+f.opts.Confirmations > number {
			return ctx.Err()
		}
		var batcher common.Address
		if read {
			batcher = system.Batcher
		}
		b, err := f.source.Fetch(ctx, next, batcher)
		if err != nil {
			return err
		}
		block, err := f.convert(ctx, b, system)
		if err != nil {
			return err
		}
		f.add(block, epoch)
	}
}

// maxWaiting is how many bytes may wait before no more is fetched: one L1 block can name
// MaxNamedBytes of data that is elsewhere.
const maxWaiting = 256 << 20

// full reports whether what waits must be read first. f.mu is held.
func (f *Feed) full() bool { return len(f.blocks) >= f.opts.Buffer || f.waiting >= maxWaiting }

// note takes L1's head. A fork may be no longer than what it replaces: it shows before
// anything can be fetched behind it. An endpoint that merely lags has a head that is known.
func (f *Feed) note(head *types.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head = head.Number.Uint64()
	for _, b := range f.kept {
		if b.Number == f.head && b.Hash != head.Hash() {
			f.forked = true
			f.changed.Broadcast()
		}
	}
}

// add appends a fetched block, unless the feed was rewound meanwhile. A block that
// does not continue the one before is handed out all the same: derivation tells a
// reorganisation from its parent hash.
func (f *Feed) add(b *derive.L1Block, epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch {
		return
	}
	f.append(b)
	f.changed.Broadcast()
}

// What is kept to be read again, when L1 reorganises: derivation wants some 300 blocks.
const (
	maxKept      = 512
	maxKeptBytes = 128 << 20
)

// append takes the next block in. f.mu is held.
func (f *Feed) append(b *derive.L1Block) {
	f.blocks = append(f.blocks, b)
	f.waiting += size(b)
	f.next = b.Number + 1
	if f.opts.Batches == nil {
		return
	}
	if b.Number != f.first {
		f.system = derive.SystemAfter(f.opts.Batches.Config, f.system, b, nil)
	}
	f.kept = append(f.kept, b)
	f.bytes += size(b)
	for len(f.kept) > maxKept || f.bytes > maxKeptBytes {
		f.bytes -= size(f.kept[0])
		f.kept[0] = nil
		f.kept = f.kept[1:]
	}
}

// size is about what a block takes up, in bytes.
func size(b *derive.L1Block) int {
	n := 1024
	for _, l := range b.Logs {
		n += 512 + len(l.Data)
	}
	for i := range b.Batches {
		n += len(b.Batches[i].Data) + len(b.Batches[i].Blobs)*(128<<10)
	}
	return n
}

// Convert gives an L1 block without its batches the form that derivation reads.
func Convert(b *l1.Block) *derive.L1Block {
	return &derive.L1Block{
		Number: b.Number, Hash: b.Hash, ParentHash: b.ParentHash, Timestamp: b.Time,
		BaseFee: b.BaseFee, BlobBaseFee: b.BlobBaseFee, PrevRandao: b.PrevRandao,
		ParentBeaconRoot: b.ParentBeaconRoot, Logs: b.Logs,
	}
}

// ErrOrphaned means that L1 has another block than the one named.
var ErrOrphaned = errors.New("this is another L1, or it reorganised")

// Fetch reads one block, without batches, and checks that it is the one named.
func Fetch(ctx context.Context, source L1, origin chain.L1Origin) (*derive.L1Block, error) {
	b, err := source.Fetch(ctx, origin.Number, common.Address{})
	if err != nil {
		return nil, err
	}
	if b.Hash != origin.Hash {
		return nil, fmt.Errorf("L1 block %d is %s, the chain was built on %s: %w", origin.Number, b.Hash, origin.Hash, ErrOrphaned)
	}
	return Convert(b), nil
}
