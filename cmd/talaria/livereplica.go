package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/replica"
	"github.com/talaria-l2/talaria/rpc"
)

// Modes of a replica.
const (
	modeDiff    = "diff"
	modeExecute = "execute"
	modeDerive  = "derive"
)

// followFlags are the flags of who follows a feed.
func followFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return []cli.Flag{
		&cli.StringFlag{Name: "mode", Usage: "diff: apply the diffs of the feed; execute: execute its transactions and compare; derive: read L1 alone (default: diff with --feed-url, else derive)", Sources: env("MODE")},
		&cli.StringFlag{Name: "feed-url", Usage: "the leader's feed or a relay of it: nats://host:port or tls://host:port, several with commas between them", Sources: env("FEED_URL")},
		&cli.IntFlag{Name: "feed-connections", Value: 1, Usage: "over which mini-blocks are read at once, 1..8; each is taken from the one over which it comes first: 3 where packets are lost", Sources: env("FEED_CONNECTIONS")},
		&cli.StringFlag{Name: "feed-credentials", Usage: "file of who this node is there: name and password, the seed of an nkey, or NATS credentials (default: name and password or a seed in " + feedLogin + ", else anybody)", Sources: env("FEED_CREDENTIALS")},
		&cli.StringFlag{Name: "feed-tls-ca", Usage: "file of the authorities that its certificates are checked with, PEM (default: those of this machine)", Sources: env("FEED_TLS_CA")},
		&cli.StringFlag{Name: "leader-url", Usage: "JSON-RPC of the sequencer: transactions are handed over to it, and what the feed lacks is asked for (default: neither)", Sources: env("LEADER_URL")},
	}
}

// following is what the flags say of how a replica follows.
type following struct {
	mode      string
	leaderURL string
	client    feed.ClientOptions

	connections int // to the feed

	ingest replica.IngestOptions // without URL: none
}

// readFollowing reads the flags.
func readFollowing(c *cli.Command) (f following, err error) {
	f = following{mode: c.String("mode"), leaderURL: c.String("leader-url"), client: feed.ClientOptions{URL: c.String("feed-url")}, connections: c.Int("feed-connections")}
	if f.connections < 1 || f.connections > 8 {
		return f, usagef("--feed-connections %d: allowed is 1..8", f.connections)
	}
	feedURL := f.client.URL
	if f.mode == "" {
		if f.mode = modeDerive; feedURL != "" {
			f.mode = modeDiff
		}
	}
	switch f.mode {
	case modeDiff, modeExecute:
		if feedURL == "" {
			return f, usagef("--mode %s: needs --feed-url", f.mode)
		}
	case modeDerive:
		if feedURL != "" {
			return f, usagef("--mode derive: not with --feed-url")
		}
		if len(c.StringSlice("l1-url")) == 0 {
			return f, usagef("--l1-url or --feed-url is required")
		}
	default:
		return f, usagef("--mode %q: allowed are diff, execute and derive", f.mode)
	}
	if c.Bool("witness") && f.mode == modeDiff {
		return f, usagef("--witness: not with --mode diff: a witness is what executing a block reads, and a replica that applies diffs executes nothing (--mode execute records; without --witness debug_executionWitness executes a block when somebody asks)")
	}
	if f.leaderURL != "" {
		if u, err := url.Parse(f.leaderURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return f, usagef("--leader-url %q: want http://host:port or https://host:port", f.leaderURL)
		}
	}
	if err := f.readIngest(c); err != nil {
		return f, err
	}
	if feedURL == "" {
		return f, nil
	}
	if err := feed.CheckURL(feedURL); err != nil {
		return f, usagef("--feed-url: %w", err)
	}
	if f.client.Credentials, err = feedCredentials(c); err != nil {
		return f, err
	}
	f.client.TLS, err = feedAuthorities(c)
	return f, err
}

// follower is a replica of either kind, and what it offers to clients.
type follower struct {
	status func() rpc.SyncStatus
	ready  func() error                             // nil: always
	submit func(sends []rpc.Send) []*rpc.Submission // nil: no transactions are taken
	close  []func()
}

// Close stops what was started, last first.
func (f *follower) Close() {
	for i := len(f.close) - 1; i >= 0; i-- {
		f.close[i]()
	}
}

// follow starts a replica. source is nil without L1.
func (f *following) follow(ctx context.Context, n *node.Node, source l1feed.L1, resolver l1feed.Resolver, confirmations uint64, log *slog.Logger) (_ *follower, err error) {
	out := new(follower)
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	var leader *replica.Client
	if f.leaderURL != "" {
		leader = replica.NewClient(f.leaderURL)
		out.close = append(out.close, leader.Close)
	}
	if f.mode == modeDerive {
		r, err := replica.Start(n, replica.Options{L1: source, Resolver: resolver, Confirmations: confirmations, Log: log})
		if err != nil {
			return nil, err
		}
		out.status, out.close = r.Status, append(out.close, r.Close)
	} else {
		f.client.ChainID, f.client.Log = n.Config().ChainID, log
		var braid feed.Braid
		for range f.connections {
			client, err := feed.Dial(ctx, f.client)
			if err != nil {
				return nil, fmt.Errorf("%w (is --feed-url right, and does the sequencer run?)", err)
			}
			braid, out.close = append(braid, client), append(out.close, client.Close)
		}
		l, err := replica.StartLive(n, replica.LiveOptions{Feed: braid, Leader: leader, Execute: f.mode == modeExecute, L1: source, Resolver: resolver, Log: log})
		if err != nil {
			return nil, err
		}
		out.status, out.ready, out.close = l.Status, l.Ready, append(out.close, l.Close)
	}
	if to := f.forwarder(leader, n.Config().ChainID, log); to != nil {
		g := replica.NewGateway(n, to)
		out.submit, out.close = g.Submit, append(out.close, g.Close)
	}
	return out, nil
}
