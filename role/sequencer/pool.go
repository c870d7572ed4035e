package sequencer

import (
	"context"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// question is asked of the executing goroutine, which alone knows what waits.
type question struct {
	caller string
	all    bool
	answer chan *rpc.PoolContent // with room for the answer
}

// Pool is what waits of the caller's transactions, or of all; see rpc.TxPool. What has
// just arrived and is not decoded yet is not told.
func (s *Sequencer) Pool(ctx context.Context, caller string, all bool) (*rpc.PoolContent, error) {
	q := question{caller, all, make(chan *rpc.PoolContent, 1)}
	select {
	case s.questions <- q:
	case <-s.looped:
		return new(rpc.PoolContent), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p := <-q.answer:
		return p, nil
	case <-s.looped: // the last answer may have been given
		select {
		case p := <-q.answer:
			return p, nil
		default:
			return new(rpc.PoolContent), nil
		}
	}
}

// answerOne answers a question if there is one.
func (l *loop) answerOne() {
	select {
	case q := <-l.s.questions:
		l.answer(q)
	default:
	}
}

func (l *loop) answer(q question) {
	l.receive(cap(l.s.ready))
	p := new(rpc.PoolContent)
	seen := func(sub *rpc.Submission) bool { return q.all || q.caller != "" && sub.Caller() == q.caller }
	for _, list := range [][]admitted{l.next, l.backlog} {
		for _, a := range list {
			if len(p.Pending) < rpc.MaxPoolContent && seen(a.sub) {
				p.Pending = append(p.Pending, a.tx)
			}
		}
	}
	l.s.gaps.Each(func(tx *chain.Tx) bool {
		if seen(l.held[signedBy(tx)]) {
			p.Queued = append(p.Queued, tx)
		}
		return len(p.Queued) < rpc.MaxPoolContent
	})
	q.answer <- p
}

// receive moves up to max lists of decoded transactions to the backlog, without waiting.
func (l *loop) receive(max int) {
	for range max {
		select {
		case list, ok := <-l.s.ready:
			if !ok {
				return
			}
			l.backlog = append(l.backlog, list...)
		default:
			return
		}
	}
}
