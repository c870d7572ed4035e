package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/daoperator"
	"github.com/talaria-l2/talaria/store"
)

func daEnv(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_DA_" + name) }

// committeeFlags say which committee is meant.
func committeeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "committee", Usage: "JSON file of a committee that never changes, instead of the registry on L1", Sources: daEnv("COMMITTEE")},
		&cli.StringFlag{Name: "l1-url", Usage: "JSON-RPC of L1", Sources: cli.EnvVars("TALARIA_L1_URL")},
		&cli.StringFlag{Name: "registry", Usage: "address of the OperatorRegistry on L1", Sources: daEnv("REGISTRY")},
		&cli.StringFlag{Name: "verifier", Usage: "address of the CertificateVerifier on L1", Sources: daEnv("VERIFIER")},
		&cli.Uint64Flag{Name: "l2-chain-id", Value: 7411, Usage: "chain whose data is kept", Sources: daEnv("L2_CHAIN_ID")},
	}
}

// committees opens what the flags name. The client is nil without an L1; the caller
// closes it.
func committees(ctx context.Context, c *cli.Command) (committee.Source, *l1.Client, error) {
	if file := c.String("committee"); file != "" {
		if c.String("registry") != "" {
			return nil, nil, usagef("--committee and --registry: only one of them is allowed")
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read committee: %w", err)
		}
		members := new(committee.Committee)
		if err := json.Unmarshal(raw, members); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		return committee.Fixed{Only: members}, nil, nil
	}
	if c.String("l1-url") == "" {
		return nil, nil, usagef("--committee, or --l1-url with --registry and --verifier, is required")
	}
	registry, err := address(c, "registry")
	if err != nil {
		return nil, nil, err
	}
	verifier, err := address(c, "verifier")
	if err != nil {
		return nil, nil, err
	}
	client, err := l1.Dial(ctx, l1.Options{URL: c.String("l1-url")})
	if err != nil {
		return nil, nil, fmt.Errorf("connect to L1: %w", err)
	}
	source, err := committee.NewRegistry(committee.RegistryOptions{
		L1: client.Eth(), Registry: registry, Verifier: verifier, L1ChainID: client.ChainID().Uint64(), L2ChainID: c.Uint64("l2-chain-id"),
	})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return source, client, nil
}

// address reads a required flag.
func address(c *cli.Command, name string) (common.Address, error) {
	if !common.IsHexAddress(c.String(name)) {
		return common.Address{}, usagef("--%s %q: an address of 20 bytes in hexadecimal is required", name, c.String(name))
	}
	return common.HexToAddress(c.String(name)), nil
}

func daOperatorCommand() *cli.Command {
	return &cli.Command{
		Name:  "da-operator",
		Usage: "keep a part of the chain's data and sign for it",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the operator (required)", Sources: cli.EnvVars("TALARIA_DATADIR")},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:9400", Usage: "address and port of the HTTP interface; port 0: any free one", Sources: daEnv("LISTEN")},
			&cli.StringFlag{Name: "key-file", Usage: "EIP-2335 keystore of the BLS key, from `talaria da key` (default: 64 hex digits in TALARIA_DA_KEY)", Sources: daEnv("KEY_FILE")},
			&cli.StringFlag{Name: "password-file", Usage: "file of the keystore's password (default: TALARIA_DA_PASSWORD)", Sources: daEnv("PASSWORD_FILE")},
			&cli.StringFlag{Name: "dispersers", Usage: "accounts that may write, with commas between (default: anybody)", Sources: daEnv("DISPERSERS")},
			&cli.Uint64Flag{Name: "max-bytes", Usage: "of data on disk; 0: no limit", Sources: daEnv("MAX_BYTES")},
			&cli.DurationFlag{Name: "retention", Usage: "how long data is kept after its statement expired, such as 720h; 0: for ever", Sources: daEnv("RETENTION")},
			&cli.IntFlag{Name: "max-connections", Value: 256, Usage: "at a time, 1..100000", Sources: daEnv("MAX_CONNECTIONS")},
			&cli.IntFlag{Name: "max-rate", Value: 200, Usage: "requests a second of one address, 1..1000000", Sources: daEnv("MAX_RATE")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when serving", Sources: cli.EnvVars("TALARIA_JSON")},
			logFlag(),
		}, committeeFlags()...),
		Action: runDAOperator,
	}
}

func runDAOperator(ctx context.Context, c *cli.Command) (err error) {
	if c.String("datadir") == "" {
		return usagef("--datadir is required")
	}
	limits, err := serveLimits(c)
	if err != nil {
		return err
	}
	if c.Duration("retention") < 0 || c.Uint64("max-bytes") > 1<<62 {
		return usagef("--retention %v, --max-bytes %d: allowed are 0 and more, up to 2^62 bytes", c.Duration("retention"), c.Uint64("max-bytes"))
	}
	var dispersers []common.Address
	for _, text := range strings.FieldsFunc(c.String("dispersers"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if !common.IsHexAddress(text) {
			return usagef("--dispersers: %q is not an address", text)
		}
		dispersers = append(dispersers, common.HexToAddress(text))
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	key, err := operatorKey(c)
	if err != nil {
		return err
	}
	source, client, err := committees(ctx, c)
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
	}
	path, err := filepath.Abs(c.String("datadir"))
	if err != nil {
		return err
	}
	dir, err := store.OpenDir(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := committee.WarmUp(); err != nil {
		return err
	}
	listener, err := listen(c)
	if err != nil {
		return err
	}
	o, err := daoperator.Start(daoperator.Options{
		Dir: path, Key: key, Source: source, Listener: listener, Dispersers: dispersers,
		MaxBytes: int64(c.Uint64("max-bytes")), Retention: c.Duration("retention"), Limits: limits, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	public := o.PublicKey().Bytes()
	if err := announceDA(c, "operator", o.URL(), map[string]any{"publicKey": hexutil.Bytes(public[:]), "datadir": path}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-o.Done():
		return err
	}
}

func serveLimits(c *cli.Command) (da.Limits, error) {
	connections, rate := c.Int("max-connections"), c.Int("max-rate")
	if connections < 1 || connections > 100_000 || rate < 1 || rate > 1_000_000 {
		return da.Limits{}, usagef("--max-connections %d, --max-rate %d: allowed are 1..100000 and 1..1000000", connections, rate)
	}
	return da.Limits{Connections: connections, RequestsPerSecond: rate}, nil
}

// listen opens the address of --listen.
func listen(c *cli.Command) (net.Listener, error) {
	listener, err := net.Listen("tcp", c.String("listen"))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken (choose another port with --listen, or 0 for any free one)", c.String("listen"))
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// announceDA prints where something is served.
func announceDA(c *cli.Command, what, url string, more map[string]any) error {
	out := c.Root().Writer
	if !c.Bool("json") {
		_, err := fmt.Fprintf(out, "Talaria data-availability %s serves %s; Ctrl-C stops it\n", what, url)
		return err
	}
	more["url"] = url
	return printJSON(out, more)
}

// operatorKey reads the BLS key from a keystore or the environment.
func operatorKey(c *cli.Command) (*bls.SecretKey, error) {
	file := c.String("key-file")
	if file == "" {
		raw, err := hex.DecodeString(strings.TrimPrefix(os.Getenv("TALARIA_DA_KEY"), "0x"))
		if err != nil || len(raw) != bls.SecretBytes {
			return nil, usagef("--key-file, or 64 hex digits in TALARIA_DA_KEY, is required (talaria da key makes a keystore)")
		}
		return bls.ParseSecretKey(raw)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	password, err := password(c)
	if err != nil {
		return nil, err
	}
	return daoperator.DecryptKey(raw, password)
}

// password reads the file of --password-file, or the environment.
func password(c *cli.Command) (string, error) {
	if file := c.String("password-file"); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return strings.TrimRight(string(raw), "\r\n"), nil
	}
	if p, ok := os.LookupEnv("TALARIA_DA_PASSWORD"); ok {
		return p, nil
	}
	return "", usagef("--password-file, or TALARIA_DA_PASSWORD in the environment, is required")
}

func daServerCommand() *cli.Command {
	return &cli.Command{
		Name:  "da-server",
		Usage: "an alt-DA server of the OP Stack's interface on a directory",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the data (required)", Sources: cli.EnvVars("TALARIA_DATADIR")},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:3100", Usage: "address and port; port 0: any free one", Sources: daEnv("LISTEN")},
			&cli.IntFlag{Name: "max-body", Value: altda.DefaultMaxBytes, Usage: "bytes under one commitment, 1..1073741824", Sources: daEnv("MAX_BODY")},
			&cli.BoolFlag{Name: "generic", Usage: "answer POST /put with generic commitments (type 1)", Sources: daEnv("GENERIC")},
			&cli.IntFlag{Name: "max-connections", Value: 256, Usage: "at a time, 1..100000", Sources: daEnv("MAX_CONNECTIONS")},
			&cli.IntFlag{Name: "max-rate", Value: 200, Usage: "requests a second of one address, 1..1000000", Sources: daEnv("MAX_RATE")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when serving", Sources: cli.EnvVars("TALARIA_JSON")},
		},
		Action: runDAServer,
	}
}

func runDAServer(ctx context.Context, c *cli.Command) (err error) {
	if c.String("datadir") == "" {
		return usagef("--datadir is required")
	}
	limits, err := serveLimits(c)
	if err != nil {
		return err
	}
	if n := c.Int("max-body"); n < 1 || n > 1<<30 {
		return usagef("--max-body %d: allowed is 1..1073741824", n)
	}
	path, err := filepath.Abs(c.String("datadir"))
	if err != nil {
		return err
	}
	dir, err := store.OpenDir(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	handler, err := altda.NewServer(altda.ServerOptions{Dir: filepath.Join(path, "data"), MaxBytes: c.Int("max-body"), Generic: c.Bool("generic")})
	if err != nil {
		return err
	}
	listener, err := listen(c)
	if err != nil {
		return err
	}
	server := da.Serve(listener, handler, limits)
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := announceDA(c, "server", server.URL(), map[string]any{"datadir": path}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Done():
		return err
	}
}
