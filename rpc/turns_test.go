package rpc

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// waitFor starts a wait of the asker and returns when it stands in the queue.
func waitFor(t *testing.T, p *turns, who asker) <-chan error {
	t.Helper()
	held := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, q := range p.queues {
			if q.who == who {
				return len(q.waiters)
			}
		}
		return 0
	}
	before := held()
	entered := make(chan error, 1)
	go func() { entered <- p.enter(context.Background(), who) }()
	for held() == before {
		runtime.Gosched()
	}
	return entered
}

// TestAskersTakeTurns: one who came with four requests does not make another wait for
// all of them.
func TestAskersTakeTurns(t *testing.T) {
	p := newCalls(&Options{MaxCalls: 1, MaxCallQueue: 10})
	if err := p.enter(t.Context(), asker{}); err != nil {
		t.Fatal(err)
	}
	var entered []<-chan error
	var names []string
	for _, who := range []string{"greedy", "greedy", "greedy", "greedy", "modest", "shy"} {
		entered = append(entered, waitFor(t, p, asker{key: who}))
		names = append(names, who)
	}
	var order []string
	for range names {
		p.leave()
		who := -1
		for who < 0 {
			who = slices.IndexFunc(entered, func(c <-chan error) bool { return len(c) > 0 })
		}
		if err := <-entered[who]; err != nil {
			t.Fatal(err)
		}
		order = append(order, names[who])
	}
	if got, want := fmt.Sprint(order), "[greedy modest shy greedy greedy greedy]"; got != want {
		t.Errorf("turns %s, want %s", got, want)
	}
	p.leave()
	if running, waiting := p.busy(); running != 0 || waiting != 0 {
		t.Errorf("%d run, %d wait, want none", running, waiting)
	}
}

// TestAFullQueueIsShared: who holds most of it makes room for another, and only down
// to an equal share.
func TestAFullQueueIsShared(t *testing.T) {
	p := newCalls(&Options{MaxCalls: 1, MaxCallQueue: 4})
	if err := p.enter(t.Context(), asker{}); err != nil {
		t.Fatal(err)
	}
	var greedy []<-chan error
	for range 4 {
		greedy = append(greedy, waitFor(t, p, asker{key: "greedy"}))
	}
	if err := p.enter(t.Context(), asker{key: "greedy"}); err == nil {
		t.Fatal("a fifth request of the same asker waits in a queue of four")
	}
	for i := range 2 {
		waitFor(t, p, asker{key: "other"})
		if err := <-greedy[3-i]; err == nil {
			t.Fatal("the newest request was not refused")
		}
	}
	if err := p.enter(t.Context(), asker{key: "other"}); err == nil {
		t.Error("more than an equal share")
	}
	waitFor(t, p, asker{key: "third"}) // of 2, 2 and 0
	if _, waiting := p.busy(); waiting != 4 {
		t.Errorf("%d wait, want 4", waiting)
	}
	for range 5 {
		p.leave()
	}
}

func TestTurnsUnderStress(t *testing.T) {
	p := newCalls(&Options{MaxCalls: 3, MaxCallQueue: 8})
	var wg sync.WaitGroup
	var mu sync.Mutex
	running := 0
	for i := range 16 {
		wg.Go(func() {
			for k := range 300 {
				ctx, cancel := context.WithCancel(context.Background())
				if k%3 == 0 {
					cancel()
				}
				if p.enter(ctx, asker{key: fmt.Sprint(i % 5)}) == nil {
					mu.Lock()
					if running++; running > 3 {
						t.Errorf("%d run at once, width 3", running)
					}
					mu.Unlock()
					mu.Lock()
					running--
					mu.Unlock()
					p.leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if r, w := p.busy(); r != 0 || w != 0 || len(p.queues) != 0 {
		t.Errorf("%d run, %d wait, %d queues, want none", r, w, len(p.queues))
	}
}
