package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/daoperator"
)

func daEnv(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_DA_" + name) }

// committeeFlags say which committee is meant.
func committeeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "committee", Usage: "JSON file of a committee that never changes, instead of the registry on L1", Sources: daEnv("COMMITTEE")},
		&cli.StringFlag{Name: "l1-url", Usage: "JSON-RPC of L1", Sources: cli.EnvVars("TALARIA_L1_URL")},
		&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain, instead of --verifier and --l2-chain-id", Sources: cli.EnvVars("TALARIA_GENESIS")},
		&cli.StringFlag{Name: "verifier", Usage: "address of the CertificateVerifier on L1", Sources: daEnv("VERIFIER")},
		&cli.StringFlag{Name: "registry", Usage: "address of the OperatorRegistry on L1 (default: the verifier's)", Sources: daEnv("REGISTRY")},
		&cli.Uint64Flag{Name: "l2-chain-id", Value: 7411, Usage: "chain whose data is kept", Sources: daEnv("L2_CHAIN_ID")},
	}
}

// committeeAt is a committee, and the L1 that says who it is.
type committeeAt struct {
	source   committee.Source
	client   *l1.Client // nil: the committee is in a file
	verifier common.Address
}

func (at *committeeAt) close() {
	if at.client != nil {
		at.client.Close()
	}
}

// committees opens what the flags name. The caller closes it.
func committees(ctx context.Context, c *cli.Command) (*committeeAt, error) {
	if file := c.String("committee"); file != "" {
		if c.String("verifier") != "" || c.String("genesis") != "" {
			return nil, usagef("--committee, and --verifier or --genesis: only one of them is allowed")
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read committee: %w", err)
		}
		members := new(committee.Committee)
		if err := json.Unmarshal(raw, members); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return &committeeAt{source: committee.Fixed{Only: members}}, nil
	}
	if c.String("l1-url") == "" {
		return nil, usagef("--committee, or --l1-url with --genesis or --verifier, is required")
	}
	o := committee.RegistryOptions{L2ChainID: c.Uint64("l2-chain-id")}
	genesis, err := readGenesis(c.String("genesis"))
	switch {
	case err != nil:
		return nil, err
	case genesis != nil && genesis.Config.CertificateVerifier == common.Address{}:
		return nil, usagef("--genesis %s: the chain has no CertificateVerifier", c.String("genesis"))
	case genesis != nil:
		o.Verifier, o.L2ChainID = genesis.Config.CertificateVerifier, genesis.Config.ChainID
	default:
		if o.Verifier, err = address(c, "verifier"); err != nil {
			return nil, err
		}
	}
	if c.String("registry") != "" {
		if o.Registry, err = address(c, "registry"); err != nil {
			return nil, err
		}
	}
	client, err := l1.Dial(ctx, l1.Options{URL: c.String("l1-url")})
	if err != nil {
		return nil, fmt.Errorf("connect to L1: %w", err)
	}
	o.L1, o.L1ChainID = client.Eth(), client.ChainID().Uint64()
	source, err := committee.NewRegistry(o)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &committeeAt{source: source, client: client, verifier: o.Verifier}, nil
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
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "key-file", Usage: "EIP-2335 keystore of the BLS key, from `talaria da key` (default: 64 hex digits in TALARIA_DA_KEY)", Sources: daEnv("KEY_FILE")},
			&cli.StringFlag{Name: "password-file", Usage: "file of the keystore's password (default: TALARIA_DA_PASSWORD)", Sources: daEnv("PASSWORD_FILE")},
			&cli.StringFlag{Name: "dispersers", Usage: "accounts that may write, with commas between (default: anybody)", Sources: daEnv("DISPERSERS")},
			&cli.Uint64Flag{Name: "max-bytes", Usage: "of data on disk; 0: no limit", Sources: daEnv("MAX_BYTES")},
			&cli.DurationFlag{Name: "retention", Usage: "how long data is kept after its statement expired, such as 720h; 0: for ever", Sources: daEnv("RETENTION")},
			logFlag(),
		}, serveFlags("127.0.0.1:9400"), committeeFlags()),
		Action: runDAOperator,
	}
}

func runDAOperator(ctx context.Context, c *cli.Command) error {
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
	at, err := committees(ctx, c)
	if err != nil {
		return err
	}
	defer at.close()
	public := key.Public().Bytes()
	return serveDA(ctx, c, "operator", map[string]any{"publicKey": hexutil.Bytes(public[:])}, func(path string, l net.Listener, limits da.Limits) (dataServer, error) {
		if err := committee.WarmUp(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		return daoperator.Start(daoperator.Options{
			Dir: path, Key: key, Source: at.source, Listener: l, Dispersers: dispersers,
			MaxBytes: int64(c.Uint64("max-bytes")), Retention: c.Duration("retention"), Limits: limits, Log: log,
		})
	})
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
