package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/proposer"
	"github.com/talaria-l2/talaria/telemetry"
)

func proposerCommand() *cli.Command {
	return &cli.Command{
		Name: "proposer",
		Usage: "follow a chain from L1 alone and claim its output roots there, so that withdrawals can be proven; " +
			"wrong claims of others are challenged. Anybody may, with ether for bonds, for one stake with which to challenge and for another in reserve; no operator of the chain is needed",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "key-file", Usage: "file with the private key of the L1 account that pays bonds and the stake, 64 hex digits; nothing else may use it (default: TALARIA_PROPOSER_KEY)", Sources: cli.EnvVars("TALARIA_PROPOSER_KEY_FILE")},
			&cli.DurationFlag{Name: "claim-interval", Value: time.Hour, Usage: "least time between two claims, each of which locks a bond for the challenge window, 1s..24h", Sources: cli.EnvVars("TALARIA_CLAIM_INTERVAL")},
		}, replicaFlags()...),
		Action: runProposer,
	}
}

func runProposer(ctx context.Context, c *cli.Command) error {
	interval := c.Duration("claim-interval")
	if interval < time.Second || interval > 24*time.Hour {
		return usagef("--claim-interval %s: allowed is 1s..24h", interval)
	}
	key, err := proposerKey(c.String("key-file"))
	if err != nil {
		return err
	}
	return runReplica(ctx, c, &company{start: func(n *node.Node, client *l1.Client, metrics *telemetry.Metrics, log *slog.Logger) (func(), error) {
		factory := n.Config().DisputeGameFactory
		if factory == (common.Address{}) {
			return nil, errors.New("the genesis file names no DisputeGameFactory: there is nothing to claim at")
		}
		sender := l1.NewSender(client, l1.NewKeySigner(key), l1.SenderOptions{})
		p := proposer.Start(proposer.Options{
			Chain: n, Claims: proposer.NewContracts(client, sender, factory), Interval: interval, Metrics: metrics.Claims(), Log: log,
		})
		return p.Close, nil
	}})
}

// proposerKey reads a private key from a file, or without one from the environment.
func proposerKey(file string) (*ecdsa.PrivateKey, error) {
	digits, from := os.Getenv("TALARIA_PROPOSER_KEY"), "TALARIA_PROPOSER_KEY"
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the proposer's key: %w", err)
		}
		digits, from = string(raw), file
	}
	if digits == "" {
		return nil, usagef("--key-file, or 64 hex digits in TALARIA_PROPOSER_KEY, is required")
	}
	key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(digits), "0x"))
	if err != nil {
		return nil, usagef("%s: want a private key of 64 hex digits", from) // never what it holds
	}
	return key, nil
}
