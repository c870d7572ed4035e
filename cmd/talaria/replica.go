package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/role/exits"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/replica"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

const replicaName = "replica"

func replicaCommand() *cli.Command {
	return &cli.Command{
		Name:  replicaName,
		Usage: "follow a chain by the leader's feed, or from L1 alone, and serve it",
		Flags: slices.Concat(replicaFlags(), edgeFlags(), []cli.Flag{snapshotURLFlag()}, snapshotFlags()),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := checkEdge(c); err != nil {
				return err
			}
			return runReplica(ctx, c, nil)
		},
	}
}

func replicaFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return append([]cli.Flag{
		&cli.StringFlag{Name: "datadir", Usage: "directory of the replica (required)", Sources: env("DATADIR")},
		&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain; needed for a new datadir", Sources: env("GENESIS")},
		&cli.StringSliceFlag{Name: "l1-url", Usage: "JSON-RPC of L1 (required without --feed-url; with it blocks are compared with L1, which decides); again for every further endpoint", Sources: env("L1_URL")},
		&cli.StringSliceFlag{Name: "l1-beacon-url", Usage: "beacon API of L1, in the order of --l1-url (default: the same)", Sources: env("L1_BEACON_URL")},
		l1QuorumFlag(),
		&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server of a chain whose batches are there", Sources: env("ALTDA_URL")},
		&cli.Uint64Flag{Name: "l1-confirmations", Value: 0, Usage: "how deep an L1 block must be", Sources: env("L1_CONFIRMATIONS")},
		&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
		&cli.IntFlag{Name: "port", Value: 8745, Usage: "JSON-RPC over HTTP and WebSocket; 0: any free port", Sources: env("PORT")},
		stateCacheFlag(),
		&cli.BoolFlag{Name: "script-tracers", Usage: "allow debug_trace… with tracers in JavaScript, whose memory nothing bounds", Sources: env("SCRIPT_TRACERS")},
		&cli.BoolFlag{Name: "witness", Usage: "record a witness of every block while it is executed, for debug_executionWitness; without, blocks are executed again when somebody asks. Not with --mode diff, which executes nothing", Sources: env("WITNESS")},
		&cli.IntFlag{Name: "metrics-port", Value: -1, Usage: "Prometheus metrics, how far the node trails among them, and pprof; 0: any free port, -1: none", Sources: env("METRICS_PORT")},
		&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when serving", Sources: env("JSON")},
		logFlag(),
	}, append(followFlags(), rpcFlags()...)...)
}

// company is what works beside a replica on the same chain.
type company struct {
	// start begins, with the client of the first L1 endpoint, and returns how to stop.
	start func(n *node.Node, client *l1.Client, metrics *telemetry.Metrics, log *slog.Logger) (stop func(), err error)
}

// runReplica follows a chain and serves it. beside may be nil.
func runReplica(ctx context.Context, c *cli.Command, beside *company) (err error) {
	if c.String("datadir") == "" {
		return usagef("--datadir is required")
	}
	follow, err := readFollowing(c)
	if err != nil {
		return err
	}
	hasL1 := len(c.StringSlice("l1-url")) > 0
	if !hasL1 && beside != nil {
		return usagef("--l1-url is required")
	}
	if err := checkSnapshotURL(c); err != nil {
		return err
	}
	serves, err := snapshotOptions(c)
	if err != nil {
		return err
	}
	quorum, err := l1Quorum(c)
	if err != nil {
		return err
	}
	number, err := port(c, "port")
	if err != nil {
		return err
	}
	cache, err := stateCache(c)
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	serving, err := rpcOptions(c)
	if err != nil {
		return err
	}
	serving.Logger = log
	metrics := telemetry.New()
	metricsURL, closeMetrics, err := serveMetrics(c, metrics, log)
	if err != nil {
		return err
	}
	defer closeMetrics()
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.String("datadir"))
	if err != nil {
		return err
	}
	listener, err := listenOn(c.String("host"), "port", number)
	if err != nil {
		return err
	}
	defer listener.Close()
	dir, err := store.OpenDir(path)
	if err != nil {
		return err
	}
	if err := loadSnapshot(ctx, c, dir, genesis, log); err != nil {
		return errors.Join(stoppedEarly(ctx, err), dir.Close())
	}
	n, err := node.Open(dir, node.Options{Genesis: genesis, StateCache: cache, Witness: c.Bool("witness"), ScriptTracers: c.Bool("script-tracers"), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	cfg := n.Config()
	if hasL1 && n.Base() > 0 {
		return fmt.Errorf("%s: begins with a snapshot of block %d: --l1-url needs a chain that begins with genesis", path, n.Base())
	}
	layers, err := batchLayers(c, cfg)
	if err != nil {
		return err
	}
	backend := &node.Backend{Node: n}
	var source l1feed.L1
	var clients []*l1.Client
	if hasL1 {
		var closeL1 func()
		if source, clients, closeL1, err = dialSettlement(ctx, c, cfg, quorum, layers, log); err != nil {
			return err
		}
		defer closeL1()
		backend.Withdrawals = exits.New(exits.Options{Chain: n, L1: clients[0], Contracts: n.L1Contracts()}).Withdrawal
	}
	follower, err := follow.follow(ctx, n, source, l1feed.FromDA(layers), c.Uint64("l1-confirmations"), log)
	if err != nil {
		return err
	}
	defer follower.Close()
	defer n.Observe(metrics)()
	trail := replica.StartTrail(n, follower.status, metrics)
	defer trail.Close()
	serving.Trailing = trail.Now
	backend.SyncStatus, backend.ReadyHook, backend.Submit = follower.status, follower.ready, follower.submit
	if serves != nil {
		serves.Log = log
		made, err := snapshots.Start(n, *serves)
		if err != nil {
			return err
		}
		defer made.Close()
		serving.Snapshots = made.Answer
	}
	server := rpc.New(backend, serving)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, server.Shutdown(stop))
	}()
	ingestURL, stopIngest, err := serveIngest(c, backend, serving, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopIngest()) }()
	if beside != nil {
		stop, err := beside.start(n, clients[0], metrics, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := announceReplica(c, serving.TLS != nil, listener.Addr().String(), metricsURL, ingestURL, path, cfg.ChainID); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	case <-n.Failed():
		return n.Failure()
	}
}

// serveMetrics serves metrics where --metrics-port says, until stop is called. url is empty
// where they are not served.
func serveMetrics(c *cli.Command, m *telemetry.Metrics, log *slog.Logger) (url string, stop func(), err error) {
	number := c.Int("metrics-port")
	if number == -1 {
		return "", func() {}, nil
	}
	if number < 0 || number > 65535 {
		return "", nil, usagef("--metrics-port %d: allowed is -1..65535", number)
	}
	listener, err := listenOn(c.String("host"), "metrics-port", number)
	if err != nil {
		return "", nil, err
	}
	return "http://" + listener.Addr().String() + "/metrics", servePages(m, listener, log), nil
}

// batchLayers reads batch data where the flags say it may be; dialSettlement completes it.
func batchLayers(c *cli.Command, cfg *chain.Config) (*da.Reader, error) {
	layers := &da.Reader{Generic: cfg.AltDAGeneric}
	url := c.String("altda-url")
	if url == "" {
		return layers, nil
	}
	server, err := altda.NewClient(altda.ClientOptions{URL: url})
	if err != nil {
		return nil, usagef("--altda-url: %w", err)
	}
	layers.AltDA = server
	return layers, nil
}

// dialSettlement connects to the L1 that the flags name, and through it to the committee that
// keeps the chain's batch data, if there is one.
func dialSettlement(ctx context.Context, c *cli.Command, cfg *chain.Config, quorum int, layers *da.Reader, log *slog.Logger) (l1feed.L1, []*l1.Client, func(), error) {
	source, clients, closeL1, err := dialL1(ctx, cfg, c.StringSlice("l1-url"), c.StringSlice("l1-beacon-url"), quorum, log)
	if err != nil {
		return nil, nil, nil, err
	}
	if layers.Committee, err = certifiedData(cfg, clients); err != nil {
		closeL1()
		return nil, nil, nil, err
	}
	return source, clients, closeL1, nil
}

// dialL1 connects to the endpoints of the chain's L1, in order.
func dialL1(ctx context.Context, cfg *chain.Config, urls, beacons []string, quorum int, log *slog.Logger) (_ l1feed.L1, _ []*l1.Client, _ func(), err error) {
	var endpoints []l1.Endpoint
	var clients []*l1.Client
	closeAll := func() {
		for _, c := range clients {
			c.Close()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	for i, url := range urls {
		beacon := ""
		if i < len(beacons) {
			beacon = beacons[i]
		}
		client, err := l1.Dial(ctx, l1.Options{URL: url, BeaconURL: beacon})
		if err != nil {
			return nil, nil, nil, fmt.Errorf("connect to L1: %w", err)
		}
		clients = append(clients, client)
		if got := client.ChainID().Uint64(); got != cfg.L1ChainID {
			return nil, nil, nil, fmt.Errorf("L1 at %s has chain id %d, this chain settles on %d", url, got, cfg.L1ChainID)
		}
		if err := deploy.CheckCurrency(ctx, client, cfg); err != nil {
			return nil, nil, nil, fmt.Errorf("L1 at %s: %w", url, err)
		}
		endpoints = append(endpoints, l1.Endpoint{Name: url, Source: l1.NewSource(client, l1.SourceOf(cfg))})
	}
	if len(endpoints) == 1 {
		return endpoints[0].Source, clients, closeAll, nil
	}
	q, err := l1.NewQuorum(endpoints, l1.QuorumOptions{Need: quorum, Report: func(endpoint string, err error) {
		if err != nil {
			log.Error("an L1 endpoint is at odds with the quorum", "err", err)
		} else {
			log.Info("an L1 endpoint agrees with the quorum again", "endpoint", endpoint)
		}
	}})
	return q, clients, closeAll, err
}

// certifiedData reads what a chain's committee keeps, which L1 names; nil without one.
func certifiedData(cfg *chain.Config, clients []*l1.Client) (da.Store, error) {
	if cfg.CertificateVerifier == (common.Address{}) {
		return nil, nil
	}
	var endpoints committee.Callers
	for _, c := range clients {
		endpoints = append(endpoints, c.Eth())
	}
	source, err := committee.NewRegistry(committee.RegistryOptions{
		L1: endpoints, Verifier: cfg.CertificateVerifier, L1ChainID: cfg.L1ChainID, L2ChainID: cfg.ChainID,
	})
	if err != nil {
		return nil, err
	}
	return committee.Store{Retriever: committee.NewRetriever(committee.RetrieverOptions{Source: source})}, nil
}

func readGenesis(path string) (*chain.Genesis, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read genesis: %w", err)
	}
	return chain.DecodeGenesis(raw)
}

func announceReplica(c *cli.Command, secure bool, addr, metricsURL, ingestURL, datadir string, chainID uint64) error {
	httpURL, wsURL := "http://"+addr, "ws://"+addr
	if secure {
		httpURL, wsURL = "https://"+addr, "wss://"+addr
	}
	out := c.Root().Writer
	if !c.Bool("json") {
		also := ""
		if metricsURL != "" {
			also = ", metrics at " + metricsURL
		}
		_, err := fmt.Fprintf(out, "Talaria %s of chain %d serves %s%s; Ctrl-C stops it\n", c.Name, chainID, httpURL, also)
		return err
	}
	info := map[string]any{
		"l2":      map[string]any{"httpUrl": httpURL, "wsUrl": wsURL, "chainId": chainID},
		"datadir": datadir,
	}
	if metricsURL != "" {
		info["metricsUrl"] = metricsURL
	}
	if ingestURL != "" {
		info["ingestUrl"] = ingestURL
	}
	line, err := json.Marshal(info)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
