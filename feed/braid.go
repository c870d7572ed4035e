package feed

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Braid reads a feed over several connections at once and takes each mini-block from the
// one over which it comes first. A packet that is lost holds up its own connection only:
// where one of a hundred is, mini-blocks are late by more than a round trip once in ten over
// one connection, and hardly ever over three (ADR 0042). What is not mini-blocks is not in
// such a hurry, and read over the first.
type Braid []Source

var _ Source = Braid(nil)

const (
	// freshAge is how old a mini-block is at the most that shows a connection to be up with
	// the chain, by the clocks of who made it and of who reads.
	freshAge = 2 * time.Second
	// braidPatience is for how long the first connection may give nothing before the others
	// are read, too.
	braidPatience = time.Second
)

// MiniBlocks implements Source. It ends when one of the connections gives up. What is old
// comes over the first connection alone: the others are read when that is up with the
// chain, or gives nothing.
func (b Braid) MiniBlocks(ctx context.Context, from uint64, f func(*MiniBlock) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o := &ordered{next: from, f: f, fresh: make(chan struct{})}
	ended := make(chan error, len(b))
	for i, s := range b {
		go func() {
			if i > 0 {
				o.await(ctx)
			}
			ended <- o.read(ctx, s)
		}()
	}
	err := <-ended
	stop()
	for range len(b) - 1 {
		<-ended
	}
	return err
}

// Blocks implements Source.
func (b Braid) Blocks(ctx context.Context, from uint64, f func(*Block) error) error {
	return b[0].Blocks(ctx, from, f)
}

// Witnesses implements Source.
func (b Braid) Witnesses(ctx context.Context, from uint64, f func(*Witness) error) error {
	return b[0].Witnesses(ctx, from, f)
}

// Attestations implements Source.
func (b Braid) Attestations(ctx context.Context, from uint64, f func(*Attestation) error) error {
	return b[0].Attestations(ctx, from, f)
}

// ordered gives on what comes over several connections, each of which has all of it in the
// feed's order: ascending by epoch, and by number within an epoch.
type ordered struct {
	f func(*MiniBlock) error

	fresh chan struct{} // closed when something new was given on

	mu    sync.Mutex
	new   bool // fresh is closed
	begun bool
	epoch uint64 // of the last one given on
	next  uint64 // number after it
	err   error  // of f
}

// await returns when what comes is new, or nothing comes, or ctx ends.
func (o *ordered) await(ctx context.Context) {
	for {
		at := o.position()
		patience := time.NewTimer(braidPatience)
		select {
		case <-o.fresh:
		case <-ctx.Done():
		case <-patience.C:
			if o.position() != at {
				continue
			}
		}
		patience.Stop()
		return
	}
}

// read reads one connection. One that is so far behind that the feed has dropped what it
// would read goes on where the others are.
func (o *ordered) read(ctx context.Context, s Source) error {
	for {
		from := o.position()
		err := s.MiniBlocks(ctx, from, o.take)
		if !errors.Is(err, ErrGone) || o.position() == from || ctx.Err() != nil {
			return err
		}
	}
}

func (o *ordered) position() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next
}

// take gives m on unless another connection was first.
func (o *ordered) take(m *MiniBlock) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &m.Header
	if o.err != nil {
		return o.err
	}
	if o.begun && (h.Epoch < o.epoch || h.Epoch == o.epoch && h.Number < o.next) {
		return nil
	}
	if o.err = o.f(m); o.err != nil {
		return o.err
	}
	o.begun, o.epoch, o.next = true, h.Epoch, h.Number+1
	if !o.new && time.Since(time.UnixMicro(int64(h.TimestampMicros))) < freshAge {
		o.new = true
		close(o.fresh)
	}
	return nil
}
