package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/talaria-l2/talaria/bench"
)

// measured is one run.
type measured struct {
	Case   string        `json:"case"`
	Node   string        `json:"node"`
	Conns  int           `json:"conns"`
	Report *bench.Report `json:"report"`
}

// results are the runs so far. With a file they outlive the program, so that a long
// comparison can be made in parts and goes on where it was interrupted.
type results struct {
	list []measured
	file *os.File // nil: kept in memory only
}

// openResults reads what the file holds, which need not exist; "" is no file.
func openResults(path string) (*results, error) {
	r := new(results)
	if path == "" {
		return r, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	r.file = f
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return r, nil
		}
		var m measured
		if err == nil {
			err = json.Unmarshal(line, &m)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("results in %s, line %d: %w", path, n, err), f.Close())
		}
		r.list = append(r.list, m)
	}
}

func (r *results) close() error {
	if r.file == nil {
		return nil
	}
	if err := r.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close results: %w", err)
	}
	return nil
}

func (r *results) add(m measured) error {
	r.list = append(r.list, m)
	if r.file == nil {
		return nil
	}
	line, err := json.Marshal(m)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep a result: %w", err)
	}
	return nil
}

// of returns the runs of a case on a node.
func (r *results) of(title, node string) (list []measured) {
	for _, m := range r.list {
		if m.Case == title && m.Node == node {
			list = append(list, m)
		}
	}
	return list
}

// best is the number of connections that served a node best in the sweep, 0 if some of
// the numbers were not tried; untried is the first of those.
func (r *results) best(p *probe, node string) (best, untried int) {
	top := 0.0
	runs := r.of(p.kept, node)
	for _, n := range p.sweep {
		k := slices.IndexFunc(runs, func(m measured) bool { return m.Conns == n })
		if k < 0 {
			return 0, n
		}
		if t := runs[k].Report.Throughput; t > top {
			best, top = n, t
		}
	}
	return best, 0
}

// figure is the median of the runs of one case on one node.
type figure struct {
	Case       string        `json:"case"`
	Node       string        `json:"node"`
	Client     string        `json:"client"`
	Conns      int           `json:"conns"`
	Throughput float64       `json:"throughput"` // transactions included or answers, per second
	All        []float64     `json:"all"`        // of every run, in order of size
	P50        float64       `json:"p50Millis"`  // send to answer
	P99        float64       `json:"p99Millis"`
	NodeMicros float64       `json:"nodeMicros"`
	Ratio      float64       `json:"ratio,omitempty"` // Talaria's throughput over this node's
	Report     *bench.Report `json:"report"`          // of the median run
}

// figures takes medians and ratios, case by case.
func (r *results) figures(list []probe, nodes []string) (out []*figure) {
	for _, p := range list {
		ours := 0.0
		at := len(out)
		for _, node := range nodes {
			runs := r.of(p.title, node)
			if len(runs) == 0 {
				continue
			}
			slices.SortFunc(runs, func(a, b measured) int {
				if a.Report.Throughput < b.Report.Throughput {
					return -1
				}
				return 1
			})
			m := runs[len(runs)/2]
			f := &figure{
				Case: p.title, Node: node, Client: m.Report.Client, Conns: m.Conns, Throughput: m.Report.Throughput,
				P50: m.Report.Latency.P50, P99: m.Report.Latency.P99, NodeMicros: m.Report.CPU.NodeMicros, Report: m.Report,
			}
			for _, m := range runs {
				f.All = append(f.All, m.Report.Throughput)
			}
			if node == talaria {
				ours = f.Throughput
			}
			out = append(out, f)
		}
		for _, f := range out[at:] {
			if f.Node != talaria && f.Throughput > 0 {
				f.Ratio = ours / f.Throughput
			}
		}
	}
	return out
}

func table(w io.Writer, figures []*figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tnode\tconnections\tper second\tTalaria's is\tp50 ms\tp99 ms\tnode CPU µs\tall runs")
	for _, f := range figures {
		ratio := ""
		if f.Ratio > 0 {
			ratio = fmt.Sprintf("%.1f times", f.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\t%s\t%.2f\t%.2f\t%.1f\t%.0f\n", f.Case, f.Node, f.Conns, f.Throughput, ratio, f.P50, f.P99, f.NodeMicros, f.All)
	}
	return t.Flush()
}

// sweeps prints what the numbers of connections gave.
func (r *results) sweeps(w io.Writer, nodes []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, node := range nodes {
		for _, m := range append(r.of(batchSweep, node), r.of(singleSweep, node)...) {
			fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\n", m.Case, m.Node, m.Conns, m.Report.Throughput)
		}
	}
	return t.Flush()
}
