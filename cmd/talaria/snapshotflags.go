package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/store"
)

// snapshotEveryFlag is of who serves snapshots.
func snapshotEveryFlag() cli.Flag {
	return &cli.DurationFlag{Name: "snapshot-every", Value: 10 * time.Minute, Usage: "how old a snapshot of the state may be that new nodes get by the JSON-RPC's port; one is made when somebody asks; 0: none are served", Sources: cli.EnvVars("TALARIA_SNAPSHOT_EVERY")}
}

// snapshotOptions reads the flag; nil: no snapshots are served.
func snapshotOptions(c *cli.Command) (*snapshots.Options, error) {
	switch every := c.Duration("snapshot-every"); {
	case every == 0:
		return nil, nil
	case every < time.Second:
		return nil, usagef("--snapshot-every %v: allowed is 0, or 1s and more", every)
	default:
		return &snapshots.Options{Every: every}, nil
	}
}

// snapshotURLFlag is of who begins with one.
func snapshotURLFlag() cli.Flag {
	return &cli.StringFlag{Name: "snapshot-url", Usage: "JSON-RPC of any node: a new datadir begins with a snapshot of its state, which is checked against what the leader signed (default: with the beginning of the chain)", Sources: cli.EnvVars("TALARIA_SNAPSHOT_URL")}
}

// loadSnapshot fills a new data directory from the node that the flag names; one that
// holds a chain stays as it is.
func loadSnapshot(ctx context.Context, c *cli.Command, dir *store.Dir, given *chain.Genesis, log *slog.Logger) error {
	from := c.String("snapshot-url")
	if from == "" {
		return nil
	}
	genesis, err := node.ReadGenesis(dir)
	if err != nil {
		return err
	}
	if genesis == nil {
		genesis = given
	}
	if genesis == nil {
		return errors.New("--snapshot-url: needs --genesis for a new data directory")
	}
	return snapshots.Load(ctx, dir, snapshots.LoadOptions{URL: from, Genesis: genesis, Log: log})
}

// checkSnapshotURL checks the flag.
func checkSnapshotURL(c *cli.Command) error {
	from := c.String("snapshot-url")
	if from == "" {
		return nil
	}
	if u, err := url.Parse(from); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usagef("--snapshot-url %q: want http://host:port or https://host:port", from)
	}
	if c.String("feed-url") == "" {
		return usagef("--snapshot-url: needs --feed-url: L1 alone is read from the beginning")
	}
	if len(c.StringSlice("l1-url")) > 0 {
		return usagef("--snapshot-url: not with --l1-url: what L1 holds is compared from the beginning of the chain on")
	}
	return nil
}
