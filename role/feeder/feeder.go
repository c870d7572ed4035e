package feeder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	ethcommon "github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

// Node is what is published; *node.Node.
type Node interface {
	Subscribe(buffer int) *rpc.FeedReader
	ForFeed(ctx context.Context, m *rpc.MiniBlock) (*feed.MiniBlock, error)
	FeedMiniBlocks(ctx context.Context, number uint64) ([]*feed.MiniBlock, error)
	MiniBlockByNumber(ctx context.Context, number uint64) (*rpc.MiniBlock, error)
	BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error)
	PublishedHead() *types.Header
	RecordsWitnesses() bool
	ExecutionWitness(ctx context.Context, number uint64, hash ethcommon.Hash) (*chain.Witness, error)
}

// Sink is where; *feed.Client.
type Sink interface {
	feed.Sink
	Flush(ctx context.Context) error
	Close()
	ResumeMiniBlocks(ctx context.Context) (*feed.Mark, error)
	ResumeBlocks(ctx context.Context) (*feed.Mark, error)
	ResumeWitnesses(ctx context.Context) (*feed.Mark, error)
	MiniBlockAt(ctx context.Context, number uint64) (string, error)
	BlockAt(ctx context.Context, number uint64) (string, error)
}

const (
	// maxEvents wait while the feed is brought up; after more it is brought up again.
	maxEvents = 4096
	// history is how many blocks a feed that is empty begins with.
	history = 1024
	// behindPause is how long a queue that is full is left alone.
	behindPause = 5 * time.Millisecond
	// flushTimeout bounds how long what is queued is waited for.
	flushTimeout = 3 * time.Second
	leastPause   = 50 * time.Millisecond
	mostPause    = 5 * time.Second
	// patience is how often in turn a stored mini-block may not be had before it is left out.
	patience = 5
)

// Feeder keeps a feed at what its node holds. It must be closed.
type Feeder struct {
	node    Node
	connect func(context.Context) (Sink, error)
	sink    Sink // nil until connect has given it
	metrics *telemetry.Metrics
	log     *slog.Logger
	cancel  context.CancelFunc
	done    sync.WaitGroup
	closer  func() // of the server of this process; nil without one
	url     string
	reader  feed.ClientOptions // of who reads the feed, Publish aside

	mini, block uint64 // next to publish
	witness     uint64 // block of the next witness to publish, or behind it
	failed      int    // how often mini was not to be had
	gap         gap    // the last that was left
}

// gap is of mini-blocks that the node could not give.
type gap struct{ from, to uint64 }

// begin publishes to what connect gives, which is asked until it does.
func begin(n Node, connect func(context.Context) (Sink, error), metrics *telemetry.Metrics, log *slog.Logger) *Feeder {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Feeder{node: n, connect: connect, metrics: metrics, log: log, cancel: cancel}
	f.done.Go(func() { f.keep(ctx) })
	return f
}

// Dial connects a reader to the feed, with the feeder's own rights: it may publish
// attestations, too. The caller closes it before the feeder.
func (f *Feeder) Dial(ctx context.Context) (*feed.Client, error) {
	o := f.reader
	o.Publish = nil
	return feed.Dial(ctx, o)
}

// Close publishes what is queued, if that takes no longer than some seconds, and ends.
func (f *Feeder) Close() {
	f.cancel()
	f.done.Wait()
	if f.sink != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		_ = f.sink.Flush(ctx) // what is missing comes after the next start
		cancel()
		f.sink.Close()
	}
	if f.closer != nil {
		f.closer()
	}
}

// errAgain says that the feed must be brought up from the node: something was missed, or the
// node went back.
var errAgain = errors.New("the chain was taken back, or events were missed")

// keep publishes until ctx ends.
func (f *Feeder) keep(ctx context.Context) {
	rest := leastPause
	for first := true; ; first = false {
		if !first {
			f.metrics.FeedCatchesUp()
		}
		began := time.Now()
		err := f.feed(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errAgain) || time.Since(began) > time.Minute {
			rest = leastPause
			f.log.Debug("the feed is brought up again", "err", err)
		} else {
			f.log.Warn("the feed is not fed; it is tried again", "err", err)
		}
		if !pause(ctx, rest) {
			return
		}
		if !errors.Is(err, errAgain) {
			rest = min(2*rest, mostPause)
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// feed brings the feed up and publishes what comes, until something is missed.
func (f *Feeder) feed(ctx context.Context) error {
	if f.sink == nil {
		sink, err := f.connect(ctx)
		if err != nil {
			return err
		}
		f.sink = sink
	}
	flush, cancel := context.WithTimeout(ctx, flushTimeout)
	_ = f.sink.Flush(flush) // what is given up now is published again
	cancel()
	if err := f.resume(ctx); err != nil {
		return err
	}
	// Most without a subscription, which would not hold it.
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	events := f.node.Subscribe(maxEvents)
	defer events.Close()
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev, ok := <-events.Events():
			if !ok || ev.Rewound != nil {
				return errAgain
			}
			if err := f.publish(ctx, &ev); err != nil {
				return err
			}
		}
	}
}

// publish publishes an event that was not published from the store.
func (f *Feeder) publish(ctx context.Context, ev *rpc.Event) error {
	switch {
	case ev.MiniBlock != nil:
		number := ev.MiniBlock.Header.Number
		if number < f.mini {
			return nil
		}
		if number > f.mini {
			return errAgain
		}
		m, err := f.node.ForFeed(ctx, ev.MiniBlock)
		if err != nil {
			return err
		}
		return f.publishMini(ctx, m)
	case ev.Sealed != nil:
		if number := ev.Sealed.Number(); number < f.block {
			return nil
		} else if number > f.block {
			return errAgain
		}
		return f.publishBlock(ctx, ev.Sealed)
	case ev.Witness != nil:
		if ev.Witness.Number < f.witness {
			return nil
		}
		f.witness = ev.Witness.Number + 1
		w := &feed.Witness{Number: ev.Witness.Number, Hash: ev.Witness.Hash, Witness: ev.Witness.Witness}
		if err := f.sink.PublishWitness(w); !errors.Is(err, feed.ErrBehind) {
			return err
		}
		f.log.Warn("the feed is behind and leaves out a witness; validators must ask a node for it", "block", w.Number)
	}
	return nil
}

func (f *Feeder) publishMini(ctx context.Context, m *feed.MiniBlock) error {
	err := patiently(ctx, func() error { return f.sink.PublishMiniBlock(m) })
	if err == nil {
		f.mini = m.Header.Number + 1
	}
	return err
}

func (f *Feeder) publishBlock(ctx context.Context, b *chain.Block) error {
	sealed := &feed.Block{Header: b.Header, LastMiniBlock: b.MiniBlocks[len(b.MiniBlocks)-1].Number}
	err := patiently(ctx, func() error { return f.sink.PublishBlock(sealed) })
	if err == nil {
		f.block = b.Number() + 1
	}
	return err
}

// patiently publishes when there is room.
func patiently(ctx context.Context, publish func() error) error {
	for {
		err := publish()
		if !errors.Is(err, feed.ErrBehind) {
			return err
		}
		if !pause(ctx, behindPause) {
			return ctx.Err()
		}
	}
}

// catchUp publishes what the node holds beyond what was published.
func (f *Feeder) catchUp(ctx context.Context) error {
	for {
		list, err := f.node.FeedMiniBlocks(ctx, f.mini)
		if err != nil {
			return f.unavailable(ctx, err)
		}
		f.failed = 0
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			if err := f.publishMini(ctx, m); err != nil {
				return err
			}
		}
	}
	for {
		b, err := f.node.BlockByNumber(ctx, f.block)
		if err != nil {
			return err
		}
		if b == nil {
			return f.fillWitnesses(ctx)
		}
		if err := f.publishBlock(ctx, b); err != nil {
			return err
		}
	}
}

// unavailable leaves a gap where the node cannot tell any more what a block changed.
// Followers take what is missing from L1.
func (f *Feeder) unavailable(ctx context.Context, err error) error {
	if f.failed++; f.failed < patience || ctx.Err() != nil {
		return fmt.Errorf("mini-block %d for the feed: %w", f.mini, err)
	}
	next := f.mini
	if failed := f.beginAt(ctx, 0); failed != nil || f.mini <= next {
		return errors.Join(err, failed)
	}
	f.failed, f.gap = 0, gap{next, f.mini}
	f.log.Warn("the feed has a gap; followers must take it from L1", "from", next, "to", f.mini-1, "err", err)
	return errAgain
}
