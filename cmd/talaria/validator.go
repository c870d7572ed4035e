package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/validator"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/telemetry"
)

// validatorMemory is the soft limit of the heap that a validator gives itself, so that the
// process stays below 512 MiB. GOMEMLIMIT in the environment decides otherwise.
const validatorMemory = 420 << 20

func validatorCommand() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return &cli.Command{
		Name:  "validator",
		Usage: "check every block of a chain without holding its state",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the last checked block, evidence and the guard of the key (required)", Sources: env("DATADIR")},
			&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain (required)", Sources: env("GENESIS")},
			&cli.StringFlag{Name: "feed-url", Usage: "feed of the chain, nats://host:port or tls://host:port; several with commas (required)", Sources: env("FEED_URL")},
			&cli.StringFlag{Name: "feed-credentials", Usage: "file of who this process is there: name and password, the seed of an nkey, or NATS credentials (default: name and password or a seed in " + feedLogin + "); a validator with a key must be an attestor", Sources: env("FEED_CREDENTIALS")},
			&cli.StringFlag{Name: "feed-tls-ca", Usage: "file of the authorities that its certificates are checked with, PEM (default: those of this machine)", Sources: env("FEED_TLS_CA")},
			&cli.StringFlag{Name: "leader-url", Usage: "JSON-RPC of a node that is asked for what the feed does not hold", Sources: env("LEADER_URL")},
			&cli.StringFlag{Name: "sequencer", Usage: "address that signs mini-blocks, whatever L1 says (default: whom the SystemConfig contract names as of each block's L1 origin; without --l1-url, the genesis file's)", Sources: env("SEQUENCER")},
			&cli.Uint64Flag{Name: "from", Value: 1, Usage: "first block to check in a new datadir; its parent is believed", Sources: env("FROM")},
			&cli.IntFlag{Name: "workers", Usage: "blocks checked at a time (default: one for each processor)", Sources: env("WORKERS")},
			&cli.StringSliceFlag{Name: "l1-url", Usage: "JSON-RPC of L1: compare with what it holds; again for every further endpoint", Sources: env("L1_URL")},
			&cli.StringSliceFlag{Name: "l1-beacon-url", Usage: "beacon API of L1, in the order of --l1-url (default: the same)", Sources: env("L1_BEACON_URL")},
			l1QuorumFlag(),
			&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server of a chain whose batches are there", Sources: env("ALTDA_URL")},
			&cli.Uint64Flag{Name: "l1-confirmations", Usage: "how deep an L1 block must be", Sources: env("L1_CONFIRMATIONS")},
			&cli.StringFlag{Name: "key-file", Usage: "file with the BLS key that attests to blocks, 32 bytes in hex (or TALARIA_BLS_KEY itself in the environment)", Sources: env("BLS_KEY_FILE")},
			&cli.BoolFlag{Name: "second-opinion", Usage: "have go-ethereum execute every block, too", Sources: env("SECOND_OPINION")},
			&cli.BoolFlag{Name: "stop-on-fault", Usage: "end with exit code 1 at the first wrong block", Sources: env("STOP_ON_FAULT")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
			&cli.IntFlag{Name: "port", Value: 8747, Usage: "HTTP: /status, /attestations?block=N, /metrics; 0: any free port", Sources: env("PORT")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when it runs", Sources: env("JSON")},
			logFlag(),
		},
		Action:   runValidator,
		Commands: []*cli.Command{validatorCheckCommand()},
	}
}

func validatorCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "confirm evidence: exit code 0 if the block in the file has the fault that it says",
		ArgsUsage: "FILE",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "genesis", Usage: "genesis file that the configuration in the evidence must be of"},
			&cli.BoolFlag{Name: "geth", Usage: "also say what go-ethereum comes to"},
			&cli.StringSliceFlag{Name: "l1-url", Usage: "JSON-RPC of L1: ask whether it holds what evidence says that it does; again for every further endpoint"},
			&cli.StringSliceFlag{Name: "l1-beacon-url", Usage: "beacon API of L1, in the order of --l1-url (default: the same)"},
			l1QuorumFlag(),
			&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server of a chain whose batches are there"},
		},
		Action: checkEvidence,
	}
}

func checkEvidence(ctx context.Context, c *cli.Command) error {
	if c.NArg() != 1 {
		return usagef("validator check takes one file of evidence")
	}
	raw, err := os.ReadFile(c.Args().First())
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	e, err := validator.DecodeEvidence(raw)
	if err != nil {
		return err
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	if genesis != nil && genesis.Config != e.Config {
		return fmt.Errorf("the configuration in the evidence is not that of %s", c.String("genesis"))
	}
	out := c.Root().Writer
	if c.Bool("geth") {
		if _, err := fmt.Fprintf(out, "go-ethereum: %s\n", e.SecondOpinion()); err != nil {
			return err
		}
	}
	if err := e.Confirm(); err != nil {
		return err
	}
	onL1, err := confirmOnL1(ctx, c, e)
	if err != nil {
		return err
	}
	what := "is wrong"
	if e.Fault.Kind.Undecided() {
		what = "is undecided: the witness in the file does not suffice"
	}
	_, err = fmt.Fprintf(out, "confirmed: block %d %s of chain %d (leader %s, parent %s) %s: %v%s\n", e.Number, e.Hash, e.Config.ChainID, e.Leader, e.Parent(), what, e.Fault, onL1)
	return err
}

// confirmOnL1 asks L1, if there is one, for what evidence says of it, and tells in words how
// far that is known.
func confirmOnL1(ctx context.Context, c *cli.Command, e *validator.Evidence) (string, error) {
	if e.L1 == nil {
		return "", nil
	}
	tip := e.L1.Tip()
	if len(c.StringSlice("l1-url")) == 0 {
		return fmt.Sprintf("; if L1 has block %d %s with the transactions in the file (--l1-url asks one)", tip.Number, tip.Hash), nil
	}
	log, err := logger(c)
	if err != nil {
		return "", err
	}
	opts := new(validator.Options)
	closeL1, err := validatorL1(ctx, c, &e.Config, opts, log)
	if err != nil {
		return "", err
	}
	defer closeL1()
	if err := e.CheckL1(ctx, opts.L1); err != nil {
		return "", err
	}
	return fmt.Sprintf("; L1 has block %d %s, and what the file says of it", tip.Number, tip.Hash), nil
}

func runValidator(ctx context.Context, c *cli.Command) (err error) {
	for _, name := range []string{"datadir", "genesis", "feed-url"} {
		if c.String(name) == "" {
			return usagef("--%s is required", name)
		}
	}
	number, err := port(c, "port")
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	opts := validator.Options{
		Genesis: genesis, From: c.Uint64("from"), Workers: c.Int("workers"), StopOnFault: c.Bool("stop-on-fault"),
		SecondOpinion: c.Bool("second-opinion"), Log: log,
	}
	if opts.Workers < 0 || opts.From == 0 {
		return usagef("--workers %d, --from %d: allowed is 0 and more workers, and blocks from 1 on", opts.Workers, opts.From)
	}
	if s := c.String("sequencer"); s != "" {
		if !common.IsHexAddress(s) {
			return usagef("--sequencer %q: not an address", s)
		}
		opts.Leader = common.HexToAddress(s)
	}
	if opts.Key, err = blsKey(c.String("key-file")); err != nil {
		return err
	}
	if opts.Dir, err = filepath.Abs(c.String("datadir")); err != nil {
		return err
	}
	if opts.GenesisHash, err = genesisHash(genesis); err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(validatorMemory)
	}
	metrics := telemetry.New()
	opts.Metrics = metrics.Validation()
	client, err := dialFeed(ctx, c, genesis.Config.ChainID, metrics, log)
	if err != nil {
		return err
	}
	defer client.Close()
	opts.Feed, opts.Sink = client, client
	if url := c.String("leader-url"); url != "" {
		node, err := validator.DialNode(ctx, url)
		if err != nil {
			return err
		}
		defer node.Close()
		opts.Node = node
	}
	closeL1, err := validatorL1(ctx, c, &genesis.Config, &opts, log)
	if err != nil {
		return err
	}
	defer closeL1()
	v, err := validator.Start(opts)
	if err != nil {
		return err
	}
	defer v.Close()
	return serveValidator(ctx, c, v, metrics, number)
}

// serveValidator serves status and metrics until ctx or the validator ends.
func serveValidator(ctx context.Context, c *cli.Command, v *validator.Validator, metrics *telemetry.Metrics, number int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(c.String("host"), fmt.Sprint(number)))
	if err != nil {
		return fmt.Errorf("listen: %w (choose another with --port, or 0 for any free one)", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", v.Handler())
	mux.Handle("GET /metrics", metrics.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		_ = server.Close() // what is asked while it ends is not answered
	}()
	url := "http://" + listener.Addr().String()
	line := fmt.Sprintf("Talaria validator checks from block %d on; %s/status; Ctrl-C stops it", v.Status().From, url)
	if c.Bool("json") {
		raw, err := json.Marshal(map[string]any{"statusUrl": url + "/status", "metricsUrl": url + "/metrics", "from": v.Status().From})
		if err != nil {
			return err
		}
		line = string(raw)
	}
	if _, err := fmt.Fprintln(c.Root().Writer, line); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	case <-v.Failed():
		return v.Failure()
	}
}

// validatorL1 connects to the L1 that blocks are compared with, if there is one.
func validatorL1(ctx context.Context, c *cli.Command, cfg *chain.Config, opts *validator.Options, log *slog.Logger) (closeL1 func(), err error) {
	if len(c.StringSlice("l1-url")) == 0 {
		return func() {}, nil
	}
	quorum, err := l1Quorum(c)
	if err != nil {
		return nil, err
	}
	layers, err := batchLayers(c, cfg)
	if err != nil {
		return nil, err
	}
	source, _, closeL1, err := dialSettlement(ctx, c, cfg, quorum, layers, log)
	if err != nil {
		return nil, err
	}
	opts.L1 = &validator.L1Options{L1: source, Resolver: l1feed.FromDA(layers), Confirmations: c.Uint64("l1-confirmations")}
	return closeL1, nil
}

// dialFeed connects to the feed.
func dialFeed(ctx context.Context, c *cli.Command, chainID uint64, metrics *telemetry.Metrics, log *slog.Logger) (_ *feed.Client, err error) {
	o := feed.ClientOptions{ChainID: chainID, URL: c.String("feed-url"), Metrics: metrics, Log: log}
	if err := feed.CheckURL(o.URL); err != nil {
		return nil, usagef("--feed-url: %w", err)
	}
	if o.Credentials, err = feedCredentials(c); err != nil {
		return nil, err
	}
	if o.TLS, err = feedAuthorities(c); err != nil {
		return nil, err
	}
	return feed.Dial(ctx, o)
}

// blsKey reads the key from the environment or a file; nil: there is none.
func blsKey(file string) (*bls.SecretKey, error) {
	text := os.Getenv("TALARIA_BLS_KEY")
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the BLS key: %w", err)
		}
		text = string(raw)
	}
	if text = strings.TrimPrefix(strings.TrimSpace(text), "0x"); text == "" {
		if file != "" {
			return nil, usagef("--key-file %s: no key in it", file)
		}
		return nil, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("the BLS key is not hex")
	}
	return bls.ParseSecretKey(raw)
}

// genesisHash is the hash of block 0.
func genesisHash(g *chain.Genesis) (common.Hash, error) {
	diff, err := exec.GenesisDiff(g)
	if err != nil {
		return common.Hash{}, err
	}
	tree := state.NewTrie()
	tree.Apply(diff)
	return exec.GenesisBlock(g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr)).Hash(), nil
}
