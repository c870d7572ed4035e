package rpc

import (
	"context"
	"errors"
	"sync/atomic"
)

// callPool bounds the simulations that run at once, so that they leave processors
// to the sequencing of transactions, and those that wait for their turn.
type callPool struct {
	running chan struct{} // one per simulation at work; waiters come in order of arrival
	waiting atomic.Int64
	limit   int64 // of waiting
	what    string
}

func newCallPool(o *Options) *callPool {
	return &callPool{running: make(chan struct{}, o.MaxCalls), limit: int64(o.MaxCallQueue), what: "calls"}
}

// newSlowPool bounds the slow methods in the same way.
func newSlowPool(o *Options) *callPool {
	return &callPool{running: make(chan struct{}, o.MaxSlow), limit: int64(o.MaxSlowQueue), what: "slow requests"}
}

// newScanPool bounds queries of many blocks, as wide as the pool of slow methods.
func newScanPool(o *Options) *callPool {
	return &callPool{running: make(chan struct{}, o.MaxSlow), limit: int64(o.MaxSlowQueue), what: "scans of many blocks"}
}

// wideScan is from how many blocks on a query has to wait for its turn: it may read and
// decode all of them.
const wideScan = 100

// scanTurn waits for the turn of a query of that many blocks; leave must follow.
func (s *Server) scanTurn(ctx context.Context, blocks uint64) (leave func(), err error) {
	if blocks < wideScan {
		return func() {}, nil
	}
	if err := s.scans.enter(ctx); err != nil {
		return nil, err
	}
	return s.scans.leave, nil
}

// enter waits for a turn until ctx ends; leave must follow if it returns nil.
func (p *callPool) enter(ctx context.Context) error {
	select {
	case p.running <- struct{}{}:
		return nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.limit {
		return Errorf(CodeLimit, "node is busy: %d %s run and %d wait, which is the limit: retry later, or send fewer of them at once", cap(p.running), p.what, p.limit)
	}
	select {
	case p.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Errorf(CodeLimit, "node is busy: the turn of one of the %s did not come in time: retry later, or send fewer of them at once", p.what)
		}
		return ctx.Err()
	}
}

func (p *callPool) leave() { <-p.running }

// simulate reads the arguments of eth_call or a sister and runs it in the pool,
// within its time limit. The state is looked up when the turn has come, so that no
// name of a block gets old while the call waits.
func (s *Server) simulate(c *call, a *args, run func(ctx context.Context, req *CallRequest) error) error {
	req, ref, err := s.callRequest(a)
	if err != nil {
		return err
	}
	if err := s.calls.enter(c.ctx); err != nil {
		return err
	}
	defer s.calls.leave()
	ctx := within(c.ctx, s.opts.CallTimeout)
	defer ctx.end()
	if req.State, err = s.stateRef(ctx, ref); err == nil {
		err = run(ctx, req)
	}
	if errors.Is(err, context.DeadlineExceeded) && c.ctx.Err() == nil {
		return Errorf(CodeServer, "execution timed out: limit %v: lower the call's gas, or split its work", s.opts.CallTimeout)
	}
	return err
}

// runSlow runs a slow method when its turn has come, within its time limit.
func (s *Server) runSlow(c *call, a *args, mt *method) (rawJSON, error) {
	if err := s.slow.enter(c.ctx); err != nil {
		return nil, err
	}
	defer s.slow.leave()
	outer := c.ctx
	ctx, cancel := context.WithTimeout(outer, s.opts.TraceTimeout)
	defer cancel()
	c.ctx = ctx
	defer func() { c.ctx = outer }()
	result, err := mt.read(c, a)
	if a.err != nil {
		return nil, a.err
	}
	if errors.Is(err, context.DeadlineExceeded) && outer.Err() == nil {
		return nil, Errorf(CodeServer, "execution timed out: limit %v: ask for less at once", s.opts.TraceTimeout)
	}
	return result, err
}
