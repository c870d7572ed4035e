package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/talaria-l2/talaria/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == serveGeth {
		if err := runGeth(ctx, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "go-ethereum:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	runs     int
	txs      int
	port     int
	nodes    string
	cases    string
	talaria  string
	anvil    string
	batchMs  int
	duration time.Duration
	asJSON   bool
}

// figure is the median of the runs of one case on one node.
type figure struct {
	Case       string        `json:"case"`
	Node       string        `json:"node"`
	Client     string        `json:"client"`
	Throughput float64       `json:"throughput"` // transactions included or answers, per second
	All        []float64     `json:"all"`        // of every run
	P50        float64       `json:"p50Millis"`  // send to answer
	P99        float64       `json:"p99Millis"`
	NodeMicros float64       `json:"nodeMicros"`
	Ratio      float64       `json:"ratio,omitempty"` // Talaria's throughput over this node's
	Report     *bench.Report `json:"report"`          // of the median run
	reports    []*bench.Report
}

func run(ctx context.Context) error {
	var o options
	flag.IntVar(&o.runs, "runs", 3, "runs of every case; the median counts")
	flag.IntVar(&o.txs, "txs", 20_000, "transactions of a run")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "of a run that reads")
	flag.IntVar(&o.port, "port", 31650, "first of six free ports")
	flag.StringVar(&o.nodes, "nodes", "anvil,geth,talaria", "which to measure")
	flag.StringVar(&o.cases, "cases", "", "only cases whose name contains this")
	flag.StringVar(&o.talaria, "talaria", "bin/talaria", "the program")
	flag.StringVar(&o.anvil, "anvil", "e2e/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", "the program")
	flag.IntVar(&o.batchMs, "batch-ms", 0, "Talaria's --batch-ms; 0 posts nothing to L1, as the others do")
	flag.BoolVar(&o.asJSON, "json", false, "print JSON")
	flag.Parse()
	var figures []*figure
	for _, name := range strings.Split(o.nodes, ",") {
		list, err := measureNode(ctx, &o, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		figures = append(figures, list...)
	}
	compare(figures)
	if o.asJSON {
		return json.NewEncoder(os.Stdout).Encode(figures)
	}
	return table(os.Stdout, figures)
}

// cases are what every node is measured with.
func cases(o *options) map[string]bench.Config {
	tx := func(workload string, conns, batch, txs int) bench.Config {
		return bench.Config{Workload: workload, Receipt: bench.Blocks, Conns: conns, Clients: 500, Batch: batch, Txs: txs}
	}
	read := func(method string) bench.Config {
		return bench.Config{Workload: "read:" + method, Conns: 16, Duration: o.duration}
	}
	return map[string]bench.Config{
		"1 transfer, batches of 100": tx(bench.Transfer, 5, 100, o.txs),
		"2 erc20, batches of 100":    tx(bench.ERC20, 5, 100, o.txs),
		"3 transfer, single":         tx(bench.Transfer, 16, 1, o.txs/2),
		"4 mixed, batches of 100":    tx(bench.Mixed, 5, 100, o.txs/2),
		"5 eth_chainId":              read("eth_chainId"),
		"6 eth_blockNumber":          read("eth_blockNumber"),
		"7 eth_getBalance":           read("eth_getBalance"),
		"8 eth_call":                 read("eth_call"),
	}
}

func measureNode(ctx context.Context, o *options, name string) ([]*figure, error) {
	var figures []*figure
	all := cases(o)
	for round := range o.runs {
		// A fresh chain for every round: none has an old one's weight.
		n, err := start(ctx, o, name)
		if err != nil {
			return nil, err
		}
		k := 0
		for _, title := range sorted(all) {
			if !strings.Contains(title, o.cases) {
				continue
			}
			cfg := all[title]
			cfg.URL, cfg.PID, cfg.Timeout = n.url, n.pid(), time.Minute
			r, err := bench.Run(ctx, cfg)
			if err == nil && (!r.OK() || r.Failed > 0) {
				err = fmt.Errorf("not everything holds: %v %v", r.Mismatches, r.Errors)
			}
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", title, round+1, errorsWith(err, n.stop()))
			}
			if round == 0 {
				figures = append(figures, &figure{Case: title[2:], Node: name, Client: r.Client})
			}
			figures[k].reports = append(figures[k].reports, r)
			fmt.Fprintf(os.Stderr, "%s: %s, round %d: %.0f/s\n", name, title[2:], round+1, r.Throughput)
			k++
		}
		if err := n.stop(); err != nil {
			return nil, err
		}
	}
	return figures, nil
}

func errorsWith(err, more error) error {
	if more == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, more)
}

func sorted(m map[string]bench.Config) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// compare takes medians and ratios.
func compare(figures []*figure) {
	ours := map[string]float64{}
	for _, f := range figures {
		slices.SortFunc(f.reports, func(a, b *bench.Report) int {
			if a.Throughput < b.Throughput {
				return -1
			}
			return 1
		})
		for _, r := range f.reports {
			f.All = append(f.All, r.Throughput)
		}
		f.Report = f.reports[len(f.reports)/2]
		f.Throughput, f.P50, f.P99 = f.Report.Throughput, f.Report.Latency.P50, f.Report.Latency.P99
		f.NodeMicros = f.Report.CPU.NodeMicros
		if f.Node == "talaria" {
			ours[f.Case] = f.Throughput
		}
	}
	for _, f := range figures {
		if f.Node != "talaria" && f.Throughput > 0 {
			f.Ratio = ours[f.Case] / f.Throughput
		}
	}
}

func table(w io.Writer, figures []*figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tnode\tper second\tTalaria's is\tp50 ms\tp99 ms\tnode CPU µs\tall runs")
	sortedByCase := slices.Clone(figures)
	slices.SortStableFunc(sortedByCase, func(a, b *figure) int {
		return slices.Index(order(figures), a.Case) - slices.Index(order(figures), b.Case)
	})
	for _, f := range sortedByCase {
		ratio := ""
		if f.Ratio > 0 {
			ratio = fmt.Sprintf("%.1f times", f.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%s\t%.2f\t%.2f\t%.1f\t%.0f\n", f.Case, f.Node, f.Throughput, ratio, f.P50, f.P99, f.NodeMicros, f.All)
	}
	return t.Flush()
}

// order lists the cases as they were measured.
func order(figures []*figure) (names []string) {
	for _, f := range figures {
		if !slices.Contains(names, f.Case) {
			names = append(names, f.Case)
		}
	}
	return names
}
