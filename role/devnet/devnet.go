package devnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/devl1"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/role/feeder"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/leader"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/proposer"
	"github.com/talaria-l2/talaria/role/sequencer"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

// Options of a devnet.
type Options struct {
	Datadir string // empty: a temporary directory, removed by Close
	Host    string // address to listen on
	// Ports; 0 is any free one.
	Port, L1Port, WebPort, MetricsPort int
	// IngestPort takes raw transactions (docs/spec/ingest.md); 0: any free one, -1: none.
	IngestPort int
	// Feed is where the chain is published for other nodes; nil: nowhere.
	Feed *feeder.Options
	// Followers run beside the sequencer; not with Development, without Feed, or where RPC
	// asks for keys or speaks TLS.
	Followers Followers
	// OpenTxPool shows what waits to everybody; else each caller sees its own.
	OpenTxPool bool

	// L1URLs are endpoints of one L1, of which L1Quorum must agree on a block before it is
	// read; the first one takes transactions. Empty: the embedded L1.
	L1URLs, L1BeaconURLs []string
	L1Quorum             int // 0: more than half
	L1Confirmations      uint64
	// InclusionWindow is after how long a deposit enters a new chain without the sequencer.
	InclusionWindow chain.Millis
	// ChallengeWindow is how long claims of a new chain may be challenged; 0: 3 s.
	ChallengeWindow chain.Millis
	// BaseFeeScalar and BlobBaseFeeScalar are the scalars of a new chain's L1 data fee, in
	// millionths; L1's SystemConfig may change them.
	BaseFeeScalar, BlobBaseFeeScalar uint32
	// Currency of a new chain; nil: ether. A chain that exists must have it; nil: any.
	Currency *Currency
	L1Block  chain.Millis

	Block, MiniBlock, MiniBlockMin chain.Millis
	Batch                          chain.Millis // that a block waits for others before it is posted; 0: nothing is posted
	Claim                          chain.Millis // between claims of output roots; 0: nothing is claimed
	DA                             DataLayer
	NoSync                         bool
	Queue                          int              // of transactions; see sequencer.Options
	Trusted                        []common.Address // replicas; see sequencer.Options
	StateCache                     uint64           // bytes; see node.Options
	Witness                        bool             // see node.Options
	Development                    bool             // see sequencer.Development: nothing is posted to L1
	RPC                            rpc.Options      // ClientVersion and Logger aside
	Version                        string
	Log                            *slog.Logger
}

// Devnet is a running chain. It must be closed.
type Devnet struct {
	opts Options
	log  *slog.Logger
	info Info

	// closers undo what was started, last first.
	closers []func(context.Context) error
	node    *node.Node
	leader  *leader.Leader
	metrics *telemetry.Metrics
	layers  layers

	settlement  *l1.Client     // of the first L1 endpoint
	pages       *http.ServeMux // of the metrics port
	metricsAddr string
}

// closeTimeout bounds how long Close waits.
const closeTimeout = 20 * time.Second

// Start brings everything up and returns when it is ready.
func Start(ctx context.Context, opts Options) (*Devnet, error) {
	d := &Devnet{opts: opts, log: opts.Log, metrics: telemetry.New()}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.shutdown())
	}
	return d, nil
}

func (d *Devnet) onClose(f func(context.Context) error) { d.closers = append(d.closers, f) }

func (d *Devnet) start(ctx context.Context) error {
	dir, err := d.openDir()
	if err != nil {
		return err
	}
	owned := dir // closed here until the node takes it over
	defer func() {
		if owned != nil {
			_ = owned.Close()
		}
	}()
	listeners, err := d.listen()
	if err != nil {
		return err
	}
	following, err := d.listenFollowers()
	if err != nil {
		return err
	}
	clients, sender, genesis, err := d.startL1(ctx, dir)
	if err != nil {
		return err
	}
	d.settlement = clients[0]
	owned = nil
	n, err := node.Open(dir, node.Options{Genesis: genesis, StateCache: d.opts.StateCache, Witness: d.opts.Witness, Development: d.opts.Development, ScriptTracers: isLocal(d.opts.Host), Log: d.log})
	if err != nil {
		return err
	}
	d.node = n
	d.onClose(func(context.Context) error { return n.Close() })
	cfg := n.Config()
	source, err := d.l1Source(clients, cfg)
	if err != nil {
		return err
	}
	if err := d.openLayers(clients, cfg); err != nil {
		return err
	}
	if err := d.startLeader(ctx, source, clients[0], listeners); err != nil {
		return err
	}
	if !d.opts.Development && d.opts.Batch > 0 {
		d.startBatcher(clients[0], sender)
	}
	if err := d.leader.AwaitReady(ctx); err != nil {
		return err
	}
	d.startHTTP("status page", listeners[1], webHandler(listeners[0].Addr().(*net.TCPAddr).Port))
	d.pages, d.metricsAddr = http.NewServeMux(), listeners[2].Addr().String()
	d.pages.Handle("/", d.metrics.Pages())
	d.startHTTP("metrics", listeners[2], d.pages)
	stopObserving := n.Observe(d.metrics)
	d.onClose(func(context.Context) error { stopObserving(); return nil })

	url := func(scheme string, l net.Listener) string { return scheme + "://" + l.Addr().String() }
	secure := ""
	if d.opts.RPC.TLS != nil {
		secure = "s"
	}
	d.info.L2 = L2Info{HTTPURL: url("http"+secure, listeners[0]), WSURL: url("ws"+secure, listeners[0]), ChainID: cfg.ChainID, Currency: currencyInfo(cfg.GasToken)}
	d.info.Contracts = map[string]common.Address{"batchInbox": cfg.BatchInbox}
	maps.Copy(d.info.Contracts, genesis.L1Contracts)
	d.info.Accounts = accounts()
	d.info.Datadir = dir.Path()
	d.info.Development, d.info.DA = d.opts.Development, d.opts.DA.name()
	d.info.Genesis = dir.GenesisPath()
	d.info.Ingest, d.info.Feed = d.leader.IngestURL(), d.leader.FeedURL()
	d.info.Web, d.info.Metrics = url("http", listeners[1]), url("http", listeners[2])+"/metrics"
	if err := d.startFollowers(ctx, following, genesis, source); err != nil {
		return err
	}
	return writeInfo(dir.Path(), &d.info)
}

// startLeader sequences the chain and serves it.
func (d *Devnet) startLeader(ctx context.Context, source l1feed.L1, client *l1.Client, listeners []net.Listener) error {
	_, key, _ := devKeys()
	o := leader.Options{
		Sequencer: sequencer.Options{
			Key: key, MiniBlock: d.opts.MiniBlock, MiniBlockMin: d.opts.MiniBlockMin, Block: d.opts.Block,
			NoSync: d.opts.NoSync, Queue: d.opts.Queue, Trusted: d.opts.Trusted, Development: development(d.opts.Development),
		},
		L1: source, Client: client, Resolver: l1feed.FromDA(&d.layers.reader), Confirmations: d.opts.L1Confirmations,
		RPC: d.opts.RPC, Listener: listeners[0], Feed: d.opts.Feed, Snapshots: new(snapshots.Options), Metrics: d.metrics, Log: d.log,
	}
	o.RPC.ClientVersion, o.RPC.Logger, o.RPC.OpenTxPool = d.clientVersion(), d.log, d.opts.OpenTxPool
	if len(listeners) > 3 {
		o.Ingest = listeners[3]
	}
	var err error
	if d.leader, err = leader.Start(ctx, d.node, o); err != nil {
		return err
	}
	d.onClose(d.leader.Close)
	return nil
}

// startBatcher posts the chain to L1, and claims what L1 holds of it.
func (d *Devnet) startBatcher(client *l1.Client, sender *l1.Sender) {
	b := batcher.Start(batcher.Options{
		Chain: d.node, Tracker: d.leader.Tracker(), L1: &batcher.Account{Client: client, Sender: sender}, Inbox: d.node.Config().BatchInbox,
		MaxAge: time.Duration(d.opts.Batch) * time.Millisecond, Log: d.log,
		Layer: d.layers.writer, Certifier: d.node.Config().CertificateVerifier, Place: d.opts.DA.place(),
		FallBack: time.Duration(d.opts.DA.FallBack) * time.Millisecond,
	})
	d.onClose(func(context.Context) error { b.Close(); return nil })
	d.watchBatches(b)
	d.startAudits(client)
	d.startProposer(client)
}

// startProposer claims on L1 what L1 holds of the chain.
func (d *Devnet) startProposer(client *l1.Client) {
	if d.opts.Claim == 0 {
		return
	}
	_, _, key := devKeys()
	claims := proposer.NewContracts(client, l1.NewSender(client, l1.NewKeySigner(key), l1.SenderOptions{}), d.node.Config().DisputeGameFactory)
	p := proposer.Start(proposer.Options{Chain: d.node, Claims: claims, Interval: time.Duration(d.opts.Claim) * time.Millisecond, Metrics: d.metrics.Claims(), Log: d.log})
	d.onClose(func(context.Context) error { p.Close(); return nil })
}

func (d *Devnet) openDir() (*store.Dir, error) {
	path := d.opts.Datadir
	if path == "" {
		tmp, err := os.MkdirTemp("", "talaria-devnet-")
		if err != nil {
			return nil, fmt.Errorf("temporary data directory: %w (choose one with --datadir)", err)
		}
		path = tmp
		d.onClose(func(context.Context) error { return os.RemoveAll(tmp) })
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return store.OpenDir(path)
}

// listen takes the ports of JSON-RPC, the status page, metrics and, unless it is none, raw
// transactions, before anything slow begins.
func (d *Devnet) listen() ([]net.Listener, error) {
	var out []net.Listener
	for _, p := range []struct {
		flag string
		port int
		free string // what else may be chosen
	}{
		{"port", d.opts.Port, "or 0 for any free one"}, {"web-port", d.opts.WebPort, "or 0 for any free one"},
		{"metrics-port", d.opts.MetricsPort, "or 0 for any free one"}, {"ingest-port", d.opts.IngestPort, "0 for any free one, or -1 for none"},
	} {
		if p.port < 0 {
			continue
		}
		l, err := d.take(p.port, p.flag, p.free)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// take listens on a port that a flag names; free says what else may be chosen.
func (d *Devnet) take(port int, flag, free string) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(d.opts.Host, fmt.Sprint(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken (choose another with --%s, %s)", port, flag, free)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for --%s: %w", flag, err)
	}
	d.onClose(func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// startL1 connects to L1, embedded or not, and creates the chain's genesis if the
// data directory has none.
func (d *Devnet) startL1(ctx context.Context, dir *store.Dir) ([]*l1.Client, *l1.Sender, *chain.Genesis, error) {
	fail := func(err error) ([]*l1.Client, *l1.Sender, *chain.Genesis, error) { return nil, nil, nil, err }
	operator, _, _ := devKeys()
	url, beacon := "", ""
	if len(d.opts.L1URLs) > 0 {
		url, beacon = d.opts.L1URLs[0], beaconOf(d.opts.L1BeaconURLs, 0)
	}
	deploy := func(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
	if url == "" {
		embedded, err := devl1.Start(devl1.Options{
			Datadir: filepath.Join(dir.Path(), "l1"), Host: d.opts.Host, Port: d.opts.L1Port, PeriodMillis: uint64(d.opts.L1Block),
			Alloc: l1Alloc(), Logger: d.log,
		})
		if err != nil {
			return fail(err)
		}
		d.onClose(func(context.Context) error { return embedded.Close() })
		url, deploy = embedded.URL(), embedded.MineInstantly
	}
	client, err := l1.Dial(ctx, l1.Options{URL: url, BeaconURL: beacon})
	if err != nil {
		return fail(fmt.Errorf("connect to L1: %w", err))
	}
	d.onClose(func(context.Context) error { client.Close(); return nil })
	clients, err := d.dialOthers(ctx, client)
	if err != nil {
		return fail(err)
	}
	if beacon == "" {
		beacon = url
	}
	genesis, err := node.ReadGenesis(dir)
	if err != nil {
		return fail(err)
	}
	if got := client.ChainID().Uint64(); genesis != nil && got != genesis.Config.L1ChainID {
		return fail(fmt.Errorf("L1 at %s has chain id %d, the chain in %s settles on %d (choose its L1 or another data directory)",
			url, got, dir.Path(), genesis.Config.L1ChainID))
	}
	d.info.L1 = L1Info{HTTPURL: url, BeaconURL: beacon, ChainID: client.ChainID().Uint64()}
	sender := l1.NewSender(client, l1.NewKeySigner(operator), l1.SenderOptions{})
	if genesis != nil {
		err = d.settleLayer(ctx, client, sender, genesis, dir.Path())
	} else {
		err = deploy(ctx, func(ctx context.Context) (err error) {
			if genesis, err = createGenesis(ctx, client, sender, d.choice()); err != nil {
				return err
			}
			return d.settleLayer(ctx, client, sender, genesis, dir.Path())
		})
	}
	if err != nil {
		return fail(err)
	}
	if err := checkCurrency(ctx, client, &genesis.Config, d.opts.Currency); err != nil {
		return fail(err)
	}
	return clients, sender, genesis, nil
}

// clientVersion names the node. Of a development chain it begins as test suites ask: the
// helpers of Hardhat's serve nodes only that call themselves by anvil's name or its own.
func (d *Devnet) clientVersion() string {
	if d.opts.Development {
		return "anvil/talaria/" + d.opts.Version
	}
	return "talaria/" + d.opts.Version
}

// development gives the node the keys of the ten accounts.
func development(on bool) *sequencer.Development {
	if !on {
		return nil
	}
	return &sequencer.Development{Keys: devl1.Keys(devl1.DevAccounts)}
}

func (d *Devnet) serve(what string, f func() error) {
	if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		d.node.Fail(fmt.Errorf("%s: %w", what, err))
	}
}

func (d *Devnet) startHTTP(what string, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)}
	d.onClose(server.Shutdown)
	go d.serve(what, func() error { return server.Serve(l) })
}

// Info says how to use the devnet.
func (d *Devnet) Info() *Info { return &d.info }

// Failed is closed when the chain cannot go on; Close returns why.
func (d *Devnet) Failed() <-chan struct{} { return d.node.Failed() }

// Close stops everything, last started first, and returns what went wrong.
func (d *Devnet) Close() error {
	var failure error
	select {
	case <-d.node.Failed():
		failure = d.node.Failure()
	default:
	}
	return errors.Join(failure, d.shutdown())
}

func (d *Devnet) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		started := time.Now()
		errs = append(errs, d.closers[i](ctx))
		d.log.Debug("closed", "part", i, "in", time.Since(started))
	}
	d.closers = nil
	return errors.Join(errs...)
}

// isLocal reports whether an address to listen on is of this machine only. Others than
// its user may not have it run their scripts.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
