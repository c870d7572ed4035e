package batcher

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// RemoteOptions say which node is asked. The zero value of a field means its default.
type RemoteOptions struct {
	URL    string // JSON-RPC of a node that follows L1 and has the unposted blocks: the sequencer
	Config *chain.Config
	Poll   time.Duration // how often it is asked how far L1 holds the chain [250 ms]
	// Timeout bounds one question [10 s].
	Timeout time.Duration
	Log     *slog.Logger // [slog.Default()]
}

// Remote is a node elsewhere, as a batcher sees it. It implements Chain and Tracker. What
// the node says is not checked beyond its hashes: derivation ignores what is wrong, and
// only the batcher has paid for it.
type Remote struct {
	opts   RemoteOptions
	rpc    *rpc.Client
	blocks *remoteBlocks // of the batcher's goroutine

	mu        sync.Mutex
	safe, tip uint64
	failing   bool

	cancel context.CancelFunc
	done   chan struct{}
}

// Dial connects to a node and asks for its chain, which must be that of the configuration.
// The Remote must be closed.
func Dial(ctx context.Context, opts RemoteOptions) (*Remote, error) {
	if opts.Poll == 0 {
		opts.Poll = 250 * time.Millisecond
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	client, err := rpc.DialContext(ctx, opts.URL)
	if err != nil {
		return nil, fmt.Errorf("connect to the node: %w", err)
	}
	r := &Remote{opts: opts, rpc: client, done: make(chan struct{})}
	r.blocks = r.reader()
	var id hexutil.Uint64
	if err = r.ask(ctx, &id, "eth_chainId"); err == nil && uint64(id) != opts.Config.ChainID {
		err = fmt.Errorf("its chain id is %d, the genesis file's %d", id, opts.Config.ChainID)
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("node at %s: %w", opts.URL, err)
	}
	loop, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.run(loop)
	return r, nil
}

// Close stops asking and waits for it.
func (r *Remote) Close() {
	r.cancel()
	<-r.done
	r.rpc.Close()
}

func (r *Remote) ask(ctx context.Context, result any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	if err := r.rpc.CallContext(ctx, result, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Safe implements Tracker: as far as the node has told.
func (r *Remote) Safe() (block, l1Tip uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.safe, r.tip
}

// run asks how far L1 holds the chain.
func (r *Remote) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(r.opts.Poll)
	defer tick.Stop()
	for {
		safe, tip, err := r.heads(ctx)
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		if changed := r.failing != (err != nil); changed && err != nil {
			r.opts.Log.Warn("the node does not tell what L1 holds: trying again", "err", err)
		} else if changed {
			r.opts.Log.Info("the node tells what L1 holds again")
		}
		if r.failing = err != nil; !r.failing {
			r.safe, r.tip = safe, tip
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// syncStatus is what the batcher needs of optimism_syncStatus.
type syncStatus struct {
	CurrentL1 struct {
		Number uint64 `json:"number"`
	} `json:"current_l1"`
	SafeL2 struct {
		Number uint64         `json:"number"`
		Origin chain.L1Origin `json:"l1origin"`
	} `json:"safe_l2"`
}

func (r *Remote) heads(ctx context.Context) (safe, tip uint64, err error) {
	var s syncStatus
	if err := r.ask(ctx, &s, "optimism_syncStatus"); err != nil {
		return 0, 0, err
	}
	head := derive.Head{Number: s.SafeL2.Number, Origin: s.SafeL2.Origin}
	tip = s.CurrentL1.Number
	if !derive.ForcesSoon(r.opts.Config, head, tip) {
		return head.Number, tip, nil
	}
	blocks := r.reader()
	b, err := blocks.fetch(ctx, head.Number)
	switch {
	case err != nil:
		return 0, 0, err
	case b == nil:
		return 0, 0, fmt.Errorf("block %d is safe, and not there", head.Number)
	case head.Number == 0:
		head.Timestamp, head.LastMicros = b.Header.Time, chain.Micros(b.Header.Time)*1_000_000
	default:
		if head, err = derive.HeadOf(r.opts.Config, b); err != nil {
			return 0, 0, err
		}
	}
	return derive.BehindForced(r.opts.Config, head, tip, func(n uint64) (*chain.Block, error) { return blocks.fetch(ctx, n) }), tip, nil
}

// BlockByNumber implements Chain. It is for one goroutine. The block has no receipts.
func (r *Remote) BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error) {
	return r.blocks.fetch(ctx, number)
}
