package rpc

import (
	"context"
	"errors"
)

// wideScan is from how many blocks on a query has to wait for its turn: it may read and
// decode all of them.
const wideScan = 100

// scanTurn waits for the turn of a query of that many blocks; leave must follow.
func (s *Server) scanTurn(c *call, blocks uint64) (leave func(), err error) {
	if blocks < wideScan {
		return func() {}, nil
	}
	if err := s.scans.enter(c.ctx, c.asker); err != nil {
		return nil, err
	}
	return s.scans.leave, nil
}

// simulate reads the arguments of eth_call or a sister and runs it in the pool,
// within its time limit. The state is looked up when the turn has come, so that no
// name of a block gets old while the call waits.
func (s *Server) simulate(c *call, a *args, run func(ctx context.Context, req *CallRequest) error) error {
	req, ref, err := s.callRequest(a)
	if err != nil {
		return err
	}
	if err := s.calls.enter(c.ctx, c.asker); err != nil {
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
	if err := s.slow.enter(c.ctx, c.asker); err != nil {
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
