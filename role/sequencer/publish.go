package sequencer

import (
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// entry is something that the log is making durable, and what happens then. One of
// mini, block and then is set.
type entry struct {
	seq uint64    // in the log
	cut time.Time // when it was handed to the log

	mini    *chain.MiniBlock
	header  *types.Header
	attrs   chain.Attributes // of header's block
	version uint64
	waiters []waiter

	block   *chain.Block
	diff    state.Diff
	witness *chain.Witness // of the block; nil: none was recorded

	then func(error) // called when everything before it is published, or with why it never will be
}

// waiter is a submission whose transaction is in the entry's mini-block.
type waiter struct {
	sub   *rpc.Submission
	index uint64 // in the block
	// firstLog is the index in the block of the transaction's first log.
	firstLog uint64
}

// watermark is the highest log sequence number known to be durable.
type watermark struct {
	mu   sync.Mutex
	cond *sync.Cond
	seq  uint64
	err  error
}

func newWatermark() *watermark {
	w := new(watermark)
	w.cond = sync.NewCond(&w.mu)
	return w
}

func (w *watermark) raise(seq uint64) {
	w.mu.Lock()
	w.seq = max(w.seq, seq)
	w.mu.Unlock()
	w.cond.Broadcast()
}

func (w *watermark) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.cond.Broadcast()
}

// wait returns when seq is durable, or why it never will be.
func (w *watermark) wait(seq uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.seq < seq && w.err == nil {
		w.cond.Wait()
	}
	if w.seq >= seq {
		return nil
	}
	return w.err
}

// reached is the sequence number known to be durable.
func (w *watermark) reached() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq
}

// publisher publishes entries in order as they become durable, until the channel
// closes. After a failure nothing more is published: those who wait are told.
func (s *Sequencer) publisher() {
	defer close(s.published)
	for e := range s.entries {
		err := s.durable.wait(e.seq)
		if e.then != nil {
			e.then(err)
			continue
		}
		if err == nil {
			err = s.failure()
		}
		if err == nil {
			err = s.publish(&e)
		}
		if err != nil {
			s.node.Fail(err)
			for _, w := range e.waiters {
				w.sub.Resolve(nil, rpc.NotReadyError(err.Error()))
			}
		}
	}
}

// failure is why the node has failed, nil if it has not.
func (s *Sequencer) failure() error {
	select {
	case <-s.node.Failed():
		return s.node.Failure()
	default:
		return nil
	}
}

func (s *Sequencer) publish(e *entry) error {
	if e.block != nil {
		seq := e.seq
		if err := s.node.PublishBlock(e.block, e.diff, func() { s.stored(seq) }); err != nil {
			return err
		}
		s.node.PublishWitness(e.block, e.witness)
		return nil
	}
	s.node.PublishMiniBlock(e.mini, e.header, e.attrs, e.version)
	if s.opts.Metrics != nil {
		s.opts.Metrics.Durable.Observe(time.Since(e.cut).Seconds())
	}
	infos := make([]rpc.TxInfo, len(e.waiters))
	var resolver rpc.Resolver
	for k, w := range e.waiters {
		i := w.index - e.mini.Header.FirstTxIndex
		infos[k] = rpc.TxInfo{
			Tx: e.mini.Txs[i], Receipt: e.mini.Receipts[i],
			BlockNumber: e.mini.Header.BlockNumber, BlockTime: e.header.Time, BaseFee: e.header.BaseFee,
			Index: w.index, FirstLogIndex: w.firstLog, MiniBlock: e.mini.Header.Number,
		}
		resolver.Resolve(w.sub, &infos[k], nil)
	}
	resolver.Flush()
	return nil
}

// logRetention is how many stored blocks pass before the log drops what they cover.
const logRetention = 32

// stored is called when the block that ends at seq in the log is in the store.
func (s *Sequencer) stored(seq uint64) {
	s.sinceTruncation++
	if s.sinceTruncation < logRetention {
		return
	}
	s.sinceTruncation = 0
	// The store must hold the blocks through a power failure before the log forgets
	// them.
	if err := s.node.Store().Sync(); err != nil {
		s.node.Fail(err)
		return
	}
	if err := s.wal.Truncate(seq + 1); err != nil {
		s.log.Warn("write-ahead log keeps old segments; it will try again", "err", err)
	}
}
