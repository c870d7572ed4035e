package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

var (
	// errPurged says that a message is not held any more.
	errPurged = errors.New("the stream begins behind it")
	// errRestarted says that a stream is shorter than what was read of it.
	errRestarted = errors.New("the stream has begun anew")
	errNothing   = errors.New("no such message")
	// errMissed says that a stored message did not reach who asked for it.
	errMissed = errors.New("a stored message did not arrive")
)

const (
	// Bounds of what waits in memory for a reader who is slow. What does not fit is fetched
	// again when its turn comes.
	maxLive      = 8192
	maxLiveBytes = 32 << 20
	// fetchBatch and fetchBytes are asked for at once.
	fetchBatch = maxBatch
	fetchBytes = maxBatchBytes
	// lookAfter is for how long nothing may come before the stream is looked at.
	lookAfter = 2 * time.Second
	// Pauses after a failure.
	leastPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second
)

// read calls f with the messages of a stream from next on, in order, without a gap and each
// once, until ctx ends or f fails. Live messages come by subscription; what was stored
// before, or was missed, is fetched. exact: errPurged if next is not held any more; else it
// begins with the first that is.
func (c *Client) read(ctx context.Context, k kind, next uint64, exact bool, f func(seq uint64, m *nats.Msg) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	r := &reading{c: c, k: k, next: next, exact: exact, f: f, live: make(chan *nats.Msg)}
	sub, err := c.nc.Subscribe(c.names.live(k), func(m *nats.Msg) {
		select {
		case r.live <- m:
		case <-ctx.Done():
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(maxLive, maxLiveBytes)
	}
	if err != nil {
		return fmt.Errorf("feed: subscribe to %ss: %w", k, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	err = r.run(ctx)
	var called *callError
	if errors.As(err, &called) {
		return called.err
	}
	if c.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errClosed
	}
	return err
}

// reading is a call of read.
type reading struct {
	c     *Client
	k     kind
	next  uint64
	exact bool
	f     func(uint64, *nats.Msg) error
	live  chan *nats.Msg
	short int // how often in turn the stream was found too short
}

func (r *reading) run(ctx context.Context) error {
	changed := r.c.change()
	idle := time.NewTimer(lookAfter)
	defer idle.Stop()
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	for {
		before := r.next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-r.live:
			if err := r.take(ctx, m); err != nil {
				return err
			}
		case <-changed:
			changed = r.c.change()
			if err := r.catchUp(ctx); err != nil {
				return err
			}
		case <-idle.C:
			if err := r.look(ctx); err != nil {
				return err
			}
			idle.Reset(lookAfter)
		}
		if r.next != before {
			r.short = 0
			idle.Reset(lookAfter)
		}
	}
}

// take takes a live message.
func (r *reading) take(ctx context.Context, m *nats.Msg) error {
	seq, err := sequence(m)
	if err != nil || seq < r.next {
		return nil // somebody's noise, or it was fetched
	}
	if seq > r.next || !r.exact {
		if err := r.catchUp(ctx); err != nil || seq < r.next {
			return err
		}
		if seq > r.next { // a server that lags was asked
			return nil
		}
	}
	return r.give(seq, m)
}

func (r *reading) give(seq uint64, m *nats.Msg) error {
	if err := r.f(seq, m); err != nil {
		return &callError{err}
	}
	r.next, r.exact = seq+1, true
	return nil
}

// callError is what f returned.
type callError struct{ err error }

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// catchUp fetches up to where the stream ended when its server was asked: what came later
// comes live, as the subscription is older. To fetch until nothing is there would never end
// where messages come faster than answers. It tries until it can.
func (r *reading) catchUp(ctx context.Context) error {
	rest := leastPause
	for {
		bytes := 0
		n, err := r.c.fetch(ctx, r.k, getRequest{Seq: r.next, Batch: fetchBatch, MaxBytes: fetchBytes}, func(seq uint64, m *nats.Msg) error {
			bytes += m.Size()
			return r.fetched(seq, m)
		})
		var called *callError
		switch {
		case errors.As(err, &called):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errPurged):
			return err
		case errors.Is(err, errMissed) && n > 0:
			rest = leastPause
		case err != nil:
			r.c.log.Debug("feed: stored messages", "of", r.k, "from", r.next, "err", err)
			if !pause(ctx, rest) {
				return ctx.Err()
			}
			rest = min(2*rest, mostPause)
		case n < fetchBatch && bytes+maxPayload <= fetchBytes:
			return nil
		default:
			rest = leastPause
		}
	}
}

func (r *reading) fetched(seq uint64, m *nats.Msg) error {
	if seq > r.next && r.exact {
		return errPurged
	}
	return r.give(seq, m)
}

// look catches up when nothing has come for a while, and sees whether the stream is still
// the one that was read.
func (r *reading) look(ctx context.Context) error {
	before := r.next
	if err := r.catchUp(ctx); err != nil || r.next != before || !r.exact {
		return err
	}
	last := uint64(0)
	seq, _, err := r.c.newest(ctx, r.k)
	if err == nil {
		last = seq
	}
	if err != nil && !errors.Is(err, errNothing) || last+1 >= r.next {
		r.short = 0
		return nil
	}
	// The oldest may have gone so that none is left, or a server that lags was asked.
	if r.short++; r.short < 3 || last == 0 {
		return nil
	}
	return fmt.Errorf("%w: it has %d messages, %d were read", errRestarted, last, r.next-1)
}

// fetch asks for stored messages and calls f with each. n is how many came.
func (c *Client) fetch(ctx context.Context, k kind, req getRequest, f func(uint64, *nats.Msg) error) (n int, err error) {
	data, err := json.Marshal(&req)
	if err != nil {
		return 0, err
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	direct := c.direct.Load()
	subject := c.names.get(k)
	if direct {
		subject = c.names.direct(k)
	}
	if err := c.nc.PublishRequest(subject, inbox, data); err != nil {
		return 0, err
	}
	next := uint64(0)
	for {
		once, cancel := context.WithTimeout(ctx, requestTimeout)
		m, err := sub.NextMsgWithContext(once)
		cancel()
		if err != nil {
			// Nobody limits requests here, or, after a while without an answer, it was only
			// that the server was starting, and readers may not ask JetStream.
			c.direct.Store(!direct && errors.Is(err, nats.ErrNoResponders))
			return n, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404":
			return n, nil
		case "503":
			c.direct.Store(!direct)
			return n, nats.ErrNoResponders
		default:
			return n, fmt.Errorf("stored messages: status %s %s", status, m.Header.Get("Description"))
		}
		seq, err := sequence(m)
		if err != nil {
			return n, err
		}
		if next != 0 && seq != next {
			return n, errMissed
		}
		if err := f(seq, m); err != nil {
			return n, err
		}
		n, next = n+1, seq+1
		if req.Batch == 0 {
			return n, nil
		}
	}
}

// newest is the last message of a stream; errNothing if there is none.
func (c *Client) newest(ctx context.Context, k kind) (uint64, *nats.Msg, error) {
	return c.one(ctx, k, getRequest{Last: c.names.publish(k)})
}

// first is the first message of a stream from seq on; errNothing if there is none.
func (c *Client) first(ctx context.Context, k kind, seq uint64) (uint64, *nats.Msg, error) {
	return c.one(ctx, k, getRequest{Seq: seq, Batch: 1})
}

func (c *Client) one(ctx context.Context, k kind, req getRequest) (seq uint64, m *nats.Msg, err error) {
	_, err = c.fetch(ctx, k, req, func(s uint64, got *nats.Msg) error {
		seq, m = s, got
		return nil
	})
	if err == nil && m == nil {
		err = errNothing
	}
	return seq, m, err
}
