package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Patience of progress: what takes longer is told again.
const (
	firstReminder = 2 * time.Second
	nextReminders = 10 * time.Second
)

// progress tells on stderr what is being done, and reminds of what takes long.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	step  string
	since time.Time

	once sync.Once
	quit chan struct{}
	done chan struct{}
}

func startProgress(out io.Writer) *progress {
	p := &progress{out: out, quit: make(chan struct{}), done: make(chan struct{})}
	go p.remind()
	return p
}

// report begins a step.
func (p *progress) report(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.since = step, time.Now()
	fmt.Fprintln(p.out, step)
}

func (p *progress) remind() {
	defer close(p.done)
	timer := time.NewTimer(firstReminder)
	defer timer.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-timer.C:
		}
		p.mu.Lock()
		if p.step != "" && time.Since(p.since) >= firstReminder {
			fmt.Fprintf(p.out, "… %s (%s)\n", p.step, time.Since(p.since).Round(time.Second))
		}
		p.mu.Unlock()
		timer.Reset(nextReminders)
	}
}

// stop ends it; it may be called more than once.
func (p *progress) stop() {
	p.once.Do(func() { close(p.quit) })
	<-p.done
}
