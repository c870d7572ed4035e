package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/telemetry"
)

// batcherKey is the variable of the batcher's key.
const batcherKey = "BATCHER_KEY"

func batcherCommand() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return &cli.Command{
		Name:  "batcher",
		Usage: "post the chain of a sequencer to L1. It holds nothing: what L1 lacks is read from the node, and after any crash is posted then",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "node-url", Usage: "JSON-RPC of the sequencer, or of a node that has its unposted blocks and follows L1 (required)", Sources: env("NODE_URL")},
			&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain (required)", Sources: env("GENESIS")},
			&cli.StringFlag{Name: "l1-url", Usage: "JSON-RPC of L1 (required)", Sources: env("L1_URL")},
			&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server of a chain whose batches are there", Sources: env("ALTDA_URL")},
			&cli.BoolFlag{Name: "calldata", Usage: "what L1 holds is in calldata, whatever blobs cost", Sources: env("BATCH_CALLDATA")},
			&cli.Uint64Flag{Name: "batch-ms", Value: 4000, Usage: "how long a block waits for others to share its L1 transaction, 100..3600000", Sources: env("BATCH_MS")},
			&cli.DurationFlag{Name: "da-fallback", Value: 30 * time.Second, Usage: "how long the committee or the server may fail before batches go to L1 itself, 1s..1h", Sources: daEnv("FALLBACK")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
			&cli.IntFlag{Name: "metrics-port", Value: 6061, Usage: "Prometheus metrics and pprof; 0: any free port", Sources: env("METRICS_PORT")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when it begins", Sources: env("JSON")},
			logFlag(),
		}, accountFlags(batcherKey, "the L1 account that posts, the genesis file's batcher; nothing else may use it")),
		Action: runBatcher,
	}
}

func runBatcher(ctx context.Context, c *cli.Command) error {
	for _, name := range []string{"node-url", "genesis", "l1-url"} {
		if c.String(name) == "" {
			return usagef("--%s is required", name)
		}
	}
	age, err := millisFlag(c, "batch-ms", 100, 3_600_000)
	if err != nil {
		return err
	}
	fallBack := c.Duration("da-fallback")
	if fallBack < time.Second || fallBack > time.Hour {
		return usagef("--da-fallback %v: allowed is 1s..1h", fallBack)
	}
	number, err := port(c, "metrics-port")
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	key, err := accountKey(c, batcherKey)
	if err != nil {
		return err
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	cfg := &genesis.Config
	listener, err := listenOn(c.String("host"), "metrics-port", number)
	if err != nil {
		return err
	}
	defer listener.Close()
	_, clients, closeL1, err := dialL1(ctx, cfg, []string{c.String("l1-url")}, nil, 0, log)
	if err != nil {
		return err
	}
	defer closeL1()
	metrics := telemetry.New()
	layer, closeLayer, err := layerOf(ctx, clients[0], cfg, c.String("altda-url"), metrics, log)
	if err != nil {
		return err
	}
	defer closeLayer()
	sender := l1.NewSender(clients[0], l1.NewKeySigner(key), l1.SenderOptions{})
	if is, err := batcherOf(ctx, clients[0], cfg); err != nil {
		return err
	} else if is != sender.Address() {
		return fmt.Errorf("the key is of %s, the chain's batcher is %s: what it posted would be ignored", crypto.PubkeyToAddress(key.PublicKey), is)
	}
	remote, err := batcher.Dial(ctx, batcher.RemoteOptions{URL: c.String("node-url"), Config: cfg, Log: log})
	if err != nil {
		return err
	}
	defer remote.Close()
	o := batcher.Options{
		Chain: remote, Tracker: remote, L1: &batcher.Account{Client: clients[0], Sender: sender}, Inbox: cfg.BatchInbox,
		MaxAge: time.Duration(age) * time.Millisecond, Layer: layer, Certifier: cfg.CertificateVerifier, FallBack: fallBack, Log: log,
	}
	if c.Bool("calldata") {
		o.Place = batcher.InCalldata
	}
	b := batcher.Start(o)
	defer b.Close()
	metrics.Batches(func() (layer, l1 uint64, failing bool) {
		s := b.Status()
		return s.Delegated, s.Batches - s.Delegated, s.LayerFailing != nil
	})
	defer servePages(metrics, listener, log)()
	if err := announceBatcher(c, sender.Address(), "http://"+listener.Addr().String()+"/metrics"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// batcherOf is whose batches derivation reads.
func batcherOf(ctx context.Context, client *l1.Client, cfg *chain.Config) (common.Address, error) {
	if cfg.SystemConfig == (common.Address{}) {
		return cfg.Batcher, nil
	}
	config := bindings.NewSystemConfig()
	hash, err := bind.Call(config.Instance(client.Eth(), cfg.SystemConfig), &bind.CallOpts{Context: ctx}, config.PackBatcherHash(), config.UnpackBatcherHash)
	if err != nil {
		return common.Address{}, fmt.Errorf("ask L1 who posts: %w", err)
	}
	return common.BytesToAddress(hash[12:]), nil
}

// layerOf is the layer that keeps the data of the chain's batches; nil: L1 itself does.
func layerOf(ctx context.Context, client *l1.Client, cfg *chain.Config, server string, metrics *telemetry.Metrics, log *slog.Logger) (_ da.Store, stop func(), err error) {
	none := func() {}
	if cfg.SystemConfig == (common.Address{}) {
		return nil, none, nil
	}
	config := bindings.NewSystemConfig()
	mode, err := bind.Call(config.Instance(client.Eth(), cfg.SystemConfig), &bind.CallOpts{Context: ctx}, config.PackDaMode(), config.UnpackDaMode)
	if err != nil {
		return nil, nil, fmt.Errorf("ask L1 where batches are: %w", err)
	}
	switch chain.DAMode(mode) {
	case chain.DAAlt:
		if server == "" {
			return nil, nil, errors.New("the chain's batches are on an alt-DA server (say on which with --altda-url)")
		}
		s, err := altda.NewClient(altda.ClientOptions{URL: server, Generic: cfg.AltDAGeneric, ReadBack: true})
		if err != nil {
			return nil, nil, usagef("--altda-url: %w", err)
		}
		return s, none, nil
	case chain.DACommittee:
		registry, err := committee.NewRegistry(committee.RegistryOptions{
			L1: committee.Callers{client.Eth()}, Verifier: cfg.CertificateVerifier, L1ChainID: cfg.L1ChainID, L2ChainID: cfg.ChainID,
		})
		if err != nil {
			return nil, nil, err
		}
		if err := committee.WarmUp(); err != nil {
			return nil, nil, err
		}
		d := committee.NewDisperser(committee.DisperserOptions{Source: registry, Failed: func(operator int, err error) {
			metrics.Operator(operator, "unsigned")
			log.Debug("an operator of the data committee fails", "operator", operator, "err", err)
		}})
		return committee.Store{Disperser: d}, d.Close, nil
	}
	return nil, none, nil
}

func announceBatcher(c *cli.Command, account common.Address, metrics string) error {
	out := c.Root().Writer
	if !c.Bool("json") {
		_, err := fmt.Fprintf(out, "Talaria batcher posts as %s; Ctrl-C stops it\n", account)
		return err
	}
	line, err := json.Marshal(map[string]any{"batcher": account, "metricsUrl": metrics})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
