package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/verify"
)

// gatherTimeout bounds how long the parts of a block that was checked before are looked for.
const gatherTimeout = time.Minute

// keep writes evidence that L1 has another block than the one that was checked. Its parts are
// not kept that long: they are read again, from the feed or from a node, and so is L1.
func (p *posted) keep(ctx context.Context, in *derive.BlockInput, block checkedBlock, fault *verify.Fault) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	input, minis, err := p.v.gather(ctx, in.Number, block)
	if err != nil {
		return "", err
	}
	state := p.states.Newest()
	blocks, err := readL1(ctx, p.opts, &p.v.opts.Genesis.Config, state, in.PostedIn, p.log)
	if err != nil {
		return "", err
	}
	e, err := NewEvidence(&p.v.opts.Genesis.Config, input, minis, fault)
	if err != nil {
		return "", err
	}
	e.L1 = &L1Evidence{State: state, Outcomes: p.outcomes, Blocks: blocks}
	if err := e.Confirm(); err != nil {
		return "", err
	}
	raw, err := e.Encode()
	if err != nil {
		return "", err
	}
	path := p.v.evidencePath(in.Number, block.hash, fault)
	return path, da.WriteFile(path, raw)
}

// gather reads the parts of a checked block again.
func (v *Validator) gather(ctx context.Context, number uint64, block checkedBlock) (*verify.Input, []*feed.RawMiniBlock, error) {
	in := &verify.Input{Leader: block.leader, Genesis: v.opts.Genesis.L1Origin}
	err := v.opts.Feed.Blocks(ctx, number, func(b *feed.Block) error {
		if in.Header = b.Header; b.Header.Hash() == block.hash {
			return errFound
		}
		return within(b.Header.Number.Uint64(), number)
	})
	if !errors.Is(err, errFound) && v.opts.Node != nil {
		in.Header, err = v.opts.Node.Header(ctx, number)
	}
	if in.Header == nil || in.Header.Hash() != block.hash {
		return nil, nil, fmt.Errorf("sealed header of block %d: %w", number, errors.Join(err, errElsewhere))
	}
	minis, err := v.gatherMiniBlocks(ctx, in, block)
	if err != nil {
		return nil, nil, err
	}
	err = v.opts.Feed.Witnesses(ctx, number, func(w *feed.Witness) error {
		if w.Hash == block.hash {
			in.Witness = w.Witness
			return errFound
		}
		return within(w.Number, number)
	})
	if in.Witness == nil && v.opts.Node != nil {
		in.Witness, err = v.opts.Node.Witness(ctx, number)
	}
	if in.Witness == nil {
		return nil, nil, fmt.Errorf("witness of block %d: %w", number, err)
	}
	return in, minis, nil
}

// errElsewhere says that nobody has the part of a block any more.
var errElsewhere = errors.New("it is not to be had any more")

// within ends the reading of a stream behind a number.
func within(at, number uint64) error {
	if at > number {
		return errElsewhere
	}
	return nil
}

// gatherMiniBlocks adds the mini-blocks of a block, and the header before them.
func (v *Validator) gatherMiniBlocks(ctx context.Context, in *verify.Input, block checkedBlock) ([]*feed.RawMiniBlock, error) {
	first := block.last.Number - min(block.last.Number, block.last.Index)
	var list []*feed.RawMiniBlock // from the one before the first
	from := first - min(first, 1)
	take := func(m *feed.RawMiniBlock) error {
		if n := len(list); n > 0 && m.Header.Number <= list[n-1].Header.Number { // another branch
			keep := m.Header.Number - min(m.Header.Number, list[0].Header.Number)
			list = list[:min(uint64(n), keep)]
		}
		if list = append(list, m); m.Header.Hash() == block.last.Hash() {
			return errFound
		}
		return within(m.Header.Number, block.last.Number)
	}
	err := v.opts.Feed.RawMiniBlocks(ctx, from, take)
	if !errors.Is(err, errFound) && v.opts.Node != nil {
		list = nil
		err = v.fetchUntilFound(ctx, from, take)
	}
	if !errors.Is(err, errFound) {
		return nil, fmt.Errorf("mini-blocks from %d: %w", from, err)
	}
	if first > 0 {
		in.Before = new(chain.MiniBlockHeader)
		*in.Before, list = list[0].Header, list[1:]
	}
	for _, m := range list {
		in.MiniBlocks = append(in.MiniBlocks, &m.RawMiniBlock)
	}
	return list, nil
}

// fetchUntilFound asks the node for mini-blocks until take fails.
func (v *Validator) fetchUntilFound(ctx context.Context, from uint64, take func(*feed.RawMiniBlock) error) error {
	for {
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
	}
}
