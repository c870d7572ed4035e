package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/role/devnet"
	"github.com/talaria-l2/talaria/role/genesis"
)

// deployerKey is the variable of the key that pays for a deployment.
const deployerKey = "DEPLOYER_KEY"

func genesisCommand() *cli.Command {
	return &cli.Command{
		Name:  "genesis",
		Usage: "make a chain: put its contracts on an L1 by URL and write the genesis file that every node of it needs",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "out", Value: "genesis.json", Usage: "the genesis file, which must not exist"},
			&cli.StringFlag{Name: "l1-url", Usage: "JSON-RPC of L1 (required)", Sources: cli.EnvVars("TALARIA_L1_URL")},
			&cli.StringFlag{Name: "sequencer", Usage: "account that signs mini-blocks (required)"},
			&cli.StringFlag{Name: "batcher", Usage: "account that posts batches (required)"},
			&cli.StringFlag{Name: "owner", Usage: "account that governs the contracts (default: the one that deploys them)"},
			&cli.StringFlag{Name: "guardian", Usage: "account that may pause exits (default: the owner)"},
			&cli.StringFlag{Name: "fee-recipient", Usage: "account that gets the chain's fees (default: the owner)"},
			&cli.StringFlag{Name: "batch-inbox", Usage: "address on L1 that batches are sent to, without a key or code (default: 0xff, zeros and the chain id)"},
			&cli.Uint64Flag{Name: "chain-id", Value: chain.DefaultL2ChainID, Usage: "1..9007199254740992"},
			&cli.StringSliceFlag{Name: "gift", Usage: "ADDRESS=ETHER that an account has from the start; the deploying account must hold as much on L1, which goes to the portal so that it can be withdrawn; again for every further one"},
			&cli.Uint64Flag{Name: "inclusion-window", Value: chain.DefaultInclusionWindow, Usage: "L1 blocks after which a deposit enters the chain even if the sequencer never takes it, 10..50000"},
			&cli.BoolFlag{Name: "development", Usage: "delays of seconds in the contracts instead of those of a public network: such a chain protects nothing"},
			&cli.DurationFlag{Name: "challenge-window", Usage: "how long a claim of an output root may be challenged: whole seconds, 1s..8760h (default: 168h; 3s with --development)", HideDefault: true},
			&cli.StringFlag{Name: "gas-token", Usage: "address of a token on L1 with 18 decimals that is the native currency (default: ether)"},
			&cli.Uint64Flag{Name: "gas-token-rate", Value: 1000, Usage: "with --gas-token: what an ether is worth at first, in tokens; 1..1000000000"},
			&cli.Uint32Flag{Name: "base-fee-scalar", Value: devnet.CostBaseFeeScalar, Usage: "weight of L1's base fee in the L1 data fee, in millionths"},
			&cli.Uint32Flag{Name: "blob-base-fee-scalar", Value: devnet.CostBlobBaseFeeScalar, Usage: "weight of L1's blob base fee in the L1 data fee, in millionths"},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON", Sources: cli.EnvVars("TALARIA_JSON")},
		}, accountFlags(deployerKey, "the L1 account that pays for the deployment; nothing else may use it meanwhile")),
		Action: runGenesis,
	}
}

func runGenesis(ctx context.Context, c *cli.Command) error {
	path := c.String("out")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return usagef("--out %s: exists already, and belongs to a chain", path)
	}
	if c.String("l1-url") == "" {
		return usagef("--l1-url is required")
	}
	key, err := accountKey(c, deployerKey)
	if err != nil {
		return err
	}
	o := genesis.Options{}
	if o.Gifts, err = gifts(c.StringSlice("gift")); err != nil {
		return err
	}
	if err := readParams(c, crypto.PubkeyToAddress(key.PublicKey), &o); err != nil {
		return err
	}
	if o.Client, err = l1.Dial(ctx, l1.Options{URL: c.String("l1-url")}); err != nil {
		return fmt.Errorf("connect to L1: %w", err)
	}
	defer o.Client.Close()
	o.Params.Chain.L1ChainID = o.Client.ChainID().Uint64()
	if err := o.Params.Chain.Check(); err != nil {
		return usagef("%w", err)
	}
	o.Sender = l1.NewSender(o.Client, l1.NewKeySigner(key), l1.SenderOptions{})
	balance, err := o.Client.Balance(ctx, o.Sender.Address())
	if err != nil {
		return err
	}
	if need := new(big.Int).Add(o.Sum(), genesis.Reserve); balance.Cmp(need) < 0 {
		return fmt.Errorf("%s holds %s wei on L1, and needs %s for gas and gifts", o.Sender.Address(), balance, need)
	}
	g, backed, err := genesis.Create(ctx, o)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	if err := writeNew(path, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("write genesis: %w", err)
	}
	if !backed && len(o.Gifts) > 0 {
		fmt.Fprintln(c.Root().ErrWriter, "talaria: the gifts are not backed on L1: they cannot be withdrawn before others deposit as much")
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, map[string]any{
			"genesis": path, "contracts": g.L1Contracts, "backed": backed,
			"l2": map[string]any{"chainId": g.Config.ChainID}, "l1": map[string]any{"chainId": g.Config.L1ChainID},
		})
	}
	_, err = fmt.Fprintf(c.Root().Writer, "%s: chain %d on L1 %d, portal %s\n", path, g.Config.ChainID, g.Config.L1ChainID, g.Config.Portal)
	return err
}

// readParams reads what the flags say of the chain and its contracts.
func readParams(c *cli.Command, deployer common.Address, o *genesis.Options) (err error) {
	cfg := chain.DefaultConfig()
	cfg.ChainID, cfg.InclusionWindow = c.Uint64("chain-id"), c.Uint64("inclusion-window")
	cfg.BaseFeeScalar, cfg.BlobBaseFeeScalar = c.Uint32("base-fee-scalar"), c.Uint32("blob-base-fee-scalar")
	if cfg.Sequencer, err = address(c, "sequencer"); err != nil {
		return err
	}
	if cfg.Batcher, err = address(c, "batcher"); err != nil {
		return err
	}
	inbox := common.BigToAddress(new(big.Int).SetUint64(cfg.ChainID))
	inbox[0] = 0xff
	if cfg.BatchInbox, err = addressFlag(c, "batch-inbox", inbox); err != nil {
		return err
	}
	p := deploy.Production(cfg)
	if c.Bool("development") {
		p = deploy.Development(cfg)
	}
	if p.Owner, err = addressFlag(c, "owner", deployer); err != nil {
		return err
	}
	if p.Guardian, err = addressFlag(c, "guardian", p.Owner); err != nil {
		return err
	}
	if o.FeeRecipient, err = addressFlag(c, "fee-recipient", p.Owner); err != nil {
		return err
	}
	if c.IsSet("challenge-window") {
		window, err := challengeWindow(c)
		if err != nil {
			return err
		}
		p.ChallengeWindow = uint64(window / 1000)
	}
	rate := c.Uint64("gas-token-rate")
	if rate < 1 || rate > 1_000_000_000 {
		return usagef("--gas-token-rate %d: allowed is 1..1000000000", rate)
	}
	if c.String("gas-token") != "" {
		token, err := address(c, "gas-token")
		if err != nil {
			return err
		}
		p.UseToken(token, predeploys.Ether.Addr(), rate)
	}
	o.Params = p
	return nil
}

// gifts reads --gift.
func gifts(list []string) (map[common.Address]*big.Int, error) {
	out := map[common.Address]*big.Int{}
	for _, text := range list {
		to, amount, ok := strings.Cut(text, "=")
		ether, parsed := new(big.Rat).SetString(amount)
		if !ok || !common.IsHexAddress(to) || !parsed || ether.Sign() <= 0 {
			return nil, usagef("--gift %q: want ADDRESS=ETHER, such as 0x…=1000", text)
		}
		wei := ether.Mul(ether, new(big.Rat).SetInt64(params.Ether))
		if !wei.IsInt() || wei.Num().BitLen() > 128 {
			return nil, usagef("--gift %q: want whole wei, below 2^128", text)
		}
		out[common.HexToAddress(to)] = new(big.Int).Set(wei.Num())
	}
	return out, nil
}
