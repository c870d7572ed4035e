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

// snapshotFlags are of who may serve snapshots.
func snapshotFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "snapshots", Usage: "serve snapshots of the state to new nodes, by the JSON-RPC's port, to whoever may use that; one is made when somebody asks, takes the disk for it and half of a processor meanwhile", Sources: cli.EnvVars("TALARIA_SNAPSHOTS")},
		&cli.DurationFlag{Name: "snapshot-every", Value: 10 * time.Minute, Usage: "how old a snapshot may be that is handed out, 1s and more; then a new one is made. With --snapshots", Sources: cli.EnvVars("TALARIA_SNAPSHOT_EVERY")},
	}
}

// snapshotOptions reads the flags; nil: no snapshots are served.
func snapshotOptions(c *cli.Command) (*snapshots.Options, error) {
	every := c.Duration("snapshot-every")
	switch {
	case !c.Bool("snapshots") && c.IsSet("snapshot-every"):
		return nil, usagef("--snapshot-every: needs --snapshots")
	case !c.Bool("snapshots"):
		return nil, nil
	case every < time.Second:
		return nil, usagef("--snapshot-every %v: allowed is 1s and more", every)
	}
	return &snapshots.Options{Every: every}, nil
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
