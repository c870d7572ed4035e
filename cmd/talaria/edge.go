package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/replica"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/rpc/ingest"
)

// replicaKey is the variable of a replica's key.
const replicaKey = "REPLICA_KEY"

// edgeFlags say how a replica takes transactions and hands them over.
func edgeFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return append([]cli.Flag{
		&cli.StringFlag{Name: "leader-ingest", Usage: "raw ingest of the sequencer, tcp://host:port or tls://host:port: transactions are handed over there, with their senders, instead of by JSON-RPC; with a key as the replica that the sequencer may trust (its --trusted-replica)", Sources: env("LEADER_INGEST")},
		&cli.BoolFlag{Name: "leader-ingest-insecure", Usage: "prove who this replica is over tcp:// also to a --leader-ingest on another machine: whoever is taken for it can then be taken for this replica", Sources: env("LEADER_INGEST_INSECURE")},
		&cli.StringFlag{Name: "leader-api-key", Usage: "API key of the sequencer's raw ingest, if it asks for one", Sources: env("LEADER_API_KEY")},
		&cli.IntFlag{Name: "ingest-port", Value: -1, Usage: "raw transactions over TCP, handed over to the sequencer; 0: any free port, -1: none", Sources: env("INGEST_PORT")},
	}, accountFlags(replicaKey, "the replica, as which it hands transactions over to --leader-ingest")...)
}

// checkEdge refuses flags that would do nothing.
func checkEdge(c *cli.Command) error {
	for _, name := range []string{"key-file", "leader-api-key"} {
		if c.String(name) != "" && c.String("leader-ingest") == "" {
			return usagef("--%s: needs --leader-ingest", name)
		}
	}
	if c.Bool("leader-ingest-insecure") && !strings.HasPrefix(c.String("leader-ingest"), "tcp://") {
		return usagef("--leader-ingest-insecure: needs --leader-ingest tcp://host:port")
	}
	switch p := c.Int("ingest-port"); {
	case p < -1 || p > 65535:
		return usagef("--ingest-port %d: allowed is -1..65535", p)
	case p >= 0 && c.String("leader-ingest") == "" && c.String("leader-url") == "":
		return usagef("--ingest-port: needs --leader-ingest or --leader-url")
	}
	return nil
}

// readIngest reads how transactions are handed over, and as whom.
func (f *following) readIngest(c *cli.Command) error {
	at := c.String("leader-ingest")
	named := c.String("key-file") != "" || os.Getenv("TALARIA_"+replicaKey) != ""
	switch u, err := url.Parse(at); {
	case at == "":
		return nil
	case err != nil || u.Scheme != "tcp" && u.Scheme != "tls" || u.Port() == "":
		return usagef("--leader-ingest %q: want tcp://host:port or tls://host:port", at)
	}
	f.ingest.URL, f.ingest.APIKey = at, c.String("leader-api-key")
	f.ingest.SignInClear = c.Bool("leader-ingest-insecure")
	if !named {
		if f.ingest.SignInClear {
			return usagef("--leader-ingest-insecure: needs the replica's key (--key-file)")
		}
		return nil
	}
	key, err := accountKey(c, replicaKey)
	if err != nil {
		return err
	}
	f.ingest.Sign = func(digest common.Hash) ([]byte, error) { return crypto.Sign(digest[:], key) }
	return nil
}

// forwarder hands transactions over; nil: nothing is.
func (f *following) forwarder(leader *replica.Client, chainID uint64, log *slog.Logger) replica.Forwarder {
	if f.ingest.URL != "" {
		f.ingest.ChainID, f.ingest.Log = chainID, log
		return replica.NewIngestForwarder(f.ingest)
	}
	if leader != nil {
		return replica.NewRPCForwarder(leader)
	}
	return nil
}

// serveIngest serves the raw way in for transactions at --ingest-port, to those whom the RPC
// serves, and returns where and how to stop; empty: the flag says no.
func serveIngest(c *cli.Command, b *node.Backend, serving rpc.Options, log *slog.Logger) (at string, stop func() error, err error) {
	number := c.Int("ingest-port")
	if c.Name != replicaName || number < 0 {
		return "", func() error { return nil }, nil
	}
	listener, err := listenOn(c.String("host"), "ingest-port", number)
	if err != nil {
		return "", nil, err
	}
	cfg := b.Config()
	o := ingest.Options{ChainID: cfg.ChainID, MaxTxBytes: cfg.MaxTxBytes, Authorize: serving.Authorize, Log: log}
	at = "tcp://" + listener.Addr().String()
	if serving.TLS != nil {
		o.TLS, at = serving.TLS.Clone(), "tls://"+listener.Addr().String()
		o.TLS.NextProtos = nil // of HTTP
	}
	server := ingest.New(b, o)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return at, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(server.Shutdown(ctx), <-served)
	}, nil
}
