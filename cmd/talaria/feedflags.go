package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/feeder"
)

// feedLogin is the variable of what --feed-credentials may also hold.
const feedLogin = "TALARIA_FEED_LOGIN"

// feedFlags are the flags of who publishes a chain for other nodes.
func feedFlags(public bool) []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_FEED_" + name) }
	return []cli.Flag{
		&cli.IntFlag{Name: "feed-port", Value: 8547, Usage: "mini-blocks, blocks and witnesses for other nodes, over NATS (docs/spec/feed.md); 0: any free port, -1: none", Sources: env("PORT")},
		&cli.StringFlag{Name: "feed-host", Usage: "address to listen on for it (default: that of --host)", Sources: env("HOST")},
		&cli.BoolFlag{Name: "feed-public", Value: public, Usage: "anybody may read it, else users only", Sources: env("PUBLIC")},
		&cli.StringFlag{Name: "feed-users", Usage: "file of its users, one per line: publisher, attestor or reader, and name and password or a public nkey", Sources: env("USERS")},
		&cli.StringFlag{Name: "feed-tls-cert", Usage: "file of its certificate chain, PEM; the port then speaks TLS only", Sources: env("TLS_CERT")},
		&cli.StringFlag{Name: "feed-tls-key", Usage: "file of its private key, PEM", Sources: env("TLS_KEY")},
		&cli.StringFlag{Name: "feed-url", Usage: "publish to this NATS cluster with JetStream, and listen nowhere: nats://host:port or tls://host:port, several with commas between them", Sources: env("URL")},
		&cli.StringFlag{Name: "feed-credentials", Usage: "file of who this process is there: name and password, the seed of an nkey, or NATS credentials (default: name and password or a seed in " + feedLogin + ")", Sources: env("CREDENTIALS")},
		&cli.StringFlag{Name: "feed-tls-ca", Usage: "file of the authorities that its certificates are checked with, PEM (default: those of this machine)", Sources: env("TLS_CA")},
		&cli.IntFlag{Name: "feed-replicas", Value: 1, Usage: "servers of that cluster that hold each message, 1..5", Sources: env("REPLICAS")},
		&cli.Uint64Flag{Name: "feed-max-mb", Value: 1024, Usage: "MiB of mini-blocks that it holds, and again of witnesses, 16..1048576", Sources: env("MAX_MB")},
		&cli.DurationFlag{Name: "feed-max-age", Value: 24 * time.Hour, Usage: "how long it holds mini-blocks and witnesses, 1m..8760h", Sources: env("MAX_AGE")},
	}
}

// readFeed reads what a server of this process and a cluster have in common.
func readFeed(c *cli.Command) (*feeder.Options, error) {
	o := &feeder.Options{Host: c.String("feed-host"), Port: c.Int("feed-port"), Public: c.Bool("feed-public")}
	megabytes, age := c.Uint64("feed-max-mb"), c.Duration("feed-max-age")
	switch {
	case o.Port < -1 || o.Port > 65535:
		return nil, usagef("--feed-port %d: allowed is -1..65535", o.Port)
	case megabytes < 16 || megabytes > 1<<20:
		return nil, usagef("--feed-max-mb %d: allowed is 16..1048576", megabytes)
	case age < time.Minute || age > 8760*time.Hour:
		return nil, usagef("--feed-max-age %s: allowed is 1m..8760h", age)
	}
	o.Streams = feed.StreamOptions{MaxBytes: int64(megabytes) << 20, MaxAge: age}
	if o.Host == "" {
		o.Host = c.String("host")
	}
	return o, nil
}

// feedOptions reads the flags; nil: no feed.
func feedOptions(c *cli.Command) (*feeder.Options, error) {
	o, err := readFeed(c)
	if err != nil {
		return nil, err
	}
	if o.URL = c.String("feed-url"); o.URL != "" {
		return o, feedCluster(c, o)
	}
	for _, name := range []string{"feed-credentials", "feed-tls-ca", "feed-replicas"} {
		if c.IsSet(name) {
			return nil, usagef("--%s: needs --feed-url", name)
		}
	}
	if o.Port < 0 {
		return nil, nil
	}
	return o, feedServer(c, o)
}

// feedServer reads what a server of this process needs.
func feedServer(c *cli.Command, o *feeder.Options) (err error) {
	if path := c.String("feed-users"); path != "" {
		if o.Users, err = feed.LoadUsers(path); err != nil {
			return usagef("--feed-users: %w", err)
		}
	}
	cert, key := c.String("feed-tls-cert"), c.String("feed-tls-key")
	if cert == "" && key == "" {
		return nil
	}
	if cert == "" || key == "" {
		return usagef("--feed-tls-cert and --feed-tls-key belong together")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return usagef("--feed-tls-cert, --feed-tls-key: %w", err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return nil
}

// feedCluster reads what is needed to publish to --feed-url.
func feedCluster(c *cli.Command, o *feeder.Options) (err error) {
	for _, name := range []string{"feed-port", "feed-host", "feed-public", "feed-users", "feed-tls-cert", "feed-tls-key"} {
		if c.IsSet(name) {
			return usagef("--%s: not with --feed-url", name)
		}
	}
	if err := feed.CheckURL(o.URL); err != nil {
		return usagef("--feed-url: %w", err)
	}
	if o.Streams.Replicas = c.Int("feed-replicas"); o.Streams.Replicas < 1 || o.Streams.Replicas > 5 {
		return usagef("--feed-replicas %d: allowed is 1..5", o.Streams.Replicas)
	}
	if o.Credentials, err = feedCredentials(c); err != nil {
		return err
	}
	o.TLS, err = feedAuthorities(c)
	return err
}

// feedCredentials reads --feed-credentials, or its variable.
func feedCredentials(c *cli.Command) (feed.Credentials, error) {
	if path := c.String("feed-credentials"); path != "" {
		credentials, err := feed.LoadCredentials(path)
		if err != nil {
			return credentials, usagef("--feed-credentials: %w", err)
		}
		return credentials, nil
	}
	login := os.Getenv(feedLogin)
	if login == "" {
		return feed.Credentials{}, nil
	}
	credentials, err := feed.ParseCredentials(login)
	if err != nil {
		return credentials, usagef("%s: %w", feedLogin, err) // never what it holds
	}
	return credentials, nil
}

// feedAuthorities reads --feed-tls-ca; nil: those of the machine.
func feedAuthorities(c *cli.Command) (*tls.Config, error) {
	path := c.String("feed-tls-ca")
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--feed-tls-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usagef("--feed-tls-ca: %s holds no certificate", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// feedPortTaken says of an error that the feed's port is taken how to go on.
func feedPortTaken(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w (choose another with --feed-port, 0 for any free one, or -1 for none)", err)
	}
	return err
}
