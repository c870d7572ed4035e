package batcher

import (
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
)

// Chain is what a batcher reads of the chain.
type Chain interface {
	// BlockByNumber returns a sealed block, nil when there is none yet.
	BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error)
}

// Tracker says how far L1 holds the chain.
type Tracker interface {
	// Safe is the newest block that derivation has found on L1, and the newest L1 block
	// that it has read; zero before the first.
	Safe() (block, l1Tip uint64)
}

// L1 is where batches go. Errors that wrap l1.ErrUnavailable and others are all tried
// again.
type L1 interface {
	// Head is the number of the newest L1 block.
	Head(ctx context.Context) (uint64, error)
	// Nonces are the batcher's next nonce after the newest L1 block, and after the
	// transactions that L1's pool holds of it.
	Nonces(ctx context.Context) (latest, pending uint64, err error)
	// Prices are the fees of the newest L1 block, in wei.
	Prices(ctx context.Context) (Prices, error)
	// Send posts a transaction with that nonce and returns the number of the L1 block
	// that includes it. It raises the price of one that is stuck.
	Send(ctx context.Context, tx Tx) (l1Block uint64, err error)
}

// Tx is a transaction that carries a batch, or says where one is.
type Tx struct {
	To    common.Address
	Nonce uint64
	Data  []byte
	Blobs []*batch.Blob // at most da.MaxBlobsPerTx
}

// Prices are what L1 asks for, in wei per unit of gas.
type Prices struct{ BaseFee, BlobBaseFee *big.Int }

// Options of a batcher. The zero value of a field means its default.
type Options struct {
	Chain   Chain
	Tracker Tracker
	L1      L1
	Inbox   common.Address
	// Layer keeps the data where L1 holds commitments only; nil: L1 holds the data.
	// While it fails, the data go to L1.
	Layer da.Store
	// Certifier is the contract that certificates of a committee are sent to.
	Certifier common.Address

	MaxAge   time.Duration // that a block waits for others to share its transaction [4 s]
	MaxBlobs int           // per transaction, 1..6 [6]
	Place    Place         // [Cheapest]
	// LostAfter is how many L1 blocks a batch may stay unseen by derivation before its
	// blocks are sent again [12].
	LostAfter uint64
	// Patience is how long transactions of an earlier run are waited for before others
	// replace them [1 min].
	Patience time.Duration
	// FallBack is how long Layer may fail before a batch goes to L1 instead [30 s].
	FallBack time.Duration
	// LayerRetry is how long a layer that fails is passed over before it is tried again [10 s].
	LayerRetry time.Duration
	Log        *slog.Logger // [slog.Default()]
}

// Place says what carries data on L1.
type Place int

// Places.
const (
	Cheapest Place = iota // whatever costs less at the moment
	InBlobs
	InCalldata
)

// Batcher posts one chain.
type Batcher struct {
	opts Options

	// Of the loop.
	resumed bool
	goal    uint64    // L1 block to be read before the first batch
	waiting time.Time // since when transactions of an earlier run are waited for
	nonce   uint64    // of the next transaction
	open    *filling  // nil: nothing gathered
	sent    []sent    // on its way to derivation, ascending
	failing time.Time // since when nothing can be posted; zero: it can
	warned  time.Time
	layer   time.Time // since when Layer fails; zero: it works

	layerAgain time.Time // before then Layer is passed over

	mu     sync.Mutex
	status Status

	cancel context.CancelFunc
	done   chan struct{}
}

// sent is a batch that L1 includes and derivation has not found yet.
type sent struct {
	last uint64 // newest block
	tip  common.Hash
	in   uint64 // L1 block
}

// Status is how far a batcher is.
type Status struct {
	Posted  uint64 // newest block in an included transaction of this run
	Batches uint64 // sent by this run
	// Delegated are those of which L1 holds a commitment, and Layer the data.
	Delegated    uint64
	Bytes        uint64 // of channels
	Blobs        uint64
	Failing      error // why nothing can be posted at the moment
	LayerFailing error // why Layer is passed over; nil: it is not
}

// Start begins to post what L1 does not hold.
func Start(opts Options) *Batcher {
	if opts.MaxAge == 0 {
		opts.MaxAge = 4 * time.Second
	}
	if opts.MaxBlobs == 0 {
		opts.MaxBlobs = da.MaxBlobsPerTx
	}
	if opts.LostAfter == 0 {
		opts.LostAfter = 12
	}
	if opts.Patience == 0 {
		opts.Patience = time.Minute
	}
	if opts.FallBack == 0 {
		opts.FallBack = 30 * time.Second
	}
	if opts.LayerRetry == 0 {
		opts.LayerRetry = 10 * time.Second
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

// Status tells how far the batcher is.
func (b *Batcher) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// minTick bounds how often the chain is looked at.
const minTick = 10 * time.Millisecond

func (b *Batcher) run(ctx context.Context) {
	defer close(b.done)
	ticker := time.NewTicker(max(b.opts.MaxAge/8, minTick))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = b.step(ctx); err != nil && ctx.Err() == nil {
				b.failed(err)
			}
		}
	}
}

// step goes on as far as it can without waiting for blocks or time; more asks for
// another.
func (b *Batcher) step(ctx context.Context) (more bool, err error) {
	if b.lost() {
		b.resumed, b.nonce = false, 0
	}
	if !b.resumed {
		if err := b.resume(ctx); err != nil || !b.resumed {
			return false, err
		}
	}
	full, err := b.gather(ctx)
	if err != nil {
		b.open = nil
		return false, err
	}
	if b.open == nil {
		b.recovered() // L1 holds everything
	}
	if b.open == nil || !full && time.Since(b.open.since) < b.opts.MaxAge {
		return false, nil
	}
	latest, _, err := b.opts.L1.Nonces(ctx)
	if err != nil {
		return false, err
	}
	if latest != b.nonce {
		// L1 reorganised, or somebody else uses the key.
		b.resumed, b.nonce = false, 0
		return false, nil
	}
	batch := b.open
	if err := b.post(ctx, batch); err != nil {
		return false, fmt.Errorf("post blocks %d to %d: %w", batch.first, batch.last(), err)
	}
	b.recovered()
	return full, nil
}

// failed notes what stands in the way, and logs it once a minute.
func (b *Batcher) failed(err error) {
	b.mu.Lock()
	b.status.Failing = err
	b.mu.Unlock()
	now := time.Now()
	if b.failing.IsZero() {
		b.failing = now
	}
	if now.Sub(b.warned) >= time.Minute {
		b.warned = now
		b.opts.Log.Warn("batch not posted; trying again", "err", err)
	}
}

// recovered notes that nothing stands in the way any more.
func (b *Batcher) recovered() {
	if b.failing.IsZero() {
		return
	}
	b.opts.Log.Info("batches are posted again", "after", time.Since(b.failing).Round(time.Second))
	b.failing, b.warned = time.Time{}, time.Time{}
	b.mu.Lock()
	b.status.Failing = nil
	b.mu.Unlock()
}
