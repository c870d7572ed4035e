package core

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// line is a row for people who watch.
func (r *Row) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %-28s", r.Group, r.Name)
	for i, p := range r.Peers {
		if i == 0 {
			fmt.Fprintf(&b, " %9.2f µs/tx %7.0f Mgas/s %5.1f allocs", p.Micros/float64(r.Txs), r.mgas(i), p.Allocs)
			continue
		}
		fmt.Fprintf(&b, "  %s ×%.2f", p.Peer, p.Times)
	}
	return b.String()
}

// peer is what one peer measured, nil if it did not do this work.
func (r *Row) peer(name string) *Measured {
	for i := range r.Peers {
		if r.Peers[i].Peer == name {
			return &r.Peers[i]
		}
	}
	return nil
}

// mgas is the speed of the i-th peer in millions of gas a second.
func (r *Row) mgas(i int) float64 { return float64(r.Gas) / r.Peers[i].Micros }

// WriteTable prints the report as Markdown tables, one per group, and the means.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(w, "%s, %s, commit %s, %s; median of up to %d rounds, one core\n", r.Date, r.Machine, r.Commit, r.Go, r.Rounds)
	fmt.Fprintf(w, "× is how many times longer the peer took than %s in the same round.\n", r.Peers[0])
	for _, g := range Groups() {
		r.writeGroup(w, g)
	}
	if len(r.Means) > 0 {
		r.writeMeans(w)
	}
	if len(r.Parallel) > 0 {
		r.writeParallel(w)
	}
	if len(r.Trie) > 0 {
		r.writeTrie(w)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
	return w.Flush()
}

func (r *Report) writeMeans(w io.Writer) {
	fmt.Fprintf(w, "\n| group, geometric mean")
	for _, p := range r.Peers[1:] {
		fmt.Fprintf(w, "\t| %s\t| median\t| lowest", p)
	}
	fmt.Fprintf(w, "\t|\n|---%s\t|\n", strings.Repeat("\t|---:", 3*len(r.Peers)-3))
	for _, m := range r.Means {
		fmt.Fprintf(w, "| %s", m.Group)
		for _, p := range m.Peers[1:] {
			if p.Workloads == 0 {
				fmt.Fprint(w, "\t|\t|\t|")
				continue
			}
			fmt.Fprintf(w, "\t| %.2f×\t| %.2f×\t| %.2f×", p.Times, p.Median, p.Lowest)
		}
		fmt.Fprintln(w, "\t|")
	}
}

func (r *Report) writeParallel(w io.Writer) {
	fmt.Fprintf(w, "\n| block of %d\t| workers\t| µs/tx\t| speedup\t| executed again\t| one by one\t| ceiling\t|\n|---%s\t|\n",
		r.Parallel[0].Txs, strings.Repeat("\t|---:", 6))
	for i := range r.Parallel {
		p := &r.Parallel[i]
		for _, n := range p.Workers {
			fmt.Fprintf(w, "| %s\t| %d\t| %.2f\t| %.2f×\t| %.1f %%\t| %.1f %%\t| %.0f×\t|\n",
				p.Name, n.Workers, n.Micros, n.Speedup, 100*n.Aborts, 100*n.Serial, p.Ceiling)
		}
	}
}

func (r *Report) writeTrie(w io.Writer) {
	fmt.Fprintf(w, "\n| trie, accounts\t| changed for a root\t| µs/account\t| go-ethereum's\t| ratio\t| of a core at %d/s\t|\n|---%s\t|\n",
		trieLeaves, strings.Repeat("\t|---:", 5))
	for _, t := range r.Trie {
		fmt.Fprintf(w, "| %d\t| %d\t| %.2f\t| %.2f\t| %.1f×\t| %.0f %%\t|\n", t.Accounts, t.Batch, t.Micros, t.Geth, t.Times, 100*t.Core)
	}
}

func (p *ParallelRow) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-47s", p.Name)
	for _, n := range p.Workers {
		fmt.Fprintf(&b, "  %d: %.2f µs/tx ×%.2f, %.1f %% again, %.1f %% one by one", n.Workers, n.Micros, n.Speedup, 100*n.Aborts, 100*n.Serial)
	}
	return b.String()
}

func (t *TrieRow) line() string {
	return fmt.Sprintf("trie of %d accounts, %d for a root: %.2f µs an account, geth ×%.1f", t.Accounts, t.Batch, t.Micros, t.Times)
}

func (r *Report) writeGroup(w io.Writer, g Group) {
	first := true
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Group != g {
			continue
		}
		if first {
			fmt.Fprintf(w, "\n| %s\t| gas/tx\t| µs/tx\t| Mgas/s\t| allocs\t| %s\t|\n|---%s\t|\n",
				g, strings.Join(r.Peers[1:], "\t| "), strings.Repeat("\t|---:", len(r.Peers)+3))
			first = false
		}
		own := row.Peers[0]
		fmt.Fprintf(w, "| %s\t| %d\t| %.2f\t| %.0f\t| %.1f", row.Name, row.Gas/uint64(row.Txs), own.Micros/float64(row.Txs), row.mgas(0), own.Allocs)
		for _, name := range r.Peers[1:] {
			if p := row.peer(name); p != nil {
				fmt.Fprintf(w, "\t| %.2f×", p.Times)
			} else {
				fmt.Fprint(w, "\t|")
			}
		}
		fmt.Fprintln(w, "\t|")
	}
}

// machine describes the computer.
func machine() string {
	model := runtime.GOARCH
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), runtime.GOOS)
}
