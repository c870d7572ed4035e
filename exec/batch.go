package exec

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
)

// batch executes a list of transactions on several goroutines as if one did it in
// order (after Block-STM, Gelashvili and others, 2022).
//
// Workers claim transactions in order and execute each over what those before it
// wrote so far, noting what it read. Whoever finds the next transaction executed
// commits it: it looks the reads up again, and if any has changed, executes it again
// on the spot, where nothing before it can change any more. So each transaction runs
// at most twice, and commits in order. A transaction for which the planner guesses a
// dependency is left to the worker that executes the other one.
//
// A worker may lose its processor at any moment. Whoever waits in vain for the next
// transaction then executes it too, and the first to end wins.
type batch struct {
	c     *Chain
	m     *memory
	txs   []*chain.Tx
	emit  func(int, *chain.Receipt, error) bool
	first int64 // position of txs[0]

	ring    []task // the task of a position is at its remainder
	planner *planner
	workers []*worker
	record  bool     // what transactions look at
	depth   []uint64 // gas of the longest chain of dependencies that ends with each

	_         [64]byte
	claim     spinLock     // guards claimed's changes and the planner
	claimed   atomic.Int64 // position up to which transactions are claimed
	_         [64]byte
	commit    spinLock // held by who commits
	committed atomic.Int64
	end       atomic.Int64 // position at which the batch ends
	bail      bool         // too many conflicts; guarded by commit
	held      bool         // a worker was held up; guarded by commit
	window    conflictWindow
	stats     *Stats
	// stealAfter is how many times an idle worker looks until it executes what it waits
	// for.
	stealAfter int
	// observe is told how workers proceed; tests delay them there and measure.
	observe func(event)
}

const (
	// ringSize is how many transactions may be ahead of the commit, a power of two.
	ringSize = 128
	// maxClaim is how many transactions a worker claims at once.
	maxClaim = 8
	// patience is how many times an idle worker looks again before it yields.
	patience   = 64
	stealAfter = 300
	// backlog is how many executed transactions a worker with others to execute leaves
	// to those without.
	backlog = 32
)

// worker is one goroutine of a batch.
type worker struct {
	b        *batch
	vm       *evm.Machine
	pools    pools
	receipts receiptMaker
	view     observer
	ready    []int64 // positions whose turn has come
	spins    int
	spare    *work // for a transaction of somebody else
	again    again
}

// run executes transactions and returns how many were emitted, and whether the batch
// ended early because of too many conflicts.
func (b *batch) run(txs []*chain.Tx, first int64, workers int, emit func(int, *chain.Receipt, error) bool) (int, bool) {
	b.txs, b.emit, b.first, b.bail, b.held = txs, emit, first, false, false
	b.record = b.c.rec.on
	b.window = conflictWindow{}
	b.claimed.Store(first)
	b.committed.Store(first)
	b.end.Store(first + int64(len(txs)))
	if cap(b.depth) < len(txs) {
		b.depth = make([]uint64, len(txs))
	}
	b.depth = b.depth[:len(txs)]
	b.m.freeze()
	var helpers sync.WaitGroup
	var at atomic.Int64 // helpers at work
	for _, w := range b.workers[1:workers] {
		helpers.Add(1)
		at.Add(1)
		go func() {
			defer helpers.Done()
			w.run()
			at.Add(-1)
		}()
	}
	b.workers[0].run()
	for n := 0; at.Load() > 0 && !b.held; n++ {
		b.held = n > b.stealAfter
		runtime.Gosched()
	}
	helpers.Wait()
	done := b.committed.Load()
	for at := done; at < b.claimed.Load(); at++ {
		if b.isExecuted(at) {
			t := b.task(at).work.Load()
			t.wrote.withdraw(b.m, at, t.passes)
		}
	}
	b.note()
	b.txs, b.emit = nil, nil
	return int(done - first), b.bail
}

func (b *batch) task(at int64) *task { return &b.ring[at%ringSize] }

func (w *worker) run() {
	b := w.b
	w.ready = w.ready[:0]
	w.spins = 0
	for {
		next := b.committed.Load()
		switch {
		case next >= b.end.Load():
			return
		case len(w.ready) > 0 && !b.isExecuted(next+backlog):
			w.executeReady()
		case w.commit(next), w.executeReady(), w.claim(next):
		default:
			w.spins++
			if w.spins > patience {
				runtime.Gosched()
			}
			if w.spins > b.stealAfter {
				w.steal(next) // and the one after it, if nothing else happens
			}
			continue
		}
		w.spins = 0
	}
}

// isExecuted reports whether the transaction at the position waits to be committed.
func (b *batch) isExecuted(at int64) bool { return b.task(at).done.Load() == at+1 }

// claim takes the next transactions and executes those that need not wait.
func (w *worker) claim(next int64) bool {
	b := w.b
	limit := min(b.end.Load(), next+ringSize)
	if b.claimed.Load() >= limit {
		return false
	}
	b.pass(claiming)
	if !b.claim.tryLock() {
		return false
	}
	from := b.claimed.Load()
	if from >= limit { // others have committed and claimed since next was read
		b.claim.unlock()
		return false
	}
	// Small shares at the end of the batch, so that all workers end together.
	share := max(1, (limit-from)/int64(2*len(b.workers)))
	to := min(limit, from+min(maxClaim, share))
	for at := from; at < to; at++ {
		b.begin(at, next)
	}
	b.claimed.Store(to)
	b.claim.unlock()
	for at := from; at < to; at++ {
		w.try(at, idle)
		for w.executeReady() {
		}
	}
	return from < to
}

// begin prepares the task of a transaction. Its place was that of a committed one.
func (b *batch) begin(at, next int64) {
	t := b.task(at)
	k := t.work.Load()
	k.begin(b.txs[at-b.first], at)
	b.planner.plan(&k.plan, k.tx, at, next)
	t.waiters.Store(uint64(uint32(at)) << 32)
	t.state.Store(uint64(at)<<phaseBits | idle)
}

// try executes a transaction in the phase, or leaves it to who executes one that it
// needs.
func (w *worker) try(at int64, phase uint64) {
	t := w.b.task(at)
	k := t.work.Load()
	if !t.move(at, phase, running) || at >= w.b.end.Load() {
		return // stolen, or the batch was stopped before it
	}
	for _, need := range k.plan.needs[:k.plan.count] {
		if w.waitFor(at, need) {
			return
		}
	}
	w.execute(t, k)
}

// closedMark in the lower half of task.waiters says that the transaction is executed.
const closedMark = 1<<32 - 1

// waitFor queues the running transaction with the one it needs; false if that is
// executed, and the transaction still runs.
//
// The upper half of task.waiters is the position's, so that nobody queues with a later
// user of the same place. The lower half is 0, closedMark, or the place in the ring of
// the first that waits, plus one.
func (w *worker) waitFor(at, need int64) bool {
	t, other := w.b.task(at), w.b.task(need)
	for {
		head := other.waiters.Load()
		if uint32(head>>32) != uint32(need) || uint32(head) == closedMark {
			return false
		}
		// From here on others may take the transaction.
		if !t.move(at, running, queued) {
			return true
		}
		t.waiting.Store(uint32(head))
		if other.waiters.CompareAndSwap(head, head>>32<<32|uint64(at%ringSize+1)) {
			return true
		}
		if !t.move(at, queued, running) {
			return true
		}
	}
}

// release ends the wait of those who need the transaction.
func (w *worker) release(at int64) {
	head := w.b.task(at).waiters.Swap(uint64(uint32(at))<<32 | closedMark)
	// Of those who wait, one may be stolen meanwhile and its place used again. What then
	// follows is wrong, or lost, and will be stolen in its turn.
	next := uint32(head)
	for range ringSize {
		if next == 0 || next == closedMark {
			return
		}
		other := &w.b.ring[next-1]
		w.ready = append(w.ready, int64(other.state.Load()>>phaseBits))
		next = other.waiting.Load()
	}
}

func (w *worker) executeReady() bool {
	n := len(w.ready)
	if n == 0 {
		return false
	}
	at := w.ready[n-1]
	w.ready = w.ready[:n-1]
	w.try(at, queued)
	return true
}

// execute runs a transaction ahead of the commit.
func (w *worker) execute(t *task, k *work) {
	at := k.at
	w.b.pass(executing)
	w.view.exact = false
	w.perform(k)
	w.b.pass(performed)
	if !t.move(at, running, closing) {
		return // the thief left the task another work
	}
	k.publish(w.b.m, &w.pools, false)
	w.b.pass(published)
	w.release(at)
	t.done.Store(at + 1)
}

// steal executes the next transaction, which another worker holds, and commits it if
// that one has not ended first.
func (w *worker) steal(next int64) {
	b := w.b
	if next >= b.claimed.Load() || !b.commit.tryLock() {
		return
	}
	defer b.commit.unlock()
	if b.committed.Load() != next || next >= b.end.Load() || b.isExecuted(next) {
		return
	}
	t := b.task(next)
	if w.spare == nil {
		w.spare = new(work)
	}
	k := w.spare
	k.begin(b.txs[next-b.first], next)
	k.plan = plan{}
	w.view.exact = true
	w.perform(k)
	for phase := uint64(idle); ; phase++ {
		if phase == closing {
			return
		}
		if t.move(next, phase, stolen) {
			if phase == running {
				// Who runs it keeps its work.
				t.work.Store(new(work))
			}
			break
		}
	}
	k.publish(b.m, &w.pools, true)
	w.release(next)
	b.stats.Stolen++
	b.held = true
	more := w.conclude(k, false)
	b.committed.Store(next + 1)
	if !more || b.bail {
		b.end.Store(next + 1)
	}
}

// perform executes the transaction over what precedes it and makes its receipt.
func (w *worker) perform(k *work) {
	k.accounts, k.slots, k.opaque = k.accounts[:0], k.slots[:0], false
	w.view.t = k
	if k.err = w.vm.Execute(&w.view, k.tx, w.b.c.open.env, &k.result); k.err != nil {
		return
	}
	k.receipt = w.receipts.make(k.tx, w.b.c.open.env, &k.result)
	if w.b.record {
		k.readHashes, k.readsKnown = w.b.c.readsInto(&k.reads, w.vm, &w.again, &w.view, k.tx, k.result.GasUsed)
	}
}

// commit commits what is executed and next, if nobody else is at it.
func (w *worker) commit(next int64) bool {
	b := w.b
	if !b.isExecuted(next) || !b.commit.tryLock() {
		return false
	}
	from := b.committed.Load()
	at := from
	for ; at < b.end.Load() && b.isExecuted(at); at++ {
		b.pass(committing)
		more := w.commitOne(b.task(at).work.Load())
		b.committed.Store(at + 1)
		if !more || b.bail {
			b.end.Store(at + 1)
		}
		b.pass(committed)
	}
	b.commit.unlock()
	return at > from
}

// commitOne ends the transaction that is next. False stops the batch behind it.
func (w *worker) commitOne(k *work) bool {
	b := w.b
	ok, writer, addr := k.check(b.m)
	if !ok {
		b.conflict(k, writer, addr)
		w.view.exact = true
		w.perform(k)
		k.publish(b.m, &w.pools, true)
	}
	return w.conclude(k, !ok)
}

// conclude commits what was executed over the state as it is.
func (w *worker) conclude(k *work, aborted bool) bool {
	b, c := w.b, w.b.c
	i := int(k.at - b.first)
	b.stats.Transactions++
	b.bail = b.window.add(aborted)
	if err := c.fits(k.tx); err != nil {
		k.wrote.withdraw(b.m, k.at, k.passes)
		b.depth[i] = 0
		return b.emit(i, nil, err)
	}
	b.measure(i, k)
	if k.err != nil {
		return b.emit(i, nil, k.err)
	}
	if b.record && k.readsKnown {
		c.rec.reads.add(&k.reads, k.readHashes)
	} else if b.record {
		c.rec.stop()
	}
	c.enter(k.tx, k.at, &k.result, k.receipt, &w.pools)
	// Those behind would pay other L1 data fees than they were executed with.
	return b.emit(i, k.receipt, nil) && !c.repriced
}

// conflict counts and learns from a transaction that executed in vain.
func (b *batch) conflict(k *work, writer int64, addr common.Address) {
	b.stats.Aborts++
	if writer < b.first {
		return
	}
	b.claim.lock()
	b.planner.conflict(k.tx, b.txs[writer-b.first], &addr)
	b.claim.unlock()
}

// measure finds the longest chain of dependencies that ends with the transaction.
func (b *batch) measure(i int, k *work) {
	longest := uint64(0)
	for n := range k.accounts {
		if at := k.accounts[n].writer; at >= b.first && at < k.at {
			longest = max(longest, b.depth[at-b.first])
		}
	}
	for n := range k.slots {
		if at := k.slots[n].writer; at >= b.first && at < k.at {
			longest = max(longest, b.depth[at-b.first])
		}
	}
	b.depth[i] = longest
	if k.err == nil {
		b.depth[i] += k.result.GasUsed
		b.stats.gas += k.result.GasUsed
	}
	b.stats.deepest = max(b.stats.deepest, b.depth[i])
	if k.plan.class != 0 && b.claim.tryLock() {
		b.planner.outcome(k)
		b.claim.unlock()
	}
}

// event is something that a worker does with a transaction.
type event int

const (
	claiming  event = iota
	executing       // of one transaction, from here on
	performed
	published // its writes are visible
	committing
	committed
)

func (b *batch) pass(e event) {
	if b.observe != nil {
		b.observe(e)
	}
}
