package leader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/attestor"
	"github.com/talaria-l2/talaria/role/exits"
	"github.com/talaria-l2/talaria/role/feeder"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/safehead"
	"github.com/talaria-l2/talaria/role/sequencer"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/rpc/ingest"
	"github.com/talaria-l2/talaria/telemetry"
)

// Options of a leader.
type Options struct {
	// Sequencer says how the chain is sequenced; Connect, Derived, Metrics and Log are the
	// leader's. With Development, L1 holds nothing of the chain, and is not derived from.
	Sequencer sequencer.Options

	L1       l1feed.L1       // what derivation and the sequencer read
	Client   *l1.Client      // of the same L1: where withdrawals stand is asked there
	Resolver l1feed.Resolver // finds batch data that is not on L1; nil: nothing does
	// Confirmations is how deep an L1 block must be before its deposits are taken.
	Confirmations uint64

	RPC      rpc.Options
	Listener net.Listener // of JSON-RPC
	Ingest   net.Listener // of raw transactions (docs/spec/ingest.md); nil: they are not taken

	// Feed is where the chain is published for other nodes; nil: nowhere. ChainID, Metrics
	// and Log are the leader's, and without Dir it is in the data directory.
	Feed *feeder.Options

	// Snapshots has the state served to new nodes, by the RPC; nil, or on a development
	// chain: it is not. Log is the leader's.
	Snapshots *snapshots.Options

	Metrics *telemetry.Metrics // [those of nobody]
	Log     *slog.Logger       // [slog.Default()]
}

// Leader sequences the chain of one node, and serves it. It must be closed.
type Leader struct {
	node    *node.Node
	opts    Options
	seq     *sequencer.Sequencer
	feed    *feeder.Feeder                   // nil: nothing is published for other nodes
	tracker atomic.Pointer[safehead.Tracker] // nil while derivation is not followed
	closers []func(context.Context) error    // undo what was started, last first
}

// Start brings n to where its log ends, sequences and serves it, and returns when
// derivation has read what L1 has. The listeners are the leader's, also after an error.
func Start(ctx context.Context, n *node.Node, opts Options) (*Leader, error) {
	if opts.Metrics == nil {
		opts.Metrics = telemetry.New()
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	l := &Leader{node: n, opts: opts}
	l.onClose(func(context.Context) error { return closeListener(opts.Listener) })
	if opts.Ingest != nil {
		l.onClose(func(context.Context) error { return closeListener(opts.Ingest) })
	}
	if err := l.start(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.Background(), failedTimeout)
		defer cancel()
		return nil, errors.Join(err, l.Close(stop))
	}
	return l, nil
}

// failedTimeout bounds how long a start that failed is cleaned up.
const failedTimeout = 20 * time.Second

func (l *Leader) onClose(f func(context.Context) error) { l.closers = append(l.closers, f) }

func (l *Leader) start(ctx context.Context) error {
	settled := l.opts.Sequencer.Development == nil
	if base := l.node.Base(); base > 0 {
		return fmt.Errorf("data directory %s: begins with a snapshot of block %d: it can follow the chain (talaria replica), but who sequences needs the chain from genesis on", l.node.Dir().Path(), base)
	}
	o := l.opts.Sequencer
	o.Metrics, o.Log, o.Connect = l.opts.Metrics, l.opts.Log, l.connect(ctx)
	if settled {
		o.Derived = l.derived
	}
	var err error
	if l.seq, err = sequencer.Start(l.node, o); err != nil {
		return err
	}
	l.onClose(l.seq.Close)
	backend := &node.Backend{Node: l.node, Submit: l.seq.Submit, ReadyHook: l.seq.Ready, DevControls: l.seq.Dev(), Pool: l.seq.Pool, Void: l.seq.VoidTx}
	if settled {
		if err := l.startExits(backend); err != nil {
			return err
		}
	}
	if err := l.startSnapshots(settled); err != nil {
		return err
	}
	server := rpc.New(backend, l.opts.RPC)
	l.onClose(server.Shutdown)
	go l.serve("JSON-RPC", func() error { return server.Serve(l.opts.Listener) })
	l.startIngest(backend)
	if err := l.startFeed(ctx); err != nil {
		return err
	}
	if settled {
		return l.follow(ctx)
	}
	return nil
}

// startSnapshots has the RPC serve the state to new nodes. What nobody signed could not be
// checked by them, and a development chain has such transactions.
func (l *Leader) startSnapshots(settled bool) error {
	if l.opts.Snapshots == nil || !settled {
		return nil
	}
	o := *l.opts.Snapshots
	o.Log = l.opts.Log
	s, err := snapshots.Start(l.node, o)
	if err != nil {
		return err
	}
	l.onClose(func(context.Context) error { s.Close(); return nil })
	l.opts.RPC.Snapshots = s.Answer
	return nil
}

// startExits has the node tell where withdrawals stand, and sign blocks for the pool that
// pays them ahead.
func (l *Leader) startExits(backend *node.Backend) error {
	contracts := l.node.L1Contracts()
	backend.Withdrawals = exits.New(exits.Options{Chain: l.node, L1: l.opts.Client, Contracts: contracts}).Withdrawal
	cfg := l.node.Config()
	a, err := attestor.Start(attestor.Options{
		Chain: l.node, Key: l.opts.Sequencer.Key, L1ChainID: cfg.L1ChainID, L2ChainID: cfg.ChainID, Checkpoints: contracts["checkpoints"],
		File: filepath.Join(l.node.Dir().Path(), "attested.json"), Log: l.opts.Log,
	})
	if err != nil {
		return err
	}
	l.onClose(func(context.Context) error { a.Close(); return nil })
	backend.Attestations = a.Newest
	return nil
}

// startIngest serves the raw way in for transactions, to those whom the RPC serves.
func (l *Leader) startIngest(b *node.Backend) {
	if l.opts.Ingest == nil {
		return
	}
	cfg := b.Config()
	o := ingest.Options{ChainID: cfg.ChainID, MaxTxBytes: cfg.MaxTxBytes, Authorize: l.opts.RPC.Authorize, Log: l.opts.Log}
	if len(l.opts.Sequencer.Trusted) > 0 {
		o.Vouch, o.Release = l.seq.Vouch, l.seq.Release
	}
	if config := l.opts.RPC.TLS; config != nil { // a key must not go in the clear
		o.TLS = config.Clone()
		o.TLS.NextProtos = nil // of HTTP
	}
	server := ingest.New(b, o)
	l.onClose(server.Shutdown)
	go l.serve("ingest", func() error { return server.Serve(l.opts.Ingest) })
}

// IngestURL is where raw transactions are taken; empty: nowhere.
func (l *Leader) IngestURL() string {
	switch {
	case l.opts.Ingest == nil:
		return ""
	case l.opts.RPC.TLS != nil:
		return "tls://" + l.opts.Ingest.Addr().String()
	}
	return "tcp://" + l.opts.Ingest.Addr().String()
}

// startFeed publishes the chain for other nodes.
func (l *Leader) startFeed(ctx context.Context) error {
	if l.opts.Feed == nil {
		return nil
	}
	o := *l.opts.Feed
	o.ChainID, o.Metrics, o.Log = l.node.Config().ChainID, l.opts.Metrics, l.opts.Log
	if o.Dir == "" {
		o.Dir = filepath.Join(l.node.Dir().Path(), "feed")
	}
	var err error
	if l.feed, err = feeder.Start(ctx, l.node, o); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	l.onClose(func(context.Context) error { l.feed.Close(); return nil })
	return nil
}

// FeedURL is where other nodes read the chain; empty: nowhere.
func (l *Leader) FeedURL() string {
	if l.feed == nil {
		return ""
	}
	return l.feed.URL()
}

// DialFeed connects a reader of this process to the feed, which must be published. The caller
// closes it before the leader.
func (l *Leader) DialFeed(ctx context.Context) (*feed.Client, error) {
	if l.feed == nil {
		return nil, errors.New("the chain is not published for other nodes")
	}
	return l.feed.Dial(ctx)
}

func (l *Leader) serve(what string, f func() error) {
	if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		l.node.Fail(fmt.Errorf("%s: %w", what, err))
	}
}

// Tracker tells what L1 holds of the chain; nil of a development chain.
func (l *Leader) Tracker() *safehead.Tracker { return l.tracker.Load() }

// Close stops serving, finishes what was taken, and waits for it. The node is its
// owner's to close afterwards.
func (l *Leader) Close(ctx context.Context) error {
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		started := time.Now()
		errs = append(errs, l.closers[i](ctx))
		l.opts.Log.Debug("closed", "part", i, "in", time.Since(started))
	}
	l.closers = nil
	return errors.Join(errs...)
}

func closeListener(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
