package sequencer

import (
	"errors"
	"time"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/exec"
)

const (
	// bundleFrom is the number of waiting transactions from which they are executed in
	// bundles, on several processors; below it each is executed as it comes.
	bundleFrom = 16
	// maxBundle, maxBundleGas and maxBundleTime bound a bundle: until it is executed no
	// mini-block is cut. Gas counts as transactions allow for it, time as it passes.
	maxBundle               = 256
	maxBundleGas  chain.Gas = 100_000_000
	maxBundleTime           = 8 * time.Millisecond
)

// canTake reports whether transactions may be executed now.
func (l *loop) canTake() bool { return (l.chain.IsOpen() || l.dev != nil) && len(l.next) == 0 }

// drop removes the first n waiting transactions, which are executed or answered.
func (l *loop) drop(n int) {
	var bytes int64
	for i := range l.backlog[:n] {
		bytes += int64(len(l.backlog[i].tx.Raw()))
		left(l.backlog[i].sub)
	}
	clear(l.backlog[:n])
	l.backlog = l.backlog[n:]
	l.s.intake.release(n, bytes)
}

// takeSome takes the first of the waiting transactions, or if there are many, a bundle
// of them.
func (l *loop) takeSome() {
	for more := true; more && len(l.backlog) < maxBundle; {
		select {
		case list, ok := <-l.s.ready:
			l.backlog = append(l.backlog, list...)
			more = ok
		default:
			more = false
		}
	}
	if l.dev == nil {
		if n := l.bundle(); n > 0 && l.executeBundle(l.backlog[:n]) == n {
			return
		}
	}
	// What ended the bundle, or prevented one, is told to this one alone.
	if len(l.backlog) > 0 && l.canTake() {
		l.takeFirst()
	}
}

// takeFirst takes the first of the waiting transactions, of which there is one.
func (l *loop) takeFirst() {
	a := l.backlog[0]
	l.drop(1)
	if l.dev == nil {
		l.take(a)
		return
	}
	if err := l.devTake(a); err != nil {
		l.s.node.Fail(err) // which devStep finds
	}
}

// bundle is the number of waiting transactions to execute together; 0 if that does not
// pay or the block has no room for them.
func (l *loop) bundle() int {
	if len(l.backlog) < bundleFrom || l.logBytes >= maxBlockLogBytes {
		return 0
	}
	room := min(maxBundle, len(l.backlog), batch.MaxBlockTxs-l.users, chain.MaxMiniBlockTxs-l.chain.MiniTxs())
	bytes, gas := l.bytes, chain.Gas(0)
	n := 0
	for n < room {
		tx := l.backlog[n].tx
		if doubted(l.backlog[n]) {
			break // each is looked at
		}
		bytes += len(tx.Raw())
		if gas += tx.Gas(); bytes > batch.MaxBlockTxBytes || gas > maxBundleGas {
			break
		}
		n++
	}
	if n < bundleFrom {
		return 0
	}
	return n
}

// executeBundle applies the first waiting transactions to the open block, which has room
// for them but for their gas and logs. It returns how many it is done with, which is
// less when the block is full or time is up. Those that came too early for their nonce,
// and those that waited for the nonces, follow at the end.
func (l *loop) executeBundle(bundle []admitted) int {
	txs := l.txs[:0]
	for i := range bundle {
		txs = append(txs, bundle[i].tx)
	}
	l.txs = txs
	out := make([]bool, len(bundle)) // did not enter the block
	var early []admitted
	logBytes, full := l.logBytes, false
	index := l.index() + 1
	start := time.Now()
	done := l.chain.ApplyBatch(txs, func(i int, r *chain.Receipt, err error) bool {
		a := bundle[i]
		switch {
		case err == nil:
			l.enter(a, r, index)
			index++
			logBytes += dataBytes(r)
		case errors.Is(err, exec.ErrBlockFull):
			full = true
			return false
		case errors.Is(err, evm.ErrNonceTooHigh):
			early = append(early, a)
			out[i] = true
		default:
			a.sub.Resolve(nil, err)
			out[i] = true
		}
		return logBytes < maxBlockLogBytes && time.Since(start) < maxBundleTime
	})
	if full {
		done-- // the last
	}
	if l.s.gaps.Len() > 0 {
		for i, a := range bundle[:done] {
			if !out[i] {
				l.follow(a.tx.From(), a.tx.Nonce()+1)
			}
		}
	}
	clear(l.txs)
	l.drop(done)
	for _, a := range early {
		l.take(a)
	}
	return done
}
