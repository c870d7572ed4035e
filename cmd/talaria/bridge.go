package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/l1/devl1"
	"github.com/talaria-l2/talaria/sdk/bridging"
)

// keyVariable is the environment variable with the user's key.
const keyVariable = "TALARIA_KEY"

func bridgeCommand() *cli.Command {
	amount := &cli.StringFlag{Name: "amount", Usage: "how much, in ether or whole tokens, such as 1.5 (required)"}
	to := &cli.StringFlag{Name: "to", Usage: "who receives it on the other layer (default: the account of the key)"}
	gas := &cli.Uint32Flag{Name: "gas", Usage: "gas that the receiver gets there, at least (default: 100000; 200000 for a token)", HideDefault: true}
	index := &cli.Uint64Flag{Name: "index", Usage: "which of the withdrawals, or messages, of a transaction, from 0"}
	const hash = "HASH"
	app := &cli.Command{
		Name: "bridge", Usage: "move ether and tokens between L1 and L2",
		Commands: []*cli.Command{
			{
				Name: "deposit", Usage: "from L1 to L2, in seconds",
				Flags: bridgeFlags(amount, to, gas,
					&cli.StringFlag{Name: "token", Usage: "token on L1; 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE is ether, which comes as a token where the chain's currency is another (default: the chain's currency)"},
					&cli.StringFlag{Name: "l2-token", Usage: "token on L2 that stands for it (default: the one that the factory makes with its name, symbol and decimals)"},
					&cli.BoolFlag{Name: "create", Usage: "make the token on L2 if there is none"}),
				Action: runDeposit,
			},
			{
				Name: "withdraw", Usage: "from L2 to L1",
				Flags: bridgeFlags(amount, to, gas,
					&cli.StringFlag{Name: "token", Usage: "token on L2 (default: the chain's currency)"},
					&cli.BoolFlag{Name: "wait", Usage: "prove and finalise it, too; it may be stopped, and go on with finalize --wait"},
					&cli.BoolFlag{Name: "instant", Usage: "have the pool pay it in seconds, for a fee; only the chain's currency"},
					&cli.StringFlag{Name: "min-payout", Usage: "with --instant: what the pool must pay at least (default: its offer less its fee once more)"}),
				Action: runWithdraw,
			},
			{
				Name: "prove", Usage: "prove a withdrawal on L1, under a claim that holds it", ArgsUsage: hash,
				Flags: bridgeFlags(index), Action: runProve,
			},
			{
				Name: "finalize", Usage: "have L1 pay a withdrawal, or deliver its failed message again", ArgsUsage: hash,
				Flags:  bridgeFlags(index, &cli.BoolFlag{Name: "wait", Usage: "take every step that is missing, as soon as it can be"}),
				Action: runFinalize,
			},
			{
				Name: "refund", Usage: "take back the currency of a message to L2 that failed there, by its L1 transaction: it leaves L2 as a withdrawal, and the message never runs", ArgsUsage: hash,
				Flags:  bridgeFlags(index, &cli.BoolFlag{Name: "wait", Usage: "prove and finalise the withdrawal, too"}),
				Action: runRefund,
			},
			{
				Name: "status", Usage: "where a withdrawal or a deposit stands, by its hash or its transaction's", ArgsUsage: hash,
				Flags: bridgeFlags(index), Action: runBridgeStatus,
			},
			{
				Name: "pool", Usage: "lend to withdrawals that are paid at once, for their fees",
				Commands: []*cli.Command{
					{Name: "deposit", Usage: "pay into the pool on L1", Flags: bridgeFlags(amount), Action: runPoolDeposit},
					{Name: "withdraw", Usage: "take out of the pool: of what is lent out, each part can be collected when it has come back", Flags: bridgeFlags(&cli.StringFlag{Name: "amount", Usage: "how much, in ether (default: everything)"}), Action: runPoolWithdraw},
					{Name: "collect", Usage: "take what has come back since one left the pool", Flags: bridgeFlags(&cli.Uint64Flag{Name: "from-block", Usage: "first L1 block to look at"}), Action: runPoolCollect},
					{Name: "status", Usage: "what the pool has, charges and owes", Flags: bridgeFlags(&cli.StringFlag{Name: "provider", Usage: "whose part (default: that of the key)"}), Action: runPoolStatus},
				},
				Action: func(context.Context, *cli.Command) error {
					return usagef("bridge pool: one of deposit, withdraw, collect and status is required")
				},
			},
		},
		Action: func(context.Context, *cli.Command) error {
			return usagef("bridge: one of deposit, withdraw, prove, finalize, refund, status and pool is required")
		},
	}
	return app
}

// bridgeFlags are flags with those that every command of the bridge has.
func bridgeFlags(own ...cli.Flag) []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return slices.Concat(own, []cli.Flag{
		&cli.StringFlag{Name: "devnet", Usage: "devnet.json, or the directory of a devnet: its URLs and contracts", Sources: env("DEVNET")},
		&cli.StringFlag{Name: "genesis", Usage: "genesis file of the chain, which names its contracts on L1 (default: those of --devnet, else those that an L2 node on this machine names)", Sources: env("GENESIS")},
		&cli.StringFlag{Name: "portal", Usage: "the chain's portal on L1, in place of --genesis: enough for deposits of the currency and for withdrawals without the pool", Sources: env("PORTAL")},
		&cli.BoolFlag{Name: "trust-node", Usage: "take the word of an L2 node elsewhere for the contracts: it can take what is sent to them", Sources: env("TRUST_NODE")},
		&cli.StringFlag{Name: "l2-url", Usage: "JSON-RPC of L2 (default: that of --devnet, else http://127.0.0.1:8545)", Sources: env("L2_URL")},
		&cli.StringFlag{Name: "l1-url", Usage: "JSON-RPC of L1 (default: that of --devnet, else http://127.0.0.1:8645)", Sources: env("L1_URL")},
		&cli.StringFlag{Name: "max-l2-gas-price", Value: "10", Usage: "what a gas of L2 may cost at most, in gwei of the chain's currency: the L2 node names the price", Sources: env("MAX_L2_GAS_PRICE")},
		&cli.StringFlag{Name: "key-file", Usage: "file of the key: an encrypted keystore, or hexadecimal (default: the variable " + keyVariable + ")", Sources: env("KEY_FILE")},
		&cli.StringFlag{Name: "password-file", Usage: "file of the keystore's password", Sources: env("PASSWORD_FILE")},
		&cli.IntFlag{Name: "account", Value: -1, HideDefault: true, Usage: "one of the ten test accounts of a devnet, 0..9, in place of a key", Sources: env("ACCOUNT")},
		&cli.BoolFlag{Name: "json", Usage: "print the result as one line of JSON", Sources: env("JSON")},
	})
}

// user is a client of the bridge with what its command was told.
type user struct {
	*bridging.Client
	cmd      *cli.Command
	progress *progress
}

// dialBridge connects as the flags say. The user must be closed.
func dialBridge(ctx context.Context, c *cli.Command, needsKey bool) (*user, error) {
	key, err := userKey(c)
	if err != nil {
		return nil, err
	}
	if key == nil && needsKey {
		return nil, usagef("no key is given (set %s, or --key-file, or --account 0 on a devnet)", keyVariable)
	}
	price, err := units(c.String("max-l2-gas-price"), 9)
	if err != nil {
		return nil, usagef("--max-l2-gas-price %q: %w", c.String("max-l2-gas-price"), err)
	}
	l1URL, l2URL, trust, err := bridgeLayers(c)
	if err != nil {
		return nil, err
	}
	if !needsKey { // it only reads: nothing can be taken
		trust.Node = true
	}
	u := &user{cmd: c, progress: startProgress(c.Root().ErrWriter)}
	u.Client, err = bridging.Dial(ctx, bridging.Options{L1URL: l1URL, L2URL: l2URL, Key: key, Trust: trust, MaxL2GasPrice: price, Report: u.progress.report})
	if err != nil {
		u.progress.stop()
		if errors.Is(err, bridging.ErrUntrusted) {
			return nil, usagef("%w (name the chain's genesis file with --genesis, or its portal with --portal; --trust-node takes the node's word)", err)
		}
		return nil, fmt.Errorf("%w (is it running there? --l1-url, --l2-url and --devnet say where)", err)
	}
	return u, nil
}

func (u *user) close() {
	u.progress.stop()
	u.Close()
}

// print writes the result: an object, or lines for people.
func (u *user) print(v any, lines ...string) error {
	u.progress.stop()
	out := u.cmd.Root().Writer
	if u.cmd.Bool("json") {
		return printJSON(out, v)
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

// userKey reads the key; nil: none is given.
func userKey(c *cli.Command) (*ecdsa.PrivateKey, error) {
	path, n := c.String("key-file"), c.Int("account")
	switch {
	case c.IsSet("account") && path != "":
		return nil, usagef("--account and --key-file: one of them")
	case c.IsSet("account"):
		if n < 0 || n >= devl1.DevAccounts {
			return nil, usagef("--account %d: allowed is 0..%d", n, devl1.DevAccounts-1)
		}
		return devl1.Keys(devl1.DevAccounts)[n], nil
	case path == "":
		text := os.Getenv(keyVariable)
		if text == "" {
			return nil, nil
		}
		key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
		if err != nil {
			return nil, usagef("%s: want 32 bytes in hexadecimal", keyVariable)
		}
		return key, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--key-file: %w", err)
	}
	if !json.Valid(raw) || !strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(string(raw)), "0x"))
		if err != nil {
			return nil, usagef("--key-file %s: neither a keystore nor 32 bytes in hexadecimal", path)
		}
		return key, nil
	}
	secret, err := os.ReadFile(c.String("password-file"))
	if err != nil {
		return nil, usagef("--password-file, for the keystore: %w", err)
	}
	opened, err := keystore.DecryptKey(raw, strings.TrimRight(string(secret), "\r\n"))
	if err != nil {
		return nil, usagef("--key-file %s: %w", path, err)
	}
	return opened.PrivateKey, nil
}

// optionalAddress reads an address flag; zero when it is not given.
func optionalAddress(c *cli.Command, name string) (common.Address, error) {
	text := c.String(name)
	if text == "" {
		return common.Address{}, nil
	}
	if !common.IsHexAddress(text) {
		return common.Address{}, usagef("--%s %q: want an address", name, text)
	}
	return common.HexToAddress(text), nil
}

// units reads a decimal number as a positive amount of the smallest unit.
func units(text string, decimals uint8) (*big.Int, error) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > int(decimals) {
		return nil, fmt.Errorf("has more than %d decimals", decimals)
	}
	digits := whole + part + strings.Repeat("0", int(decimals)-len(part))
	if strings.Trim(digits, "0123456789") != "" || whole+part == "" {
		return nil, errors.New("is not a number such as 1.5")
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if n.Sign() == 0 || n.BitLen() > 256 {
		return nil, errors.New("must be positive and below 2^256")
	}
	return n, nil
}

// inUnits is units the other way.
func inUnits(n *big.Int, decimals uint8) string {
	text := n.String()
	if pad := int(decimals) + 1 - len(text); pad > 0 {
		text = strings.Repeat("0", pad) + text
	}
	whole, part := text[:len(text)-int(decimals)], strings.TrimRight(text[len(text)-int(decimals):], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}

// amountFlag reads an amount of a token, or of the chain's currency.
func (u *user) amountFlag(ctx context.Context, name string, token common.Address, onL2 bool) (*big.Int, error) {
	text := u.cmd.String(name)
	if text == "" {
		return nil, usagef("--%s is required", name)
	}
	decimals := uint8(18)
	if token != (common.Address{}) {
		var err error
		if decimals, err = u.Decimals(ctx, token, onL2); err != nil {
			return nil, err
		}
	}
	n, err := units(text, decimals)
	if err != nil {
		return nil, usagef("--%s %q: %w", name, text, err)
	}
	return n, nil
}

// hashArgument reads the one argument.
func hashArgument(c *cli.Command) (common.Hash, error) {
	text := c.Args().First()
	raw, err := hexutil.Decode(text)
	if c.Args().Len() != 1 || err != nil || len(raw) != common.HashLength {
		return common.Hash{}, usagef("%s %s: want one hash of 32 bytes, of a withdrawal or a transaction", c.Name, strings.Join(c.Args().Slice(), " "))
	}
	return common.BytesToHash(raw), nil
}
