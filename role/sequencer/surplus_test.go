package sequencer

import (
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
)

// Five transactions become void, three have room. The sequencer is killed before that is
// certain, and after.
func TestASurplusIsNamedWhenItIsCertain(t *testing.T) {
	for _, test := range []struct {
		step string
		gone int
	}{{"void transactions are kept", 0}, {"the target is kept", 2}, {"back", 2}} {
		t.Run(test.step, func(t *testing.T) {
			killed, copied := t.TempDir(), false
			r := newForkRig(t, 12, func(r *rig) {
				r.again = againLimits{txs: 3, bytes: 1 << 20}
				r.probe = func(at string) {
					if at == test.step && !copied {
						copied = true
						copyDir(t, r.dir, killed)
					}
				}
			})
			r.reach(r.chain.tip())
			txs := r.pay(5)
			check := func(r *rig, gone int) {
				t.Helper()
				r.nothingLeft()
				for i, tx := range txs {
					void, err := r.seq.VoidTx(t.Context(), tx.Hash())
					if err != nil {
						t.Fatal(err)
					}
					if i < len(txs)-gone {
						if r.included(tx.Hash()); void != nil {
							t.Fatalf("transaction %d is in the chain, its user is told %+v", i, void)
						}
					} else if void == nil || void.Block < 6 || void.Refusal != "more than 3 transactions or 1048576 bytes became void at once" {
						t.Fatalf("transaction %d is gone, its user is told %+v", i, void)
					}
				}
			}
			if _, err := r.seq.Adopt(t.Context(), r.instead(1)); err != nil {
				t.Fatal(err)
			}
			check(r, 2)
			if _, err := r.await(r.submit(txs[3])); err != nil { // its user sends it again
				t.Fatal(err)
			}
			if void, err := r.seq.VoidTx(t.Context(), txs[3].Hash()); err != nil || void != nil {
				t.Fatalf("%+v, %v", void, err)
			}
			r.stop()
			if !copied {
				t.Fatal("the sequencer did not come to the step")
			}

			again := r.in(killed)
			again.start()
			defer again.stop()
			again.reach(r.chain.tip())
			check(again, test.gone)
		})
	}
}

func TestASurplusIsWrittenInBatches(t *testing.T) {
	r := newForkRig(t, 1, nil)
	s := r.seq.again.surplus()
	const n = 2*surplusBatch + 1
	hash := func(i int) common.Hash { return common.Hash{byte(i), byte(i >> 8), 1} }
	for i := range n {
		if err := s.add(hash(i), node.VoidPlace{Block: uint64(i), Why: "a test"}); err != nil {
			t.Fatal(err)
		}
		if len(s.batch) >= surplusBatch {
			t.Fatalf("%d are kept", len(s.batch))
		}
	}
	if gone, err := r.node.GoneTx(hash(n - 1)); err != nil || gone != nil {
		t.Fatalf("%+v, %v", gone, err)
	}
	if err := s.flush(); err != nil || s.count != n {
		t.Fatalf("%d, %v", s.count, err)
	}
	for i := range n {
		gone, err := r.node.GoneTx(hash(i))
		if err != nil || gone == nil || gone.Place.Block != uint64(i) || !strings.Contains(gone.Refusal, "more than 100000 transactions") {
			t.Fatalf("%d: %+v, %v", i, gone, err)
		}
	}
}

func TestRoomIsForWhatIsLeftFirst(t *testing.T) {
	r := newForkRig(t, 1, nil)
	a := newAgain(r.node, againLimits{txs: 2, bytes: 1 << 20}, nil, r.seq.log)
	var txs []*chain.Tx
	for i := range 4 {
		txs = append(txs, r.transfer(0, uint64(i), 1))
	}
	left := a.make(txs[3], node.VoidPlace{}, 0)
	a.left[left.Hash] = left
	for _, limits := range []againLimits{{2, 1 << 20}, {100, 2*len(txs[0].Raw()) + 1}} {
		a.limits = limits
		room := a.room()
		for i, want := range []bool{true, false, false, true} {
			if got := room.take(txs[i]); got != want {
				t.Errorf("%+v: transaction %d has room: %t", limits, i, got)
			}
		}
	}
}
