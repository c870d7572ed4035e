package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/talaria-l2/talaria/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	runs       int
	send       time.Duration
	read       time.Duration
	conns      string
	batchConns string
	port       int
	nodes      string
	cases      string
	talaria    string
	anvil      string
	into       string
	batchMs    int
	asJSON     bool
}

func run(ctx context.Context) (err error) {
	var o options
	flag.IntVar(&o.runs, "runs", 3, "runs of every case; the median counts")
	flag.DurationVar(&o.send, "send", 6*time.Second, "how long every run sends transactions; runs of a sweep half as long")
	flag.DurationVar(&o.read, "read", 3*time.Second, "of a run that reads")
	flag.StringVar(&o.conns, "conns", "8,32,64,128,256,512", "connections to choose the best from, for each node, for single requests")
	flag.StringVar(&o.batchConns, "batch-conns", "4,8,16,32", "the same for batches")
	flag.IntVar(&o.port, "port", 31650, "first of six free ports")
	flag.StringVar(&o.nodes, "nodes", "anvil,geth,talaria", "which to measure, in turns")
	flag.StringVar(&o.cases, "cases", "", "only cases whose name contains this, or one of several with | between")
	flag.StringVar(&o.talaria, "talaria", "bin/talaria", "the program")
	flag.StringVar(&o.anvil, "anvil", "e2e/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", "the program")
	flag.StringVar(&o.into, "into", "", "file of results: what it holds is not measured again, so that a comparison can be interrupted")
	flag.IntVar(&o.batchMs, "batch-ms", 0, "Talaria's --batch-ms; 0 posts nothing to L1, as the others do")
	flag.BoolVar(&o.asJSON, "json", false, "print JSON")
	flag.Parse()
	list, err := probes(&o)
	if err != nil {
		return err
	}
	kept, err := openResults(o.into)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	nodes := strings.Split(o.nodes, ",")
	for round := range o.runs {
		for _, name := range nodes { // in turns, so that the machine's moods meet all of them
			if err := measureNode(ctx, &o, name, round, list, kept); err != nil {
				return fmt.Errorf("%s, round %d: %w", name, round+1, err)
			}
		}
	}
	figures := kept.figures(list, nodes)
	if o.asJSON {
		return json.NewEncoder(os.Stdout).Encode(figures)
	}
	return errors.Join(kept.sweeps(os.Stdout, nodes), table(os.Stdout, figures))
}

// measureNode makes a round's runs on a fresh chain: none has an old one's weight.
func measureNode(ctx context.Context, o *options, name string, round int, list []probe, kept *results) (err error) {
	var n *process
	defer func() {
		if n != nil {
			err = errors.Join(err, n.stop())
		}
	}()
	measure := func(p *probe, title string, conns int, length time.Duration) error {
		if n == nil {
			var err error
			if n, err = start(ctx, o, name); err != nil {
				return err
			}
		}
		cfg := p.config
		cfg.URL, cfg.PID, cfg.Conns, cfg.Duration = n.url, n.pid(), conns, length
		if cfg.Receipt == bench.Blocks {
			cfg.Txs = int(length.Seconds() * float64(prepared(name, max(cfg.Batch, cfg.Pipeline))))
		}
		r, err := bench.Run(ctx, cfg)
		if err == nil && (!r.OK() || r.Failed > 0) {
			err = fmt.Errorf("not everything holds: %v %v", r.Mismatches, r.Errors)
		}
		if err != nil {
			return fmt.Errorf("%s on %d connections: %w", title, conns, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s, round %d, %d connections: %.0f/s\n", name, title, round+1, conns, r.Throughput)
		return kept.add(measured{Case: title, Node: name, Conns: conns, Report: r})
	}
	for i := range list {
		p := &list[i]
		if len(kept.of(p.title, name)) > round {
			continue
		}
		conns := p.config.Conns
		for len(p.sweep) > 0 {
			best, untried := kept.best(p, name)
			if conns = best; untried == 0 {
				break
			}
			if err := measure(p, p.kept, untried, p.short); err != nil {
				return err
			}
		}
		if err := measure(p, p.title, conns, p.config.Duration); err != nil {
			return err
		}
	}
	return nil
}
