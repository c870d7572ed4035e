package sequencer

import (
	"errors"

	"github.com/talaria-l2/talaria/rpc"
)

// interrupted does what must not wait until everything is executed, which under load is
// never: a command, and the end, of which it returns true.
func (l *loop) interrupted() (ended bool) {
	s := l.s
	select {
	case command := <-s.commands:
		if err := command(l); err != nil {
			s.node.Fail(err)
			l.refuse(err)
			return true
		}
	case <-s.stop:
		l.finish()
		return true
	case <-s.node.Failed():
		l.refuse(s.node.Failure())
		return true
	default:
	}
	return false
}

// finish executes what was admitted and makes it durable: a clean stop.
func (l *loop) finish() {
	for list := range l.s.ready {
		l.backlog = append(l.backlog, list...)
	}
	for len(l.backlog) > 0 && l.canTake() && l.s.failure() == nil {
		l.takeFirst()
	}
	if l.chain.IsOpen() && l.chain.MiniTxs() > 0 {
		if err := l.cut(now()); err != nil {
			l.s.node.Fail(err)
		}
	}
	l.refuse(errors.New("the sequencer is shutting down"))
}

// refuse answers everybody who still waits for execution, and those who are about to.
func (l *loop) refuse(why error) {
	err := rpc.NotReadyError(why.Error())
	_ = l.lose(err)
	for _, sub := range l.held {
		sub.Resolve(nil, err)
	}
	clear(l.held)
	for _, a := range l.next {
		a.sub.Resolve(nil, err)
	}
	l.next = nil
	for _, a := range l.backlog {
		a.sub.Resolve(nil, err)
	}
	l.backlog = nil
	l.s.intake.close()
	for list := range l.s.ready {
		for _, a := range list {
			a.sub.Resolve(nil, err)
		}
	}
}
