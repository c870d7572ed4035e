package exec

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	"github.com/talaria-l2/talaria/chain"
)

// Each block is made after attempts that end somewhere in it, or in the block after it,
// and are discarded: nothing of them is left.
func TestADiscardedBlockLeavesNothing(t *testing.T) {
	for _, workers := range []int{1, 4} {
		for seed := range int64(3) {
			t.Run(fmt.Sprintf("%d workers, seed %d", workers, seed), func(t *testing.T) {
				m := newMix(seed, 8)
				steps := m.script(t, 6_000)
				c, r := m.boot(t, workers), rand.New(rand.NewSource(seed))
				defer c.Close()
				apply := func(s *step) {
					c.serial = 0
					c.ApplyBatch(s.txs, func(int, *chain.Receipt, error) bool { return true })
				}
				attempt := func(steps []step) {
					before := c.State().Latest()
					defer before.Close()
					openNext(t, c)
					c.SetEpoch(9)
					for i := range min(len(steps), 1+r.Intn(6)) {
						apply(&steps[i])
						if r.Intn(3) > 0 {
							c.Cut(chain.Micros(c.NextMini()))
						}
					}
					c.Discard(before)
					if c.Epoch() != 0 || c.IsOpen() {
						t.Fatalf("epoch %d, open %v", c.Epoch(), c.IsOpen())
					}
				}
				blocks := 0
				for from := 0; from < len(steps); {
					to := from
					for to < len(steps) && !steps[to].end {
						to++
					}
					if to == len(steps) {
						break
					}
					accounts, slots := c.State().Counts()
					for range r.Intn(3) {
						attempt(steps[from:])
					}
					if a, s := c.State().Counts(); a != accounts || s != slots {
						t.Fatalf("%d accounts and %d slots, before the attempts %d and %d", a, s, accounts, slots)
					}
					openNext(t, c)
					for i := range steps[from : to+1] {
						s := &steps[from+i]
						apply(s)
						if !s.cut && !s.end {
							continue
						}
						if b, _ := c.Cut(chain.Micros(c.NextMini())); b.Header != s.mini.Header || !bytes.Equal(b.Diff, s.mini.Diff) {
							t.Fatalf("block %d: mini-block differs", blocks+1)
						}
					}
					block, _, err := c.Seal()
					if err != nil {
						t.Fatal(err)
					}
					if block.Hash() != steps[to].block.Hash() {
						t.Fatalf("block %d differs", block.Number())
					}
					from, blocks = to+1, blocks+1
				}
				if blocks < 3 {
					t.Fatalf("%d blocks only", blocks)
				}
			})
		}
	}
}
