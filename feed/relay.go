package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// RelayOptions of a Relay.
type RelayOptions struct {
	// From is the feed that is copied: reading it is enough. The relay closes it.
	From *Client
	// To serves the copy. It must be a server of its own, on which nobody publishes.
	To *Server
	// Streams say how much the copy holds.
	Streams StreamOptions
	Log     *slog.Logger
}

// Relay copies a feed into the streams of another server, message by message, with the same
// sequences, so that who publishes has few readers only. It needs no more of the feed than
// any reader, hence relays of relays, and relays by anybody. It must be closed.
type Relay struct {
	opts   RelayOptions
	to     *Client
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// StartRelay starts a relay.
func StartRelay(ctx context.Context, opts RelayOptions) (*Relay, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	// Its own connection publishes, but makes no streams: those begin where the copy does.
	to, err := Dial(ctx, ClientOptions{ChainID: opts.From.opts.ChainID, Server: opts.To, Log: opts.Log})
	if err != nil {
		opts.From.Close()
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{opts: opts, to: to}
	ctx, r.cancel = context.WithCancel(context.Background())
	for _, k := range kinds {
		r.wg.Go(func() { r.keep(ctx, k) })
	}
	return r, nil
}

// Close stops copying. The server goes on with what it has.
func (r *Relay) Close() {
	r.cancel()
	r.opts.From.Close()
	r.wg.Wait()
	r.to.Close()
}

// keep copies a kind until ctx ends.
func (r *Relay) keep(ctx context.Context, k kind) {
	rest := leastPause
	for {
		began := time.Now()
		err := r.copy(ctx, k)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			rest = leastPause
		}
		r.opts.Log.Warn("relay: copying of the feed begins again", "kind", k, "err", err)
		if !pause(ctx, rest) {
			return
		}
		rest = min(2*rest, mostPause)
	}
}

// copy continues a copy, or begins one where the feed begins.
func (r *Relay) copy(ctx context.Context, k kind) error {
	last, err := r.length(ctx, k)
	if err != nil {
		return err
	}
	if last == 0 {
		return r.begin(ctx, k)
	}
	err = r.pump(ctx, k, last+1)
	if errors.Is(err, errPurged) || errors.Is(err, errRestarted) || errors.Is(err, ErrOvertaken) {
		// What follows does not fit behind what there is.
		return errors.Join(err, r.drop(ctx, k))
	}
	return err
}

// length is how far a copy has come. One that was not begun is made empty, so that readers
// are told that there is nothing yet.
func (r *Relay) length(ctx context.Context, k kind) (uint64, error) {
	stream, err := r.to.js.Stream(ctx, r.to.names.stream(k))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, r.create(ctx, k, 1)
	}
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.LastSeq, nil
}

func (r *Relay) create(ctx context.Context, k kind, first uint64) error {
	cfg := streamConfig(r.to.names, k, r.opts.Streams)
	cfg.FirstSeq = first
	if _, err := r.to.js.CreateStream(ctx, cfg); err != nil {
		return fmt.Errorf("stream of %ss: %w", k, err)
	}
	return nil
}

// drop gives a copy up.
func (r *Relay) drop(ctx context.Context, k kind) error {
	if err := r.to.js.DeleteStream(ctx, r.to.names.stream(k)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("give up the copy of %ss: %w", k, err)
	}
	return nil
}

// begin makes the stream of a copy begin where the feed does, when its first message is
// known.
func (r *Relay) begin(ctx context.Context, k kind) error {
	found := errors.New("found")
	var first uint64
	err := r.opts.From.read(ctx, k, 1, false, func(seq uint64, _ *nats.Msg) error {
		first = seq
		return found
	})
	if !errors.Is(err, found) {
		return err
	}
	if first > 1 {
		if err := r.drop(ctx, k); err != nil {
			return err
		}
		if err := r.create(ctx, k, first); err != nil {
			return err
		}
	}
	return r.pump(ctx, k, first)
}

// pump copies from a sequence on, which the copy has room for next.
func (r *Relay) pump(ctx context.Context, k kind, next uint64) error {
	w, err := r.to.newWriter(k, next-1)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.run(ctx) })
	defer wg.Wait()
	defer cancel()
	subject := r.to.names.publish(k)
	return r.opts.From.read(ctx, k, next, true, func(_ uint64, m *nats.Msg) error {
		l, err := readLabel(m.Header)
		if err != nil {
			return err
		}
		same := &nats.Msg{Subject: subject, Header: make(nats.Header), Data: m.Data}
		l.write(same.Header)
		return w.put(ctx, same)
	})
}
