package node

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

func TestFinalityTellsTheTimeOfEachTier(t *testing.T) {
	w := newNodeWorld(t)
	tx := w.put(0, 1, 7)
	w.begin([]*chain.Tx{tx})
	c := w.serve(rpc.Options{})
	type answer struct {
		Tier           string
		Since, Eta     *hexutil.Uint64
		Next, WaitsFor *string
	}
	ask := func() answer {
		t.Helper()
		return result[answer](c, "talaria_finality", `["`+tx.Hash().Hex()+`"]`)
	}
	if got := ask(); got.Tier != rpc.TierSequenced || *got.WaitsFor != "its block is not sealed yet" || uint64(*got.Since) != w.now*1000 || got.Eta != nil || *got.Next != rpc.TierPosted {
		t.Errorf("open: %+v", got)
	}
	w.seal()
	w.finality(0, 0)
	if got := ask(); got.Tier != rpc.TierSequenced || *got.WaitsFor != "its block is not posted to L1 yet: the newest that is has number 0" {
		t.Errorf("sealed: %+v", got)
	}
	before := time.Now().UnixMilli()
	w.finality(1, 0)
	if got := ask(); got.Tier != rpc.TierPosted || got.Since == nil || int64(*got.Since) < before || *got.Next != rpc.TierFinal {
		t.Errorf("posted: %+v", got)
	}
	w.finality(1, 1)
	if got := ask(); got.Tier != rpc.TierFinal || got.Since == nil || got.Next != nil || got.WaitsFor != nil {
		t.Errorf("final: %+v", got)
	}
}

// finality makes blocks of the chain the posted and the final one.
func (w *world) finality(safe, finalized uint64) {
	w.t.Helper()
	id := func(number uint64) chain.BlockID { return chain.BlockID{Number: number, Hash: w.header(number).Hash()} }
	if err := w.node.SetFinality(id(safe), id(finalized)); err != nil {
		w.t.Fatal(err)
	}
}

func TestTiersPointToNoBlockThatIsGone(t *testing.T) {
	w := newNodeWorld(t)
	for range 4 {
		w.block()
	}
	old := chain.BlockID{Number: 3, Hash: w.header(3).Hash()}
	w.finality(4, 2)
	check := func(safe, finalized uint64) {
		t.Helper()
		if s, f := w.node.Finality(); s != safe || f != finalized {
			t.Fatalf("safe %d, finalized %d, want %d, %d", s, f, safe, finalized)
		}
	}
	check(4, 2)
	if err := w.node.Rewind(2); err != nil {
		t.Fatal(err)
	}
	check(2, 2)
	w.now++
	w.block()
	w.block()
	// Whoever derives may not know yet that its block is gone.
	if err := w.node.SetFinality(old, chain.BlockID{Number: 1, Hash: w.header(1).Hash()}); err != nil {
		t.Fatal(err)
	}
	check(2, 1)
	if err := w.node.SetFinality(chain.BlockID{Number: 9}, old); err != nil {
		t.Fatal(err)
	}
	check(2, 1)
	w.finality(3, 3)
	check(3, 3)
}

func TestTheNextStepOfATierComesAtThePaceOfLate(t *testing.T) {
	var l tierLog
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for i, s := range []int{0, 100, 110, 120} {
		if i < 3 && !l.next(at(s)).IsZero() {
			t.Errorf("a pace is known after %d steps", i)
		}
		l.note(uint64(10*i), at(s))
	}
	if got := l.next(at(121)); !got.Equal(at(130)) {
		t.Errorf("next at %v", got.Sub(start))
	}
	if got := l.next(at(500)); !got.Equal(at(500)) {
		t.Errorf("late: next at %v", got.Sub(start))
	}
	for number, want := range map[uint64]time.Time{0: {}, 5: at(100), 10: at(100), 11: at(110), 31: {}} {
		if got := l.reached(number); !got.Equal(want) {
			t.Errorf("block %d: %v, want %v", number, got, want)
		}
	}
	l.note(15, at(600)) // L1 went back
	if got := l.reached(20); !got.IsZero() {
		t.Errorf("block 20 is posted no longer, but: %v", got)
	}
}
