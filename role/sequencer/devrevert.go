package sequencer

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// devSnapshot is a point to which the chain can go back: a sealed block and the
// settings.
type devSnapshot struct {
	ID       uint64          `json:"id"`
	Block    uint64          `json:"block"`
	Hash     common.Hash     `json:"hash"`
	Clock    chain.Micros    `json:"clock"` // the chain's
	Settings rpc.DevSettings `json:"settings"`
}

// maxSnapshots bounds those that are remembered: the oldest goes first.
const maxSnapshots = 4096

// Snapshot implements rpc.DevControls.
func (c *devControls) Snapshot(ctx context.Context) (uint64, error) {
	var id uint64
	err := c.do(ctx, func(l *loop, done func(error)) error {
		if err := l.devClose(); err != nil {
			return err
		}
		d := l.dev
		d.NextID++
		id = d.NextID
		if len(d.Snapshots) == maxSnapshots {
			d.Snapshots = slices.Clone(d.Snapshots[1:])
		}
		d.Snapshots = append(d.Snapshots, devSnapshot{
			ID: id, Block: l.head.Number, Hash: l.head.Hash, Clock: d.Settings.Clock(now()), Settings: d.Settings.Clone(),
		})
		// The block must be durable before what names it.
		if err := l.drain(); err != nil {
			return err
		}
		if err := l.s.saveDevelopment(); err != nil {
			return err
		}
		done(nil)
		return nil
	})
	if err != nil { // the loop may still be at it
		return 0, err
	}
	return id, nil
}

// devClose makes the last sealed block the newest state. If that takes a block for
// edits only, it has the time of its parent and leaves the settings of the next alone.
func (l *loop) devClose() error {
	if !l.chain.IsOpen() && !l.chain.Edited() {
		return nil
	}
	opened, err := l.devOpen(l.head.Timestamp)
	if err != nil {
		return err
	}
	if opened {
		l.dev.executed(l.origin)
	}
	return l.devSeal()
}

// Revert implements rpc.DevControls.
func (c *devControls) Revert(ctx context.Context, id uint64) (bool, error) {
	var known bool
	err := c.do(ctx, func(l *loop, done func(error)) error {
		d := l.dev
		i := slices.IndexFunc(d.Snapshots, func(s devSnapshot) bool { return s.ID == id })
		if i < 0 {
			done(nil)
			return nil
		}
		known = true
		to := d.Snapshots[i]
		settings := to.Settings.Clone()
		settings.OffsetMicros = int64(to.Clock) - int64(now())
		// How blocks are sealed is not part of the chain.
		settings.Manual, settings.IntervalMillis = d.Settings.Manual, d.Settings.IntervalMillis
		if err := l.goBack(to.Block, settings, d.Snapshots[:i]); err != nil {
			return err
		}
		done(nil)
		return nil
	})
	if err != nil { // the loop may still be at it
		return false, err
	}
	return known, nil
}

// Reset implements rpc.DevControls.
func (c *devControls) Reset(ctx context.Context) error {
	return c.do(ctx, func(l *loop, done func(error)) error {
		if err := l.goBack(0, rpc.DevSettings{}, nil); err != nil {
			return err
		}
		done(nil)
		return nil
	})
}

// goBack makes block number the newest one, with these settings and snapshots. The
// record that names it as the target is what decides: before it is durable nothing has
// changed, and after it Start completes what was interrupted. It also says which records
// of the log are void.
func (l *loop) goBack(number uint64, settings rpc.DevSettings, snapshots []devSnapshot) error {
	l.devRefuse()
	if err := l.drain(); err != nil {
		return err
	}
	d := l.dev
	d.Settings, d.Snapshots = settings, slices.Clone(snapshots)
	d.UndoneSeq = max(l.s.wal.Durable(), l.s.durable.reached())
	d.Target, d.OriginAt = &number, number // deposits are not executed again
	if err := l.s.saveDevelopment(); err != nil {
		return err
	}
	if err := l.s.node.Rewind(number); err != nil {
		return err
	}
	d.Target = nil
	if err := l.s.saveDevelopment(); err != nil {
		return err
	}
	return l.reload()
}

// devRefuse answers those who wait for what will not be.
func (l *loop) devRefuse() {
	refusal := rpc.Errorf(rpc.CodeServer, "the chain went back to an earlier block: send again")
	for _, sub := range l.held {
		sub.Resolve(nil, refusal)
	}
	clear(l.held)
	if gaps, err := sequencing.NewPending(l.s.opts.Pending); err == nil {
		l.s.gaps = gaps
	}
	for _, a := range l.next {
		a.sub.Resolve(nil, refusal)
	}
	l.next = nil
	for more := true; more; {
		for _, a := range l.backlog {
			a.sub.Resolve(nil, refusal)
		}
		l.drop(len(l.backlog))
		select {
		case list, ok := <-l.s.ready:
			l.backlog = append(l.backlog, list...)
			more = ok
		default:
			more = false
		}
	}
}

// reload makes the loop go on from the head that the node has now.
func (l *loop) reload() error {
	var err error
	l.chain = l.s.node.Exec()
	if l.head, err = l.s.parentHead(); err != nil {
		return err
	}
	l.lastStamp = l.head.LastMicros
	l.logs, l.bytes, l.users, l.logBytes = 0, 0, 0, 0
	return nil
}
