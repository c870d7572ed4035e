package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is the result of one run.
type Report struct {
	URL      string `json:"url"`
	Client   string `json:"client"` // web3_clientVersion
	ChainID  uint64 `json:"chainId"`
	Workload string `json:"workload"`
	Mode     string `json:"mode"`
	Receipt  string `json:"receipt"` // Sync or Poll
	Clients  int    `json:"clients"`
	Batch    int    `json:"batch"`
	// Rate is the intended rate of an open run, transactions per second.
	Rate float64 `json:"rate,omitempty"`

	Seconds    float64 `json:"seconds"`    // from the first send to the last receipt
	Sent       uint64  `json:"sent"`       // without warm-up
	Confirmed  uint64  `json:"confirmed"`  // sent and with a receipt
	Failed     uint64  `json:"failed"`     // without a receipt, warm-up included
	Throughput float64 `json:"throughput"` // confirmed transactions per second
	MegaGas    float64 `json:"megaGasPerSecond"`
	Latency    Latency `json:"latencyMillis"`

	Errors   map[string]uint64 `json:"errors"` // by message, numbers replaced by N
	Verified Verified          `json:"verified"`
	// Mismatches are the first failed checks, MismatchCount all of them.
	Mismatches    []string `json:"mismatches"`
	MismatchCount uint64   `json:"mismatchCount"`
}

// Latency is from send to receipt, in milliseconds: in the closed loop from the
// moment the request leaves, in the open loop from the moment it was due.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// Verified counts the checks that held.
type Verified struct {
	Receipts      uint64 `json:"receipts"`      // status, hash, sender, recipient, gas, events; with warm-up
	Sealed        uint64 `json:"sealed"`        // the same receipt, read again from its sealed block
	Nonces        uint64 `json:"nonces"`        // accounts
	Balances      uint64 `json:"balances"`      // accounts, exact to the wei
	TokenBalances uint64 `json:"tokenBalances"` // accounts, exact
	Skipped       uint64 `json:"skipped"`       // clients left out of the exact sums: an outcome is unknown
	ChainID       bool   `json:"chainId"`       // the same before and after
}

// OK says whether every check held.
func (r *Report) OK() bool { return r.MismatchCount == 0 && r.Verified.ChainID }

// newReport sums up a run that started at start.
func newReport(cfg *Config, t *tally, start time.Time) *Report {
	r := &Report{
		URL: cfg.URL, Workload: cfg.Workload, Mode: cfg.Mode, Clients: cfg.Clients, Batch: cfg.Batch, Rate: cfg.Rate,
		Sent: t.sent, Confirmed: uint64(len(t.latencies)), Failed: t.failed,
		Errors: t.errors, Latency: percentiles(t.latencies),
	}
	if len(t.latencies) > 0 {
		r.Seconds = t.last.Sub(start).Seconds()
		r.Throughput = float64(r.Confirmed) / r.Seconds
		r.MegaGas = float64(t.gas) / 1e6 / r.Seconds
	}
	return r
}

// percentiles sorts list and reads the nearest ranks.
func percentiles(list []time.Duration) Latency {
	if len(list) == 0 {
		return Latency{}
	}
	slices.Sort(list)
	at := func(percent int) float64 {
		rank := (len(list)*percent + 99) / 100
		return millis(list[max(rank, 1)-1])
	}
	var sum time.Duration
	for _, d := range list {
		sum += d
	}
	return Latency{
		P50: at(50), P90: at(90), P99: at(99), Max: millis(list[len(list)-1]),
		Mean: millis(sum) / float64(len(list)),
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("node", "%s (chain %d) at %s", r.Client, r.ChainID, r.URL)
	shape := fmt.Sprintf("%s, %s loop, %d clients, batch %d, receipts by %s", r.Workload, r.Mode, r.Clients, r.Batch, r.Receipt)
	if r.Mode == Open {
		shape += fmt.Sprintf(", %g tx/s intended", r.Rate)
	}
	row("load", "%s", shape)
	row("sent", "%d in %.2f s: %d confirmed, %d failed", r.Sent, r.Seconds, r.Confirmed, r.Failed)
	row("throughput", "%.1f tx/s, %.2f Mgas/s", r.Throughput, r.MegaGas)
	row("latency", "p50 %.2f  p90 %.2f  p99 %.2f  max %.2f  mean %.2f ms",
		r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max, r.Latency.Mean)
	v := r.Verified
	row("verified", "%d receipts, %d of them again after sealing, %d nonces, %d balances, %d token balances, chain id %t",
		v.Receipts, v.Sealed, v.Nonces, v.Balances, v.TokenBalances, v.ChainID)
	if v.Skipped > 0 {
		row("skipped", "%d clients are not in the exact sums: the outcome of a transaction is unknown", v.Skipped)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		row("error", "%d × %s", r.Errors[kind], strings.ReplaceAll(kind, "\n", " "))
	}
	for _, m := range r.Mismatches {
		row("MISMATCH", "%s", m)
	}
	if more := r.MismatchCount - uint64(len(r.Mismatches)); more > 0 {
		row("MISMATCH", "and %d more", more)
	}
	return t.Flush()
}
