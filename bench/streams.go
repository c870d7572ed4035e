package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// streamHead is what the streams' check needs of a header.
type streamHead struct {
	Number hexutil.Uint64 `json:"number"`
	Hash   common.Hash    `json:"hash"`
	Parent common.Hash    `json:"parentHash"`
}

// streamLog identifies a log, whether its block is sealed or not.
type streamLog struct {
	Tx      common.Hash    `json:"transactionHash"`
	Index   hexutil.Uint64 `json:"logIndex"`
	Removed bool           `json:"removed"`
}

type streamMini struct {
	Number hexutil.Uint64 `json:"number"`
	Header *struct {
		Number hexutil.Uint64 `json:"number"`
	} `json:"header"`
}

// streamQueue is how many events wait here before the connection waits.
const streamQueue = 20_000

// maxStreamPatience bounds how long the final check waits for late events.
const maxStreamPatience = 5 * time.Second

// streams is a subscriber that runs beside the load. A nil one does nothing.
type streams struct {
	client *rpc.Client
	wg     sync.WaitGroup
	stop   chan struct{}
	subs   []ethereum.Subscription

	mu    sync.Mutex
	ours  map[common.Hash]uint32
	tally *tally
	heads uint64
	minis uint64
	last  streamHead
	mini  uint64
	logs  map[streamLog]int
	ended bool

	patience time.Duration // how long the streams may lag behind the chain
}

// watch subscribes to heads, logs and, where offered, mini-blocks.
func watch(ctx context.Context, cfg *Config, ours map[common.Hash]uint32, t *tally) (*streams, error) {
	if cfg.Streams == "" {
		return nil, nil
	}
	client, err := rpc.DialOptions(ctx, cfg.Streams, rpc.WithWebsocketMessageSizeLimit(maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Streams, err)
	}
	s := &streams{client: client, stop: make(chan struct{}), ours: ours, tally: t, logs: map[streamLog]int{}, patience: min(cfg.Timeout, maxStreamPatience)}
	heads, logs, minis := make(chan streamHead, streamQueue), make(chan streamLog, streamQueue), make(chan streamMini, streamQueue)
	err = s.subscribe(ctx, heads, "newHeads")
	if err == nil {
		err = s.subscribe(ctx, logs, "logs", map[string]any{})
	}
	if err != nil {
		s.close()
		return nil, err
	}
	if err := s.subscribe(ctx, minis, "miniBlocks"); err != nil {
		minis = nil // only some nodes have them
	}
	s.wg.Go(func() {
		for {
			select {
			case h := <-heads:
				s.head(h)
			case l := <-logs:
				s.log(l)
			case m := <-minis:
				s.miniBlock(m)
			case <-s.stop:
				return
			}
		}
	})
	return s, nil
}

func (s *streams) subscribe(ctx context.Context, to any, args ...any) error {
	sub, err := s.client.EthSubscribe(ctx, to, args...)
	if err != nil {
		return fmt.Errorf("subscribe to %v: %w", args[0], err)
	}
	s.subs = append(s.subs, sub)
	s.wg.Go(func() {
		select {
		case err := <-sub.Err():
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.ended {
				s.tally.mismatch(fmt.Sprintf("the stream of %v ended: %v", args[0], err))
			}
		case <-s.stop:
		}
	})
	return nil
}

func (s *streams) head(h streamHead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heads > 0 && (h.Number != s.last.Number+1 || h.Parent != s.last.Hash) {
		s.tally.mismatch(fmt.Sprintf("stream of heads: block %d with parent %s follows block %d, %s", h.Number, h.Parent, s.last.Number, s.last.Hash))
	}
	s.last = h
	s.heads++
}

func (s *streams) log(l streamLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ours := s.ours[l.Tx]; ours {
		s.logs[l]++
	}
}

func (s *streams) miniBlock(m streamMini) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(m.Number)
	if m.Header != nil {
		n = uint64(m.Header.Number)
	}
	if s.minis > 0 && n != s.mini+1 {
		s.tally.mismatch(fmt.Sprintf("stream of mini-blocks: %d follows %d", n, s.mini))
	}
	s.mini = n
	s.minis++
}

// close ends the subscriptions and waits for the goroutines.
func (s *streams) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	done := s.ended
	s.ended = true
	s.mu.Unlock()
	if done {
		return
	}
	close(s.stop)
	s.wg.Wait()
	for _, sub := range s.subs {
		sub.Unsubscribe()
	}
	s.client.Close()
}

// check compares what the streams brought with what the node says now.
func (s *streams) check(ctx context.Context, n *node, f *follower, g *program) (Streams, error) {
	if s == nil || len(f.blocks) == 0 {
		return Streams{}, nil
	}
	want, err := s.stored(ctx, n, f)
	if err != nil {
		return Streams{}, err
	}
	until := time.Now().Add(s.patience)
	for !s.caughtUp(len(want), f.blocks[len(f.blocks)-1].number) && time.Now().Before(until) && ctx.Err() == nil {
		sleepUntil(ctx, time.Now().Add(followInterval))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Streams{Heads: s.heads, MiniBlocks: s.minis}
	if last := f.blocks[len(f.blocks)-1].number; uint64(s.last.Number) < last {
		s.tally.mismatch(fmt.Sprintf("stream of heads ends at block %d, the run at %d", s.last.Number, last))
	}
	for l, times := range s.logs {
		switch {
		case times > 1:
			s.tally.mismatch(fmt.Sprintf("stream of logs: log %d of %s came %d times", l.Index, l.Tx, times))
		case !want[l]:
			s.tally.mismatch(fmt.Sprintf("stream of logs: log %d of %s is not in eth_getLogs", l.Index, l.Tx))
		default:
			out.Logs++
		}
	}
	if missing := len(want) - int(out.Logs); missing > 0 {
		s.tally.mismatch(fmt.Sprintf("stream of logs: %d of %d never came", missing, len(want)))
	}
	return out, nil
}

func (s *streams) caughtUp(logs int, block uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.logs) >= logs && uint64(s.last.Number) >= block
}

// stored reads the run's logs with eth_getLogs, block by block.
func (s *streams) stored(ctx context.Context, n *node, f *follower) (map[streamLog]bool, error) {
	want := map[streamLog]bool{}
	for _, b := range f.blocks {
		var list []streamLog
		at := hexutil.Uint64(b.number)
		err := n.rpc.CallContext(ctx, &list, "eth_getLogs", map[string]any{"fromBlock": at, "toBlock": at})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("logs of block %d", b.number), err)
		}
		for _, l := range list {
			if _, ours := f.byHash[l.Tx]; ours {
				want[l] = true
			}
		}
	}
	return want, nil
}
