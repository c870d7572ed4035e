package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// MiniBlocks implements Source.
func (c *Client) MiniBlocks(ctx context.Context, from uint64, f func(*MiniBlock) error) error {
	return follow(ctx, c, miniBlocks, from, DecodeMiniBlock, f)
}

// RawMiniBlocks is MiniBlocks for who decodes their parts.
func (c *Client) RawMiniBlocks(ctx context.Context, from uint64, f func(*RawMiniBlock) error) error {
	return follow(ctx, c, miniBlocks, from, DecodeRawMiniBlock, f)
}

// Blocks implements Source.
func (c *Client) Blocks(ctx context.Context, from uint64, f func(*Block) error) error {
	return follow(ctx, c, blocks, from, DecodeBlock, f)
}

// Witnesses implements Source.
func (c *Client) Witnesses(ctx context.Context, from uint64, f func(*Witness) error) error {
	return follow(ctx, c, witnesses, from, DecodeWitness, f)
}

// Attestations implements Source.
func (c *Client) Attestations(ctx context.Context, from uint64, f func(*Attestation) error) error {
	return follow(ctx, c, attestations, from, DecodeAttestation, f)
}

// follow decodes what is read.
func follow[T any](ctx context.Context, c *Client, k kind, from uint64, decode func([]byte) (*T, error), f func(*T) error) error {
	asm, err := newAssembler()
	if err != nil {
		return err
	}
	defer asm.close()
	begun := k == attestations // whose numbers have no order
	take := func(_ uint64, m *nats.Msg) error {
		l, err := readLabel(m.Header)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if k == attestations && l.number < from {
			return nil
		}
		raw, err := asm.add(l, m.Data)
		if raw == nil || err != nil {
			return err
		}
		if !begun && l.number > from {
			return fmt.Errorf("%w %d: it continues with %d", ErrGone, from, l.number)
		}
		v, err := decode(raw)
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
		if k != attestations {
			begun, from = true, l.number+1
		}
		return nil
	}
	for {
		at, exact, err := c.find(ctx, k, from)
		if err != nil {
			return err
		}
		err = c.read(ctx, k, at, exact, take)
		switch {
		case errors.Is(err, errPurged):
			return fmt.Errorf("%w %d", ErrGone, from)
		case !errors.Is(err, errRestarted):
			return err
		}
		c.log.Warn("the feed has begun anew; reading goes on where it was", "kind", k, "number", from, "err", err)
		begun = k == attestations
	}
}

// find is the sequence at which to begin for what has the number. exact: it must be there.
// It tries until it can.
func (c *Client) find(ctx context.Context, k kind, number uint64) (seq uint64, exact bool, err error) {
	rest := leastPause
	for {
		seq, exact, err = c.search(ctx, k, number)
		if err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrMalformed) {
			return seq, exact, err
		}
		if ctx.Err() != nil {
			return 0, false, ctx.Err()
		}
		if c.ctx.Err() != nil {
			return 0, false, errClosed
		}
		c.log.Debug("feed: search", "of", k, "number", number, "err", err)
		if !pause(ctx, rest) {
			return 0, false, ctx.Err()
		}
		rest = min(2*rest, mostPause)
	}
}

// search goes back from the newest message. From one message to the next numbers grow by one
// at most; they fall where the chain was taken back, and stay while parts come. So between
// one with the number n and the last with a smaller one, m, there are n-m messages at least,
// and a step of n-m does not pass it. Only where a gap was left it may.
func (c *Client) search(ctx context.Context, k kind, number uint64) (seq uint64, exact bool, err error) {
	if k == attestations {
		return 1, false, nil
	}
	seq, l, err := c.labelOf(c.newest(ctx, k))
	switch {
	case errors.Is(err, errNothing):
		return 1, false, nil
	case err != nil:
		return 0, false, err
	case l.number+1 == number && l.part == l.parts:
		return seq + 1, true, nil
	case l.number < number: // the feed is behind who asks
		return seq - uint64(l.part-1), true, nil
	}
	gone := fmt.Errorf("%w %d", ErrGone, number)
	for {
		start := seq - uint64(l.part-1)
		if l.number == number {
			return start, true, nil
		}
		at := start - min(l.number-number, start-1)
		if seq, l, err = c.labelOf(c.first(ctx, k, at)); err != nil {
			return 0, false, err
		}
		switch {
		case seq >= start || seq > at && l.number > number:
			return 0, false, gone
		case l.number < number:
			return c.between(ctx, k, number, seq, start)
		}
	}
}

// between halves the way from a message with a smaller number to one with a greater.
func (c *Client) between(ctx context.Context, k kind, number, low, high uint64) (uint64, bool, error) {
	for low+1 < high {
		seq, l, err := c.labelOf(c.first(ctx, k, low+(high-low)/2))
		if err != nil {
			return 0, false, err
		}
		switch start := seq - uint64(l.part-1); {
		case l.number == number:
			return start, true, nil
		case l.number < number:
			low = seq
		default:
			high = start
		}
	}
	return 0, false, fmt.Errorf("%w %d", ErrGone, number)
}

// labelOf reads what the headers of a message say.
func (c *Client) labelOf(seq uint64, m *nats.Msg, err error) (uint64, label, error) {
	if err != nil {
		return 0, label{}, err
	}
	l, err := readLabel(m.Header)
	if err != nil {
		return 0, label{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return seq, l, nil
}

// MiniBlockAt is the MiniBlockID of the newest mini-block with the number. ErrGone: the feed
// does not hold it.
func (c *Client) MiniBlockAt(ctx context.Context, number uint64) (string, error) {
	return c.at(ctx, miniBlocks, number)
}

// BlockAt is the BlockID of the newest sealed block with the number. ErrGone: the feed does
// not hold it.
func (c *Client) BlockAt(ctx context.Context, number uint64) (string, error) {
	return c.at(ctx, blocks, number)
}

func (c *Client) at(ctx context.Context, k kind, number uint64) (string, error) {
	seq, exact, err := c.find(ctx, k, number)
	if err != nil {
		return "", err
	}
	got, l, err := c.labelOf(c.first(ctx, k, seq))
	if errors.Is(err, errNothing) || err == nil && (exact && got != seq || l.number != number) {
		return "", fmt.Errorf("%w %d", ErrGone, number)
	}
	return l.id, err
}
