package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/node"
)

// posted is a block that L1 holds and the chain does not.
type posted struct {
	ctx  context.Context
	in   *derive.BlockInput
	done chan outcome // receives once
}

type outcome struct {
	hash common.Hash
	err  error
}

// errStopped answers what comes when the replica stops.
var errStopped = errors.New("the replica is stopping")

// Adopt implements safehead.Adopter: the chain gets a block that L1 holds. One that it has
// otherwise is replaced at once; one that is yet to come is left to the feed as long as
// that goes on.
func (l *Live) Adopt(ctx context.Context, in *derive.BlockInput) (common.Hash, error) {
	req := &posted{ctx, in, make(chan outcome, 1)}
	select {
	case l.posts <- req:
	case <-ctx.Done():
		return common.Hash{}, ctx.Err()
	case <-l.done:
		return common.Hash{}, errStopped
	}
	select {
	case out := <-req.done:
		return out.hash, out.err
	case <-ctx.Done():
		return common.Hash{}, ctx.Err()
	case <-l.done:
		return common.Hash{}, errStopped
	}
}

// derive decides on the block of L1's that waits, if there is one.
func (l *Live) derive() error {
	req := l.derived
	if req == nil {
		return nil
	}
	if req.ctx.Err() != nil {
		l.derived = nil
		return nil
	}
	hash, held, err := l.node.Holds(req.in)
	head := l.node.PublishedHead().Number.Uint64()
	if err == nil && !held {
		if req.in.Number > head && time.Since(l.moved) < l.opts.Patience {
			return nil // the feed is about to tell
		}
		hash, err = l.replace(req.in, head)
	}
	l.derived = nil
	req.done <- outcome{hash, err}
	if err != nil && !errors.Is(err, node.ErrInvalid) {
		return fmt.Errorf("%w: take over a block from L1: %w", errFatal, err)
	}
	return nil
}

// replace executes a block of L1's in place of what the chain has from its number on.
func (l *Live) replace(in *derive.BlockInput, head uint64) (common.Hash, error) {
	if in.Number <= head {
		l.log.Error("L1 holds another block than the leader published; L1 decides", "block", in.Number, "head", head, "l1Block", in.PostedIn.Number)
	} else {
		l.log.Warn("the feed does not go on; a block is taken over from L1", "block", in.Number, "l1Block", in.PostedIn.Number)
	}
	if l.chain.IsOpen() || l.complete != nil || in.Number <= head {
		if err := l.goBack(in.Number - 1); err != nil {
			return common.Hash{}, err
		}
	}
	hash, err := l.node.Execute(in)
	l.unsigned, l.branch = nil, nil
	l.note()
	return hash, err
}
