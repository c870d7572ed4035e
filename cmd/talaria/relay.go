package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/feed"
)

func relayCommand() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_FEED_" + name) }
	own := feedFlags(true)
	return &cli.Command{
		Name:  "relay",
		Usage: "serve a chain's feed to many, from one connection to another's",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the copy; the same one continues it (required)", Sources: cli.EnvVars("TALARIA_DATADIR")},
			&cli.Uint64Flag{Name: "chain-id", Usage: "chain id of the L2 (required)", Sources: cli.EnvVars("TALARIA_CHAIN_ID")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: cli.EnvVars("TALARIA_HOST")},
			&cli.StringFlag{Name: "from", Usage: "the feed that is copied: nats://host:port or tls://host:port, several with commas between them (required)", Sources: env("FROM")},
			&cli.IntFlag{Name: "max-connections", Value: 1024, Usage: "readers at once, 1..65536", Sources: env("MAX_CONNECTIONS")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when ready", Sources: cli.EnvVars("TALARIA_JSON")},
			logFlag(),
		}, slices.DeleteFunc(own, func(f cli.Flag) bool { return slices.Contains([]string{"feed-url", "feed-replicas"}, f.Names()[0]) })),
		Action: runRelay,
	}
}

func runRelay(ctx context.Context, c *cli.Command) error {
	chainID, from := c.Uint64("chain-id"), c.String("from")
	switch n := c.Int("max-connections"); {
	case c.String("datadir") == "":
		return usagef("--datadir is required")
	case chainID == 0:
		return usagef("--chain-id is required")
	case from == "":
		return usagef("--from is required")
	case n < 1 || n > 65_536:
		return usagef("--max-connections %d: allowed is 1..65536", n)
	}
	if err := feed.CheckURL(from); err != nil {
		return usagef("--from: %w", err)
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	o, err := readFeed(c)
	if err != nil {
		return err
	}
	if o.Port < 0 {
		return usagef("--feed-port %d: allowed is 0..65535", o.Port)
	}
	if err := feedServer(c, o); err != nil {
		return err
	}
	source := feed.ClientOptions{ChainID: chainID, URL: from, Log: log}
	if source.Credentials, err = feedCredentials(c); err != nil {
		return err
	}
	if source.TLS, err = feedAuthorities(c); err != nil {
		return err
	}
	dir, err := filepath.Abs(c.String("datadir"))
	if err != nil {
		return err
	}
	server, err := feed.StartServer(feed.ServerOptions{
		ChainID: chainID, Dir: dir, Host: o.Host, Port: o.Port, TLS: o.TLS, Users: o.Users, Public: o.Public,
		MaxConnections: c.Int("max-connections"), Log: log,
	})
	if err != nil {
		return feedPortTaken(err)
	}
	defer server.Close()
	client, err := feed.Dial(ctx, source)
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	relay, err := feed.StartRelay(ctx, feed.RelayOptions{From: client, To: server, Streams: o.Streams, Log: log})
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	defer relay.Close()
	if err := announceRelay(c, server.URL(), chainID, dir); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func announceRelay(c *cli.Command, url string, chainID uint64, dir string) error {
	out := c.Root().Writer
	if !c.Bool("json") {
		_, err := fmt.Fprintf(out, "Talaria relay of chain %d serves the feed at %s; Ctrl-C stops it\n", chainID, url)
		return err
	}
	line, err := json.Marshal(map[string]any{"chainId": chainID, "feedUrl": url, "datadir": dir})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
