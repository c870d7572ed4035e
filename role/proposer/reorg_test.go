package proposer

import (
	"testing"
	"testing/synctest"
	"time"
)

// L1 takes games back, the proposer's own claim among them, and the chain makes no block
// that could be claimed instead.
func TestAClaimThatL1TookBackIsMadeAgain(t *testing.T) {
	for _, kept := range []int{0, 1, 2} { // games that stay
		synctest.Test(t, func(t *testing.T) {
			g := &games{safe: 20}
			p := g.start()
			defer p.Close()
			time.Sleep(11 * time.Second)
			g.set(func() { g.safe = 40 })
			time.Sleep(11 * time.Second)
			g.set(func() { g.list = g.list[:kept] })
			time.Sleep(time.Minute)
			g.mu.Lock()
			defer g.mu.Unlock()
			again := 0
			for _, c := range g.list {
				if c.Root != rootOf(t, c.Block.Uint64()) {
					t.Errorf("block %v: wrong claim", c.Block)
				}
				if c.Block.Uint64() == 40 {
					again++
				}
			}
			if again != 1 || g.challenges != 0 || g.resolved != len(g.list) {
				t.Errorf("%d games kept: block 40 is claimed %d times, %d of %d resolved, %d challenged", kept, again, g.resolved, len(g.list), g.challenges)
			}
			if s := p.Status(); s.Claimed != 40 {
				t.Errorf("%+v", s)
			}
		})
	}
}
