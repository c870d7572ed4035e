package e2e

import (
	"os"
	"testing"
	"time"

	"strings"

	"github.com/talaria-l2/talaria/bench"
)

// TestBench runs the load generator as `talaria bench` does. Everything that it
// verifies must hold; with TALARIA_BENCH=1 it runs longer, on an otherwise idle
// machine, and the promised latencies must hold too.
func TestBench(t *testing.T) {
	measure := os.Getenv("TALARIA_BENCH") != ""
	d := sharedDevnet(t)
	if measure {
		d = startDevnet(t, t.TempDir())
	}
	runs := map[string]bench.Config{
		"transfer, closed, one client": {Txs: 300},
		"erc20, closed, eight clients": {Workload: bench.ERC20, Clients: 8, Txs: 800},
		"transfer, open":               {Mode: bench.Open, Rate: 200, Duration: 2 * time.Second},
		"erc20 over WebSocket, open":   {URL: d.L2.WSURL, Workload: bench.ERC20, Mode: bench.Open, Rate: 100, Duration: 2 * time.Second},
		"transfer in batches, closed":  {Batch: 50, Clients: 2, Txs: 1000},
		"transfer, polled":             {Receipt: bench.Poll, Clients: 2, Txs: 50},
	}
	for name, cfg := range runs {
		t.Run(name, func(t *testing.T) {
			if cfg.URL == "" {
				cfg.URL = d.L2.HTTPURL
			}
			if measure {
				cfg.Txs *= 10
				cfg.Duration *= 5
			}
			r, err := bench.Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			var table strings.Builder
			if err := r.WriteTable(&table); err != nil {
				t.Fatal(err)
			}
			t.Log("\n" + table.String())
			if !r.OK() || r.Failed > 0 || r.Verified.Sealed < r.Confirmed {
				t.Error("not everything was verified")
			}
			if measure && cfg.Clients == 0 && cfg.Mode == "" && (r.Latency.P50 > 5 || r.Latency.P99 > 20) {
				t.Errorf("one client, idle devnet: p50 %.2f ms and p99 %.2f ms, promised 5 and 20", r.Latency.P50, r.Latency.P99)
			}
		})
	}
}
