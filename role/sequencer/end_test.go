package sequencer

import (
	"errors"
	"runtime"
	"testing"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// held stops the executing goroutine until the result is called. Then it does f, and
// goes on.
func (r *rig) held(f func(*loop)) (release func()) {
	r.t.Helper()
	begun, free := make(chan struct{}), make(chan struct{})
	go func() {
		r.seq.commands <- func(l *loop) error {
			close(begun)
			<-free
			f(l)
			return nil
		}
	}()
	<-begun
	return func() { close(free) }
}

func TestAStopExecutesWhatADevelopmentChainHasTaken(t *testing.T) {
	r := newDevRig(t)
	release := r.held(func(l *loop) { l.receive(cap(l.s.ready)) })
	var subs []*rpc.Submission
	for nonce := range uint64(40) {
		subs = append(subs, r.submit(r.transfer(0, nonce, 1)))
	}
	for len(r.seq.ready) == 0 { // decoding goes on meanwhile
		runtime.Gosched()
	}
	seq, stop := r.seq, make(chan struct{})
	go func() {
		<-seq.stop
		release()
		close(stop)
	}()
	r.stop()
	<-stop
	for nonce, sub := range subs {
		if info, err := r.await(sub); err != nil || info.Receipt.Status != 1 {
			t.Fatalf("nonce %d: %+v, %v", nonce, info, err)
		}
	}
}

func TestWhatFollowsAFullBlocksTransactionWaitsWithIt(t *testing.T) {
	r := newDevRig(t)
	list := []admitted{}
	for nonce := range uint64(2) {
		list = append(list, admitted{tx: r.transfer(0, nonce, 1), sub: rpc.NewSubmission()})
	}
	r.held(func(l *loop) {
		l.next = append(l.next, list[0])
		l.take(list[1])
		if l.s.gaps.Len() != 0 || len(l.next) != 2 {
			t.Errorf("%d wait for a nonce, %d for the next block; want 0 and 2", l.s.gaps.Len(), len(l.next))
		}
	})()
	for nonce, a := range list {
		if _, err := r.await(a.sub); err != nil {
			t.Errorf("nonce %d: %v", nonce, err)
		}
	}
}

func TestNothingIsPublishedAfterAFailure(t *testing.T) {
	r := newRig(t)
	why := errors.New("disk on fire")
	r.node.Fail(why)
	s := &Sequencer{node: r.node, entries: make(chan entry, 1), published: make(chan struct{}), durable: newWatermark()}
	sub := rpc.NewSubmission()
	s.entries <- entry{mini: new(chain.MiniBlock), waiters: []waiter{{sub: sub}}}
	close(s.entries)
	s.publisher()
	var refusal *rpc.Error
	if _, err := r.await(sub); !errors.As(err, &refusal) || refusal.Code != rpc.CodeNotReady {
		t.Errorf("the answer is %v, want that the node takes nothing", err)
	}
}
