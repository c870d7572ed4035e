package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/talaria-l2/talaria/telemetry"
)

// ClientOptions of a Client.
type ClientOptions struct {
	ChainID uint64
	// URL of one or more servers of one feed, with commas between them:
	// nats://host:port, tls://host:port.
	URL string
	// Server is one of this process, in place of a URL and credentials.
	Server      *Server
	Credentials Credentials
	TLS         *tls.Config // nil: the machine's roots, where the URL says tls
	// Publish makes a publisher: the streams are made, or changed, to be so. nil: the
	// client reads, and may publish attestations.
	Publish *StreamOptions
	Metrics *telemetry.Metrics // nil: none
	Log     *slog.Logger       // nil: none
}

// StreamOptions say how much a feed holds.
type StreamOptions struct {
	Replicas int           // servers of a cluster that hold each message, 1, 3 or 5 [1]
	MaxBytes int64         // of mini-blocks, and again of witnesses [1 GiB]
	MaxAge   time.Duration // of mini-blocks and witnesses [24 h]
}

const (
	defaultMaxBytes = 1 << 30
	defaultMaxAge   = 24 * time.Hour
	// Blocks and attestations are small, and of use for longer.
	smallMaxBytes = 256 << 20
	smallMaxAge   = 30 * 24 * time.Hour

	dialTimeout    = 5 * time.Second
	requestTimeout = 2 * time.Second
	// streamsTimeout is how long a cluster may take to agree on its streams.
	streamsTimeout = 20 * time.Second
)

// Client is a connection to a feed. It connects again by itself, for ever. It is a Source
// and, with the right credentials, a Sink. It must be closed.
type Client struct {
	opts  ClientOptions
	names subjects
	log   *slog.Logger
	nc    *nats.Conn
	js    jetstream.JetStream

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when the connection comes or goes
	sinks   [len(kinds)]*sink

	// direct is set where nobody serves stored messages within limits: on a cluster that is
	// not of our servers.
	direct atomic.Bool
}

var (
	_ Source = (*Client)(nil)
	_ Sink   = (*Client)(nil)
)

// Dial connects to a feed.
func Dial(ctx context.Context, opts ClientOptions) (*Client, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{opts: opts, names: subjects{opts.ChainID}, log: opts.Log, changed: make(chan struct{})}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if err := c.dial(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) dial(ctx context.Context) error {
	options := []nats.Option{
		nats.Name("talaria"), nats.Timeout(dialTimeout), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(50*time.Millisecond, 200*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2), nats.IgnoreAuthErrorAbort(), nats.NoCallbacksAfterClientClose(),
		nats.ReconnectHandler(func(*nats.Conn) { c.connectionChanged() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.connectionChanged()
			c.log.Debug("connection to the feed is lost; it is tried again", "err", err)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.log.Debug("feed connection", "err", err) }),
	}
	if c.opts.Publish != nil {
		options = append(options, nats.CustomInboxPrefix(publisherPrefix))
	}
	if c.opts.Server != nil {
		options = append(options, c.opts.Server.own()...)
	} else {
		credentials, err := c.opts.Credentials.options()
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		options = append(options, credentials...)
		if c.opts.TLS != nil {
			options = append(options, nats.Secure(c.opts.TLS))
		}
	}
	var err error
	if c.nc, err = nats.Connect(c.opts.URL, options...); err != nil {
		return fmt.Errorf("connect to the feed at %s: %w", c.opts.URL, err)
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if c.opts.Publish != nil {
		if err := c.makeStreams(ctx); err != nil {
			return fmt.Errorf("feed at %s: %w", c.opts.URL, err)
		}
	}
	return c.findHistory(ctx)
}

// findHistory finds out who answers requests for stored messages.
func (c *Client) findHistory(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // where nobody is, that is known at once
	defer cancel()
	_, err := c.nc.RequestWithContext(once, c.names.get(miniBlocks), []byte(`{"last_by_subj":"newest"}`))
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		c.direct.Store(true)
	case err != nil && once.Err() == nil:
		return fmt.Errorf("feed at %s: %w", c.opts.URL, err)
	}
	return nil // who does not answer now may do so later
}

// makeStreams makes the streams what they should be. In a cluster that starts it waits
// until there is a leader.
func (c *Client) makeStreams(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, streamsTimeout)
	defer cancel()
	for _, k := range kinds {
		for {
			once, cancel := context.WithTimeout(ctx, requestTimeout)
			_, err := c.js.CreateOrUpdateStream(once, streamConfig(c.names, k, *c.opts.Publish))
			cancel()
			if err == nil {
				break
			}
			var refused *jetstream.APIError
			if errors.As(err, &refused) && refused.Code < 500 {
				return fmt.Errorf("stream of %ss: %w", k, err)
			}
			if !pause(ctx, 200*time.Millisecond) {
				return fmt.Errorf("stream of %ss: %w (does the server have JetStream, and may this user use it?)", k, err)
			}
		}
	}
	return nil
}

func streamConfig(names subjects, k kind, o StreamOptions) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name: names.stream(k), Subjects: []string{names.publish(k)}, Replicas: max(o.Replicas, 1), MaxConsumers: -1, MaxMsgs: -1,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		AllowDirect: true, MaxMsgSize: maxPayload, Duplicates: 2 * time.Minute,
		RePublish: &jetstream.RePublish{Source: names.publish(k), Destination: names.live(k)},
		MaxBytes:  smallMaxBytes, MaxAge: smallMaxAge,
	}
	if k == miniBlocks || k == witnesses {
		cfg.MaxBytes, cfg.MaxAge = defaultMaxBytes, defaultMaxAge
		if o.MaxBytes > 0 {
			cfg.MaxBytes = o.MaxBytes
		}
		if o.MaxAge > 0 {
			cfg.MaxAge = o.MaxAge
		}
	}
	return cfg
}

// connectionChanged wakes whoever waits for messages or acknowledgements: some may be lost.
func (c *Client) connectionChanged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// change is closed when the connection next comes or goes.
func (c *Client) change() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// URL is that of the feed, without what is secret.
func (c *Client) URL() string {
	if c.opts.Server != nil {
		return c.opts.Server.URL()
	}
	return c.opts.URL
}

// CheckURL refuses what is no list of servers, and passwords in it.
func CheckURL(list string) error {
	for _, one := range strings.Split(list, ",") {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(one), "://")
		switch {
		case !ok || rest == "" || scheme != "nats" && scheme != "tls":
			return fmt.Errorf("feed URL: allowed nats://host:port and tls://host:port, several with commas between them")
		case strings.Contains(rest, "@"):
			return fmt.Errorf("feed URL: credentials do not belong into it (give them by file or environment)")
		}
	}
	return nil
}

// Close ends the connection and waits for what was started. What is queued is given up;
// Flush waits for it.
func (c *Client) Close() {
	c.stop()
	c.mu.Lock()
	sinks := c.sinks
	c.mu.Unlock()
	for _, s := range sinks {
		if s != nil {
			<-s.done
		}
	}
	if c.nc != nil {
		c.nc.Close()
	}
	c.wg.Wait()
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
