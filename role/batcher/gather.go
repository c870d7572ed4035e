package batcher

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/derive"
)

// filling is a batch that grows.
type filling struct {
	builder *batch.ChannelBuilder
	first   uint64
	tip     common.Hash // of its last block
	since   time.Time   // when its first block was found
	fill    uint64      // of its blocks, at most derive.MaxFill
}

func (f *filling) last() uint64 { return f.first + uint64(f.builder.Blocks()) - 1 }

// lost reports whether derivation has not found what was sent, long after it should
// have: L1 reorganised, or what it includes is void. It is the oldest batch that tells:
// those behind it wait for it, however many follow.
func (b *Batcher) lost() bool {
	safe, tip := b.opts.Tracker.Safe()
	for len(b.sent) > 0 && b.sent[0].last <= safe {
		b.sent = b.sent[1:]
	}
	if len(b.sent) == 0 || tip <= b.sent[0].in+b.opts.LostAfter {
		return false
	}
	b.opts.Log.Warn("a batch was not found on L1: posting its blocks again", "last", b.sent[0].last, "l1Block", b.sent[0].in, "safe", safe)
	b.sent = nil
	return true
}

// next is the first block that is to be posted.
func (b *Batcher) next() uint64 {
	safe, _ := b.opts.Tracker.Safe()
	if n := len(b.sent); n > 0 && b.sent[n-1].last > safe {
		return b.sent[n-1].last + 1
	}
	return safe + 1
}

// gather takes new blocks into the open batch, and reports whether it is full. What no
// longer continues L1's chain is dropped and begun again.
func (b *Batcher) gather(ctx context.Context) (full bool, err error) {
	for n := len(b.sent); n > 0; n-- {
		tip, err := b.opts.Chain.BlockByNumber(ctx, b.sent[n-1].last)
		if err != nil {
			return false, err
		}
		if tip != nil && tip.Hash() == b.sent[n-1].tip {
			break
		}
		b.sent = b.sent[:n-1] // of a chain that was rolled back
	}
	if next := b.next(); b.open != nil && b.open.first != next {
		b.open = nil
	}
	if b.open != nil {
		tip, err := b.opts.Chain.BlockByNumber(ctx, b.open.last())
		if err != nil {
			return false, err
		}
		if tip == nil || tip.Hash() != b.open.tip {
			b.open = nil // the chain was rolled back
		}
	}
	number := b.next()
	if b.open != nil {
		number = b.open.last() + 1
	}
	for ; ; number++ {
		block, err := b.opts.Chain.BlockByNumber(ctx, number)
		if err != nil || block == nil {
			return false, err
		}
		in, err := batch.FromBlock(block)
		if err != nil {
			return false, err
		}
		fill := derive.Fill(block)
		if b.open != nil && b.open.fill+fill > derive.MaxFill {
			return true, nil
		}
		if b.open == nil {
			builder, err := batch.NewChannelBuilder(batch.BuilderSettings{TargetBytes: b.opts.MaxBlobs * batch.MaxFrameData})
			if err != nil {
				return false, err
			}
			b.open = &filling{builder: builder, first: number, since: time.Now()}
		}
		err = b.open.builder.Add(&in, block.Header.ParentHash, block.Hash())
		if errors.Is(err, batch.ErrFull) {
			return true, nil
		}
		if err != nil {
			b.open = nil
			return false, err
		}
		b.open.tip = block.Hash()
		b.open.fill += fill
	}
}
