package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bench"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "load any Ethereum node and verify what it answers",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Value: "http://127.0.0.1:8545", Usage: "JSON-RPC over http or ws"},
			&cli.StringFlag{Name: "workload", Value: bench.Transfer, Usage: "transfer, erc20; presigned also hot, swap, compute, storage, mixed; read:eth_chainId, read:eth_blockNumber, read:eth_getBalance, read:eth_call"},
			&cli.StringFlag{Name: "mode", Value: bench.Closed, Usage: "closed: the next transaction follows the receipt of the last; open: a fixed rate"},
			&cli.IntFlag{Name: "clients", Usage: "accounts that send at the same time (default: 1; open: 64)"},
			&cli.Float64Flag{Name: "rate", Usage: "transactions per second, open loop only (default: 100)"},
			&cli.DurationFlag{Name: "duration", Usage: "how long to send (default: 10s without --txs)"},
			&cli.IntFlag{Name: "txs", Usage: "transactions in all (default: until --duration ends)"},
			&cli.IntFlag{Name: "batch", Value: 1, Usage: "transactions in one JSON-RPC batch, 1..1000"},
			&cli.StringFlag{Name: "receipt", Value: bench.Auto, Usage: "sync: eth_sendRawTransactionSync; poll: eth_getTransactionReceipt; blocks: signed beforehand, found in blocks; auto"},
			&cli.StringFlag{Name: "key", Usage: "private key that funds the accounts (default: the first of the well-known test mnemonic)", Sources: cli.EnvVars("TALARIA_BENCH_KEY")},
			&cli.DurationFlag{Name: "timeout", Usage: "for one transaction to get its receipt (default: 30s)"},
			&cli.BoolFlag{Name: "presign", Usage: "sign everything before the clock starts and look for it in blocks: the same as --receipt blocks"},
			&cli.IntFlag{Name: "conns", Usage: "connections of a presigned run or of reads (default: 8)"},
			&cli.StringFlag{Name: "ingest", Usage: "send presigned transactions to this tcp:// or tls:// address of raw ingest"},
			&cli.StringFlag{Name: "as-replica", Usage: "private key of a replica that raw ingest trusts (--trusted-replica there): the run is that replica, and vouches for its senders", Sources: cli.EnvVars("TALARIA_BENCH_REPLICA_KEY")},
			&cli.StringFlag{Name: "mix", Value: bench.DefaultMix, Usage: "weights of the workload mixed"},
			&cli.StringFlag{Name: "seed", Usage: "of the accounts' keys (default: new in every run)"},
			&cli.BoolFlag{Name: "legacy", Usage: "legacy transactions, not EIP-1559 (presigned)"},
			&cli.IntFlag{Name: "pid", Usage: "process of the node, for its processor time (default: who listens on the URL's port of this machine)"},
			&cli.IntFlag{Name: "pipeline", Usage: "requests on the way on a connection, presigned, over http://, closed loop (default: 1)"},
			&cli.IntFlag{Name: "sample", Usage: "receipts of each block that the audit reads (presigned); fewer than all leave the senders' balances out (default: all)"},
			&cli.StringFlag{Name: "streams", Usage: "ws:// address to subscribe at during a presigned run"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
		},
		Action:   runBench,
		Commands: []*cli.Command{benchWatchCommand()},
	}
}

func benchWatchCommand() *cli.Command {
	return &cli.Command{
		Name:  "watch",
		Usage: "subscribe many times to a node's mini-blocks and measure how late they come; the clock must be the sequencer's",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Value: "ws://127.0.0.1:8545", Usage: "the node, ws://"},
			&cli.IntFlag{Name: "watchers", Value: 1000, Usage: "connections, 1..100000"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long they listen, 1s..1h"},
			&cli.BoolFlag{Name: "hashes", Usage: "subscribe to mini-blocks with hashes of transactions, without receipts"},
			&cli.IntFlag{Name: "pid", Usage: "process of the node, for its processor time (default: who listens on the URL's port of this machine)"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
		},
		Action: runBenchWatch,
	}
}

func runBenchWatch(ctx context.Context, c *cli.Command) error {
	cfg := bench.WatchConfig{URL: c.String("url"), Watchers: c.Int("watchers"), Duration: c.Duration("duration"), Hashes: c.Bool("hashes"), PID: c.Int("pid")}
	if err := cfg.Check(); err != nil {
		return usageError{err}
	}
	report, err := bench.Watch(ctx, cfg)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, report)
	}
	return report.WriteTable(c.Root().Writer)
}

func runBench(ctx context.Context, c *cli.Command) error {
	cfg := bench.Config{
		URL: c.String("url"), Workload: c.String("workload"), Mode: c.String("mode"), Clients: int(c.Int("clients")),
		Rate: c.Float64("rate"), Duration: c.Duration("duration"), Txs: int(c.Int("txs")), Batch: int(c.Int("batch")),
		Receipt: c.String("receipt"), Key: strings.TrimPrefix(c.String("key"), "0x"), Timeout: c.Duration("timeout"),
		Conns: int(c.Int("conns")), Ingest: c.String("ingest"), Replica: c.String("as-replica"), Mix: c.String("mix"), Seed: c.String("seed"), Legacy: c.Bool("legacy"),
		PID: int(c.Int("pid")), Streams: c.String("streams"), Pipeline: int(c.Int("pipeline")), Sample: int(c.Int("sample")), Log: c.Root().ErrWriter,
	}
	if c.Bool("presign") {
		if c.IsSet("receipt") && cfg.Receipt != bench.Blocks {
			return usagef("--presign and --receipt %s: presigned transactions are looked for in blocks", cfg.Receipt)
		}
		cfg.Receipt = bench.Blocks
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
