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
	// bundleFrom is the length of the queue from which transactions are executed in
	// bundles, on several processors; below it each is executed as it comes.
	bundleFrom = 16
	// maxBundle, maxBundleGas and maxBundleTime bound a bundle: until it is executed no
	// mini-block is cut. Gas counts as transactions allow for it, time as it passes.
	maxBundle               = 256
	maxBundleGas  chain.Gas = 100_000_000
	maxBundleTime           = 8 * time.Millisecond
)

// takeAll takes the transaction, and if many wait behind it, a bundle of them. An error
// is one of step.
func (l *loop) takeAll(a admitted) error {
	if len(l.s.queue) < bundleFrom {
		l.take(a)
		return nil
	}
	bundle, rest := []admitted{a}, []admitted(nil)
	bytes, gas := l.bytes+len(a.tx.Raw()), a.tx.Gas()
	room := min(maxBundle, batch.MaxBlockTxs-l.users, chain.MaxMiniBlockTxs-l.chain.MiniTxs())
	for len(bundle) < room && gas < maxBundleGas && len(l.s.queue) > 0 {
		b := <-l.s.queue
		l.s.queued.Add(-int64(len(b.tx.Raw())))
		bytes += len(b.tx.Raw())
		gas += b.tx.Gas()
		if bytes > batch.MaxBlockTxBytes || gas > maxBundleGas {
			rest = append(rest, b)
			break
		}
		bundle = append(bundle, b)
	}
	if len(bundle) < bundleFrom || l.logBytes >= maxBlockLogBytes {
		rest = append(bundle, rest...)
	} else {
		rest = append(l.executeBundle(bundle), rest...)
	}
	for i, b := range rest {
		_, err := l.step() // what fell due meanwhile
		if err != nil || len(l.next) > 0 || !l.chain.IsOpen() {
			l.next = append(l.next, rest[i:]...)
			return err
		}
		l.take(b)
	}
	return nil
}

// executeBundle applies transactions to the open block, which has room for them but
// for their gas and logs. It returns those that have yet to be taken, in order: the
// first that did not fit and all after it, and before them those that came too early
// for their nonce. The transactions that waited for the nonces follow at the end.
func (l *loop) executeBundle(bundle []admitted) []admitted {
	txs := make([]*chain.Tx, len(bundle))
	for i := range bundle {
		txs[i] = bundle[i].tx
	}
	receipts, errs := make([]*chain.Receipt, len(bundle)), make([]error, len(bundle))
	logBytes := l.logBytes
	index := l.index() + 1
	start := time.Now()
	done := l.chain.ApplyBatch(txs, func(i int, r *chain.Receipt, err error) bool {
		receipts[i], errs[i] = r, err
		if err != nil {
			return !errors.Is(err, exec.ErrBlockFull)
		}
		logBytes += dataBytes(r)
		return logBytes < maxBlockLogBytes && time.Since(start) < maxBundleTime
	})
	var early []admitted
	for i, a := range bundle[:done] {
		switch err := errs[i]; {
		case err == nil:
			l.enter(a, receipts[i], index)
			index++
		case errors.Is(err, exec.ErrBlockFull):
			done = i // the last
		case errors.Is(err, evm.ErrNonceTooHigh):
			early = append(early, a)
		default:
			a.sub.Resolve(nil, err)
		}
	}
	for i, a := range bundle[:done] {
		if errs[i] == nil {
			l.follow(a.tx.From(), a.tx.Nonce()+1)
		}
	}
	return append(early, bundle[done:]...)
}
