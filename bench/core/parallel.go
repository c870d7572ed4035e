package core

import (
	"fmt"
	"maps"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/state"
)

// ParallelRow is a block executed by batches on several numbers of workers.
type ParallelRow struct {
	Name string `json:"name"`
	Txs  int    `json:"txs"` // of a block
	// Ceiling is how many times faster than one worker any number of workers could be: all
	// gas over the gas of the longest chain of dependent transactions of each block.
	Ceiling float64   `json:"ceiling"`
	Workers []Workers `json:"workers"` // the first is one worker, which is serial execution
}

// Workers is what one number of workers did.
type Workers struct {
	Workers int     `json:"workers"`
	Micros  float64 `json:"micros"`  // a transaction, median of the rounds
	Speedup float64 `json:"speedup"` // over one worker, median of the rounds' ratios
	Aborts  float64 `json:"aborts"`  // share of the transactions that were executed again
	Serial  float64 `json:"serial"`  // share that was executed one by one because of conflicts
}

// lane is a chain of its own with one number of workers.
type lane struct {
	workers int
	chain   *exec.Chain
	micros  []float64
}

// parallel measures all loads with 1, 2, 4… workers, up to one a processor.
func parallel(o Options) ([]ParallelRow, error) {
	s := newSuite()
	n := o.Rounds + 1
	var rows []ParallelRow
	for _, l := range []lazy{
		{"parallel transfers", Transfers, func() (*Workload, error) { return s.transfers(n), nil }},
		{"parallel ERC-20 transfers", Tokens, func() (*Workload, error) { return s.tokenTransfers(n), nil }},
		{"parallel swaps, 64 pairs", Tokens, func() (*Workload, error) { return s.swaps("", pools, n), nil }},
		{"parallel swaps, 1 pair", Tokens, func() (*Workload, error) { return s.swaps("", 1, n), nil }},
	} {
		if !l.selected(o.Filter) {
			continue
		}
		w, err := l.make()
		if err != nil {
			return nil, err
		}
		row, err := measureParallel(w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		row.Name = l.name
		rows = append(rows, row)
		fmt.Fprintln(o.Log, row.line())
	}
	return rows, nil
}

// measureParallel executes every block of w on every lane, in turns. The first block
// warms up. The blocks' hashes must be equal, roots and receipts with them.
func measureParallel(w *Workload) (ParallelRow, error) {
	row := ParallelRow{Txs: len(w.Blocks[0].Txs)}
	var lanes []*lane
	for n := 1; n <= runtime.GOMAXPROCS(0); n *= 2 {
		l, err := newLane(w, n)
		if err != nil {
			return row, err
		}
		defer l.chain.Close()
		lanes = append(lanes, l)
	}
	for round := range w.Blocks {
		hashes := make([]common.Hash, len(lanes))
		for turn := range lanes {
			i := (round + turn) % len(lanes)
			spent, hash, err := lanes[i].block(w.Blocks[round].Txs, uint64(round))
			if err != nil {
				return row, fmt.Errorf("%d workers: %w", lanes[i].workers, err)
			}
			hashes[i] = hash
			if round > 0 {
				lanes[i].micros = append(lanes[i].micros, float64(spent.Nanoseconds())/1e3/float64(row.Txs))
			}
		}
		for i := range hashes {
			if hashes[i] != hashes[0] {
				return row, fmt.Errorf("%d workers make another block than one", lanes[i].workers)
			}
		}
	}
	for _, l := range lanes {
		stats := l.chain.Stats()
		all := float64(row.Txs * len(w.Blocks))
		row.Workers = append(row.Workers, Workers{
			Workers: l.workers, Micros: median(l.micros), Speedup: ratio(lanes[0].micros, l.micros),
			Aborts: float64(stats.Aborts) / all, Serial: float64(stats.Serial) / all,
		})
		if stats.CriticalGas > 0 {
			row.Ceiling = float64(stats.Gas) / float64(stats.CriticalGas)
		}
	}
	return row, nil
}

func newLane(w *Workload, workers int) (*lane, error) {
	g := &chain.Genesis{Config: *w.Config, Timestamp: 1_800_000_000, Alloc: types.GenesisAlloc{}}
	maps.Copy(g.Alloc, predeploys.Alloc(predeploys.Settings{}))
	maps.Copy(g.Alloc, w.Alloc)
	diff, err := exec.GenesisDiff(g)
	if err != nil {
		return nil, err
	}
	db, tree := state.NewDB(), state.NewTrie()
	db.Apply(diff)
	tree.Apply(diff)
	block := exec.GenesisBlock(g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr))
	c := exec.NewChain(&g.Config, db, tree, exec.Position{Parent: block.Header, LastMiniHash: block.Hash()})
	c.SetWorkers(workers)
	return &lane{workers: workers, chain: c}, nil
}

// block makes one of txs and returns how long executing them took, and its hash.
func (l *lane) block(txs []*chain.Tx, round uint64) (time.Duration, common.Hash, error) {
	if err := l.chain.Open(chain.Attributes{Timestamp: 1_800_000_001 + round}); err != nil {
		return 0, common.Hash{}, err
	}
	runtime.GC()
	var failed error
	start := time.Now()
	done := l.chain.ApplyBatch(txs, func(i int, r *chain.Receipt, err error) bool {
		if err == nil && r.Status != 1 {
			err = fmt.Errorf("failed with %d gas", r.GasUsed)
		}
		if err != nil {
			failed = fmt.Errorf("transaction %d: %w", i, err)
		}
		return failed == nil
	})
	spent := time.Since(start)
	if failed != nil || done != len(txs) {
		return 0, common.Hash{}, fmt.Errorf("%d of %d transactions: %w", done, len(txs), failed)
	}
	l.chain.Cut(chain.Micros(1_800_000_001+round) * 1_000_000)
	sealed, _, err := l.chain.Seal()
	if err != nil {
		return 0, common.Hash{}, err
	}
	l.chain.State().Trim(l.chain.State().Version())
	return spent, sealed.Hash(), nil
}
