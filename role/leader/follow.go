package leader

import (
	"context"
	"errors"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/safehead"
	"github.com/talaria-l2/talaria/role/sequencer"
)

// connect follows L1 behind the chain's newest block, deposits only: no blob may keep the
// sequencer from them.
func (l *Leader) connect(ctx context.Context) func(chain.L1Origin) (sequencer.L1, error) {
	source := l.opts.L1
	return func(origin chain.L1Origin) (sequencer.L1, error) {
		from := sequencer.L1{Canonical: func(o chain.L1Origin) (bool, error) {
			h, err := source.HeaderByNumber(ctx, o.Number)
			return err == nil && h.Hash() == o.Hash, err
		}}
		b, err := l1feed.Fetch(ctx, source, origin)
		if err != nil {
			return from, err
		}
		feed := l1feed.Start(source, l1feed.Options{From: origin.Number + 1, Confirmations: l.opts.Confirmations, Log: l.opts.Log})
		from.Origin, from.Next, from.Close = b, feed, feed.Close
		return from, nil
	}
}

// derived is what derivation says, which begins behind the sequencer.
func (l *Leader) derived() sequencer.Derived {
	tracker := l.tracker.Load()
	if tracker == nil {
		return sequencer.Derived{}
	}
	head, tip, caughtUp := tracker.Head()
	return sequencer.Derived{Head: head, Tip: tip, CaughtUp: caughtUp, Stuck: tracker.Stuck()}
}

// follow derives what L1 holds, and waits until all is read that it has now: before that
// the sequencer opens no block.
func (l *Leader) follow(ctx context.Context) error {
	tracker, err := safehead.Start(l.node, safehead.Options{
		L1: l.opts.L1, Resolver: l.opts.Resolver, Adopter: l.seq, Waits: l.opts.Metrics.DerivationWaits, Log: l.opts.Log,
	})
	if err != nil {
		return err
	}
	l.tracker.Store(tracker)
	l.onClose(func(context.Context) error { tracker.Close(); return nil })
	err = l.await(ctx, func() bool { _, _, caughtUp := tracker.Head(); return caughtUp })
	if cause := ctx.Err(); cause != nil && errors.Is(err, cause) {
		err = errors.Join(err, errors.New("stopped while derivation read L1"))
	}
	return err
}

// readyWait bounds how long a start waits for the sequencer to take transactions: a
// chain that may not go on yet says so in its log, and serves.
const readyWait = 15 * time.Second

// AwaitReady waits until the sequencer takes transactions, at the most 15 s.
func (l *Leader) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	err := l.await(ctx, func() bool { return l.seq.Ready() == nil })
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// await waits until done is true, the node fails or ctx ends.
func (l *Leader) await(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-l.node.Failed():
			return l.node.Failure()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
