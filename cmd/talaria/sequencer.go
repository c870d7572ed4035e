package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/role/feeder"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/leader"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/sequencer"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

// sequencerKey is the variable of the sequencer's key.
const sequencerKey = "SEQUENCER_KEY"

func sequencerCommand() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return &cli.Command{
		Name:  "sequencer",
		Usage: "sequence a chain on an L1 by URL and serve it; `talaria batcher` posts it",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the node; the same one continues the same chain (required)", Sources: env("DATADIR")},
			&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain, from `talaria genesis`; needed for a new datadir", Sources: env("GENESIS")},
			&cli.StringSliceFlag{Name: "l1-url", Usage: "JSON-RPC of L1 (required); again for every further endpoint", Sources: env("L1_URL")},
			&cli.StringSliceFlag{Name: "l1-beacon-url", Usage: "beacon API of L1, in the order of --l1-url (default: the same)", Sources: env("L1_BEACON_URL")},
			l1QuorumFlag(),
			&cli.Uint64Flag{Name: "l1-confirmations", Value: confirmationsByURL, Usage: "how deep an L1 block must be before its deposits are taken, so that L1 cannot take it back", Sources: env("L1_CONFIRMATIONS")},
			&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server of a chain whose batches are there", Sources: env("ALTDA_URL")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
			&cli.IntFlag{Name: "port", Value: 8545, Usage: "JSON-RPC over HTTP and WebSocket; 0: any free port", Sources: env("PORT")},
			&cli.IntFlag{Name: "ingest-port", Value: 8546, Usage: "raw transactions over TCP; 0: any free port, -1: none", Sources: env("INGEST_PORT")},
			&cli.IntFlag{Name: "metrics-port", Value: 6060, Usage: "Prometheus metrics and pprof; 0: any free port", Sources: env("METRICS_PORT")},
			&cli.BoolFlag{Name: "open-txpool", Usage: "txpool_… shows everybody's waiting transactions, else to each caller its own", Sources: env("OPEN_TXPOOL")},
			stateCacheFlag(),
			&cli.BoolFlag{Name: "script-tracers", Usage: "allow debug_trace… with tracers in JavaScript, whose memory nothing bounds", Sources: env("SCRIPT_TRACERS")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when ready", Sources: env("JSON")},
			logFlag(),
		}, accountFlags(sequencerKey, "the account that signs mini-blocks, the genesis file's sequencer"), sequencingFlags(), rpcFlags(), feedFlags(false), snapshotFlags()),
		Action: runSequencer,
	}
}

// sequencerSettings is what the flags of the command say.
type sequencerSettings struct {
	datadir    string
	key        *ecdsa.PrivateKey
	sequencing sequencing
	ports      map[string]int // by flag; -1: none
	cache      uint64
	quorum     int
	serving    rpc.Options
	feed       *feeder.Options // nil: none
	snapshots  *snapshots.Options
	log        *slog.Logger
}

// readSequencer reads the flags. It touches nothing but files that they name.
func readSequencer(c *cli.Command) (s sequencerSettings, err error) {
	if c.String("datadir") == "" {
		return s, usagef("--datadir is required")
	}
	if len(c.StringSlice("l1-url")) == 0 {
		return s, usagef("--l1-url is required")
	}
	if s.datadir, err = filepath.Abs(c.String("datadir")); err != nil {
		return s, err
	}
	s.ports = map[string]int{"ingest-port": c.Int("ingest-port")}
	if p := s.ports["ingest-port"]; p < -1 || p > 65535 {
		return s, usagef("--ingest-port %d: allowed is -1..65535", p)
	}
	for _, name := range []string{"port", "metrics-port"} {
		if s.ports[name], err = port(c, name); err != nil {
			return s, err
		}
	}
	if s.sequencing, err = readSequencing(c); err != nil {
		return s, err
	}
	if s.quorum, err = l1Quorum(c); err != nil {
		return s, err
	}
	if s.cache, err = stateCache(c); err != nil {
		return s, err
	}
	if s.log, err = logger(c); err != nil {
		return s, err
	}
	if s.serving, err = rpcOptions(c); err != nil {
		return s, err
	}
	if s.feed, err = feedOptions(c); err != nil {
		return s, err
	}
	if s.snapshots, err = snapshotOptions(c); err != nil {
		return s, err
	}
	s.serving.Logger, s.serving.OpenTxPool = s.log, c.Bool("open-txpool")
	s.key, err = accountKey(c, sequencerKey)
	return s, err
}

// closeTimeout bounds how long a role takes to stop.
const closeTimeout = 20 * time.Second

func runSequencer(ctx context.Context, c *cli.Command) (err error) {
	s, err := readSequencer(c)
	if err != nil {
		return err
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	listeners := map[string]net.Listener{}
	for _, name := range []string{"port", "metrics-port", "ingest-port"} {
		if s.ports[name] < 0 {
			continue
		}
		if listeners[name], err = listenOn(c.String("host"), name, s.ports[name]); err != nil {
			return err
		}
		defer listeners[name].Close()
	}
	dir, err := store.OpenDir(s.datadir)
	if err != nil {
		return err
	}
	n, err := node.Open(dir, node.Options{Genesis: genesis, StateCache: s.cache, Witness: s.sequencing.witness, ScriptTracers: c.Bool("script-tracers"), Log: s.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	cfg := n.Config()
	layers, err := batchLayers(c, cfg)
	if err != nil {
		return err
	}
	source, clients, closeL1, err := dialSettlement(ctx, c, cfg, s.quorum, layers, s.log)
	if err != nil {
		return err
	}
	defer closeL1()
	metrics := telemetry.New()
	l, err := leader.Start(ctx, n, leader.Options{
		Sequencer: sequencer.Options{
			Key: s.key, Block: s.sequencing.block, MiniBlock: s.sequencing.miniBlock, MiniBlockMin: s.sequencing.miniBlockMin,
			NoSync: s.sequencing.noSync, Queue: s.sequencing.queue, Trusted: s.sequencing.trusted,
		},
		L1: source, Client: clients[0], Resolver: l1feed.FromDA(layers), Confirmations: c.Uint64("l1-confirmations"),
		RPC: s.serving, Listener: listeners["port"], Ingest: listeners["ingest-port"], Feed: s.feed, Snapshots: s.snapshots, Metrics: metrics, Log: s.log,
	})
	if err != nil {
		return stoppedEarly(ctx, feedPortTaken(err))
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		err = errors.Join(err, l.Close(stop))
	}()
	defer n.Observe(metrics)()
	defer servePages(metrics, listeners["metrics-port"], s.log)()
	if err := l.AwaitReady(ctx); err != nil {
		return stoppedEarly(ctx, err)
	}
	if err := announceSequencer(c, s.serving.TLS != nil, listeners, l, s.datadir, cfg.ChainID); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-n.Failed():
		return n.Failure()
	}
}

// stoppedEarly is err, or nil where somebody stopped the process while it started.
func stoppedEarly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// listenOn takes the port of a flag.
func listenOn(host, flag string, number int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(number)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken (choose another with --%s, or 0 for any free one)", number, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for --%s: %w", flag, err)
	}
	return l, nil
}

// servePages serves what the metrics port shows, until stop is called.
func servePages(m *telemetry.Metrics, l net.Listener, log *slog.Logger) (stop func()) {
	server := &http.Server{Handler: m.Pages(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", "err", err)
		}
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}

func announceSequencer(c *cli.Command, secure bool, listeners map[string]net.Listener, from *leader.Leader, datadir string, chainID uint64) error {
	addr, s := listeners["port"].Addr().String(), ""
	if secure {
		s = "s"
	}
	out := c.Root().Writer
	if !c.Bool("json") {
		_, err := fmt.Fprintf(out, "Talaria sequencer of chain %d serves http%s://%s; Ctrl-C stops it\n", chainID, s, addr)
		return err
	}
	info := map[string]any{
		"l2":         map[string]any{"httpUrl": "http" + s + "://" + addr, "wsUrl": "ws" + s + "://" + addr, "chainId": chainID},
		"datadir":    datadir,
		"metricsUrl": "http://" + listeners["metrics-port"].Addr().String() + "/metrics",
	}
	for name, url := range map[string]string{"ingestURL": from.IngestURL(), "feedUrl": from.FeedURL()} {
		if url != "" {
			info[name] = url
		}
	}
	line, err := json.Marshal(info)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
