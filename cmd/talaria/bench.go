package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bench"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "load any Ethereum node and verify what it answers",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Value: "http://127.0.0.1:8545", Usage: "JSON-RPC over http or ws"},
			&cli.StringFlag{Name: "workload", Value: bench.Transfer, Usage: "transfer or erc20"},
			&cli.StringFlag{Name: "mode", Value: bench.Closed, Usage: "closed: the next transaction follows the receipt of the last; open: a fixed rate"},
			&cli.IntFlag{Name: "clients", Usage: "accounts that send at the same time (default: 1; open: 64)"},
			&cli.Float64Flag{Name: "rate", Usage: "transactions per second, open loop only (default: 100)"},
			&cli.DurationFlag{Name: "duration", Usage: "how long to send (default: 10s without --txs)"},
			&cli.IntFlag{Name: "txs", Usage: "transactions in all (default: until --duration ends)"},
			&cli.IntFlag{Name: "batch", Value: 1, Usage: "transactions in one JSON-RPC batch, 1..1000"},
			&cli.StringFlag{Name: "receipt", Value: bench.Auto, Usage: "sync: eth_sendRawTransactionSync; poll: eth_getTransactionReceipt; auto"},
			&cli.StringFlag{Name: "key", Usage: "private key that funds the accounts (default: the first of the well-known test mnemonic)", Sources: cli.EnvVars("TALARIA_BENCH_KEY")},
			&cli.DurationFlag{Name: "timeout", Usage: "for one transaction to get its receipt (default: 30s)"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
		},
		Action: runBench,
	}
}

func runBench(ctx context.Context, c *cli.Command) error {
	cfg := bench.Config{
		URL: c.String("url"), Workload: c.String("workload"), Mode: c.String("mode"), Clients: int(c.Int("clients")),
		Rate: c.Float64("rate"), Duration: c.Duration("duration"), Txs: int(c.Int("txs")), Batch: int(c.Int("batch")),
		Receipt: c.String("receipt"), Key: strings.TrimPrefix(c.String("key"), "0x"), Timeout: c.Duration("timeout"),
	}
	if err := cfg.Check(); err != nil {
		return usageError{err}
	}
	report, err := bench.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = json.NewEncoder(c.Root().Writer).Encode(report)
	} else {
		err = report.WriteTable(c.Root().Writer)
	}
	if err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if !report.OK() {
		return errors.New("the node's answers do not hold: see mismatches in the report")
	}
	return nil
}
