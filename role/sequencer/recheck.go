package sequencer

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

const (
	// maxUnchecked bounds the transactions that wait for their signatures to be checked; of
	// what comes beyond it signatures are checked before execution.
	maxUnchecked = 16_384
	// checkFrom transactions are checked together, or what there is after checkWait, or when
	// the end of a block waits for them.
	checkFrom = 1024
	checkWait = 10 * time.Millisecond
	// maxCheck bounds what is checked at one go.
	maxCheck = 4096
)

// unchecked is a transaction whose sender a replica has named.
type unchecked struct {
	tx      *chain.Tx
	voucher *rpc.Voucher
}

// checks looks at the signatures of transactions behind their execution, in order of
// admission. No block is sealed before those in it are checked (ADR 0040).
type checks struct {
	config  *chain.Config
	trust   *trust
	metrics *telemetry.Metrics
	step    func(string)  // tests only
	wake    chan struct{} // there is something for the checking goroutine
	alarm   chan struct{} // forgeries were found
	alarmed atomic.Bool
	done    chan struct{} // the checking goroutine has ended

	mu       sync.Mutex
	queue    []unchecked
	added    uint64 // ever
	checked  uint64 // of those
	changed  sync.Cond
	awaited  uint64 // somebody waits until so many are checked
	closed   bool
	busy     int // of those not checked, taken from the queue
	capacity int
}

func newChecks(config *chain.Config, t *trust, metrics *telemetry.Metrics, step func(string)) *checks {
	c := &checks{config: config, trust: t, metrics: metrics, step: step, wake: make(chan struct{}, 1), alarm: make(chan struct{}, 1), done: make(chan struct{}), capacity: maxUnchecked}
	c.changed.L = &c.mu
	return c
}

// room is how many more transactions may be executed before they are checked.
func (c *checks) room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.capacity - len(c.queue) - c.busy
}

// add queues transactions and returns the place of the first, counted from 1.
func (c *checks) add(list []unchecked) (first uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := len(c.queue)
	first = c.added + 1
	c.queue = append(c.queue, list...)
	c.added += uint64(len(list))
	if had == 0 || had < checkFrom && len(c.queue) >= checkFrom {
		c.signal()
	}
	return first
}

func (c *checks) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// last is the place of the transaction queued last.
func (c *checks) last() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.added
}

// reached reports whether the transaction at a place is checked.
func (c *checks) reached(place uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.checked >= place
}

// wait returns when the transactions up to a place are checked.
func (c *checks) wait(place uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.checked < place {
		c.awaited = max(c.awaited, place)
		c.signal()
		c.changed.Wait()
	}
}

// close makes the checking goroutine end when nothing is left.
func (c *checks) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.signal()
	<-c.done
}

// take waits until it is time to check and returns what; nothing if the checks are closed.
func (c *checks) take(into []unchecked) []unchecked {
	timer := time.NewTimer(checkWait)
	defer timer.Stop()
	waited := false
	for {
		c.mu.Lock()
		n := len(c.queue)
		if n >= checkFrom || n > 0 && (waited || c.closed || c.awaited > c.checked) || c.closed {
			n = min(n, maxCheck)
			into = append(into, c.queue[:n]...)
			rest := copy(c.queue, c.queue[n:])
			clear(c.queue[rest:])
			c.queue, c.busy = c.queue[:rest], n
			c.mu.Unlock()
			return into
		}
		c.mu.Unlock()
		if n == 0 {
			<-c.wake
			timer.Reset(checkWait)
			waited = false
			continue
		}
		select {
		case <-c.wake:
		case <-timer.C:
			waited = true
		}
	}
}

// run is the checking goroutine. It has a thread of its own, so that its processor time can
// be told.
func (c *checks) run() {
	defer close(c.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	checker := chain.NewChecker(c.config)
	var list []unchecked
	var txs []*chain.Tx
	var wrong []int
	for {
		if list = c.take(list[:0]); len(list) == 0 {
			return
		}
		txs = txs[:0]
		for i := range list {
			txs = append(txs, list[i].tx)
		}
		c.step("signatures are to be checked")
		wrong = checker.Check(txs, wrong[:0])
		for _, i := range wrong {
			c.trust.withdraw(forgery{list[i].tx, list[i].voucher})
		}
		if len(wrong) > 0 { // before anybody who waits goes on
			c.alarmed.Store(true)
			select {
			case c.alarm <- struct{}{}:
			default:
			}
		}
		c.settle(len(list))
		clear(list)
		clear(txs)
	}
}

// settle notes that n more are checked.
func (c *checks) settle(n int) {
	c.mu.Lock()
	c.checked += uint64(n)
	c.busy = 0
	waiting := c.added - c.checked
	c.mu.Unlock()
	c.changed.Broadcast()
	if c.metrics != nil {
		c.metrics.Rechecked.Add(float64(n))
		c.metrics.Unchecked.Set(float64(waiting))
		c.metrics.RecheckSeconds.Set(threadTime().Seconds())
	}
}
