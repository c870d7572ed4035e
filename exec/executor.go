package exec

import (
	"math"
	"runtime"
	"sync"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

// executor is what a chain executes with. Of its workers the first is the goroutine
// that owns the chain.
type executor struct {
	mem      *memory
	newest   snapshot // after the last applied transaction
	position int64    // of the next transaction
	result   evm.Result

	width   int // workers of a batch
	batch   *batch
	serial  int // transactions to go one by one before the next batch
	penalty int // serial after the next batch that does not pay
	stats   Stats
}

const (
	// minBatch is the number of transactions from which it pays to wake a worker.
	minBatch = 8
	// fruitful is the number of transactions from which a batch that ended early was
	// worth it.
	fruitful = 256
	// How many transactions go one by one after a batch that did not pay, because they
	// conflict or because others want the processors: at first, and at most.
	minPenalty, maxPenalty = 256, 8192
)

func (e *executor) init(c *Chain) {
	e.mem = newMemory(c.db.Head(), chain.SequencerFeeVaultAddr, chain.BaseFeeVaultAddr, chain.L1FeeVaultAddr)
	e.newest = snapshot{e.mem, math.MaxInt64}
	e.penalty = minPenalty
	e.batch = &batch{c: c, m: e.mem, ring: make([]task, ringSize), planner: newPlanner(), stats: &e.stats, stealAfter: stealAfter}
	for i := range e.batch.ring {
		e.batch.ring[i].work.Store(new(work))
	}
	c.SetWorkers(0)
}

func (e *executor) close() {
	for _, w := range e.batch.workers {
		w.vm.Close()
	}
}

// SetWorkers says on how many goroutines ApplyBatch may execute; 0 is one per
// processor. It must not be called during a batch. Results do not depend on it.
func (c *Chain) SetWorkers(n int) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	c.width = n
	b := c.batch
	for len(b.workers) < n {
		w := &worker{b: b, vm: evm.NewMachine(c.cfg)}
		w.view.m = b.m
		b.workers = append(b.workers, w)
	}
}

// The chain's own goroutine executes with what the first worker has.
func (e *executor) vm() *evm.Machine        { return e.batch.workers[0].vm }
func (e *executor) pools() *pools           { return &e.batch.workers[0].pools }
func (e *executor) receipts() *receiptMaker { return &e.batch.workers[0].receipts }

// nextPosition takes positions for n transactions and returns the first.
func (e *executor) nextPosition(n int) int64 {
	at := e.position
	e.position += int64(n)
	return at
}

// write applies the diff of the transaction at the position, the latest.
func (e *executor) write(at int64, diff state.Diff) { e.mem.apply(at, diff, e.pools()) }

// forgetWrites drops what the database has.
func (e *executor) forgetWrites() {
	e.mem.reset()
	for _, w := range e.batch.workers {
		w.pools.reset()
	}
}

// ApplyBatch does what calling Apply with each transaction in turn does, on several
// goroutines. It calls emit with the index and the outcome of each in order, receipts
// and errors as Apply returns them, as soon as they are final; if emit returns false
// the rest is left alone. It returns how many outcomes were emitted.
//
// emit is called by one goroutine at a time, not always the same, and must not use
// the chain.
func (c *Chain) ApplyBatch(txs []*chain.Tx, emit func(i int, r *chain.Receipt, err error) bool) int {
	done := 0
	for done < len(txs) {
		rest := txs[done:]
		workers := min(c.width, len(c.batch.workers))
		if workers < 2 || len(rest) < minBatch || c.serial > 0 || rest[0].IsDeposit() {
			r, err := c.Apply(rest[0])
			c.stats.Serial++
			c.serial = max(0, c.serial-1)
			done++
			if !emit(done-1, r, err) {
				return done
			}
			continue
		}
		if c.repriced {
			c.priceL1()
		}
		from, stopped := done, false
		n, bailed := c.batch.run(rest, c.nextPosition(len(rest)), workers, func(i int, r *chain.Receipt, err error) bool {
			stopped = !emit(from+i, r, err)
			return !stopped
		})
		done += n
		if bailed {
			c.stats.Bails++
		}
		switch {
		case c.batch.held, bailed && n < fruitful:
			c.serial, c.penalty = c.penalty, min(maxPenalty, 2*c.penalty)
		case !bailed: // else again, with what was learned, from a clean start
			c.penalty = minPenalty
		}
		if stopped {
			return done
		}
	}
	return done
}

// ApplyAll is ApplyBatch of transactions that are all known to be valid. An error is
// that of the first that is not, with its index; those after it are left alone.
func (c *Chain) ApplyAll(txs []*chain.Tx) (int, error) {
	var failed error
	n := c.ApplyBatch(txs, func(_ int, _ *chain.Receipt, err error) bool {
		failed = err
		return err == nil
	})
	if failed != nil {
		return n - 1, failed
	}
	return n, nil
}

// besideFrom is the number of transactions from which it pays to wake a processor for
// a part of a cut.
const besideFrom = 64

// beside runs f, beside the caller if there is enough to do, until the result is called.
func (c *Chain) beside(txs int, f func()) (wait func()) {
	if c.width < 2 || txs < besideFrom {
		f()
		return func() {}
	}
	var done sync.WaitGroup
	done.Go(f)
	return done.Wait
}
