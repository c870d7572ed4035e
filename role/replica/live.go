package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/safehead"
	"github.com/talaria-l2/talaria/role/signers"
	"github.com/talaria-l2/talaria/rpc"
)

// LiveOptions of a replica that follows the feed.
type LiveOptions struct {
	Feed feed.Source
	// Leader answers talaria_feedMiniBlocks for what the feed does not hold: any node that
	// does; nil: nobody is asked.
	Leader *Client
	// Execute makes the replica execute every transaction and compare, in place of applying
	// diffs.
	Execute bool
	// Signer is who signs mini-blocks [whom L1's SystemConfig names; without L1, the genesis's
	// sequencer].
	Signer common.Address

	// L1 is compared with, and decides where it holds another chain; nil: it is not read,
	// and no block is safe or final.
	L1       l1feed.L1
	Resolver l1feed.Resolver // finds batch data that is not on L1; nil: nothing does
	Poll     time.Duration   // how often L1 is asked for its head [250 ms]

	Retry    time.Duration // longest pause before a source that failed is asked again [1 s]
	Patience time.Duration // without a mini-block before L1's blocks are executed [5 s]
	Log      *slog.Logger  // [slog.Default()]
}

// Live is a replica that follows the feed.
type Live struct {
	node  *node.Node
	chain *exec.Chain
	opts  LiveOptions
	log   *slog.Logger

	// Of the driving goroutine.
	unsigned []*feed.MiniBlock      // behind the newest one: what follows will tell whether they hold
	branch   []*feed.MiniBlock      // unsigned ones of another branch, from its beginning on
	expected map[uint64]*feed.Block // sealed blocks that the feed has told of, by number
	complete *sealedBlock           // sealed, and not published before something confirms it
	deaf     uint64                 // up to this block nothing is taken from the feed about sealed ones
	dropped  bool                   // a block was given up since the newest one that is sealed, as its attributes may be wrong
	asking   bool                   // mini-blocks come from the leader, not from the feed
	heard    bool                   // the leader told itself what the newest block begins with
	back     uint64                 // how far to look for where a branch begins
	derived  *posted                // a block of L1's that waits
	moved    time.Time              // when the chain last went on

	// Of whoever verifies: the reader of the feed, or the driving goroutine.
	decoder *chain.Decoder
	// The last mini-block with a transaction that nobody signed, and since when it is there.
	unsignedTx    common.Hash
	unsignedSince time.Time
	opened        originOf         // of the block whose mini-blocks come
	signers       *signers.Signers // nil: Signer signs, always

	posts   chan *posted
	tracker *safehead.Tracker // nil without L1

	mu     sync.Mutex
	status rpc.SyncStatus
	behind error // why the replica does not follow; nil: it does

	cancel context.CancelFunc
	done   chan struct{}
}

// StartLive begins to follow the feed where the store ends.
func StartLive(n *node.Node, opts LiveOptions) (*Live, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Retry == 0 {
		opts.Retry = time.Second
	}
	if opts.Patience == 0 {
		opts.Patience = 5 * time.Second
	}
	who, err := startSigners(n, &opts)
	if err != nil {
		return nil, err
	}
	if opts.Signer == (common.Address{}) {
		opts.Signer = n.Config().Sequencer
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Live{
		node: n, signers: who, chain: n.Exec(), opts: opts, log: opts.Log, expected: make(map[uint64]*feed.Block), moved: time.Now(),
		decoder: chain.NewDecoder(n.Config()), posts: make(chan *posted), cancel: cancel, done: make(chan struct{}),
	}
	head := n.PublishedHead().Number.Uint64()
	l.status = rpc.SyncStatus{Syncing: true, Starting: head, Current: head, Highest: head}
	l.behind = errors.New("nothing was read from the feed yet")
	go func() {
		defer close(l.done)
		if err := l.run(ctx); err != nil {
			n.Fail(err)
		}
	}()
	if opts.L1 == nil {
		return l, nil
	}
	l.tracker, err = safehead.Start(n, safehead.Options{L1: opts.L1, Resolver: opts.Resolver, Adopter: l, States: stateName, Poll: opts.Poll, Log: opts.Log})
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close stops following and waits for it.
func (l *Live) Close() {
	l.cancel()
	<-l.done
	if l.signers != nil {
		l.signers.Close()
	}
	if l.tracker != nil {
		l.tracker.Close()
	}
}

// Status is how far the replica is.
func (l *Live) Status() rpc.SyncStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Ready is nil while the replica follows, else says why it does not.
func (l *Live) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.behind
}

// follows notes whether the replica follows: nil, or why it does not.
func (l *Live) follows(why error) {
	l.mu.Lock()
	before := l.behind
	l.behind = why
	l.mu.Unlock()
	switch {
	case before == nil && why != nil:
		l.log.Warn("does not follow the feed; trying again", "err", why)
	case before != nil && why == nil:
		l.log.Info("follows the feed", "miniBlock", l.chain.NextMini())
	}
}

// note keeps the status.
func (l *Live) note() {
	head := l.node.PublishedHead().Number.Uint64()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.status
	s.Current = head
	s.Highest = max(s.Highest, head)
	s.Syncing = l.behind != nil || s.Highest > head+1
}

// saw notes that there is a block of that number.
func (l *Live) saw(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Highest = max(l.status.Highest, number)
}

// run follows until ctx ends or the node cannot go on.
func (l *Live) run(ctx context.Context) error {
	pause := l.opts.Retry / 16
	for ctx.Err() == nil {
		at := l.tip().next
		l.back = 0
		err := l.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if fatal(err) {
			return err
		}
		l.unsigned, l.branch = nil, nil // they are read again
		if l.tip().next != at {
			pause = l.opts.Retry / 16
		}
		l.follows(err)
		l.note()
		if err := l.wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, l.opts.Retry)
	}
	return nil
}

// read follows the feed, and asks the leader where the feed does not go on. It returns when
// neither does, with the reason; nil if there may be nothing.
func (l *Live) read(ctx context.Context) error {
	from := l.tip().next
	for {
		at := l.tip()
		err := l.follow(ctx, from)
		if ctx.Err() != nil || fatal(err) {
			return err
		}
		var elsewhere *elsewhereError
		if errors.As(err, &elsewhere) {
			if l.tip() != at || elsewhere.from != from {
				from = elsewhere.from
				continue
			}
		} else {
			from = l.tip().next
		}
		if l.opts.Leader == nil {
			return err
		}
		taken, asking := l.catchUp(ctx, from)
		switch {
		case ctx.Err() != nil || fatal(asking):
			return asking
		case taken:
			from = l.tip().next
		case asking == nil && errors.Is(err, errSilent):
			return nil
		default:
			return errors.Join(err, asking)
		}
	}
}

// elsewhereError says that what comes does not fit, and from where to read.
type elsewhereError struct {
	from uint64
	why  string
}

func (e *elsewhereError) Error() string {
	return fmt.Sprintf("%s: to be read from mini-block %d on", e.why, e.from)
}

// errFatal is wrapped by what trying again does not help.
var errFatal = errors.New("the replica cannot go on")

func fatal(err error) bool {
	var d *Divergence
	return errors.As(err, &d) || errors.Is(err, errFatal)
}

// wait does what L1 asks for, for a while.
func (l *Live) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return l.derive()
		case req := <-l.posts:
			l.derived = req
			if err := l.derive(); err != nil {
				return err
			}
		}
	}
}

// tip is behind what the next mini-block comes.
type tip struct {
	next  uint64      // its number
	hash  common.Hash // of the one before
	epoch uint64      // at least its epoch
}

// tip is behind the newest mini-block, or behind unsigned ones that wait.
func (l *Live) tip() tip {
	if n := len(l.unsigned); n > 0 {
		h := &l.unsigned[n-1].Header
		return tip{h.Number + 1, h.Hash(), h.Epoch}
	}
	return tip{l.chain.NextMini(), l.chain.LastMini(), l.chain.Epoch()}
}

// signed tells whether the leader signed; unsigned ones come from L1, and what is signed
// behind them says that they hold.
func signed(m *feed.MiniBlock) bool { return m.Signature != chain.Signature{} }
