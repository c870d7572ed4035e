package feeder

import (
	"context"
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/feed"
)

// resume finds out what to publish next: what follows the last that both the feed and the
// node have.
func (f *Feeder) resume(ctx context.Context) error {
	mini, err := f.sink.ResumeMiniBlocks(ctx)
	if err != nil {
		return err
	}
	block, err := f.sink.ResumeBlocks(ctx)
	if err != nil {
		return err
	}
	witness, err := f.sink.ResumeWitnesses(ctx)
	if err != nil {
		return err
	}
	if mini == nil || block == nil {
		if err := f.beginAt(ctx, history); err != nil {
			return err
		}
	}
	if mini != nil {
		if f.mini, err = common(mini, func(number uint64) (bool, error) { return f.sameMini(ctx, mini, number) }); err != nil {
			return fmt.Errorf("last mini-block that the feed and the node have: %w", err)
		}
	}
	if block != nil {
		if f.block, err = common(block, func(number uint64) (bool, error) { return f.sameBlock(ctx, block, number) }); err != nil {
			return fmt.Errorf("last block that the feed and the node have: %w", err)
		}
	}
	f.resumeWitnesses(witness)
	if f.mini >= f.gap.from && f.mini < f.gap.to {
		f.mini = f.gap.to
	}
	return nil
}

// beginAt sets what to publish next to the begin of a block so many before the newest.
func (f *Feeder) beginAt(ctx context.Context, before uint64) error {
	head := f.node.PublishedHead().Number.Uint64()
	f.block = head + 1 - min(before, head)
	if f.block == 1 {
		f.mini = 0
		return nil
	}
	b, err := f.node.BlockByNumber(ctx, f.block-1)
	if err != nil {
		return err
	}
	if b == nil {
		return errAgain // it was taken back at this moment
	}
	f.mini = b.MiniBlocks[len(b.MiniBlocks)-1].Number + 1
	return nil
}

// common is what follows the greatest number up to the feed's last at which the feed and the
// node have the same: going back in steps that double, then by halves.
func common(last *feed.Mark, same func(number uint64) (bool, error)) (next uint64, err error) {
	low, high := uint64(0), last.Number+1 // the answer is one of them, or between
	for at, step := last.Number, uint64(1); ; step *= 2 {
		ok, err := same(at)
		if err != nil {
			return 0, err
		}
		if ok {
			low = at + 1
			break
		}
		if high = at; at == 0 {
			break
		}
		at -= min(step, at)
	}
	for low < high {
		middle := low + (high-low)/2
		ok, err := same(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// sameMini reports whether the feed's newest mini-block of that number is the node's. One
// that the feed does not hold any more is taken for the same.
func (f *Feeder) sameMini(ctx context.Context, last *feed.Mark, number uint64) (bool, error) {
	m, err := f.node.MiniBlockByNumber(ctx, number)
	if err != nil || m == nil {
		return false, err
	}
	id, err := last.ID, error(nil)
	if number != last.Number {
		id, err = f.sink.MiniBlockAt(ctx, number)
	}
	if errors.Is(err, feed.ErrGone) {
		return true, nil
	}
	return id == feed.MiniBlockID(&m.Header), err
}

// sameBlock does the same for sealed blocks.
func (f *Feeder) sameBlock(ctx context.Context, last *feed.Mark, number uint64) (bool, error) {
	b, err := f.node.BlockByNumber(ctx, number)
	if err != nil || b == nil {
		return false, err
	}
	if number == 0 { // never published
		return true, nil
	}
	id, err := last.ID, error(nil)
	if number != last.Number {
		id, err = f.sink.BlockAt(ctx, number)
	}
	if errors.Is(err, feed.ErrGone) {
		return true, nil
	}
	return id == feed.BlockID(number, b.Hash()), err
}
