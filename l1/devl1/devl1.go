package devl1

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/txpool/blobpool"
	"github.com/ethereum/go-ethereum/core/txpool/legacypool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	gethlog "github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/chain"
)

// Errors that a caller tells apart.
var (
	// ErrForeignDatadir means that the directory holds something else.
	ErrForeignDatadir = errors.New("not a datadir of this L1")
	// ErrDatadirInUse means that another process has the datadir open.
	ErrDatadirInUse = errors.New("L1 datadir is in use by another process")
	// ErrPortTaken means that the port cannot be listened on.
	ErrPortTaken = errors.New("L1 port is already in use")
	// ErrClosed is returned by calls after Close.
	ErrClosed = errors.New("L1 is closed")
)

// MaxAhead bounds how far block timestamps run ahead of the clock, in seconds. Mine
// waits rather than exceed it.
const MaxAhead = 4

// Options configure an L1. The zero value is a chain in memory on a free port.
type Options struct {
	Datadir string // directory; empty keeps everything in memory
	Host    string // address to listen on ["127.0.0.1"]
	Port    int    // 0..65535, 0 = any free port

	ChainID      uint64             // 1..2^53 [chain.DefaultL1ChainID]
	PeriodMillis uint64             // 1000..3,600,000 between blocks [1000]
	GasLimit     uint64             // per block [100,000,000]
	Alloc        types.GenesisAlloc // more accounts of the genesis block; ignored for an existing chain

	SafeDepth      uint64 // blocks from the head back to `safe` [2]
	FinalizedDepth uint64 // blocks from the head back to `finalized` [4]
	BlobSlots      uint64 // how many slots (seconds) blobs are kept [1,572,864: 18 days]

	FeeRecipient common.Address // gets priority fees
	Logger       *slog.Logger   // errors of go-ethereum, and its warnings if debug is on; nil drops them
}

func (o Options) withDefaults() Options {
	def := func(v *uint64, d uint64) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	def(&o.ChainID, chain.DefaultL1ChainID)
	def(&o.PeriodMillis, 1000)
	def(&o.GasLimit, 100_000_000)
	def(&o.SafeDepth, 2)
	def(&o.FinalizedDepth, 4)
	def(&o.BlobSlots, 18*24*3600)
	return o
}

func (o *Options) check() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("L1 port %d: must be 0..65535", o.Port)
	case o.PeriodMillis < 1000 || o.PeriodMillis > 3_600_000:
		return fmt.Errorf("L1 block period %d ms: must be 1000..3600000, timestamps are whole seconds", o.PeriodMillis)
	case o.ChainID > 1<<53:
		return fmt.Errorf("L1 chain id %d: must be 1..2^53", o.ChainID)
	case o.GasLimit < 5_000_000:
		return fmt.Errorf("L1 gas limit %d: must be at least 5,000,000", o.GasLimit)
	case o.FinalizedDepth < o.SafeDepth:
		return fmt.Errorf("L1 finalized depth %d: must be at least the safe depth %d", o.FinalizedDepth, o.SafeDepth)
	}
	return nil
}

// L1 is a running chain. It must be closed.
type L1 struct {
	opts   Options
	node   *node.Node
	eth    *eth.Ethereum
	driver *driver
	blobs  *blobStore

	stop      context.CancelFunc
	wg        sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Start opens or creates the chain, serves it and begins to produce blocks.
func Start(opts Options) (*L1, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	// Told before anything is opened: go-ethereum cannot undo a start that fails there.
	if err := probePort(opts.Host, opts.Port); err != nil {
		return nil, err
	}
	logger := routeLogs(opts.Logger)
	// Room for blocks mined on demand right after the start, without running ahead.
	timestamp := uint64(time.Now().Unix()) - backlogSeconds
	genesis := newGenesis(&opts, timestamp)
	blobDir := ""
	if opts.Datadir != "" {
		var err error
		if genesis, err = openGenesis(opts.Datadir, &opts, timestamp); err != nil {
			return nil, err
		}
		blobDir = filepath.Join(opts.Datadir, "blobs")
	}
	blobs, err := openBlobStore(blobDir, opts.BlobSlots)
	if err != nil {
		return nil, err
	}
	stack, err := newNode(&opts, logger)
	if err != nil {
		return nil, err
	}
	l := &L1{opts: opts, node: stack, blobs: blobs}
	config := newEthConfig(&opts)
	config.Genesis = genesis
	if l.eth, err = eth.New(stack, config); err != nil {
		return nil, errors.Join(fmt.Errorf("open L1 chain: %w", err), stack.Close())
	}
	filterSystem := filters.NewFilterSystem(l.eth.APIBackend, filters.Config{LogCacheSize: config.FilterLogCacheSize})
	stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(filterSystem)}})
	l.driver = newDriver(l.eth, blobs, &l.opts)
	beacon := &beaconAPI{chain: l.eth.BlockChain(), blobs: blobs, genesisTime: genesis.Timestamp}
	stack.RegisterHandler("beacon", "/eth/v1/", beacon.handler())
	if err := l.start(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *L1) start() error {
	if err := l.node.Start(); err != nil {
		// A failed start has closed the node.
		return fmt.Errorf("start L1: %w", err)
	}
	if err := l.driver.recover(); err != nil {
		return errors.Join(fmt.Errorf("recover L1: %w", err), l.node.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.wg.Go(func() { l.driver.run(ctx) })
	return nil
}

func probePort(host string, port int) error {
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: %s; choose another port, or 0 for any", ErrPortTaken, addr)
	case err != nil:
		return fmt.Errorf("listen for L1 clients: %w", err)
	}
	return l.Close()
}

// Close stops block production and the servers and closes the databases. Further
// calls return the same result.
func (l *L1) Close() error {
	l.closeOnce.Do(func() {
		l.stop()
		l.wg.Wait()
		l.driver.close()
		if err := l.node.Close(); err != nil {
			l.closeErr = fmt.Errorf("close L1: %w", err)
		}
	})
	return l.closeErr
}

// URL is the HTTP address of the JSON-RPC and of the beacon API.
func (l *L1) URL() string { return l.node.HTTPEndpoint() }

// WSURL is the WebSocket address of the JSON-RPC, on the same port.
func (l *L1) WSURL() string { return "ws" + strings.TrimPrefix(l.node.HTTPEndpoint(), "http") }

// ChainID is the chain id that the genesis block fixes.
func (l *L1) ChainID() *big.Int { return new(big.Int).Set(l.eth.BlockChain().Config().ChainID) }

// GenesisTime is the timestamp of the genesis block in seconds.
func (l *L1) GenesisTime() uint64 { return l.eth.BlockChain().Genesis().Time() }

// Head is the header of the newest block.
func (l *L1) Head() *types.Header { return l.eth.BlockChain().CurrentBlock() }

// Mine produces one block now with what is pending and returns its header. Each block
// needs a second of its own: when timestamps are MaxAhead ahead of the clock, Mine
// waits for the clock.
func (l *L1) Mine(ctx context.Context) (*types.Header, error) {
	h, err := l.driver.mine(ctx)
	if err != nil {
		return nil, fmt.Errorf("mine L1 block: %w", err)
	}
	return h, nil
}

// MineInstantly runs f and meanwhile produces a block as soon as a transaction is
// pending, so that a series of deployments does not wait for the period. Periodic
// blocks pause until f returns.
func (l *L1) MineInstantly(ctx context.Context, f func(context.Context) error) error {
	return l.driver.mineInstantly(ctx, f)
}

func newNode(opts *Options, logger gethlog.Logger) (*node.Node, error) {
	// An identity for the disabled peer-to-peer server, which otherwise writes one.
	identity, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("L1 node identity: %w", err)
	}
	modules := []string{"eth", "net", "web3", "txpool", "debug"}
	stack, err := node.New(&node.Config{
		Name: "geth", Version: "talaria", DataDir: opts.Datadir, DBEngine: "pebble",
		P2P: p2p.Config{
			PrivateKey: identity, MaxPeers: 0, NoDiscovery: true, NoDial: true,
		},
		HTTPHost: opts.Host, HTTPPort: opts.Port, HTTPModules: modules,
		HTTPCors: []string{"*"}, HTTPVirtualHosts: []string{"*"}, HTTPTimeouts: rpc.DefaultHTTPTimeouts,
		WSHost: opts.Host, WSPort: opts.Port, WSModules: modules, WSOrigins: []string{"*"},
		BatchRequestLimit: 1000, BatchResponseMaxSize: 25 << 20, HTTPBodyLimit: 16 << 20,
		AllowUnprotectedTxs: true, Logger: logger,
	})
	switch {
	case errors.Is(err, node.ErrDatadirUsed):
		return nil, fmt.Errorf("%w: %s; stop it or choose another --datadir", ErrDatadirInUse, opts.Datadir)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("L1 datadir %s is not writable: %w", opts.Datadir, err)
	case err != nil:
		return nil, fmt.Errorf("create L1 node: %w", err)
	}
	return stack, nil
}

// newEthConfig turns everything off that only matters on a public network. The state
// is kept in full after every block (hash scheme, archive), which is what makes the
// chain survive kill -9 without going back.
func newEthConfig(opts *Options) *ethconfig.Config {
	c := ethconfig.Defaults
	c.NetworkId = opts.ChainID
	c.SyncMode = ethconfig.FullSync
	c.StateScheme = "hash"
	c.NoPruning = true
	c.NoPrefetch = true
	c.LogNoHistory = true
	c.TransactionHistory, c.TxLookupLimit = 0, 0
	c.DatabaseCache, c.DatabaseHandles = 16, 64
	c.TrieCleanCache, c.TrieDirtyCache, c.SnapshotCache = 0, 0, 0
	c.RPCTxFeeCap = 0
	c.RPCGasCap = 1_000_000_000
	c.Miner.GasCeil = opts.GasLimit
	c.Miner.GasPrice = big.NewInt(1)
	c.Miner.Recommit = time.Second
	c.Miner.PendingFeeRecipient = opts.FeeRecipient
	c.GPO.Blocks, c.GPO.MaxHeaderHistory, c.GPO.MaxBlockHistory = 4, 1024, 1024
	c.GPO.IgnorePrice = big.NewInt(1)

	c.TxPool = legacypool.DefaultConfig
	c.TxPool.NoLocals = true
	c.TxPool.Journal = ""
	c.TxPool.PriceLimit = 1
	c.TxPool.AccountSlots, c.TxPool.GlobalSlots = 4096, 65_536
	c.TxPool.AccountQueue, c.TxPool.GlobalQueue = 4096, 65_536
	c.BlobPool = blobpool.DefaultConfig
	c.BlobPool.Datacap = 1 << 30
	if opts.Datadir == "" {
		c.BlobPool.Datadir = ""
	}
	return &c
}
