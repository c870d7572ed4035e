package main

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/bench"
)

// gethPeriodSeconds is --dev.period.
const gethPeriodSeconds = 1

// runGeth is `geth --dev --dev.period 1 --dev.gaslimit … --txpool.…`: the same
// packages, put together as cmd/geth does, with a funded account that is known.
func runGeth(ctx context.Context, portText string) error {
	port, err := strconv.Atoi(portText)
	if err != nil {
		return fmt.Errorf("port %q: %w", portText, err)
	}
	dir, err := os.MkdirTemp("", "peers-geth-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key, err := crypto.HexToECDSA(bench.DefaultKey)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	stack, err := node.New(&node.Config{
		Name: "geth", DataDir: dir, DBEngine: "pebble",
		P2P:      p2p.Config{MaxPeers: 0, NoDiscovery: true, NoDial: true},
		HTTPHost: "127.0.0.1", HTTPPort: port, HTTPModules: []string{"eth", "net", "web3", "txpool"}, HTTPTimeouts: rpc.DefaultHTTPTimeouts,
		WSHost: "127.0.0.1", WSPort: port, WSModules: []string{"eth", "net", "web3"},
		BatchRequestLimit: 10_000, BatchResponseMaxSize: 256 << 20, HTTPBodyLimit: 64 << 20,
	})
	if err != nil {
		return fmt.Errorf("create the node: %w", err)
	}
	defer func() { _ = stack.Close() }()
	faucet := crypto.PubkeyToAddress(key.PublicKey)
	config := ethconfig.Defaults
	config.NetworkId = 1337
	config.SyncMode = ethconfig.FullSync
	config.Genesis = core.DeveloperGenesisBlock(gasLimit, &faucet)
	// The rules of mainnet, which are those of the others: newer ones price state differently.
	config.Genesis.Config.BogotaTime = nil
	config.Genesis.Alloc[faucet] = types.Account{Balance: new(big.Int).Exp(big.NewInt(10), big.NewInt(27), nil)}
	config.Miner.GasCeil = gasLimit
	config.Miner.Recommit = 10 * time.Second // a block is built once
	config.RPCTxFeeCap = 0
	config.DatabaseCache, config.TrieCleanCache, config.TrieDirtyCache, config.SnapshotCache = 512, 256, 256, 128
	config.TxPool.AccountSlots, config.TxPool.GlobalSlots = 1_000_000, 1_000_000
	config.TxPool.AccountQueue, config.TxPool.GlobalQueue = 1_000_000, 1_000_000
	config.TxPool.Journal = ""
	backend, err := eth.New(stack, &config)
	if err != nil {
		return fmt.Errorf("open the chain: %w", err)
	}
	system := filters.NewFilterSystem(backend.APIBackend, filters.Config{LogCacheSize: config.FilterLogCacheSize})
	stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(system)}})
	beacon, err := catalyst.NewSimulatedBeacon(gethPeriodSeconds, common.Address{0xfe}, backend)
	if err != nil {
		return fmt.Errorf("drive the chain: %w", err)
	}
	catalyst.RegisterSimulatedBeaconAPIs(stack, beacon)
	stack.RegisterLifecycle(beacon)
	if err := stack.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	backend.SetSynced()
	<-ctx.Done()
	return nil
}
