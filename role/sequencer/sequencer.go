package sequencer

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/sequencing"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

// Options of a sequencer. The zero value of a field means its default.
type Options struct {
	// Key signs mini-blocks; its address must be the chain's sequencer.
	Key *ecdsa.PrivateKey
	// Connect reads the L1 origin of the chain's newest block and begins to follow L1
	// behind it. It is called when the write-ahead log has told that origin, and whenever
	// the chain went on from another block. An L1 without that block is l1feed.ErrOrphaned.
	Connect func(origin chain.L1Origin) (L1, error)
	// Derived tells what derivation from L1 says; nil: nobody derives, and nothing is waited
	// for.
	Derived func() Derived

	MiniBlock    chain.Millis // 1..1000, at the latest after so long [10]
	MiniBlockMin chain.Millis // 0..MiniBlock, not before so long [1]
	Block        chain.Millis // 100..12000 [1000]
	NoSync       bool         // do not wait for the disk (durability "none")
	Queue        int          // transactions that wait for execution, 1.. [16384]
	// Trusted are replicas whose word is taken on who signed a transaction, and checked
	// before the block is sealed; a development chain takes nobody's [none].
	Trusted []common.Address
	// Pending bounds those that wait for an earlier nonce.
	Pending     sequencing.PendingSettings
	Development *Development // makes it a development chain; nil: it is none

	Metrics *telemetry.Metrics // nil: not measured
	Log     *slog.Logger       // [slog.Default()]

	again againLimits       // tests only [100,000 transactions, 128 MiB]
	probe func(step string) // tests only: called between the steps of going back
}

// L1 is the L1 as the sequencer uses it.
type L1 struct {
	Origin *derive.L1Block // of the chain's newest block
	Next   Origins         // what comes after it
	// Canonical tells whether L1 has that block now.
	Canonical func(chain.L1Origin) (bool, error)
	Close     func() // nil: nothing is to be closed
}

// Sequencer orders the chain of one node.
type Sequencer struct {
	node   *node.Node
	opts   Options
	log    *slog.Logger
	wal    *store.WAL
	cutter sequencing.Cutter
	slots  sequencing.Slots
	gaps   *sequencing.Pending

	intake            intake
	ready             chan []admitted        // decoded, in order; closed when no more come
	questions         chan question          // about what waits
	waiting           atomic.Pointer[string] // why no block is opened
	waitsSince        time.Time              // when that began; of the executing goroutine, as is the next
	waitIsTold        bool                   // in the log
	stopOnce, walOnce sync.Once
	stop              chan struct{}
	looped            chan struct{}

	entries   chan entry
	published chan struct{}
	durable   *watermark

	sinceTruncation int // owned by the node's writer

	l1     L1
	loop   *loop
	undone node.Undone
	again  *again // transactions of void blocks
	trust  *trust
	checks *checks

	dev      *devChain    // nil but on a development chain; the loop owns it
	commands chan command // for the loop
}

// maxReady bounds the lists of decoded transactions that wait for execution.
const maxReady = 4

// maxInFlight bounds the log entries that are executed but not yet published.
const maxInFlight = 1024

// Start brings n to where its write-ahead log ends and begins to sequence.
func Start(n *node.Node, opts Options) (*Sequencer, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Queue == 0 {
		opts.Queue = 16384
	}
	if signer := crypto.PubkeyToAddress(opts.Key.PublicKey); signer != n.Config().Sequencer {
		return nil, fmt.Errorf("sequencer key is %s, the chain's sequencer is %s", signer, n.Config().Sequencer)
	}
	s := &Sequencer{
		node: n, opts: opts, log: opts.Log, durable: newWatermark(),
		ready: make(chan []admitted, maxReady), questions: make(chan question), entries: make(chan entry, maxInFlight),
		commands: make(chan command), stop: make(chan struct{}), looped: make(chan struct{}), published: make(chan struct{}),
	}
	if opts.Development != nil && len(opts.Trusted) > 0 {
		return nil, errors.New("a development chain trusts no replicas")
	}
	s.trust = newTrust(n, opts.Trusted, opts.Metrics, opts.Log)
	s.checks = newChecks(n.Config(), s.trust, opts.Metrics, s.step)
	s.again = newAgain(n, opts.again, opts.Metrics, opts.Log)
	s.intake = intake{wake: make(chan struct{}, 1), maxTxs: opts.Queue}
	var err error
	if s.cutter, err = sequencing.NewCutter(sequencing.Cutter{MaxMicros: opts.MiniBlock.Micros(), MinMicros: opts.MiniBlockMin.Micros()}); err != nil {
		return nil, err
	}
	if s.slots, err = sequencing.NewSlots(opts.Block); err != nil {
		return nil, err
	}
	if s.gaps, err = sequencing.NewPending(s.opts.Pending); err != nil {
		return nil, err
	}
	started := time.Now()
	if err = s.startDevelopment(); err != nil {
		return nil, err
	}
	if err = s.startUndone(); err != nil {
		return nil, err
	}
	s.wal, err = store.OpenWAL(n.Dir().WALPath(), store.WALOptions{
		NoSync: opts.NoSync, OnDurable: s.durable.raise, OnError: s.durable.fail, Log: opts.Log,
	}, func(seq uint64, kind byte, payload []byte) error {
		if s.dev.undid(seq) || seq <= s.undone.Seq {
			return nil
		}
		return n.Replay(kind, payload)
	})
	if err != nil {
		return nil, err
	}
	orphaned, err := s.connect()
	if err != nil {
		return nil, errors.Join(err, s.wal.Close())
	}
	if s.loop, err = newLoop(s); err != nil {
		if s.l1.Close != nil {
			s.l1.Close()
		}
		return nil, errors.Join(err, s.wal.Close())
	}
	s.loop.stale = orphaned
	if s.loop.next, err = s.again.resume(); err != nil {
		if s.l1.Close != nil {
			s.l1.Close()
		}
		return nil, errors.Join(err, s.wal.Close())
	}
	s.log.Info("sequencing", "block", n.PublishedHead().Number, "nextMiniBlock", n.Exec().NextMini(), "recoveredIn", time.Since(started).Round(time.Millisecond))
	go s.decoder()
	go s.checks.run()
	go s.publisher()
	go s.again.watch(s.published)
	go s.loop.run()
	return s, nil
}

// connect follows L1 behind the newest block; orphaned says that L1 has its origin no more.
func (s *Sequencer) connect() (orphaned bool, err error) {
	origin, err := s.origin()
	if err != nil {
		return false, err
	}
	s.l1, err = s.opts.Connect(origin)
	if errors.Is(err, l1feed.ErrOrphaned) && s.dev == nil && s.l1.Canonical != nil {
		return true, nil
	}
	return false, err
}

// Close stops taking transactions, finishes what was taken, and waits until it is
// durable and published.
func (s *Sequencer) Close(ctx context.Context) error {
	s.intake.close()
	s.stopOnce.Do(func() { close(s.stop) })
	for _, done := range []chan struct{}{s.looped, s.published, s.again.done} {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("close sequencer: %w", ctx.Err())
		}
	}
	var err error
	s.walOnce.Do(func() {
		s.checks.close()
		if s.l1.Close != nil {
			s.l1.Close()
		}
		err = s.wal.Close()
	})
	return err
}

// step tells a test how far going back is.
func (s *Sequencer) step(name string) {
	if s.opts.probe != nil {
		s.opts.probe(name)
	}
}

// Ready is nil while the sequencer makes blocks, else says why not.
func (s *Sequencer) Ready() error {
	if why := s.waiting.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// waitingFor notes why no block is opened; nil: one is.
func (s *Sequencer) waitingFor(err error) {
	if err == nil {
		s.waiting.Store(nil)
		return
	}
	why := "waiting for L1: " + err.Error()
	if s.waiting.Swap(&why) == nil {
		s.waitsSince, s.waitIsTold = time.Now(), false
	}
	if !s.waitIsTold && time.Since(s.waitsSince) > patience {
		s.waitIsTold = true
		s.log.Warn("no transactions are taken until L1 is followed", "err", err)
	}
}

// patience is how long the sequencer waits for L1 before it says so: every start waits for
// a moment.
const patience = 2 * time.Second

// now is the wall clock.
func now() chain.Micros { return chain.Micros(time.Now().UnixMicro()) }
