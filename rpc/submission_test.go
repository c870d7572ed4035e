package rpc

import (
	"errors"
	"sync"
	"testing"
)

func TestASubmissionIsDoneForThoseWhoWaitedAndThoseWhoCome(t *testing.T) {
	s := NewSubmissions([]Send{{Raw: []byte{1}, Caller: "ali"}})[0]
	before := s.Done()
	select {
	case <-before:
		t.Fatal("done before it is settled")
	default:
	}
	want := errors.New("no")
	s.Resolve(nil, want)
	<-before
	<-s.Done()
	if _, err := s.Result(); err != want || !s.Settled() || s.Caller() != "ali" || string(s.Raw()) != "\x01" {
		t.Fatalf("%v", err)
	}
}

// Many goroutines settle the submissions of a group; the one that waits gets each once.
func TestAGroupLosesNoSubmission(t *testing.T) {
	const workers, each = 4, 2000
	g := NewGroup()
	sends := make([]Send, workers*each)
	for i := range sends {
		sends[i].Group = g
	}
	subs := NewSubmissions(sends)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var r Resolver
			for i, s := range subs[w*each : (w+1)*each] {
				switch {
				case w%2 == 0:
					s.Resolve(nil, nil)
				default:
					if r.Resolve(s, nil, nil); i%100 == 99 {
						r.Flush()
					}
				}
			}
		})
	}
	seen := make(map[*Submission]bool)
	var list []*Submission
	for len(seen) < len(subs) {
		<-g.Wake()
		list = g.Take(list)
		for _, s := range list {
			if seen[s] || !s.Settled() {
				t.Fatal("a submission came twice or too early")
			}
			seen[s] = true
		}
	}
	wg.Wait()
}

func TestAResolverWakesAGroupOnce(t *testing.T) {
	g, other := NewGroup(), NewGroup()
	subs := NewSubmissions([]Send{{Group: g}, {Group: g}, {Group: other}, {}})
	var r Resolver
	for _, s := range subs {
		r.Resolve(s, nil, nil)
	}
	select {
	case <-g.Wake():
		t.Fatal("woken before the flush")
	default:
	}
	r.Flush()
	<-g.Wake()
	<-other.Wake()
	if got := g.Take(nil); len(got) != 2 || got[0] != subs[0] || got[1] != subs[1] {
		t.Fatalf("%d submissions", len(got))
	}
	r.Flush()
	select {
	case <-g.Wake():
		t.Fatal("woken for nothing")
	default:
	}
}
