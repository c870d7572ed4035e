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

// TestAllGamesThatL1ReorganisedAreJudgedAgain, however many were judged, until they are
// final on L1; one question does where nothing has changed.
func TestAllGamesThatL1ReorganisedAreJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, kept = 200, 50
		g := &games{safe: 300}
		for i := range uint64(n) {
			time.Sleep(time.Second)
			g.add(rootOf(t, i+1), i+1)
			g.list[i].Closes = time.Now().Add(time.Hour)
		}
		p := g.start()
		defer p.Close()
		time.Sleep(time.Minute)
		g.set(func() { g.looks = 0 })
		time.Sleep(25 * time.Second) // 10 polls, and two claims more
		g.set(func() {
			if g.looks > 20 {
				t.Errorf("%d addresses are looked at in ten polls", g.looks)
			}
			g.list = g.list[:kept]
			for i := range uint64(n - kept) {
				g.add(Root{byte(i), 0xbb}, i+1)
				g.list[kept+i].Closes = time.Now().Add(time.Hour)
			}
		})
		time.Sleep(time.Minute)
		g.set(func() {
			for i, c := range g.list[:n] {
				if c.Challenged != (i >= kept) {
					t.Errorf("game %d: challenged %v", i, c.Challenged)
				}
				c.Held = c.Challenged
			}
			g.final = time.Now()
		})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(p.recent) > 1 || len(p.watched) != 0 {
			t.Errorf("%d judged and %d watched games are held though they are final on L1", len(p.recent), len(p.watched))
		}
	})
}

// TestANewClaimDoesNotHideThatAnOlderOneWasReplaced: L1 may reorganise between the look at
// those that were judged and the look at a new one.
func TestANewClaimDoesNotHideThatAnOlderOneWasReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &games{safe: 20}
		g.add(rootOf(t, 5), 5)
		g.list[0].Closes = time.Now().Add(time.Hour)
		p := g.start()
		defer p.Close()
		time.Sleep(time.Minute)
		g.set(func() {
			g.blind = true
			g.list = nil
			g.add(Root{0xbb}, 5)
		})
		time.Sleep(time.Second)
		g.set(func() {
			g.add(rootOf(t, 6), 6)
			for _, c := range g.list {
				c.Closes = time.Now().Add(time.Hour)
			}
		})
		time.Sleep(30 * time.Second) // the new one is judged
		g.set(func() { g.blind = false })
		time.Sleep(time.Minute)
		g.set(func() {
			if !g.list[0].Challenged || g.list[1].Challenged {
				t.Errorf("challenged: the claim that replaced another %v, the right one %v", g.list[0].Challenged, g.list[1].Challenged)
			}
		})
	})
}
