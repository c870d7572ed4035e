package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/devnet"
)

func devnetCommand() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return &cli.Command{
		Name:  "devnet",
		Usage: "run a whole chain on its own L1, in one process",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the chain; the same one continues the same chain (default: a temporary one, removed at the end)", Sources: env("DATADIR")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
			&cli.IntFlag{Name: "port", Value: 8545, Usage: "L2 JSON-RPC over HTTP and WebSocket; 0: any free port", Sources: env("PORT")},
			&cli.IntFlag{Name: "l1-port", Value: 8645, Usage: "L1 JSON-RPC and beacon API; 0: any free port", Sources: env("L1_PORT")},
			&cli.IntFlag{Name: "web-port", Value: 8080, Usage: "status page; 0: any free port", Sources: env("WEB_PORT")},
			&cli.IntFlag{Name: "metrics-port", Value: 6060, Usage: "Prometheus metrics and pprof; 0: any free port", Sources: env("METRICS_PORT")},
			&cli.IntFlag{Name: "replicas", Usage: fmt.Sprintf("nodes that follow the sequencer's feed and serve JSON-RPC, 0..%d; not with --dev or --feed-port -1", devnet.MaxFollowers), Sources: env("REPLICAS")},
			&cli.IntFlag{Name: "replica-port", Value: 8750, Usage: fmt.Sprintf("of the first one, %d more for every further one; 0: any free ports", devnet.FollowerPorts), Sources: env("REPLICA_PORT")},
			&cli.IntFlag{Name: "validators", Usage: fmt.Sprintf("nodes that check every block and hold no state, 0..%d; not with --dev or --feed-port -1", devnet.MaxFollowers), Sources: env("VALIDATORS")},
			&cli.IntFlag{Name: "validator-port", Value: 8752, Usage: fmt.Sprintf("HTTP of the first one: /status, /metrics; %d more for every further one; 0: any free ports", devnet.FollowerPorts), Sources: env("VALIDATOR_PORT")},
			&cli.IntFlag{Name: "ingest-port", Value: 8546, Usage: "raw transactions over TCP; 0: any free port, -1: none", Sources: env("INGEST_PORT")},
			&cli.BoolFlag{Name: "open-txpool", Value: true, Usage: "txpool_… shows everybody's waiting transactions; =false: to each caller its own", Sources: env("OPEN_TXPOOL")},
			&cli.StringSliceFlag{Name: "l1-url", Usage: "use this L1 instead of the embedded one; again for every further endpoint of it", Sources: env("L1_URL")},
			&cli.StringSliceFlag{Name: "l1-beacon-url", Usage: "beacon API of that L1, in the order of --l1-url (default: the same)", Sources: env("L1_BEACON_URL")},
			l1QuorumFlag(),
			&cli.DurationFlag{Name: "inclusion-window", Value: 12 * time.Hour, Usage: "of a new chain: after how long a deposit enters it even if the sequencer never takes it, in L1 blocks of --l1-block-ms, or of 12 s with --l1-url; at least 10 L1 blocks and four times --batch-ms", Sources: env("INCLUSION_WINDOW")},
			&cli.DurationFlag{Name: "challenge-window", Value: 3 * time.Second, Usage: "of a new chain: how long a claim of an output root may be challenged, and thus how long withdrawals wait at least; whole seconds, 1s..8760h", Sources: env("CHALLENGE_WINDOW")},
			&cli.StringFlag{Name: "gas-token", Value: "eth", Usage: "native currency of a new chain: eth; native: an ERC-20 token of L1 made for it; or the address of a token on L1 with 18 decimals", Sources: env("GAS_TOKEN")},
			&cli.Uint64Flag{Name: "gas-token-rate", Value: 1000, Usage: "of a new chain with a token as currency: what an ether is worth at first, in tokens, by which the L1 data fee is multiplied; 1..1000000000", Sources: env("GAS_TOKEN_RATE")},
			&cli.Uint32Flag{Name: "base-fee-scalar", Value: devnet.CostBaseFeeScalar, Usage: "of a new chain: weight of L1's base fee in the L1 data fee, in millionths; by default the share of a byte in a full batch, 0 with --dev", Sources: env("BASE_FEE_SCALAR")},
			&cli.Uint32Flag{Name: "blob-base-fee-scalar", Value: devnet.CostBlobBaseFeeScalar, Usage: "of a new chain: weight of L1's blob base fee in the L1 data fee, in millionths; by default what a byte takes in a blob, 0 with --dev", Sources: env("BLOB_BASE_FEE_SCALAR")},
			&cli.Uint64Flag{Name: "l1-confirmations", Value: 0, Usage: "how deep an L1 block must be before its deposits are taken, so that L1 cannot take it back (default: 0; 4 with --l1-url)", HideDefault: true, Sources: env("L1_CONFIRMATIONS")},
			&cli.Uint64Flag{Name: "l1-block-ms", Value: 1000, Usage: "block time of the embedded L1, 1000..3600000", Sources: env("L1_BLOCK_MS")},
			&cli.Uint64Flag{Name: "batch-ms", Value: 4000, Usage: "how long a block waits for others to share its L1 transaction, 100..3600000; 0: nothing is posted, so that safe and finalized stay where they are, and the chain stops after half of --inclusion-window", Sources: env("BATCH_MS")},
			&cli.Uint64Flag{Name: "claim-ms", Value: 4000, Usage: "how often the output root of what L1 holds is claimed there, so that withdrawals can be proven, 100..3600000; 0: never", Sources: env("CLAIM_MS")},
			stateCacheFlag(),
			&cli.BoolFlag{Name: "dev", Usage: "a development chain: the methods of anvil and Hardhat (evm_*, anvil_*, hardhat_*, eth_sendTransaction), a block per transaction; nothing is posted to L1, so safe and finalized stay at genesis", Sources: env("DEV")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when ready", Sources: env("JSON")},
			logFlag(),
		}, slices.Concat(sequencingFlags(), layerFlags(), rpcFlags(), feedFlags(true))...),
		Action: runDevnet,
	}
}

// confirmationsByURL is the default depth on an L1 that may reorganise.
const confirmationsByURL = 4

func runDevnet(ctx context.Context, c *cli.Command) error {
	opts := devnet.Options{
		Datadir: c.String("datadir"), Host: c.String("host"),
		L1URLs: c.StringSlice("l1-url"), L1BeaconURLs: c.StringSlice("l1-beacon-url"), L1Confirmations: c.Uint64("l1-confirmations"),
		Version: version, Development: c.Bool("dev"), OpenTxPool: c.Bool("open-txpool"),
	}
	for name, p := range map[string]*uint32{"base-fee-scalar": &opts.BaseFeeScalar, "blob-base-fee-scalar": &opts.BlobBaseFeeScalar} {
		if c.IsSet(name) || !opts.Development {
			*p = c.Uint32(name)
		}
	}
	for name, p := range map[string]*int{"port": &opts.Port, "l1-port": &opts.L1Port, "web-port": &opts.WebPort, "metrics-port": &opts.MetricsPort} {
		var err error
		if *p, err = port(c, name); err != nil {
			return err
		}
	}
	if opts.IngestPort = c.Int("ingest-port"); opts.IngestPort < -1 || opts.IngestPort > 65535 {
		return usagef("--ingest-port %d: allowed is -1..65535", opts.IngestPort)
	}
	made, err := readSequencing(c)
	if err != nil {
		return err
	}
	opts.Block, opts.MiniBlock, opts.MiniBlockMin, opts.Queue, opts.NoSync = made.block, made.miniBlock, made.miniBlockMin, made.queue, made.noSync
	if opts.Trusted = made.trusted; len(opts.Trusted) > 0 && opts.Development {
		return usagef("--trusted-replica: not with --dev")
	}
	opts.Witness = made.witness && !opts.Development // edits of a development chain are in no block
	if opts.L1Block, err = millisFlag(c, "l1-block-ms", 1000, 3_600_000); err != nil {
		return err
	}
	for name, p := range map[string]*chain.Millis{"batch-ms": &opts.Batch, "claim-ms": &opts.Claim} {
		if c.Uint64(name) == 0 {
			continue
		}
		if *p, err = millisFlag(c, name, 100, 3_600_000); err != nil {
			return err
		}
	}
	if opts.StateCache, err = stateCache(c); err != nil {
		return err
	}
	if opts.Log, err = logger(c); err != nil {
		return err
	}
	if opts.RPC, err = rpcOptions(c); err != nil {
		return err
	}
	if opts.Feed, err = feedOptions(c); err != nil {
		return err
	}
	if opts.Followers, err = followers(c, &opts); err != nil {
		return err
	}
	if opts.L1Quorum, err = l1Quorum(c); err != nil {
		return err
	}
	if opts.InclusionWindow, err = inclusionWindow(c, &opts); err != nil {
		return err
	}
	if opts.DA, err = dataLayer(c); err != nil {
		return err
	}
	if opts.ChallengeWindow, err = challengeWindow(c); err != nil {
		return err
	}
	if opts.Currency, err = gasToken(c); err != nil {
		return err
	}
	if len(opts.L1URLs) > 0 && !c.IsSet("l1-confirmations") {
		opts.L1Confirmations = confirmationsByURL
	}
	net, err := devnet.Start(ctx, opts)
	if err != nil && ctx.Err() != nil {
		return nil // stopped while starting: Start has undone what it did
	}
	if err != nil {
		return feedPortTaken(err)
	}
	if err := announce(c, net.Info()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-net.Failed():
	}
	return net.Close()
}

// followers reads the flags of nodes that follow. Feed and RPC of opts are read.
func followers(c *cli.Command, opts *devnet.Options) (f devnet.Followers, err error) {
	f.Replicas, f.Validators = c.Int("replicas"), c.Int("validators")
	for name, count := range map[string]int{"replicas": f.Replicas, "validators": f.Validators} {
		switch {
		case count < 0 || count > devnet.MaxFollowers:
			return f, usagef("--%s %d: allowed is 0..%d", name, count, devnet.MaxFollowers)
		case count == 0:
		case opts.Development:
			return f, usagef("--%s: not with --dev, whose chain is edited beside its blocks", name)
		case opts.Feed == nil:
			return f, usagef("--%s: not with --feed-port -1, as they follow the feed", name)
		case opts.RPC.TLS != nil || opts.RPC.RequireKey:
			return f, usagef("--%s: not with --rpc-tls-cert or --rpc-require-key, as they ask the sequencer like anybody (docs/nodes.md has the roles one by one)", name)
		}
	}
	for name, p := range map[string]*int{"replica-port": &f.ReplicaPort, "validator-port": &f.ValidatorPort} {
		if *p, err = port(c, name); err != nil {
			return f, err
		}
	}
	if most := 65535 - devnet.FollowerPorts*max(f.Replicas, f.Validators); max(f.ReplicaPort, f.ValidatorPort) > most {
		return f, usagef("--replica-port %d, --validator-port %d: allowed is 0..%d with so many nodes", f.ReplicaPort, f.ValidatorPort, most)
	}
	return f, nil
}

// inclusionWindow reads --inclusion-window.
func inclusionWindow(c *cli.Command, opts *devnet.Options) (chain.Millis, error) {
	window := chain.Millis(c.Duration("inclusion-window").Milliseconds())
	least := max(10*opts.L1Block, 4*opts.Batch)
	most := chain.MaxInclusionWindow * opts.L1Block
	if len(opts.L1URLs) > 0 {
		least, most = max(120_000, 4*opts.Batch), chain.MaxInclusionWindow*12_000
	}
	if !c.IsSet("inclusion-window") {
		return max(least, min(window, most)), nil
	}
	if c.Duration("inclusion-window") < 0 || window < least || window > most {
		return 0, usagef("--inclusion-window %s: allowed is %s..%s", c.Duration("inclusion-window"), time.Duration(least)*time.Millisecond, time.Duration(most)*time.Millisecond)
	}
	return window, nil
}

// challengeWindow reads --challenge-window.
func challengeWindow(c *cli.Command) (chain.Millis, error) {
	window := c.Duration("challenge-window")
	if window < time.Second || window > 8760*time.Hour || window%time.Second != 0 {
		return 0, usagef("--challenge-window %s: allowed are whole seconds, 1s..8760h", window)
	}
	return chain.Millis(window.Milliseconds()), nil
}

// gasToken reads --gas-token and --gas-token-rate; nil if nothing is asked for.
func gasToken(c *cli.Command) (*devnet.Currency, error) {
	rate := c.Uint64("gas-token-rate")
	if rate < 1 || rate > 1_000_000_000 {
		return nil, usagef("--gas-token-rate %d: allowed is 1..1000000000", rate)
	}
	switch text := c.String("gas-token"); {
	case text == "native":
		return &devnet.Currency{Token: &devnet.GasToken{PerEther: rate}}, nil
	case common.IsHexAddress(text) && common.HexToAddress(text) != common.Address{}:
		return &devnet.Currency{Token: &devnet.GasToken{Addr: common.HexToAddress(text), PerEther: rate}}, nil
	case text != "eth":
		return nil, usagef("--gas-token %q: allowed are eth, native and the address of a token on L1", text)
	case c.IsSet("gas-token-rate"):
		return nil, usagef("--gas-token-rate: needs --gas-token native or an address")
	case !c.IsSet("gas-token"):
		return nil, nil
	}
	return new(devnet.Currency), nil
}

// announce says that the devnet is ready.
func announce(c *cli.Command, info *devnet.Info) error {
	out := c.Root().Writer
	if c.Bool("json") {
		line, err := json.Marshal(info)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", line)
		return err
	}
	kind := ""
	if info.Development {
		kind = " as a development chain, of which L1 gets nothing (safe and finalized stay at genesis)"
	}
	if token := info.L2.Currency; token.L1Token != nil {
		kind += fmt.Sprintf(" with %s (%s) of L1 as its currency", token.Name, token.Symbol)
	}
	also := ""
	for _, r := range info.Replicas {
		also += ", replica " + r.HTTPURL
	}
	for _, v := range info.Validators {
		also += ", validator " + v.StatusURL
	}
	_, err := fmt.Fprintf(out, "Talaria devnet is ready%s: L2 %s (chain %d), L1 %s (chain %d)%s, status page %s, details in %s/devnet.json; Ctrl-C stops it\n",
		kind, info.L2.HTTPURL, info.L2.ChainID, info.L1.HTTPURL, info.L1.ChainID, also, info.Web, info.Datadir)
	return err
}
