package validator

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
)

// Feed is where blocks come from; *feed.Client. Its methods are those of feed.Source.
type Feed interface {
	RawMiniBlocks(ctx context.Context, from uint64, f func(*feed.RawMiniBlock) error) error
	Blocks(ctx context.Context, from uint64, f func(*feed.Block) error) error
	Witnesses(ctx context.Context, from uint64, f func(*feed.Witness) error) error
	Attestations(ctx context.Context, from uint64, f func(*feed.Attestation) error) error
}

// Node answers what the feed does not hold any more.
type Node interface {
	// MiniBlocks returns mini-blocks from number on, one at least and most at most.
	MiniBlocks(ctx context.Context, from uint64, most int) ([]*feed.RawMiniBlock, error)
	// Header returns a sealed header.
	Header(ctx context.Context, number uint64) (*types.Header, error)
	// Witness returns the witness of a sealed block.
	Witness(ctx context.Context, number uint64) (*chain.Witness, error)
}

// Pauses before a stream of the feed is opened again.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	// fetched is how many mini-blocks a node is asked for at a time.
	fetched = 64
)

// again calls read until ctx ends, with pauses that grow while it fails at once.
func (v *Validator) again(ctx context.Context, what string, read func(context.Context) error) {
	pause := firstPause
	for ctx.Err() == nil {
		start := time.Now()
		err := read(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > maxPause {
			pause = firstPause
		}
		v.log.Warn("the feed is read again", "stream", what, "err", err)
		wait(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// errFound ends a stream of which one message was wanted.
var errFound = errors.New("found")

// followMiniBlocks takes mini-blocks in, from the last of the block before the next.
func (v *Validator) followMiniBlocks(ctx context.Context) {
	back := uint64(1) // blocks to go back where the feed went on from what is not known
	v.again(ctx, "mini-blocks", func(ctx context.Context) error {
		from, err := v.firstMiniBlock(ctx, back)
		if err != nil {
			return err
		}
		take := func(m *feed.RawMiniBlock) error { return v.assembler.miniBlock(ctx, m) }
		err = v.opts.Feed.RawMiniBlocks(ctx, from, take)
		switch {
		case errors.Is(err, errBranch), errors.Is(err, errGap):
			v.assembler.forget()
			back = min(4*back, keptTails)
		case errors.Is(err, feed.ErrGone) && v.opts.Node != nil:
			return v.fetchMiniBlocks(ctx, from, take)
		}
		return err
	})
}

// firstMiniBlock is the number of the mini-block to read on from.
func (v *Validator) firstMiniBlock(ctx context.Context, back uint64) (uint64, error) {
	if number, ok := v.assembler.continues(); ok {
		return number, nil
	}
	next, _, _, _, _ := v.assembler.where()
	if next <= back {
		return 0, nil
	}
	first := uint64(0)
	err := v.opts.Feed.Blocks(ctx, next-back, func(b *feed.Block) error {
		first = b.LastMiniBlock
		return errFound
	})
	if errors.Is(err, errFound) {
		return first, nil
	}
	return 0, err
}

// fetchMiniBlocks asks the node for what the feed does not hold, until the feed does.
func (v *Validator) fetchMiniBlocks(ctx context.Context, from uint64, take func(*feed.RawMiniBlock) error) error {
	for ctx.Err() == nil {
		list, err := v.opts.Node.MiniBlocks(ctx, from, fetched)
		if err != nil {
			return err
		}
		for _, m := range list {
			if err := take(m); err != nil {
				return err
			}
			from = m.Header.Number + 1
		}
		err = v.opts.Feed.RawMiniBlocks(ctx, from, take)
		if !errors.Is(err, feed.ErrGone) {
			return err
		}
	}
	return ctx.Err()
}

func (v *Validator) followBlocks(ctx context.Context) {
	v.again(ctx, "blocks", func(ctx context.Context) error {
		next, _, _, _, _ := v.assembler.where()
		return v.opts.Feed.Blocks(ctx, next, func(b *feed.Block) error { return v.assembler.block(ctx, b) })
	})
}

func (v *Validator) followWitnesses(ctx context.Context) {
	v.again(ctx, "witnesses", func(ctx context.Context) error {
		next, _, _, _, _ := v.assembler.where()
		return v.opts.Feed.Witnesses(ctx, next, func(w *feed.Witness) error { return v.assembler.witness(ctx, w) })
	})
}

func (v *Validator) followAttestations(ctx context.Context) {
	v.again(ctx, "attestations", func(ctx context.Context) error {
		next, _, _, _, _ := v.assembler.where()
		return v.opts.Feed.Attestations(ctx, next-min(next, nearHead), func(a *feed.Attestation) error {
			_, newest, _, _, _ := v.assembler.where()
			v.votes.receive(a, newest)
			return nil
		})
	})
}

// fill asks the node for headers and witnesses that the feed does not bring, and lets the
// grace of others end.
func (v *Validator) fill(ctx context.Context) {
	for ctx.Err() == nil {
		asked := 0
		if v.opts.Node != nil {
			for _, l := range v.assembler.lacks(uint64(aheadOfWorker * v.opts.Workers)) {
				if err := v.ask(ctx, l); err != nil {
					if ctx.Err() == nil {
						v.log.Warn("a node did not give what the feed lacks", "err", err)
					}
					break
				}
				asked++
			}
		}
		if asked == 0 {
			wait(ctx, v.opts.Grace/2)
		}
		v.assembler.tick()
	}
}

// ask asks for a part of a block.
func (v *Validator) ask(ctx context.Context, l lack) error {
	if l.header == nil {
		h, err := v.opts.Node.Header(ctx, l.number)
		if err != nil {
			return err
		}
		return v.assembler.block(ctx, &feed.Block{Header: h})
	}
	w, err := v.opts.Node.Witness(ctx, l.number)
	if err != nil {
		return err
	}
	hash := l.header.Hash()
	v.mu.Lock()
	v.asked[hash] = true
	v.mu.Unlock()
	return v.assembler.witness(ctx, &feed.Witness{Number: l.number, Hash: hash, Witness: w})
}

func (v *Validator) wasAsked(hash [32]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked[hash]
}
