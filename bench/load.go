package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// A client gives up after this many requests in a row that failed.
const maxFailures = 10

// errorPause is the first wait after a failed request; it doubles up to a second.
const errorPause = 10 * time.Millisecond

// load is one run's moving parts.
type load struct {
	cfg      *Config
	node     *node
	p        *pricing
	accounts []*account
	tally    *tally
}

// each runs f once for every account at the same time and waits for all.
func (l *load) each(f func(i int, a *account)) {
	var wg sync.WaitGroup
	for i, a := range l.accounts {
		wg.Go(func() { f(i, a) })
	}
	wg.Wait()
}

// closed sends from every account, each transaction (or batch) after the receipt
// of the one before. Latency counts from the moment the signed request leaves.
func (l *load) closed(ctx context.Context) {
	var deadline time.Time
	if l.cfg.Duration > 0 {
		deadline = time.Now().Add(l.cfg.Duration)
	}
	l.each(func(i int, a *account) {
		quota := -1
		if l.cfg.Txs > 0 {
			quota = l.cfg.Txs / l.cfg.Clients
			if i < l.cfg.Txs%l.cfg.Clients {
				quota++
			}
		}
		l.sendUntil(ctx, a, quota, deadline)
	})
}

// sendUntil sends quota transactions (-1: any number) until the deadline (zero: none).
func (l *load) sendUntil(ctx context.Context, a *account, quota int, deadline time.Time) {
	for failures := 0; quota != 0 && failures < maxFailures && ctx.Err() == nil; {
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return
		}
		n := l.cfg.Batch
		if quota > 0 {
			n = min(n, quota)
			quota -= n
		}
		batch, err := l.sign(a, n)
		if err != nil {
			l.tally.fail(err.Error(), uint64(n))
			return
		}
		if l.request(ctx, a, batch, time.Time{}) {
			failures = 0
			continue
		}
		pause(ctx, failures)
		failures++
		if nonce, err := l.node.nonce(ctx, a.addr); err == nil {
			a.nonce = nonce
		}
	}
}

func (l *load) sign(a *account, n int) ([]signed, error) {
	batch := make([]signed, n)
	for i := range batch {
		var err error
		if batch[i], err = a.next(l.p); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

// request sends a batch and books its outcomes; latency counts from due, or from
// now if that is zero. It reports whether every transaction has a receipt.
func (l *load) request(ctx context.Context, a *account, batch []signed, due time.Time) bool {
	raws, hashes := make([]hexutil.Bytes, len(batch)), make([]common.Hash, len(batch))
	for i, s := range batch {
		raws[i], hashes[i] = s.raw, s.hash
	}
	l.tally.countSent(len(batch))
	if due.IsZero() {
		due = time.Now()
	}
	all := true
	for i, o := range l.node.send(ctx, raws, hashes) {
		if o.err != nil {
			all = false
			l.tally.fail(o.err.Error(), 1)
			if o.unknown {
				a.unknown++
			}
			continue
		}
		l.tally.confirmed(o.done.Sub(due), o.done, uint64(o.receipt.GasUsed))
		l.book(a, batch[i], o.receipt)
	}
	return all
}

// book checks a receipt and enters it in the account's sums.
func (l *load) book(a *account, s signed, r *receipt) {
	if wrong := a.check(r, s, l.p); wrong != "" {
		l.tally.mismatch(wrong)
	} else {
		l.tally.rightReceipt()
	}
	a.confirm(r, s, l.p)
}

// warmUp opens the connections and the node's caches with transactions that are
// verified but not measured.
func (l *load) warmUp(ctx context.Context) {
	l.each(func(_ int, a *account) {
		for range l.cfg.Warmup {
			batch, err := l.sign(a, 1)
			if err != nil {
				return
			}
			o := l.node.send(ctx, []hexutil.Bytes{batch[0].raw}, []common.Hash{batch[0].hash})[0]
			if o.err != nil {
				l.tally.fail("warm-up: "+o.err.Error(), 1)
				if o.unknown {
					a.unknown++
				}
				if nonce, err := l.node.nonce(ctx, a.addr); err == nil {
					a.nonce = nonce
				}
				continue
			}
			l.book(a, batch[0], o.receipt)
		}
	})
}

// plan divides an open run into requests of one batch each: the i-th account sends
// the requests i, i+clients, i+2·clients, … It returns the sizes of one account's.
func (l *load) plan(i int) []int {
	total, batch := int(l.cfg.planned()), l.cfg.Batch
	var sizes []int
	for first := i * batch; first < total; first += len(l.accounts) * batch {
		sizes = append(sizes, min(batch, total-first))
	}
	return sizes
}

// presign signs the requests of an open run, account by account.
func (l *load) presign() ([][][]signed, error) {
	plans, errs := make([][][]signed, len(l.accounts)), make([]error, len(l.accounts))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	l.each(func(i int, a *account) {
		slots <- struct{}{}
		defer func() { <-slots }()
		for _, n := range l.plan(i) {
			batch, err := l.sign(a, n)
			if err != nil {
				errs[i] = err
				return
			}
			plans[i] = append(plans[i], batch)
		}
	})
	return plans, errors.Join(errs...)
}

// open sends request q, of batch transactions, when q·batch/rate seconds have
// passed. An account never has two requests on the way, so that its nonces arrive
// in order; what has to wait for that is late, and its latency says so.
func (l *load) open(ctx context.Context, plans [][][]signed) {
	start := time.Now()
	gap := float64(time.Second) * float64(l.cfg.Batch) / l.cfg.Rate
	l.each(func(i int, a *account) {
		for k, batch := range plans[i] {
			due := start.Add(time.Duration(gap * float64(i+k*len(l.accounts))))
			sleepUntil(ctx, due)
			if ctx.Err() != nil {
				return
			}
			if l.request(ctx, a, batch, due) || k+1 == len(plans[i]) {
				continue
			}
			if nonce, err := l.node.nonce(ctx, a.addr); err != nil || nonce != plans[i][k+1][0].nonce {
				l.tally.fail("not sent: an earlier transaction of the account failed", unsent(plans[i][k+1:]))
				return
			}
		}
	})
}

func unsent(batches [][]signed) (n uint64) {
	for _, b := range batches {
		n += uint64(len(b))
	}
	return n
}

func sleepUntil(ctx context.Context, at time.Time) {
	wait := time.Until(at)
	if wait <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// pause waits after the failures-th failed request in a row.
func pause(ctx context.Context, failures int) {
	sleepUntil(ctx, time.Now().Add(min(errorPause<<failures, time.Second)))
}
