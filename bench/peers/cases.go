package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/talaria-l2/talaria/bench"
)

// probe is one thing that every node is measured with.
type probe struct {
	title  string
	config bench.Config
	// sweep lists numbers of connections: each node is measured on the one that was its
	// best in shorter runs of transfers before. Empty: on those of config.
	sweep []int
	kept  string        // name under which the runs of the sweep are kept
	short time.Duration // of the runs of the sweep
}

// accounts is how many send in every run of transactions.
const accounts = 1000

// sampled is how many receipts of each block are read: anvil takes time proportional to
// its block for each. Places, order, nonces and what the recipients hold are checked of
// all transactions.
const sampled = 20

// Names under which the runs of sweeps are kept.
const (
	batchSweep  = "transfer, batches of 100: sweep"
	singleSweep = "transfer, single: sweep"
)

// probes are what is measured, in this order.
func probes(o *options) ([]probe, error) {
	singles, err := numbers("-conns", o.conns)
	if err != nil {
		return nil, err
	}
	batches, err := numbers("-batch-conns", o.batchConns)
	if err != nil {
		return nil, err
	}
	tx := func(workload string, conns, batch, pipeline int) bench.Config {
		return bench.Config{
			Workload: workload, Receipt: bench.Blocks, Conns: conns, Pipeline: pipeline, Clients: accounts, Batch: batch,
			Sample: sampled, Duration: o.send, Timeout: time.Minute,
		}
	}
	short := max(o.send/2, time.Second)
	list := []probe{
		{title: "transfer, batches of 100", config: tx(bench.Transfer, 0, 100, 1), sweep: batches, kept: batchSweep, short: short},
		{title: "erc20, batches of 100", config: tx(bench.ERC20, 0, 100, 1), sweep: batches, kept: batchSweep, short: short},
		{title: "transfer, single", config: tx(bench.Transfer, 0, 1, 1), sweep: singles, kept: singleSweep, short: short},
		{title: "erc20, single", config: tx(bench.ERC20, 0, 1, 1), sweep: singles, kept: singleSweep, short: short},
		{title: "transfer, single, 16 pipelined", config: tx(bench.Transfer, 32, 1, 16)},
	}
	for _, method := range []string{"eth_chainId", "eth_blockNumber", "eth_getBalance", "eth_call"} {
		list = append(list, probe{title: method, config: bench.Config{Workload: "read:" + method, Conns: 8, Duration: o.read, Timeout: time.Minute}})
	}
	var chosen []probe
	for _, p := range list {
		for _, part := range strings.Split(o.cases, "|") {
			if strings.Contains(p.title, part) {
				chosen = append(chosen, p)
				break
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-cases %q: no case has this in its name", o.cases)
	}
	return chosen, nil
}

// numbers reads numbers with commas between.
func numbers(flag, text string) (list []int, err error) {
	for _, part := range strings.Split(text, ",") {
		var n int
		if _, err := fmt.Sscan(part, &n); err != nil {
			return nil, fmt.Errorf("%s %q: want numbers with commas between: %w", flag, text, err)
		}
		list = append(list, n)
	}
	return list, nil
}

// prepared is how many transactions are signed for each second of sending: more than
// the node takes, so that the time ends the run and not the supply.
func prepared(node string, batch int) int {
	switch {
	case node != talaria:
		return 16_000
	case batch > 1:
		return 150_000
	default:
		return 80_000
	}
}
