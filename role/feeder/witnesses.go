package feeder

import (
	"context"

	"github.com/talaria-l2/talaria/feed"
)

// filledWitnesses is for how many blocks behind the newest a witness that nobody saw is made
// again: the block is executed for it, unless the node recorded it just now. Validators ask a
// node for older ones.
const filledWitnesses = 64

// firstWitnesses is for how many in a feed that is empty.
const firstWitnesses = 8

// fillWitnesses publishes the witnesses of blocks that were published without: the node, or
// its feed, was away when they were sealed.
func (f *Feeder) fillWitnesses(ctx context.Context) error {
	if !f.node.RecordsWitnesses() {
		return nil
	}
	f.witness = max(f.witness, f.block-min(f.block-1, filledWitnesses))
	for ; f.witness < f.block; f.witness++ {
		b, err := f.node.BlockByNumber(ctx, f.witness)
		if err != nil {
			return err
		}
		if b == nil {
			return errAgain
		}
		w, err := f.node.ExecutionWitness(ctx, f.witness, b.Hash())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			f.log.Warn("the feed lacks a witness; validators must ask a node for it", "block", f.witness, "err", err)
			continue
		}
		message := &feed.Witness{Number: f.witness, Hash: b.Hash(), Witness: w}
		if err := patiently(ctx, func() error { return f.sink.PublishWitness(message) }); err != nil {
			return err
		}
	}
	return nil
}

// resumeWitnesses sets the block of the next witness to publish: behind the last that the
// feed has, unless the node went back before it.
func (f *Feeder) resumeWitnesses(last *feed.Mark) {
	if last != nil {
		f.witness = min(f.block, last.Number+1)
		return
	}
	head := f.node.PublishedHead().Number.Uint64()
	f.witness = max(f.block, head+1-min(head, firstWitnesses))
}
