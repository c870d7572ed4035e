package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/store"
)

// serveFlags are those of everything that keeps data and serves it.
func serveFlags(listen string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "datadir", Usage: "directory of the data (required)", Sources: cli.EnvVars("TALARIA_DATADIR")},
		&cli.StringFlag{Name: "listen", Value: listen, Usage: "address and port of the HTTP interface; port 0: any free one", Sources: daEnv("LISTEN")},
		&cli.IntFlag{Name: "max-connections", Value: 256, Usage: "at a time, 1..100000", Sources: daEnv("MAX_CONNECTIONS")},
		&cli.IntFlag{Name: "max-per-address", Value: 64, Usage: "of them from one IPv4 address or IPv6 /64, 1..100000", Sources: daEnv("MAX_PER_ADDRESS")},
		&cli.IntFlag{Name: "max-rate", Value: 200, Usage: "requests a second of one IPv4 address or IPv6 /64, 1..1000000", Sources: daEnv("MAX_RATE")},
		&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when serving", Sources: cli.EnvVars("TALARIA_JSON")},
	}
}

func serveLimits(c *cli.Command) (da.Limits, error) {
	connections, each, rate := c.Int("max-connections"), c.Int("max-per-address"), c.Int("max-rate")
	if connections < 1 || connections > 100_000 || each < 1 || each > 100_000 || rate < 1 || rate > 1_000_000 {
		return da.Limits{}, usagef("--max-connections %d, --max-per-address %d, --max-rate %d: allowed are 1..100000, 1..100000 and 1..1000000", connections, each, rate)
	}
	return da.Limits{Connections: connections, PerAddress: each, RequestsPerSecond: rate}, nil
}

// dataServer is a running server.
type dataServer interface {
	URL() string
	Done() <-chan error // gives the reason when serving ends by itself
	Close() error
}

// serveDA opens the directory and the address of the flags, has open serve there, says so,
// with more, and waits. The listener is open's to close, with the server or at once.
func serveDA(ctx context.Context, c *cli.Command, what string, more map[string]any, open func(dir string, l net.Listener, limits da.Limits) (dataServer, error)) (err error) {
	if c.String("datadir") == "" {
		return usagef("--datadir is required")
	}
	limits, err := serveLimits(c)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.String("datadir"))
	if err != nil {
		return err
	}
	dir, err := store.OpenDir(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	listener, err := net.Listen("tcp", c.String("listen"))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken (choose another port with --listen, or 0 for any free one)", c.String("listen"))
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server, err := open(path, listener, limits)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if c.Bool("json") {
		more["url"], more["datadir"] = server.URL(), path
		err = printJSON(c.Root().Writer, more)
	} else {
		_, err = fmt.Fprintf(c.Root().Writer, "Talaria data-availability %s serves %s; Ctrl-C stops it\n", what, server.URL())
	}
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Done():
		return err
	}
}

func daServerCommand() *cli.Command {
	return &cli.Command{
		Name:  "da-server",
		Usage: "an alt-DA server of the OP Stack's interface on a directory",
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "max-body", Value: altda.DefaultMaxBytes, Usage: "bytes under one commitment, 1..1073741824", Sources: daEnv("MAX_BODY")},
			&cli.BoolFlag{Name: "generic", Usage: "answer POST /put with generic commitments (type 1)", Sources: daEnv("GENERIC")},
		}, serveFlags("127.0.0.1:3100")),
		Action: runDAServer,
	}
}

func runDAServer(ctx context.Context, c *cli.Command) error {
	if n := c.Int("max-body"); n < 1 || n > 1<<30 {
		return usagef("--max-body %d: allowed is 1..1073741824", n)
	}
	return serveDA(ctx, c, "server", map[string]any{}, func(path string, l net.Listener, limits da.Limits) (dataServer, error) {
		handler, err := altda.NewServer(altda.ServerOptions{Dir: filepath.Join(path, "data"), MaxBytes: c.Int("max-body"), Generic: c.Bool("generic")})
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		return da.Serve(l, handler, limits), nil
	})
}
