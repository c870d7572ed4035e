package core

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestPeersAgree executes workloads once on every peer: receipts and roots are equal,
// and the results are what they must be.
func TestPeersAgree(t *testing.T) {
	s := newSuite()
	s.txs, s.bystanders = 100, 500
	list, notes, err := s.workloads(Options{Root: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		t.Log(n)
	}
	for _, l := range list {
		t.Run(l.name, func(t *testing.T) {
			if testing.Short() && l.name != "ERC-20 transfer" {
				t.Skip("long")
			}
			w, err := l.make()
			if err != nil {
				t.Fatal(err)
			}
			peers := []Peer{Ours(), GethFlat(), Geth()}
			for _, p := range peers {
				if err := p.Load(w); err != nil {
					t.Fatal(err)
				}
				defer p.Close()
			}
			if _, err := verify(w, peers); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWrongWorkIsSeen: a peer that leaves out work does not get a figure.
func TestWrongWorkIsSeen(t *testing.T) {
	w := newSuite().transfers(1)
	w.Blocks[0].Txs = w.Blocks[0].Txs[:10]
	for name, lazy := range map[string]Peer{
		"receipts": &liar{Peer: GethFlat(), gas: 1},
		"state":    &liar{Peer: GethFlat(), forget: true},
	} {
		_, err := measure(w, []Peer{Ours(), lazy}, nil, 1)
		if err == nil || !strings.Contains(err.Error(), "differ") {
			t.Errorf("%s: got %v, want a difference", name, err)
		}
	}
	w.Check = returns(word(1))
	if _, err := measure(w, []Peer{Ours()}, nil, 1); err == nil {
		t.Error("a wrong result went unseen")
	}
}

// TestCreditsAreLeftToTheCommit: Talaria's machine runs as in production.
func TestCreditsAreLeftToTheCommit(t *testing.T) {
	s := newSuite()
	s.txs, s.bystanders = 1, 1
	w, p := s.transfers(1), Ours().(*flat)
	defer p.Close()
	if err := p.Load(w); err != nil {
		t.Fatal(err)
	}
	if err := p.Reset(); err != nil {
		t.Fatal(err)
	}
	env := w.Blocks[0].Env
	p.Begin(env)
	if err := p.Execute(w.Blocks[0].Txs[0]); err != nil {
		t.Fatal(err)
	}
	if len(p.result.Credits) == 0 {
		t.Error("the fee is in the diff")
	}
	p.Settle()
	if a, _ := p.overlay.Account(env.Coinbase); a.Balance.Uint64() != 21_000*1_000 {
		t.Errorf("the coinbase has %v wei", &a.Balance)
	}
}

// TestRoundsEnd when ratios agree, or time is up.
func TestRoundsEnd(t *testing.T) {
	own := []float64{1, 1, 1, 1, 1}
	for name, c := range map[string]struct {
		spent time.Duration
		peer  []float64
		want  bool
	}{
		"too few rounds":                   {time.Hour, []float64{2, 2}, false},
		"few rounds, in time":              {0, []float64{2, 2, 2}, false},
		"few rounds, late":                 {time.Hour, []float64{2, 2, 2}, true},
		"ratios that agree":                {0, []float64{2, 2.01, 2, 1.99, 2}, true},
		"ratios that agree, with outliers": {0, []float64{2, 9, 2, 1, 2}, true},
		"ratios that do not":               {0, []float64{2, 2.2, 2, 1.8, 1.9}, false},
		"ratios that do not, late":         {time.Hour, []float64{2, 2.2, 2, 1.8, 1.9}, true},
	} {
		if enough(c.spent, [][]float64{own[:len(c.peer)], c.peer}) != c.want {
			t.Errorf("%s: enough is %v", name, !c.want)
		}
	}
}

// liar changes what a peer answers.
type liar struct {
	Peer
	gas    uint64
	forget bool
}

func (l *liar) Outcome() (Outcome, error) {
	o, err := l.Peer.Outcome()
	o.GasUsed += l.gas
	return o, err
}

func (l *liar) Settle() {
	if !l.forget {
		l.Peer.Settle()
	}
}

// TestReport is about what people and machines read.
func TestReport(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	r, err := Run(Options{Filter: "fibonacci loop", Rounds: 2, Root: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOMAXPROCS(0) != before {
		t.Error("GOMAXPROCS is not what it was")
	}
	if len(r.Rows) != 1 || len(r.Means) != 1 || r.Rows[0].Peers[0].Times != 1 || len(r.Rows[0].Peers) < 3 {
		t.Errorf("report %+v", r)
	}
	var out strings.Builder
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| fibonacci loop", "| compute ", "geth StateDB | median"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if _, err := Run(Options{Filter: "nothing of the kind"}); err == nil {
		t.Error("an empty selection went unseen")
	}
}

// TestParallelBlocksAreEqual: measuring is also the proof that any number of workers
// makes the same blocks.
func TestParallelBlocksAreEqual(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	row, err := measureParallel(newSuite().swaps("", 2, 2))
	if err != nil {
		t.Fatal(err)
	}
	if first := row.Workers[0]; first.Workers != 1 || first.Speedup != 1 {
		t.Errorf("the first lane is %+v, want serial execution", first)
	}
	if n := len(row.Workers); runtime.GOMAXPROCS(0) > 1 && (n < 2 || row.Ceiling < 1 || row.Ceiling > 3) {
		t.Errorf("two chains of dependent swaps: %d lanes, ceiling %.2f", n, row.Ceiling)
	}
}

func TestTrieRootsAreEqual(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	rows, err := measureTrie(100_000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Micros <= 0 || r.Times <= 0 {
			t.Errorf("%+v", r)
		}
	}
}
