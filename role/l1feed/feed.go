package l1feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// Options of a feed. The zero value of a field means its default.
type Options struct {
	From          uint64        // number of the first block
	Confirmations uint64        // how deep below the head a block must be [0]
	Poll          time.Duration // how often the head is asked for [250 ms]
	Buffer        int           // blocks fetched ahead, 1.. [64]
	Log           *slog.Logger  // [slog.Default()]
}

// Feed follows an L1. Its methods are safe for concurrent use.
type Feed struct {
	client *l1.Client
	source *l1.Source
	opts   Options

	mu      sync.Mutex
	changed *sync.Cond
	blocks  []*derive.L1Block
	next    uint64 // number of the block to fetch

	epoch   uint64 // grows with every Rewind
	head    uint64 // newest L1 block seen
	stopped bool

	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins to follow at opts.From.
func Start(client *l1.Client, source *l1.Source, opts Options) *Feed {
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
	f := &Feed{client: client, source: source, opts: opts, next: opts.From, cancel: cancel, done: make(chan struct{})}
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

// Next takes the next block, waiting for it.
func (f *Feed) Next(ctx context.Context) (*derive.L1Block, error) {
	stop := context.AfterFunc(ctx, f.changed.Broadcast)
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.blocks) == 0 {
		if f.stopped {
			return nil, errors.New("L1 feed is closed")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.changed.Wait()
	}
	b := f.blocks[0]
	f.blocks = f.blocks[1:]
	f.changed.Broadcast()
	return b, nil
}

// Rewind drops what waits and continues with block number.
func (f *Feed) Rewind(number uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks, f.next = nil, number
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
	head, err := f.client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return err
	}
	number := head.Number.Uint64()
	f.mu.Lock()
	f.head = number
	f.mu.Unlock()
	for {
		f.mu.Lock()
		for len(f.blocks) >= f.opts.Buffer && ctx.Err() == nil {
			stop := context.AfterFunc(ctx, f.changed.Broadcast)
			f.changed.Wait()
			stop()
		}
		next, epoch := f.next, f.epoch
		f.mu.Unlock()
		if ctx.Err() != nil || next+f.opts.Confirmations > number {
			return ctx.Err()
		}
		b, err := f.source.Fetch(ctx, next)
		if err != nil {
			return err
		}
		f.add(Convert(b), epoch)
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
	f.blocks = append(f.blocks, b)
	f.next = b.Number + 1
	f.changed.Broadcast()
}

// Convert gives an L1 block the form that derivation reads.
func Convert(b *l1.Block) *derive.L1Block {
	out := &derive.L1Block{
		Number: b.Number, Hash: b.Hash, ParentHash: b.ParentHash, Timestamp: b.Time,
		BaseFee: b.BaseFee, BlobBaseFee: b.BlobBaseFee, PrevRandao: b.PrevRandao,
		ParentBeaconRoot: b.ParentBeaconRoot, Deposits: b.Deposits,
	}
	for _, tx := range b.Batches {
		blobs := make([]*batch.Blob, len(tx.Blobs))
		for i := range tx.Blobs {
			blobs[i] = (*batch.Blob)(&tx.Blobs[i])
		}
		out.Batches = append(out.Batches, blobs)
	}
	return out
}

// Fetch reads one block and checks that it is the one named.
func Fetch(ctx context.Context, source *l1.Source, origin chain.L1Origin) (*derive.L1Block, error) {
	b, err := source.Fetch(ctx, origin.Number)
	if err != nil {
		return nil, err
	}
	if b.Hash != origin.Hash {
		return nil, fmt.Errorf("L1 block %d is %s, the chain was built on %s: this is another L1, or it reorganised", origin.Number, b.Hash, origin.Hash)
	}
	return Convert(b), nil
}
