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
type batch struct {
	c     *Chain
	m     *memory
	txs   []*chain.Tx
	emit  func(int, *chain.Receipt, error) bool
	first int64 // position of txs[0]

	ring    []task // the task of a position is at its remainder
	planner *planner
	workers []*worker
	depth   []uint64 // gas of the longest chain of dependencies that ends with each

	_         [64]byte
	claim     spinLock     // guards claimed's changes and the planner
	claimed   atomic.Int64 // position up to which transactions are claimed
	_         [64]byte
	commit    spinLock // held by who commits
	committed atomic.Int64
	end       atomic.Int64 // position at which the batch ends
	bail      bool         // too many conflicts; guarded by commit
	window    conflictWindow
	stats     *Stats
	// pause is called at points where the order of events matters, by tests.
	pause func()
}

const (
	// ringSize is how many transactions may be ahead of the commit, a power of two.
	ringSize = 256
	// maxClaim is how many transactions a worker claims at once.
	maxClaim = 8
	// patience is how many times an idle worker looks again before it yields.
	patience = 64
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
}

// run executes txs[i:] and returns how many were emitted, and whether the batch ended
// early because of too many conflicts.
func (b *batch) run(txs []*chain.Tx, first int64, workers int, emit func(int, *chain.Receipt, error) bool) (int, bool) {
	b.txs, b.emit, b.first, b.bail = txs, emit, first, false
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
	for _, w := range b.workers[1:workers] {
		helpers.Add(1)
		go func() {
			defer helpers.Done()
			w.run()
		}()
	}
	b.workers[0].run()
	helpers.Wait()
	done := b.committed.Load()
	for at := done; at < b.claimed.Load(); at++ {
		if t := b.task(at); t.done.Load() == at+1 {
			t.wrote.withdraw(b.m, at, t.pass)
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
		committed := b.committed.Load()
		switch {
		case committed >= b.end.Load():
			return
		case len(w.ready) > 0 && !b.executed(committed+backlog):
			w.executeReady()
		case w.commit(committed), w.executeReady(), w.claim(committed):
		default:
			w.idle()
			continue
		}
		w.spins = 0
	}
}

// executed reports whether the transaction at the position waits to be committed.
func (b *batch) executed(at int64) bool { return b.task(at).done.Load() == at+1 }

func (w *worker) idle() {
	w.spins++
	if w.spins > patience {
		runtime.Gosched()
	}
}

// claim takes the next transactions and executes those that need not wait.
func (w *worker) claim(committed int64) bool {
	b := w.b
	limit := min(b.end.Load(), committed+ringSize)
	if b.claimed.Load() >= limit || !b.claim.tryLock() {
		return false
	}
	from := b.claimed.Load()
	// Small shares at the end of the batch, so that all workers end together.
	share := max(1, (limit-from)/int64(2*len(b.workers)))
	to := min(limit, from+min(maxClaim, share))
	for at := from; at < to; at++ {
		t := b.task(at)
		t.begin(b.txs[at-b.first], at)
		b.planner.plan(&t.plan, t.tx, at, committed)
	}
	b.claimed.Store(to)
	b.claim.unlock()
	for at := from; at < to; at++ {
		w.try(at)
		for w.executeReady() {
		}
	}
	return from < to
}

// try executes a transaction, or leaves it to who executes one that it needs.
func (w *worker) try(at int64) {
	t := w.b.task(at)
	for _, need := range t.plan.needs[:t.plan.count] {
		if w.waitFor(at, need) {
			return
		}
	}
	w.execute(t)
}

// closedMark in the lower half of task.waiters says that the transaction is executed.
const closedMark = 1<<32 - 1

// waitFor queues the transaction with the one it needs; false if that is executed.
//
// The upper half of task.waiters is the position's, so that nobody queues with a later
// user of the same task. The lower half is 0, closedMark, or the place in the ring of
// the first that waits, plus one.
func (w *worker) waitFor(at, need int64) bool {
	t, other := w.b.task(at), w.b.task(need)
	mine := uint32(at%ringSize) + 1
	for {
		head := other.waiters.Load()
		if uint32(head>>32) != uint32(need) || uint32(head) == closedMark {
			return false
		}
		t.waiting = uint32(head)
		if other.waiters.CompareAndSwap(head, head>>32<<32|uint64(mine)) {
			return true
		}
	}
}

func (w *worker) executeReady() bool {
	n := len(w.ready)
	if n == 0 {
		return false
	}
	at := w.ready[n-1]
	w.ready = w.ready[:n-1]
	w.try(at)
	return true
}

// execute runs a transaction ahead of the commit.
func (w *worker) execute(t *task) {
	b := w.b
	if t.at >= b.end.Load() {
		return // the batch was stopped before it
	}
	at := t.at
	b.pausePoint()
	w.view.exact = false
	w.perform(t)
	b.pausePoint()
	head := t.waiters.Swap(uint64(uint32(at))<<32 | closedMark)
	for next := uint32(head); next != 0; {
		other := &b.ring[next-1]
		next = other.waiting
		w.ready = append(w.ready, other.at)
	}
	if t.err == nil {
		t.receipt = w.receipts.make(t.tx, &t.result)
	}
	b.pausePoint()
	t.done.Store(at + 1)
}

// perform executes the task over what precedes it and makes its writes visible.
func (w *worker) perform(t *task) {
	t.accounts, t.slots, t.opaque = t.accounts[:0], t.slots[:0], false
	w.view.t = t
	t.err = w.vm.Execute(&w.view, t.tx, w.b.c.open.env, &t.result)
	t.publish(w.b.m, &w.pools, w.view.exact)
}

// commit commits what is executed and next, if nobody else is at it.
func (w *worker) commit(committed int64) bool {
	b := w.b
	if !b.executed(committed) || !b.commit.tryLock() {
		return false
	}
	from := b.committed.Load()
	at := from
	for ; at < b.end.Load() && b.executed(at); at++ {
		more := w.commitOne(b.task(at))
		b.committed.Store(at + 1)
		if !more || b.bail {
			b.end.Store(at + 1)
		}
		b.pausePoint()
	}
	b.commit.unlock()
	return at > from
}

// commitOne ends the transaction that is next. False stops the batch behind it.
func (w *worker) commitOne(t *task) bool {
	b, c := w.b, w.b.c
	i := int(t.at - b.first)
	b.stats.Transactions++
	b.depth[i] = 0
	if err := c.fits(t.tx); err != nil {
		t.wrote.withdraw(b.m, t.at, t.pass)
		return b.emit(i, nil, err)
	}
	ok, writer, addr := t.check(b.m)
	if !ok {
		b.conflict(i, writer, addr)
		w.view.exact = true
		w.perform(t)
		if t.err == nil {
			t.receipt = w.receipts.make(t.tx, &t.result)
		}
	}
	b.bail = b.window.add(!ok)
	b.measure(i, t)
	if t.err != nil {
		return b.emit(i, nil, t.err)
	}
	c.enter(t.tx, t.at, &t.result, t.receipt, &w.pools)
	return b.emit(i, t.receipt, nil)
}

// conflict counts and learns from a transaction that executed in vain.
func (b *batch) conflict(i int, writer int64, addr common.Address) {
	b.stats.Aborts++
	if writer < b.first {
		return
	}
	b.claim.lock()
	b.planner.conflict(b.txs[i], b.txs[writer-b.first], &addr)
	b.claim.unlock()
}

// measure finds the longest chain of dependencies that ends with the transaction.
func (b *batch) measure(i int, t *task) {
	longest := uint64(0)
	for k := range t.accounts {
		if at := t.accounts[k].writer; at >= b.first && at < t.at {
			longest = max(longest, b.depth[at-b.first])
		}
	}
	for k := range t.slots {
		if at := t.slots[k].writer; at >= b.first && at < t.at {
			longest = max(longest, b.depth[at-b.first])
		}
	}
	b.depth[i] = longest
	if t.err == nil {
		b.depth[i] += t.result.GasUsed
		b.stats.gas += t.result.GasUsed
	}
	b.stats.deepest = max(b.stats.deepest, b.depth[i])
	if t.plan.class != 0 && b.claim.tryLock() {
		b.planner.outcome(t)
		b.claim.unlock()
	}
}

func (b *batch) pausePoint() {
	if b.pause != nil {
		b.pause()
	}
}
