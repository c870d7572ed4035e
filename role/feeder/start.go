package feeder

import (
	"context"
	"crypto/tls"
	"log/slog"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/telemetry"
)

// Options of a Feeder.
type Options struct {
	ChainID uint64
	// URL of a cluster to publish to; empty: a server of this process.
	URL         string
	Credentials feed.Credentials // for URL
	Streams     feed.StreamOptions
	// TLS is the server's, or what URL is reached with. nil: in the clear, or the machine's
	// roots.
	TLS *tls.Config

	// Of the server of this process:
	Dir  string // of its streams
	Host string
	Port int // 0: any free one
	// Users may connect besides this process. Public lets anybody read.
	Users  []feed.User
	Public bool

	Metrics *telemetry.Metrics // nil: none
	Log     *slog.Logger       // nil: slog.Default()
}

// Start begins to publish what n publishes. A server of this process takes connections when
// it returns; a cluster by URL is tried until it can be reached.
func Start(ctx context.Context, n Node, opts Options) (*Feeder, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	client := feed.ClientOptions{ChainID: opts.ChainID, Publish: &opts.Streams, Metrics: opts.Metrics, Log: opts.Log}
	connect := func(ctx context.Context) (Sink, error) {
		c, err := feed.Dial(ctx, client)
		if err != nil {
			return nil, err // no interface with a nil in it
		}
		return c, nil
	}
	if opts.URL != "" {
		if err := feed.CheckURL(opts.URL); err != nil {
			return nil, err
		}
		client.URL, client.Credentials, client.TLS = opts.URL, opts.Credentials, opts.TLS
		f := begin(n, connect, opts.Metrics, opts.Log)
		f.url, f.reader = opts.URL, client
		return f, nil
	}
	server, err := feed.StartServer(feed.ServerOptions{
		ChainID: opts.ChainID, Dir: opts.Dir, Host: opts.Host, Port: opts.Port, TLS: opts.TLS, Users: opts.Users, Public: opts.Public, Log: opts.Log,
	})
	if err != nil {
		return nil, err
	}
	client.Server = server
	sink, err := connect(ctx) // its streams are there when readers may come
	if err != nil {
		server.Close()
		return nil, err
	}
	f := begin(n, func(context.Context) (Sink, error) { return sink, nil }, opts.Metrics, opts.Log)
	f.closer, f.url, f.reader = server.Close, server.URL(), client
	return f, nil
}

// URL is where the feed is read.
func (f *Feeder) URL() string { return f.url }
