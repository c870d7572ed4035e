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

	// Of presigned runs; Confirmed is then what the node acknowledged.
	Conns     int               `json:"conns,omitempty"`
	Pipeline  int               `json:"pipeline,omitempty"`  // requests on the way on a connection
	Transport string            `json:"transport"`           // http, https, ws, wss, tcp or tls
	Instant   bool              `json:"instant,omitempty"`   // the node executes before it answers
	Attempts  uint64            `json:"attempts,omitempty"`  // sendings; a shed transaction is sent again
	Included  uint64            `json:"included,omitempty"`  // found in blocks
	Shed      uint64            `json:"shed,omitempty"`      // sendings refused for load
	ShedCodes map[string]uint64 `json:"shedCodes,omitempty"` // by JSON-RPC code, HTTP status or ingest status
	Inclusion Latency           `json:"inclusionMillis"`     // until seen in a block; Latency if Instant
	CPU       CPU               `json:"cpu"`

	Errors   map[string]uint64 `json:"errors"` // by message, numbers replaced by N
	Verified Verified          `json:"verified"`
	// Mismatches are the first failed checks, MismatchCount all of them.
	Mismatches    []string `json:"mismatches"`
	MismatchCount uint64   `json:"mismatchCount"`
}

// CPU is processor time a transaction (or read), in microseconds, from the first send
// to the last inclusion.
type CPU struct {
	PID             int     `json:"pid,omitempty"`           // of the node; 0: not on this machine
	NodeMicros      float64 `json:"nodeMicros"`              // user and system
	GeneratorMicros float64 `json:"generatorMicros"`         // of this process
	RecoverMicros   float64 `json:"recoverMicros,omitempty"` // one libsecp256k1 recovery, measured before and after
	Ratio           float64 `json:"ratio,omitempty"`         // NodeMicros / RecoverMicros
	RSS             uint64  `json:"rssBytes,omitempty"`      // of the node, at the end
}

// Streams counts what a subscriber received and what of it was right.
type Streams struct {
	Heads      uint64 `json:"heads"`      // each the child of the one before
	Logs       uint64 `json:"logs"`       // exactly those of eth_getLogs
	MiniBlocks uint64 `json:"miniBlocks"` // without a gap
}

// Latency is from send to receipt, in milliseconds: in the closed loop from the
// moment the request leaves, in the open loop from the moment it was due.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// Verified counts the checks that held.
type Verified struct {
	Receipts      uint64  `json:"receipts"`      // status, hash, sender, recipient, gas, events; with warm-up
	Sealed        uint64  `json:"sealed"`        // the same receipt, read again from its sealed block
	Nonces        uint64  `json:"nonces"`        // accounts
	Balances      uint64  `json:"balances"`      // accounts, exact to the wei
	TokenBalances uint64  `json:"tokenBalances"` // accounts, exact
	Contracts     uint64  `json:"contracts"`     // pair reserves, digests and slots, exact
	Ordered       uint64  `json:"ordered"`       // transactions in the order of their account's nonces
	Reads         uint64  `json:"reads"`         // answers
	Streams       Streams `json:"streams"`
	Skipped       uint64  `json:"skipped"` // clients left out of the exact sums: an outcome is unknown
	ChainID       bool    `json:"chainId"` // the same before and after
}

// OK says whether every check held.
func (r *Report) OK() bool { return r.MismatchCount == 0 && r.Verified.ChainID }

// newReport sums up a run that started at start.
func newReport(cfg *Config, t *tally, start time.Time) *Report {
	r := &Report{
		URL: cfg.URL, Workload: cfg.Workload, Mode: cfg.Mode, Clients: cfg.Clients, Batch: cfg.Batch, Rate: cfg.Rate,
		Sent: t.sent, Confirmed: uint64(len(t.latencies)), Failed: t.failed,
		Errors: t.errors, Latency: percentiles(t.latencies), Transport: cfg.transport(),
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
	at := func(perMille int) float64 {
		rank := (len(list)*perMille + 999) / 1000
		return millis(list[max(rank, 1)-1])
	}
	var sum time.Duration
	for _, d := range list {
		sum += d
	}
	return Latency{
		P50: at(500), P90: at(900), P99: at(990), P999: at(999), Max: millis(list[len(list)-1]),
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
	row("load", "%s", r.shape())
	switch {
	case strings.HasPrefix(r.Workload, readPrefix):
		row("read", "%d in %.2f s, %d failed", r.Confirmed, r.Seconds, r.Failed)
		row("throughput", "%.1f answers/s", r.Throughput)
	case r.Receipt == Blocks:
		row("sent", "%d in %.2f s: %d acknowledged, %d included, %d failed", r.Sent, r.Seconds, r.Confirmed, r.Included, r.Failed)
		row("throughput", "%.1f tx/s included, %.2f Mgas/s", r.Throughput, r.MegaGas)
	default:
		row("sent", "%d in %.2f s: %d confirmed, %d failed", r.Sent, r.Seconds, r.Confirmed, r.Failed)
		row("throughput", "%.1f tx/s, %.2f Mgas/s", r.Throughput, r.MegaGas)
	}
	if r.Shed > 0 {
		row("shed", "%d of %d sendings, by code %v", r.Shed, r.Attempts, r.ShedCodes)
	}
	row("latency", "%s", r.Latency)
	if r.Receipt == Blocks && !r.Instant && r.Included > 0 {
		row("inclusion", "%s", r.Inclusion)
	}
	r.CPU.rows(row)
	v := r.Verified
	row("verified", "%d receipts, %d of them again after sealing, %d nonces, %d balances, %d token balances, chain id %t",
		v.Receipts, v.Sealed, v.Nonces, v.Balances, v.TokenBalances, v.ChainID)
	if r.Receipt == Blocks {
		row("", "%d in order of nonce, %d values of contracts, %d answers; streams: %d heads, %d logs, %d mini-blocks",
			v.Ordered, v.Contracts, v.Reads, v.Streams.Heads, v.Streams.Logs, v.Streams.MiniBlocks)
	}
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

// shape is the load in a line.
func (r *Report) shape() string {
	b := fmt.Sprintf("%s, %s loop, %d clients, batch %d", r.Workload, r.Mode, r.Clients, r.Batch)
	if r.Conns > 0 {
		b += fmt.Sprintf(", %d connections over %s", r.Conns, r.Transport)
	}
	if !strings.HasPrefix(r.Workload, readPrefix) {
		b += ", receipts by " + r.Receipt
	}
	if r.Mode == Open {
		b += fmt.Sprintf(", %g tx/s intended", r.Rate)
	}
	return b
}

// String is the percentiles in a line.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f  mean %.2f ms", l.P50, l.P90, l.P99, l.P999, l.Max, l.Mean)
}

func (c *CPU) rows(row func(name, format string, args ...any)) {
	if c.PID != 0 {
		row("node", "%.2f µs of processor each, %.0f MB resident (process %d)", c.NodeMicros, float64(c.RSS)/1e6, c.PID)
	}
	if c.GeneratorMicros > 0 {
		row("generator", "%.2f µs of processor each", c.GeneratorMicros)
	}
	if c.RecoverMicros > 0 {
		row("ecrecover", "%.2f µs; the node takes %.2f of it each", c.RecoverMicros, c.Ratio)
	}
}
