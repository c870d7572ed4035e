package core

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// leastRun is how long one timed run lasts at least; short work is repeated.
const leastRun = 20 * time.Millisecond

// warmGas is how much gas every peer uses before it is timed: a machine may compile what
// has used enough. The figures are those of code that is used often.
const warmGas = 200_000_000

// When a workload has had enough rounds, see enough.
const (
	leastRounds   = 3
	patience      = 3 * time.Second // processor time
	settledRounds = 5
	settledSpread = 0.02
)

// Measured is one workload by one peer.
type Measured struct {
	Peer   string  `json:"peer"`
	Micros float64 `json:"micros"` // processor time of all transactions together, median of the rounds; elapsed, of another process
	// Times is how many times longer this peer took than the first one: the median of
	// the ratios of each round.
	Times float64 `json:"times"`
	// Allocs is how many heap objects one transaction allocated on average, execution
	// alone, after a first pass; with go-ethereum's own state that includes finalising it.
	// Not known of another process.
	Allocs float64 `json:"allocs,omitempty"`
}

// Row is one workload.
type Row struct {
	Name  string     `json:"name"`
	Group Group      `json:"group"`
	Txs   int        `json:"txs"`
	Gas   uint64     `json:"gas"` // of all transactions
	Peers []Measured `json:"peers"`
}

// measure verifies the workload on all peers and times them in turns; remote may be nil.
func measure(w *Workload, peers []Peer, remote *anvil, rounds int) (Row, error) {
	row := Row{Name: w.Name, Group: w.Group, Txs: w.Txs()}
	for _, p := range peers {
		if err := p.Load(w); err != nil {
			return row, fmt.Errorf("%s: %s: load: %w", w.Name, p.Name(), err)
		}
	}
	defer func() {
		for _, p := range peers {
			p.Close()
		}
	}()
	first, err := verify(w, peers)
	if err != nil {
		return row, fmt.Errorf("%s: %w", w.Name, err)
	}
	for i := range first {
		row.Gas += first[i].GasUsed
	}
	if w.Call == nil {
		remote = nil
	}
	if remote != nil {
		if err := remote.Load(w, first[0]); err != nil {
			return row, fmt.Errorf("%s: %s and %s differ: %w", w.Name, peers[0].Name(), remote.Name(), err)
		}
	}
	repeat := make([]int, len(peers))
	for i, p := range peers {
		if _, err := pass(w, p, int(warmGas/max(row.Gas, 1))+1); err != nil {
			return row, fmt.Errorf("%s: %s: %w", w.Name, p.Name(), err)
		}
		spent, err := pass(w, p, 1)
		if err != nil {
			return row, fmt.Errorf("%s: %s: %w", w.Name, p.Name(), err)
		}
		repeat[i] = int(leastRun/max(spent.elapsed, time.Microsecond)) + 1
		row.Peers = append(row.Peers, Measured{Peer: p.Name()})
	}
	times := make([][]float64, len(peers)) // microseconds, by peer and round
	var near, away []float64               // elapsed, of the first and of the remote peer
	start := processorTime()
	for round := 0; round < rounds && !enough(processorTime()-start, times); round++ {
		for turn := range peers {
			i := (round + turn) % len(peers) // nobody always goes first
			runtime.GC()
			spent, err := pass(w, peers[i], repeat[i])
			if err != nil {
				return row, fmt.Errorf("%s: %s: %w", w.Name, peers[i].Name(), err)
			}
			times[i] = append(times[i], inMicros(spent.processor)/float64(repeat[i]))
			if i == 0 {
				near = append(near, inMicros(spent.elapsed)/float64(repeat[i]))
			}
		}
		if remote != nil {
			spent, err := remote.Time()
			if err != nil {
				return row, fmt.Errorf("%s: %s: %w", w.Name, remote.Name(), err)
			}
			away = append(away, inMicros(spent))
		}
	}
	for i, p := range peers {
		m := &row.Peers[i]
		m.Micros, m.Times = median(times[i]), ratio(times[i], times[0])
		if m.Allocs, err = allocations(w, p); err != nil {
			return row, fmt.Errorf("%s: %s: %w", w.Name, p.Name(), err)
		}
	}
	if remote != nil {
		row.Peers = append(row.Peers, Measured{Peer: remote.Name(), Micros: median(away), Times: ratio(away, near)})
	}
	return row, nil
}

// ratio is the median of the rounds' ratios.
func ratio(a, b []float64) float64 { return median(ratios(a, b)) }

func ratios(a, b []float64) []float64 {
	list := make([]float64, len(a))
	for i := range list {
		list[i] = a[i] / b[i]
	}
	return list
}

// enough reports whether further rounds would hardly move the medians, or take too long.
// Rounds move them little if the middle half of each peer's ratios lies close together.
func enough(spent time.Duration, times [][]float64) bool {
	n := len(times[0])
	if n < settledRounds {
		return n >= leastRounds && spent > patience
	}
	for _, t := range times[1:] {
		list := ratios(t, times[0])
		slices.Sort(list)
		if list[n-1-n/4]-list[n/4] > settledSpread*median(list) {
			return spent > patience
		}
	}
	return true
}

// verify executes the workload once on every peer, compares, and returns the outcomes.
func verify(w *Workload, peers []Peer) ([]Outcome, error) {
	first, err := outcomes(w, peers[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", peers[0].Name(), err)
	}
	if w.Check != nil {
		if err := w.Check(first); err != nil {
			return nil, fmt.Errorf("%s: %w", peers[0].Name(), err)
		}
	}
	root, err := peers[0].Root()
	if err != nil {
		return nil, fmt.Errorf("%s: root: %w", peers[0].Name(), err)
	}
	for _, p := range peers[1:] {
		other, err := outcomes(w, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name(), err)
		}
		if err := compare(first, other); err != nil {
			return nil, fmt.Errorf("%s and %s differ: %w", peers[0].Name(), p.Name(), err)
		}
		otherRoot, err := p.Root()
		if err != nil {
			return nil, fmt.Errorf("%s: root: %w", p.Name(), err)
		}
		if otherRoot != root {
			return nil, fmt.Errorf("%s and %s differ: state roots %v and %v", peers[0].Name(), p.Name(), root, otherRoot)
		}
	}
	return first, nil
}

func outcomes(w *Workload, p Peer) ([]Outcome, error) {
	if err := p.Reset(); err != nil {
		return nil, err
	}
	var list []Outcome
	for _, b := range w.Blocks {
		p.Begin(b.Env)
		for i, tx := range b.Txs {
			if err := p.Execute(tx); err != nil {
				return nil, fmt.Errorf("transaction %d: %w", i, err)
			}
			p.Settle()
			o, err := p.Outcome()
			if err != nil {
				return nil, err
			}
			list = append(list, o)
		}
	}
	return list, nil
}

// spent is the time that executing took.
type spent struct{ processor, elapsed time.Duration }

func inMicros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// pass executes the workload from its state and returns the time spent executing.
func pass(w *Workload, p Peer, repeat int) (total spent, err error) {
	for range repeat {
		if err := p.Reset(); err != nil {
			return total, err
		}
		processor, start := processorTime(), time.Now()
		for _, b := range w.Blocks {
			p.Begin(b.Env)
			for i, tx := range b.Txs {
				if err := p.Execute(tx); err != nil {
					return total, fmt.Errorf("transaction %d: %w", i, err)
				}
				p.Settle()
			}
		}
		total.elapsed += time.Since(start)
		total.processor += processorTime() - processor
	}
	return total, nil
}

// allocations is the number of heap objects that one transaction allocates.
func allocations(w *Workload, p Peer) (float64, error) {
	if err := p.Reset(); err != nil {
		return 0, err
	}
	var before, after runtime.MemStats
	var total uint64
	for _, b := range w.Blocks {
		p.Begin(b.Env)
		for i, tx := range b.Txs {
			runtime.ReadMemStats(&before)
			err := p.Execute(tx)
			runtime.ReadMemStats(&after)
			if err != nil {
				return 0, fmt.Errorf("transaction %d: %w", i, err)
			}
			total += after.Mallocs - before.Mallocs
			p.Settle()
		}
	}
	return float64(total) / float64(w.Txs()), nil
}

// median of a list that is not empty; it is sorted afterwards.
func median(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	n := len(list)
	if n%2 == 1 {
		return list[n/2]
	}
	return (list[n/2-1] + list[n/2]) / 2
}
