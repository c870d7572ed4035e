package sequencer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// devStep is step for a development chain: no block is opened or sealed but for what
// came, or when an interval is over.
func (l *loop) devStep() (time.Duration, error) {
	select {
	case <-l.s.node.Failed():
		return 0, l.s.node.Failure()
	default:
	}
	t := now()
	l.expire(t)
	l.devOrigins()
	settings := &l.dev.Settings
	if held := l.next; len(held) > 0 { // the block was full
		l.next = nil
		if l.chain.IsOpen() {
			if err := l.devSeal(); err != nil {
				l.next = held // to be refused
				return 0, err
			}
		}
		for i, a := range held {
			if err := l.devTake(a); err != nil {
				l.next = append(l.next, held[i+1:]...)
				return 0, err
			}
		}
	}
	if len(l.dev.deposits) > 0 && !settings.Manual {
		if err := l.devMine(0); err != nil {
			return 0, err
		}
	}
	wait := maxWait
	if settings.IntervalMillis > 0 {
		if t >= l.dev.due {
			if err := l.devMine(0); err != nil {
				return 0, err
			}
			l.dev.due = t + settings.IntervalMillis.Micros()
		}
		wait = min(wait, until(l.dev.due, t))
	}
	if deadline, ok := l.s.gaps.Deadline(); ok {
		wait = min(wait, until(deadline, t))
	}
	return wait, nil
}

// devTake takes an admitted transaction. Its block is sealed behind it, unless blocks
// are sealed by command or by time only.
func (l *loop) devTake(a admitted) error {
	opened, err := l.devOpen(0)
	if err != nil {
		a.sub.Resolve(nil, rpc.NotReadyError(err.Error()))
		return err
	}
	before := l.users
	l.take(a)
	if l.users == before {
		if opened {
			l.chain.Abandon()
		}
		return nil
	}
	if l.dev.Settings.Manual {
		l.devOpened(opened)
		return l.cut(now())
	}
	return l.devSettle(opened)
}

// devOpen opens a block, with its deposits, unless one is open. Until devOpened it can
// be abandoned. timestamp is its time in seconds, 0 for what clock and settings say.
func (l *loop) devOpen(timestamp uint64) (opened bool, err error) {
	if l.chain.IsOpen() {
		return false, nil
	}
	l.devOrigins()
	if timestamp == 0 {
		timestamp = l.devTimestamp()
	}
	number, settings := l.head.Number+1, &l.dev.Settings
	l.attrs = chain.Attributes{Timestamp: timestamp, PrevRandao: l.origin.PrevRandao, ParentBeacon: l.origin.ParentBeaconRoot}
	if settings.NextBaseFee != nil && settings.BaseFeeBlock == number {
		l.attrs.BaseFee = settings.NextBaseFee
	}
	if settings.PrevRandao != nil && settings.RandaoBlock == number {
		l.attrs.PrevRandao = *settings.PrevRandao
	}
	if err := l.chain.Open(l.attrs); err != nil {
		return false, err
	}
	start := chain.Micros(timestamp) * 1_000_000
	l.slot = sequencing.BlockSlot{Timestamp: timestamp, Opened: start, Closes: start + 1_000_000}
	l.logs, l.bytes, l.users, l.logBytes = 0, 0, 0, 0
	for _, tx := range l.devDeposits() {
		r, err := l.chain.Apply(tx)
		if err != nil {
			return false, fmt.Errorf("block %d: deposit %s: %w", number, tx.Hash(), err)
		}
		l.count(r)
	}
	return true, nil
}

// devOpened notes that the block that was opened will not be abandoned.
func (l *loop) devOpened(opened bool) {
	if !opened {
		return
	}
	l.dev.executed(l.origin)
	settings := &l.dev.Settings
	if settings.NextTimestamp == l.slot.Timestamp || settings.Clock(now()) < l.slot.Opened {
		l.dev.goOnFrom(l.slot.Timestamp)
	}
	if settings.NextTimestamp <= l.slot.Timestamp {
		settings.NextTimestamp = 0
	}
}

// executed notes that the deposits up to the L1 block are in a block.
func (d *devChain) executed(origin *derive.L1Block) {
	d.deposits, d.Origin = nil, origin.ID()
}

// goOnFrom sets the chain's clock to a block's timestamp, which is what time is for
// whoever looks at blocks.
func (d *devChain) goOnFrom(timestamp uint64) {
	d.Settings.OffsetMicros = int64(timestamp*1_000_000) - int64(now())
}

// devTimestamp is the timestamp of the next block: later than its parent's.
func (l *loop) devTimestamp() uint64 {
	settings := &l.dev.Settings
	next := l.head.Timestamp + 1
	switch {
	case settings.NextTimestamp >= next:
		return settings.NextTimestamp
	case settings.Interval > 0:
		return l.head.Timestamp + settings.Interval
	}
	return max(next, settings.Clock(now()).Seconds())
}

// devSettle seals the open block and then answers those whose transactions it holds.
func (l *loop) devSettle(opened bool) error {
	l.devOpened(opened)
	waiters := l.waiters
	l.waiters = nil
	number := l.head.Number + 1
	if err := l.devSeal(); err != nil {
		l.waiters = waiters
		return l.lose(err)
	}
	l.barrier(func(err error) {
		for _, w := range waiters {
			if err != nil {
				w.sub.Resolve(nil, rpc.NotReadyError(err.Error()))
				continue
			}
			w.sub.Resolve(l.s.node.SealedTx(number, w.index))
		}
	})
	return nil
}

// devSeal cuts and seals the open block.
func (l *loop) devSeal() error {
	_, minis, _ := l.chain.OpenBlock()
	if len(minis) == 0 || l.chain.MiniTxs() > 0 || l.chain.Edited() {
		if err := l.cut(now()); err != nil {
			return err
		}
	}
	return l.closeBlock(now())
}

// devMine seals the open block, or else a new one.
func (l *loop) devMine(timestamp uint64) error {
	opened, err := l.devOpen(timestamp)
	if err != nil {
		return err
	}
	return l.devSettle(opened)
}

// Mine implements rpc.DevControls.
func (c *devControls) Mine(ctx context.Context, order rpc.DevMine) error {
	return c.do(ctx, func(l *loop, done func(error)) error {
		if err := l.devMineOrder(&order); err != nil {
			done(err)
			return nil
		}
		for i := range order.Blocks {
			timestamp := uint64(0)
			switch {
			case i == 0:
				timestamp = order.Timestamp
			case order.Interval > 0:
				timestamp = l.head.Timestamp + order.Interval
			}
			if err := l.devMine(timestamp); err != nil {
				return err
			}
			if timestamp != 0 {
				l.dev.goOnFrom(timestamp)
			}
		}
		if order.Timestamp != 0 || order.Interval != 0 {
			if err := l.s.saveDevelopment(); err != nil {
				return err
			}
		}
		l.barrier(done)
		return nil
	})
}

// devMineOrder checks an order.
func (l *loop) devMineOrder(order *rpc.DevMine) error {
	switch {
	case order.Blocks > rpc.MaxMineBlocks:
		return fmt.Errorf("%d blocks at once: at most %d", order.Blocks, rpc.MaxMineBlocks)
	case order.Timestamp == 0:
		return nil
	case l.chain.IsOpen():
		return errors.New("the open block has transactions, and its timestamp already: mine it first")
	}
	return l.devNow().CheckTimestamp(order.Timestamp)
}

// Edit implements rpc.DevControls.
func (c *devControls) Edit(ctx context.Context, edit rpc.DevEdit) error {
	return c.do(ctx, func(l *loop, done func(error)) error {
		diff, err := l.devDiff(&edit)
		if err != nil {
			done(err)
			return nil
		}
		return l.devEdit(diff, done)
	})
}
