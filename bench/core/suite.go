package core

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options say what to measure.
type Options struct {
	Filter string // only workloads whose group or name contains it, in any case; empty is all
	// Rounds is the most that a workload gets; one whose ratios agree gets fewer, and so
	// does one that takes long. 1.. [10]
	Rounds int
	// Fixtures is the directory of the archive eest-gas-benchmarks.tar.gz; empty is the one
	// that TALARIA_FIXTURES names, or ../shared/fixtures beside Root. When the archive is
	// not there its group is left out and the report says so.
	Fixtures string
	// Large adds a trie of ten million accounts, which takes about 10 GB.
	Large bool
	// Root is the directory of the module; Anvil is looked for below it, and left out when
	// it is not there.
	Root string
	// Commit is what the program was built from; it is only printed.
	Commit string
	// Log receives a line for every workload that is done; nil discards them.
	Log io.Writer
}

// Report is what was measured, on what.
type Report struct {
	Date    string   `json:"date"`
	Commit  string   `json:"commit"`
	Machine string   `json:"machine"`
	Go      string   `json:"go"`
	Rounds  int      `json:"rounds"`
	Peers   []string `json:"peers"` // the first is Talaria; Times of the others are against it
	Rows    []Row    `json:"workloads"`
	Means   []Mean   `json:"means"`

	Parallel []ParallelRow `json:"parallel,omitempty"`
	Trie     []TrieRow     `json:"trie,omitempty"`
	Notes    []string      `json:"notes,omitempty"`
}

// Mean is a group in one line.
type Mean struct {
	Group Group    `json:"group"`
	Peers []MeanOf `json:"peers"`
}

// MeanOf is a group by one peer.
type MeanOf struct {
	Peer      string `json:"peer"`
	Workloads int    `json:"workloads"` // that this peer did
	// Times is the geometric mean of Measured.Times, which a few extreme workloads can
	// move far; Median is their median and Lowest the smallest.
	Times  float64 `json:"times"`
	Median float64 `json:"median"`
	Lowest float64 `json:"lowest"`
}

// Run measures all that is selected: workloads side by side, parallel execution, tries.
func Run(o Options) (*Report, error) {
	if o.Rounds == 0 {
		o.Rounds = 10
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	r, err := runWorkloads(o)
	if err != nil {
		return nil, err
	}
	if r.Parallel, err = parallel(o); err != nil {
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if r.Trie, err = tries(o); err != nil {
		return nil, err
	}
	if len(r.Rows)+len(r.Parallel)+len(r.Trie) == 0 {
		return nil, fmt.Errorf("filter %q: nothing has it in its name or group", o.Filter)
	}
	return r, nil
}

// runWorkloads measures what peers execute side by side, on one core.
func runWorkloads(o Options) (*Report, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	peers := []Peer{Ours(), GethFlat(), Geth()}
	r := &Report{Date: time.Now().UTC().Format(time.RFC3339), Machine: machine(), Go: runtime.Version(), Commit: o.Commit, Rounds: o.Rounds}
	for _, p := range peers {
		r.Peers = append(r.Peers, p.Name())
	}
	list, notes, err := newSuite().workloads(o)
	if err != nil {
		return nil, err
	}
	r.Notes = notes
	remote, err := startAnvil(anvilPath(o.Root))
	if err != nil {
		return nil, err
	}
	if remote != nil {
		defer remote.Close()
		r.Peers = append(r.Peers, remote.Name())
	} else {
		r.Notes = append(r.Notes, "no revm: Anvil is not installed (npm ci in e2e/)")
	}
	for i, l := range list {
		w, err := l.make()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		row, err := measure(w, peers, remote, o.Rounds)
		if err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, row)
		fmt.Fprintf(o.Log, "%3d of %d  %s\n", i+1, len(list), row.line())
	}
	r.Means = means(r.Rows, r.Peers)
	return r, nil
}

// lazy is a workload that is made when its turn comes: some are large.
type lazy struct {
	name  string
	group Group
	make  func() (*Workload, error)
}

func (l *lazy) selected(filter string) bool {
	filter = strings.ToLower(filter)
	return strings.Contains(strings.ToLower(l.name), filter) || strings.Contains(strings.ToLower(string(l.group)), filter)
}

// workloads lists what o selects, and what is to be noted about it.
func (s *suite) workloads(o Options) (list []lazy, notes []string, err error) {
	add := func(name string, group Group, make func() *Workload) {
		list = append(list, lazy{name, group, func() (*Workload, error) { return make(), nil }})
	}
	add("transfer", Transfers, func() *Workload { return s.transfers(1) })
	add("transfer to a new account", Transfers, s.newTransfers)
	add("ERC-20 transfer", Tokens, func() *Workload { return s.tokenTransfers(1) })
	add("swap, 64 pairs", Tokens, func() *Workload { return s.swaps("swap, 64 pairs", pools, 1) })
	add("swap, 1 pair", Tokens, func() *Workload { return s.swaps("swap, 1 pair", 1, 1) })
	pair, err := uniswapPair(o.Root)
	if err != nil {
		return nil, nil, err
	}
	if pair != nil {
		add("Uniswap v2 swap", Tokens, func() *Workload { return s.uniswapSwaps("Uniswap v2 swap", pair, pools) })
	} else {
		notes = append(notes, "no Uniswap v2: it is not installed (npm ci in e2e/)")
	}
	add("ERC-721 mint", Tokens, s.mints)
	for _, w := range append(s.loopWorkloads(), s.solidityWorkloads()...) {
		add(w.Name, w.Group, func() *Workload { return w })
	}
	add("deploy ERC-20", Deployments, func() *Workload { return s.deployments("deploy ERC-20", "Coin", 200) })
	add("deploy a pair", Deployments, func() *Workload { return s.deployments("deploy a pair", "Pair", 200) })
	add("deploy 24 KB", Deployments, func() *Workload { return s.blobs("deploy 24 KB", 24_576, 50) })
	add("call through 512 KB", Large, s.largeCall)
	add("small calls of 512 KB", Large, s.largeCalls)
	fixtures, note, err := gasBenchmarks(o)
	if err != nil {
		return nil, nil, err
	}
	list = append(list, fixtures...)
	kept := list[:0]
	for _, l := range list {
		if l.selected(o.Filter) {
			kept = append(kept, l)
		}
	}
	if all := (lazy{group: GasBenchmarks}); note != "" && all.selected(o.Filter) {
		notes = append(notes, note)
	}
	return kept, notes, nil
}

// means are the geometric means of the groups that have rows.
func means(rows []Row, peers []string) []Mean {
	var list []Mean
	for _, g := range Groups() {
		m := Mean{Group: g}
		for _, p := range peers {
			m.Peers = append(m.Peers, mean(rows, g, p))
		}
		if m.Peers[0].Workloads > 0 {
			list = append(list, m)
		}
	}
	return list
}

func mean(rows []Row, g Group, peer string) MeanOf {
	m := MeanOf{Peer: peer}
	var list []float64
	sum := 0.0
	for i := range rows {
		if p := rows[i].peer(peer); rows[i].Group == g && p != nil {
			list = append(list, p.Times)
			sum += math.Log(p.Times)
		}
	}
	if m.Workloads = len(list); m.Workloads > 0 {
		m.Times, m.Median, m.Lowest = math.Exp(sum/float64(len(list))), median(list), slices.Min(list)
	}
	return m
}
