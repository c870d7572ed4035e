package batcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// Chain is what a batcher reads of the chain.
type Chain interface {
	// BlockByNumber returns a sealed block, nil when there is none yet.
	BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error)
}

// Tracker says how far L1 holds the chain.
type Tracker interface {
	Safe() (block, l1Tip uint64)
}

// Sender sends blobs to L1 in one transaction and returns the number of the L1 block
// that includes it.
type Sender interface {
	SendBlobs(ctx context.Context, to common.Address, blobs []*batch.Blob) (l1Block uint64, err error)
}

// Options of a batcher. The zero value of a field means its default.
type Options struct {
	Chain    Chain
	Tracker  Tracker
	Sender   Sender
	Inbox    common.Address
	Interval time.Duration // between batches of a quiet chain [4 s]
	MaxBlobs int           // per transaction, 1..6 [6]
	// LostAfter is how many L1 blocks a batch may stay unseen by derivation before it
	// is sent again [12].
	LostAfter uint64
	Log       *slog.Logger
}

// Batcher posts one chain.
type Batcher struct {
	opts   Options
	posted uint64 // newest block sent
	in     uint64 // L1 block that includes it
	sent   bool

	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins to post what L1 does not hold.
func Start(opts Options) *Batcher {
	if opts.Interval == 0 {
		opts.Interval = 4 * time.Second
	}
	if opts.MaxBlobs == 0 {
		opts.MaxBlobs = 6
	}
	if opts.LostAfter == 0 {
		opts.LostAfter = 12
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Batcher{opts: opts, cancel: cancel, done: make(chan struct{})}
	go b.run(ctx)
	return b
}

// Close stops posting and waits for it. What was not posted is posted after the next
// start.
func (b *Batcher) Close() {
	b.cancel()
	<-b.done
}

func (b *Batcher) run(ctx context.Context) {
	defer close(b.done)
	ticker := time.NewTicker(b.opts.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for {
			more, err := b.post(ctx)
			if err != nil && ctx.Err() == nil {
				b.opts.Log.Warn("batch not posted; trying again", "from", b.next(), "err", err)
			}
			if err != nil || !more {
				break
			}
		}
	}
}

// next is the first block that needs posting.
func (b *Batcher) next() uint64 {
	safe, tip := b.opts.Tracker.Safe()
	if b.sent && b.posted > safe && tip <= b.in+b.opts.LostAfter {
		return b.posted + 1
	}
	return safe + 1
}

// post sends one channel; more says that it was full.
func (b *Batcher) post(ctx context.Context) (more bool, err error) {
	if _, tip := b.opts.Tracker.Safe(); tip == 0 {
		return false, nil // derivation has not started: what L1 holds is not known
	}
	builder, err := batch.NewChannelBuilder(batch.BuilderSettings{TargetBytes: b.opts.MaxBlobs * batch.MaxFrameData})
	if err != nil {
		return false, err
	}
	number := b.next()
	for ; ; number++ {
		block, err := b.opts.Chain.BlockByNumber(ctx, number)
		if err != nil {
			return false, err
		}
		if block == nil {
			break
		}
		in, err := batch.FromBlock(block)
		if err != nil {
			return false, err
		}
		err = builder.Add(&in, block.Header.ParentHash, block.Hash())
		if errors.Is(err, batch.ErrFull) {
			more = true
			break
		}
		if err != nil {
			return false, err
		}
	}
	if builder.Blocks() == 0 {
		return false, nil
	}
	blocks, raw := builder.Blocks(), builder.RawBytes()
	channel, err := builder.Close()
	if err != nil {
		return false, err
	}
	txs, err := channel.Txs(b.opts.MaxBlobs)
	if err != nil {
		return false, err
	}
	for _, blobs := range txs {
		in, err := b.opts.Sender.SendBlobs(ctx, b.opts.Inbox, blobs)
		if err != nil {
			return false, fmt.Errorf("post blocks up to %d: %w", number-1, err)
		}
		b.in = in
	}
	b.posted, b.sent = number-1, true
	b.opts.Log.Debug("batch posted", "blocks", blocks, "last", b.posted, "l1Block", b.in, "raw", raw, "compressed", len(channel.Data))
	return more, nil
}
