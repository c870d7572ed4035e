package bench

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Run funds fresh accounts, sends the load, verifies and reports. It returns an
// error when the run could not be made or verified; that transactions failed or
// checks did not hold is in the report, see [Report.OK].
func Run(ctx context.Context, config Config) (*Report, error) {
	cfg, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	n, err := dial(ctx, &cfg)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer n.close()
	report, err := run(ctx, &cfg, n)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return report, nil
}

func run(ctx context.Context, cfg *Config, n *node) (*Report, error) {
	want := cfg.Receipt
	if want == Blocks {
		want = Auto // for the payer's own transactions
	}
	if err := n.detectSync(ctx, want); err != nil {
		return nil, err
	}
	if cfg.Receipt == Blocks {
		return runBlocks(ctx, cfg, n)
	}
	p, accounts, err := setUp(ctx, cfg, n)
	if err != nil {
		return nil, err
	}
	l := &load{cfg: cfg, node: n, p: p, accounts: accounts, tally: newTally()}
	l.warmUp(ctx)
	var plans [][][]signed
	if cfg.Mode == Open {
		if plans, err = l.presign(); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	if cfg.Mode == Open {
		l.open(ctx, plans)
	} else {
		l.closed(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report := newReport(cfg, l.tally, start)
	report.ChainID = p.chainID.Uint64()
	report.Receipt = Poll
	if n.sync {
		report.Receipt = Sync
	}
	if err := n.rpc.CallContext(ctx, &report.Client, "web3_clientVersion"); err != nil {
		report.Client = "unnamed"
	}
	if report.Verified, err = l.verify(ctx); err != nil {
		return nil, err
	}
	report.Mismatches, report.MismatchCount = l.tally.mismatches, l.tally.wrong
	return report, nil
}

// runBlocks makes a presigned run or one of reads.
func runBlocks(ctx context.Context, cfg *Config, n *node) (*Report, error) {
	measure := runPresigned
	if strings.HasPrefix(cfg.Workload, readPrefix) {
		measure = runReads
	}
	report, err := measure(ctx, cfg, n)
	if err != nil {
		return nil, err
	}
	if err := n.rpc.CallContext(ctx, &report.Client, "web3_clientVersion"); err != nil {
		report.Client = "unnamed"
	}
	return report, nil
}
