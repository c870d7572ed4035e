package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrOvertaken says that somebody else has published, or that the stream lost something:
// what it ends with is not what this publisher published last. Resume tells where it is.
var ErrOvertaken = errors.New("the feed does not end with what was published last")

// writer appends messages to a stream in order: every message says how long the stream must
// be for it to be taken (Nats-Expected-Last-Sequence), so that none is taken before the one
// in front of it, none twice, and none beside another publisher's. Many are on the way at
// once. When one is refused or lost, the writer looks where the stream ends and goes on
// behind it.
//
// JetStream's own deduplication by message id forgets after a time, and would drop a branch
// of the chain that comes back.
type writer struct {
	c     *Client
	k     kind
	sub   *nats.Subscription
	inbox string
	acks  chan *nats.Msg
	in    chan *nats.Msg
	idle  chan chan struct{} // asks to be told when nothing is on the way
	done  chan struct{}
	err   error // why it ended, once done is closed

	base   uint64 // length of the stream before sent[0]
	sent   []*nats.Msg
	bytes  int
	round  uint64 // acknowledgements of earlier rounds count no more
	synced bool   // sent is on the way, in this round
	flush  []chan struct{}
	// shortSince is since when the stream is shorter than it was: a leader that is new may
	// still have to read what it holds.
	shortSince time.Time
}

const (
	// maxSent and maxSentBytes bound what is on the way.
	maxSent      = 128
	maxSentBytes = 8 << 20
	// ackTimeout is how long the oldest may be on the way before the stream is looked at.
	ackTimeout = 3 * time.Second
	// syncPause is between two looks, while there is no connection or no leader.
	syncPause = 50 * time.Millisecond
	// shortTimeout is how long a stream may be shorter than it was.
	shortTimeout = 5 * time.Second
)

// newWriter begins behind the stream's message base.
func (c *Client) newWriter(k kind, base uint64) (*writer, error) {
	w := &writer{
		c: c, k: k, base: base, inbox: c.nc.NewInbox(), synced: true,
		acks: make(chan *nats.Msg, 2*maxSent), in: make(chan *nats.Msg), idle: make(chan chan struct{}), done: make(chan struct{}),
	}
	var err error
	if w.sub, err = c.nc.ChanSubscribe(w.inbox+".*.*", w.acks); err != nil {
		return nil, fmt.Errorf("feed: acknowledgements: %w", err)
	}
	return w, nil
}

// put hands a message over. It blocks while too much is on the way.
func (w *writer) put(ctx context.Context, m *nats.Msg) error {
	select {
	case w.in <- m:
		return nil
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when everything that was put is in the stream.
func (w *writer) wait(ctx context.Context) error {
	told := make(chan struct{})
	for ask := w.idle; ; ask = nil {
		select {
		case ask <- told:
		case <-told:
			return nil
		case <-w.done:
			return w.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run appends until ctx ends or it is overtaken.
func (w *writer) run(ctx context.Context) {
	defer close(w.done)
	defer func() { _ = w.sub.Unsubscribe() }()
	if w.err = w.loop(ctx); w.err == nil {
		w.err = context.Cause(ctx)
	}
}

func (w *writer) loop(ctx context.Context) error {
	changed := w.c.change()
	late := time.NewTimer(ackTimeout)
	defer late.Stop()
	for {
		if !w.synced {
			if err := w.sync(ctx); err != nil {
				return err
			}
			changed = w.c.change()
			late.Reset(ackTimeout)
		}
		in := w.in
		if len(w.sent) >= maxSent || w.bytes >= maxSentBytes {
			in = nil
		}
		if len(w.sent) == 0 {
			late.Reset(ackTimeout)
			for _, told := range w.flush {
				close(told)
			}
			w.flush = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			w.sent, w.bytes = append(w.sent, m), w.bytes+len(m.Data)
			w.send(len(w.sent) - 1)
		case a := <-w.acks:
			if w.acknowledged(a) {
				late.Reset(ackTimeout)
			}
		case told := <-w.idle:
			w.flush = append(w.flush, told)
		case <-changed:
			w.synced = len(w.sent) == 0
			changed = w.c.change()
		case <-late.C:
			w.synced = len(w.sent) == 0
			late.Reset(ackTimeout)
		}
	}
}

// send publishes a message that is or was on the way.
func (w *writer) send(i int) {
	m := w.sent[i]
	expected := strconv.FormatUint(w.base+uint64(i), 10)
	m.Header.Set(headerExpected, expected)
	m.Reply = w.inbox + "." + strconv.FormatUint(w.round, 10) + "." + expected
	if err := w.c.nc.PublishMsg(m); err != nil {
		w.synced = false
	}
}

// ack is JetStream's answer to a publication.
type ack struct {
	Seq   uint64 `json:"seq"`
	Error *struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

// acknowledged takes in an answer; true if it says that something is in the stream. With a
// message those in front of it are.
func (w *writer) acknowledged(m *nats.Msg) bool {
	if round, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, w.inbox+"."), "."); round != strconv.FormatUint(w.round, 10) {
		return false
	}
	var a ack
	if len(m.Data) == 0 || json.Unmarshal(m.Data, &a) != nil || a.Error != nil || a.Seq <= w.base || a.Seq > w.base+uint64(len(w.sent)) {
		w.synced = false
		return false
	}
	w.forget(a.Seq)
	return true
}

// forget drops what the stream holds up to seq.
func (w *writer) forget(seq uint64) {
	n := int(seq - w.base)
	for _, m := range w.sent[:n] {
		w.bytes -= len(m.Data)
	}
	clear(w.sent[:n])
	w.sent, w.base = w.sent[n:], seq
}

// sync finds out how much of what was sent is in the stream, and sends the rest again.
func (w *writer) sync(ctx context.Context) error {
	for {
		last, err := w.end(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, ErrOvertaken) {
				return err
			}
			w.c.log.Debug("feed: end of the stream", "of", w.k, "err", err)
			if !pause(ctx, syncPause) {
				return nil
			}
			continue
		}
		w.forget(last)
		w.round++
		w.synced = true
		for i := range w.sent {
			if w.send(i); !w.synced {
				break
			}
		}
		if w.synced {
			return nil
		}
		if !pause(ctx, syncPause) {
			return nil
		}
	}
}

// end is the length of the stream, which must end with something sent or with what was
// there before.
func (w *writer) end(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := w.c.js.Stream(ctx, w.c.names.stream(w.k))
	if err != nil {
		return 0, err
	}
	last := stream.CachedInfo().State.LastSeq
	if last >= w.base {
		w.shortSince = time.Time{}
	} else if w.shortSince.IsZero() {
		w.shortSince = time.Now()
	}
	switch {
	case last == w.base:
		return last, nil
	case last < w.base && time.Since(w.shortSince) < shortTimeout:
		return 0, fmt.Errorf("it has %d messages, and had %d", last, w.base)
	case last < w.base || last > w.base+uint64(len(w.sent)):
		return 0, fmt.Errorf("%w: %d messages, %d were published before", ErrOvertaken, last, w.base)
	}
	m, err := stream.GetMsg(ctx, last)
	if err != nil {
		return 0, err
	}
	want := w.sent[last-w.base-1]
	if m.Header.Get(headerID) != want.Header.Get(headerID) || m.Header.Get(headerPart) != want.Header.Get(headerPart) {
		return 0, fmt.Errorf("%w: message %d is %s, not %s", ErrOvertaken, last, m.Header.Get(headerID), want.Header.Get(headerID))
	}
	return last, nil
}

// isAbsent reports whether the message or stream is not there.
func isAbsent(err error) bool {
	return errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}
