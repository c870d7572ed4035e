package daoperator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
)

// Options of an operator. The zero value of a field means its default.
type Options struct {
	Dir        string           // data directory, required; one process at a time
	Key        *bls.SecretKey   // required
	Source     committee.Source // required
	Listener   net.Listener     // required; the operator's from then on
	Dispersers []common.Address // who may write; empty: anybody
	MaxBytes   int64            // on disk; 0: no limit
	// Retention is how long chunks are kept after their statement expired; 0: for ever.
	Retention time.Duration
	Limits    da.Limits
	Log       *slog.Logger // [slog.Default()]
}

// Operator is one running operator. Close it.
type Operator struct {
	server *da.Server
	public *bls.PublicKey
	cancel context.CancelFunc
	swept  sync.WaitGroup
}

// sweepEvery is how often expired chunks are looked for.
const sweepEvery = 10 * time.Minute

// Start serves an operator. Its first chunk takes seconds longer unless committee.WarmUp
// was called.
func Start(opts Options) (*Operator, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	shelf, err := committee.OpenShelf(filepath.Join(opts.Dir, "chunks"), opts.MaxBytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start operator: %w", err), opts.Listener.Close())
	}
	handler := committee.NewHandler(committee.HandlerOptions{
		Key: opts.Key, Source: opts.Source, Shelf: shelf, Dispersers: opts.Dispersers, Retention: opts.Retention,
	})
	ctx, cancel := context.WithCancel(context.Background())
	o := &Operator{server: da.Serve(opts.Listener, handler, opts.Limits), public: opts.Key.Public(), cancel: cancel}
	if opts.Retention > 0 {
		o.swept.Go(func() { sweep(ctx, shelf, opts) })
	}
	return o, nil
}

// sweep removes what has been kept for long enough, now and from time to time.
func sweep(ctx context.Context, shelf *committee.Shelf, opts Options) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		removed, err := shelf.Sweep(time.Now().Add(-opts.Retention))
		if err != nil {
			opts.Log.Warn("old chunks not all removed; trying again later (is the data directory writable?)", "err", err)
		}
		if removed > 0 {
			opts.Log.Info("old chunks removed", "chunks", removed)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// URL is where the operator is reached from this machine.
func (o *Operator) URL() string { return o.server.URL() }

// PublicKey is the operator's.
func (o *Operator) PublicKey() *bls.PublicKey { return o.public }

// Done gives the reason when serving ends by itself.
func (o *Operator) Done() <-chan error { return o.server.Done() }

// Close stops serving. What was signed for is on disk.
func (o *Operator) Close() error {
	o.cancel()
	o.swept.Wait()
	return o.server.Close()
}
