package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunVerifiesEverything(t *testing.T) {
	cases := map[string]struct {
		cfg    Config
		noSync bool
		sent   uint64
	}{
		"closed loop, one client":           {Config{Txs: 20}, false, 20},
		"closed loop, uneven shares":        {Config{Txs: 23, Clients: 5, Warmup: -1}, false, 23},
		"closed loop in batches":            {Config{Txs: 50, Clients: 2, Batch: 8}, false, 50},
		"closed loop by polling":            {Config{Txs: 12, Clients: 3, Batch: 2}, true, 12},
		"polling although sync is there":    {Config{Txs: 5, Receipt: Poll}, false, 5},
		"token transfers":                   {Config{Txs: 20, Clients: 2, Workload: ERC20}, false, 20},
		"open loop":                         {Config{Mode: Open, Rate: 2000, Txs: 40, Clients: 7}, false, 40},
		"open loop in batches, last is odd": {Config{Mode: Open, Rate: 5000, Txs: 43, Clients: 4, Batch: 5}, false, 43},
		"open loop for a time":              {Config{Mode: Open, Rate: 500, Duration: 50 * time.Millisecond, Workload: ERC20}, true, 25},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t)
			f.noSync = c.noSync
			c.cfg.URL = url
			r, err := Run(t.Context(), c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() || r.Failed != 0 || r.Sent != c.sent || r.Confirmed != c.sent {
				t.Fatalf("report %+v", r)
			}
			if v := r.Verified; v.Receipts < c.sent || v.Sealed != v.Receipts || v.Nonces != uint64(r.Clients) {
				t.Fatalf("verified %+v", v)
			}
			want := uint64(2 * r.Clients)
			if c.cfg.Workload == ERC20 {
				if r.Verified.TokenBalances != want {
					t.Fatalf("token balances verified: %d, want %d", r.Verified.TokenBalances, want)
				}
				want /= 2
			}
			if r.Verified.Balances != want {
				t.Fatalf("balances verified: %d, want %d", r.Verified.Balances, want)
			}
			if (r.Receipt == Sync) != (!c.noSync && c.cfg.Receipt != Poll) {
				t.Fatalf("receipts by %s", r.Receipt)
			}
		})
	}
}

func TestRunCatchesALyingNode(t *testing.T) {
	cases := map[string]struct {
		fault func(*fakeNode)
		want  string
	}{
		"receipt of a failed transaction": {func(f *fakeNode) {
			f.corrupt = func(r map[string]any) {
				if r["to"] != nil && r["gasUsed"] != nil && f.seen > 0 {
					r["status"] = "0x0"
				}
			}
			f.refuse = func(int) error { return nil }
		}, "status 0"},
		"receipt that changes":      {func(f *fakeNode) { f.reread = func(r map[string]any) { r["gasUsed"] = "0x1" } }, "changed when its block sealed"},
		"balances that do not sum":  {func(f *fakeNode) { f.drift = 1 }, "its receipts say"},
		"receipt that is forgotten": {func(f *fakeNode) { f.reread = func(r map[string]any) { r["transactionHash"] = common.Hash{} } }, "changed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t)
			c.fault(f)
			r, err := Run(t.Context(), Config{URL: url, Txs: 4})
			if err != nil {
				// The payer's own transactions fail with a refused status.
				if strings.Contains(err.Error(), c.want) {
					return
				}
				t.Fatal(err)
			}
			if r.OK() || !strings.Contains(strings.Join(r.Mismatches, "\n"), c.want) {
				t.Fatalf("mismatches %q, want %q", r.Mismatches, c.want)
			}
		})
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	f, url := newFake(t)
	f.refuse = func(n int) error {
		if n > 4 && n%2 == 0 {
			return errors.New("limit 12345 of 0xabcdef reached")
		}
		return nil
	}
	r, err := Run(t.Context(), Config{URL: url, Txs: 10, Warmup: -1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed == 0 || r.Errors["limit N of <hex> reached"] != r.Failed || r.Failed+r.Confirmed != r.Sent || !r.OK() {
		t.Fatalf("report %+v", r)
	}
}

func TestAnOpenAccountStopsAfterALostNonce(t *testing.T) {
	f, url := newFake(t)
	f.refuse = func(n int) error {
		if n == 3 {
			return errors.New("refused")
		}
		return nil
	}
	r, err := Run(t.Context(), Config{URL: url, Mode: Open, Rate: 1000, Txs: 10, Clients: 1, Warmup: -1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Confirmed+r.Failed != 10 || r.Errors["refused"] != 1 || !r.OK() {
		t.Fatalf("report %+v", r)
	}
}

func TestConfigSaysWhatIsAllowed(t *testing.T) {
	cases := map[string]Config{
		`url "ftp://x"`:    {URL: "ftp://x"},
		`workload "swaps"`: {Workload: "swaps"},
		`mode "half-open"`: {Mode: "half-open"},
		`receipt "never"`:  {Receipt: "never"},
		"clients 10001":    {Clients: 10_001},
		"batch 1001":       {Batch: 1001},
		"rate 5":           {Rate: 5},
		"rate -1":          {Mode: Open, Rate: -1},
		"txs -1":           {Txs: -1},
		"key":              {Key: "0x12"},
	}
	for want, cfg := range cases {
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", cfg, err, want)
		}
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: Check says %v, want %q", cfg, err, want)
		}
	}
}

func TestCancelledRunStops(t *testing.T) {
	_, url := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{URL: url}); err == nil {
		t.Fatal("no error")
	}
}

func TestPercentilesAreNearestRanks(t *testing.T) {
	var list []time.Duration
	for i := 100; i >= 1; i-- {
		list = append(list, time.Duration(i)*time.Millisecond)
	}
	if got, want := percentiles(list), (Latency{P50: 50, P90: 90, P99: 99, P999: 100, Max: 100, Mean: 50.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := percentiles(nil); got != (Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestReportReadsTheSameAsTableAndJSON(t *testing.T) {
	_, url := newFake(t)
	r, err := Run(t.Context(), Config{URL: url, Txs: 3})
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fake/1 (chain 7)", "3 confirmed, 0 failed", "p50", "p99", "chain id true"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, table.String())
		}
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Report)
	if err := json.Unmarshal(raw, back); err != nil || back.Latency != r.Latency || back.Verified != r.Verified {
		t.Errorf("JSON round trip: %v, %+v", err, back)
	}
}
