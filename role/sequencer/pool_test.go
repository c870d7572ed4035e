package sequencer

import (
	"context"
	"slices"
	"testing"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// What waits for an earlier nonce is told to who sent it, until it is executed.
func TestThePoolTellsWhatWaits(t *testing.T) {
	r := newRigWith(t, func(r *rig) { r.pending = sequencing.PendingSettings{HoldMicros: 60_000_000} })
	send := func(caller string, txs ...*chain.Tx) []*rpc.Submission {
		sends := make([]rpc.Send, len(txs))
		for i, tx := range txs {
			sends[i] = rpc.Send{Raw: tx.Raw(), Caller: caller}
		}
		return r.seq.Submit(sends)
	}
	queued := func(caller string, all bool) []uint64 {
		t.Helper()
		p, err := r.seq.Pool(context.Background(), caller, all)
		if err != nil || len(p.Pending) > 0 {
			t.Fatalf("pending %v, %v", p, err)
		}
		var values []uint64
		for _, tx := range p.Queued {
			values = append(values, tx.Value().Uint64())
		}
		return values
	}
	subs := send("ali", r.transfer(0, 2, 11), r.transfer(0, 1, 12))
	subs = append(subs, send("baba", r.transfer(1, 3, 13))...)
	// What is executed behind them says that they have been taken.
	if _, err := r.await(send("", r.transfer(2, 0, 1))[0]); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		caller string
		all    bool
		want   []uint64
	}{{"ali", false, []uint64{11, 12}}, {"baba", false, []uint64{13}}, {"", false, nil}, {"", true, []uint64{11, 12, 13}}, {"cassim", false, nil}} {
		if got := queued(test.caller, test.all); !slices.Equal(got, test.want) {
			t.Errorf("caller %q, all %v: %v, want %v", test.caller, test.all, got, test.want)
		}
	}
	if _, err := r.await(send("ali", r.transfer(0, 0, 1))[0]); err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs[:2] {
		if _, err := r.await(sub); err != nil {
			t.Error(err)
		}
	}
	if got := queued("", true); !slices.Equal(got, []uint64{13}) {
		t.Errorf("after the gap closed: %v", got)
	}
	seq := r.seq
	r.stop()
	if p, err := seq.Pool(context.Background(), "", true); err != nil || len(p.Queued)+len(p.Pending) > 0 {
		t.Errorf("after the end: %v, %v", p, err)
	}
}

// What is admitted waits for its turn, in this order: what the open block had no room
// for, what is next, and what has just been decoded.
func TestThePoolTellsWhatWaitsForItsTurn(t *testing.T) {
	r := newRig(t)
	l := &loop{s: &Sequencer{ready: make(chan []admitted, 4), questions: make(chan question, 1)}}
	var err error
	if l.s.gaps, err = sequencing.NewPending(sequencing.PendingSettings{}); err != nil {
		t.Fatal(err)
	}
	waits := func(nonce uint64, caller string) admitted {
		tx := r.transfer(0, nonce, 1)
		return admitted{tx: tx, sub: rpc.NewSubmissions([]rpc.Send{{Raw: tx.Raw(), Caller: caller}})[0]}
	}
	l.next = []admitted{waits(0, "ali")}
	l.backlog = []admitted{waits(1, "baba")}
	l.s.ready <- []admitted{waits(2, "ali"), waits(3, "baba")}
	l.s.ready <- []admitted{waits(4, "ali")}
	for _, test := range []struct {
		caller string
		all    bool
		want   []uint64
	}{{"", true, []uint64{0, 1, 2, 3, 4}}, {"ali", false, []uint64{0, 2, 4}}, {"", false, nil}} {
		q := question{test.caller, test.all, make(chan *rpc.PoolContent, 1)}
		l.s.questions <- q
		l.answerOne()
		var got []uint64
		for _, tx := range (<-q.answer).Pending {
			got = append(got, tx.Nonce())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("caller %q, all %v: %v, want %v", test.caller, test.all, got, test.want)
		}
	}
	if len(l.backlog) != 4 || len(l.next) != 1 {
		t.Errorf("%d and %d wait after the questions", len(l.next), len(l.backlog))
	}
}
