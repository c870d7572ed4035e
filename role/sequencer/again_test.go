package sequencer

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// copyDir copies a data directory as a killed process would leave it.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o644)
	})
	if err != nil {
		t.Error(err)
	}
}

// nothingLeft waits until no transaction is to be executed again.
func (r *rig) nothingLeft() {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		list, err := r.node.VoidTxs()
		if err != nil {
			r.t.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d transactions are still to be executed again", len(list))
		}
	}
}

// pay has transactions acknowledged, in several blocks.
func (r *rig) pay(n int) (txs []*chain.Tx) {
	r.t.Helper()
	for i := range n {
		tx := r.transfer(0, uint64(i), int64(i+1))
		if _, err := r.await(r.submit(tx)); err != nil {
			r.t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	return txs
}

func TestNoKillLosesAnAcknowledgedTransaction(t *testing.T) {
	for _, step := range []string{"void transactions are known", "void transactions are kept", "the target is kept", "rewound", "back"} {
		t.Run(step, func(t *testing.T) {
			killed, copied := t.TempDir(), false
			r := newForkRig(t, 12, func(r *rig) {
				r.probe = func(at string) {
					if at == step && !copied {
						copied = true
						copyDir(t, r.dir, killed)
					}
				}
			})
			r.reach(r.chain.tip())
			txs := r.pay(5)
			r.chain.cutBack(3)
			r.chain.grow(1, 4)
			r.reach(r.chain.tip())
			for _, tx := range txs {
				r.included(tx.Hash())
			}
			r.nothingLeft()
			r.stop()
			if !copied {
				t.Fatal("the sequencer did not come to the step")
			}

			again := r.in(killed)
			again.start()
			defer again.stop()
			again.reach(r.chain.tip())
			for _, tx := range txs {
				again.included(tx.Hash())
			}
			again.nothingLeft()
		})
	}
}

// in is the rig over another directory, without probes; it is not started.
func (r *rig) in(dir string) *rig {
	other := *r
	other.dir, other.probe = dir, nil
	return &other
}

// instead is a derived block 6 with the transactions, which the sequencer did not make.
func (r *rig) instead(later chain.Micros, txs ...*chain.Tx) *derive.BlockInput {
	return r.insteadOf(6, later, txs...)
}

func (r *rig) insteadOf(number uint64, later chain.Micros, txs ...*chain.Tx) *derive.BlockInput {
	parent := r.headAt(number - 1)
	in, _ := derive.NextForced(&r.g.Config, parent, r.chain.block(parent.Origin.Number+1))
	in.ParentHash = parent.Hash
	in.MiniBlocks[0].TimestampMicros += later
	in.MiniBlocks[0].TxCount += uint64(len(txs))
	in.Txs = txs
	return &in
}

func TestATransactionThatIsGoneIsNamed(t *testing.T) {
	r := newForkRig(t, 12, nil)
	r.reach(r.chain.tip())
	txs := r.pay(3)
	// L1 has another transaction of the sender's with the nonce of the first, and the third.
	rival := r.transferTo(common.Address{0xbb}, 0, 0, 9)
	if _, err := r.seq.Adopt(t.Context(), r.instead(1, rival)); err != nil {
		t.Fatal(err)
	}
	r.included(rival.Hash())
	for _, tx := range txs[1:] {
		r.included(tx.Hash())
	}
	r.nothingLeft()
	for range 2 {
		if info, err := r.node.TxByHash(t.Context(), txs[0].Hash()); err != nil || info != nil {
			t.Fatalf("%+v, %v", info, err)
		}
		gone, err := r.seq.VoidTx(t.Context(), txs[0].Hash())
		if err != nil {
			t.Fatal(err)
		}
		if gone == nil || gone.Block < 6 || !strings.Contains(gone.Why, "decides otherwise on block 6") || !strings.Contains(gone.Refusal, "nonce too low") || time.Since(gone.Since) > time.Minute {
			t.Fatalf("the user is told %+v", gone)
		}
		for _, tx := range append(txs[1:], rival) {
			if void, err := r.seq.VoidTx(t.Context(), tx.Hash()); err != nil || void != nil {
				t.Fatalf("%+v, %v", void, err)
			}
		}
		r.stop()
		r.start()
	}
}

// A second block is decided otherwise before the first one's transactions are back.
func TestGoingBackTwiceLosesNothing(t *testing.T) {
	r := newForkRig(t, 12, nil)
	r.reach(r.chain.tip())
	txs := r.pay(20)
	for i := range 3 {
		if _, err := r.seq.Adopt(t.Context(), r.instead(chain.Micros(i)+1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range txs {
		r.included(tx.Hash())
		if void, err := r.seq.VoidTx(t.Context(), tx.Hash()); err != nil || void != nil && void.Refusal != "" {
			t.Fatalf("%+v, %v", void, err)
		}
	}
	r.nothingLeft()
}

// L1 holds the block with the transaction that the sequencer has in another.
func TestWhatL1BroughtBackIsNotGone(t *testing.T) {
	r := newForkRig(t, 12, nil)
	r.reach(r.chain.tip())
	txs := r.pay(2)
	if _, err := r.seq.Adopt(t.Context(), r.instead(1, txs[0])); err != nil {
		t.Fatal(err)
	}
	r.included(txs[0].Hash())
	r.included(txs[1].Hash())
	r.nothingLeft()
	if void, err := r.seq.VoidTx(t.Context(), txs[0].Hash()); err != nil || void != nil {
		t.Fatalf("%+v, %v", void, err)
	}
}

// A transaction that was named gone comes back in a block that L1 decides, and that block
// is void, too.
func TestWhatWasGoneOnceIsExecutedAgainAfterAKill(t *testing.T) {
	killed, copied, armed := t.TempDir(), false, false
	r := newForkRig(t, 12, func(r *rig) {
		r.probe = func(at string) {
			if at == "back" && armed && !copied {
				copied = true
				copyDir(t, r.dir, killed)
			}
		}
	})
	r.reach(r.chain.tip())
	txs := r.pay(2)
	rival := r.transferTo(common.Address{0xbb}, 0, 0, 9)
	if _, err := r.seq.Adopt(t.Context(), r.instead(1, rival)); err != nil {
		t.Fatal(err)
	}
	r.included(rival.Hash())
	r.nothingLeft()
	if gone, err := r.seq.VoidTx(t.Context(), txs[0].Hash()); err != nil || gone == nil || gone.Refusal == "" {
		t.Fatalf("not gone: %+v, %v", gone, err)
	}
	if _, err := r.seq.Adopt(t.Context(), r.instead(2, txs[0])); err != nil {
		t.Fatal(err)
	}
	r.included(txs[0].Hash())
	r.nothingLeft()
	if void, err := r.seq.VoidTx(t.Context(), txs[0].Hash()); err != nil || void != nil {
		t.Fatalf("in the chain, and %+v, %v", void, err)
	}
	armed = true
	if _, err := r.seq.Adopt(t.Context(), r.instead(3)); err != nil {
		t.Fatal(err)
	}
	r.included(txs[0].Hash())
	r.stop()
	if !copied {
		t.Fatal("the sequencer did not go back")
	}

	again := r.in(killed)
	again.start()
	defer again.stop()
	again.reach(r.chain.tip())
	for _, tx := range txs {
		again.included(tx.Hash())
	}
	again.nothingLeft()
}

// A batch raises the epoch as far as it may, and the sequencer goes back all the same.
func TestNoMiniBlockIsSignedTwiceInAnEpoch(t *testing.T) {
	r := newForkRig(t, 12, nil)
	r.reach(r.chain.tip())
	in := r.insteadOf(6, 1)
	in.MiniBlocks[0].Epoch = derive.MaxEpochStep
	if _, err := r.seq.Adopt(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	type place struct{ epoch, number uint64 }
	seen, twice := make(map[place]common.Hash), 0
	look := func() {
		r.reach(r.chain.tip())
		for n := uint64(7); n <= r.node.PublishedHead().Number.Uint64(); n++ {
			b, err := r.node.BlockByNumber(t.Context(), n)
			if err != nil || b == nil {
				t.Fatalf("block %d: %v", n, err)
			}
			for _, m := range b.MiniBlocks {
				if len(seen) > 0 && n == 7 {
					continue // adopted, not signed
				}
				at := place{m.Epoch, m.Number}
				if hash, ok := seen[at]; ok && hash != m.Hash() {
					t.Fatalf("mini-block %d of epoch %d is signed twice: %s and %s", m.Number, m.Epoch, hash, m.Hash())
				} else if ok {
					twice++
				}
				seen[at] = m.Hash()
			}
		}
	}
	look()
	if _, err := r.seq.Adopt(t.Context(), r.insteadOf(7, 1)); err != nil {
		t.Fatal(err)
	}
	look()
	if twice > 0 || len(seen) < 6 {
		t.Fatalf("%d mini-blocks are the same as before, %d seen", twice, len(seen))
	}
}
