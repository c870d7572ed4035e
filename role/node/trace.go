package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/tracer"
)

var errTraceTimeout = errors.New("execution timeout: give the trace more time with the option timeout, or trace less")

// traceConfig is what the request asks for, as the tracer takes it.
func (n *Node) traceConfig(o *rpc.TraceOptions) *tracer.Config {
	forms := [...]tracer.Form{
		rpc.TraceTracer: tracer.FormTracer, rpc.TraceReplay: tracer.FormReplay, rpc.TraceCallList: tracer.FormCalls,
		rpc.TraceOperations: tracer.FormOperations, rpc.TraceRevertData: tracer.FormOutput,
	}
	return &tracer.Config{
		Form: forms[o.Form], Tracer: o.Tracer, TracerConfig: o.TracerConfig, Scripts: n.opts.ScriptTracers,
		EnableMemory: o.EnableMemory, DisableStack: o.DisableStack, DisableStorage: o.DisableStorage,
		EnableReturnData: o.EnableReturnData, Limit: o.Limit,
		Parts: tracer.Parts{Trace: o.Trace, StateDiff: o.StateDiff, VMTrace: o.VMTrace}, MaxBytes: o.MaxBytes,
	}
}

// traceError is an error as a client is to see it.
func traceError(err error) error {
	var large *tracer.TooLargeError
	if errors.As(err, &large) {
		return rpc.Errorf(rpc.CodeLimit, "%s", large.Error())
	}
	var differs *tracer.DiffersError
	if errors.As(err, &differs) {
		return rpc.Errorf(rpc.CodeInternal, "%s", differs.Error())
	}
	return err
}

// limited calls f with a context that ends after the trace's timeout, too.
func limited[T any](ctx context.Context, o *rpc.TraceOptions, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTraceTimeout)
	defer cancel()
	return f(ctx)
}

// tracedBlock is the block with the number, or the open one, as far as it is published.
func (n *Node) tracedBlock(ctx context.Context, number uint64) (*tracer.Block, error) {
	if number == 0 {
		return nil, errors.New("genesis is not traceable")
	}
	if open := n.Pending(); open != nil && open.Header.Number.Uint64() == number {
		return &tracer.Block{
			ParentHash: open.Header.ParentHash, Env: n.envOf(open.Header),
			Txs: open.Txs, MiniBlocks: open.MiniBlocks, Receipts: open.Receipts,
		}, nil
	}
	b, err := n.BlockByNumber(ctx, number)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("block #%d not found", number)
	}
	if err := n.hasState(number - 1); err != nil {
		return nil, err
	}
	return &tracer.Block{
		Hash: b.Hash(), ParentHash: b.Header.ParentHash, Env: n.envOf(b.Header),
		Txs: b.Txs, MiniBlocks: b.MiniBlocks, Receipts: b.Receipts,
	}, nil
}

// machine calls f with a machine of the pool.
func (n *Node) machine(f func(*evm.Machine) error) error {
	m, ok := n.machines.Get().(*evm.Machine)
	if !ok {
		m = evm.NewMachine(n.cfg)
	}
	defer func() {
		m.SetTracer(nil)
		n.machines.Put(m)
	}()
	return f(m)
}

// traceGate ends what executes blocks again when the chain goes back: that would wait
// for it, and all other readers after that. The zero value is open.
type traceGate struct {
	mu      sync.Mutex
	closed  int
	cancels map[*context.CancelCauseFunc]struct{}
}

var errRewound = errors.New("the chain went back to an earlier block while it was traced: retry")

// enter returns a context that ends with ctx or when the gate is shut; leave must follow.
func (g *traceGate) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed > 0 {
		return nil, nil, errRewound
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if g.cancels == nil {
		g.cancels = make(map[*context.CancelCauseFunc]struct{})
	}
	g.cancels[&cancel] = struct{}{}
	return ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.cancels, &cancel)
		cancel(nil)
	}, nil
}

// shut ends what is inside and lets nothing in until open is called.
func (g *traceGate) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed++
	for cancel := range g.cancels {
		(*cancel)(errRewound)
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed--
	}
}

// replay calls f with the block opened again on the state before it.
func (n *Node) replay(ctx context.Context, b *tracer.Block, f func(context.Context, *tracer.Replay) error) error {
	ctx, leave, err := n.traces.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return n.read(rpc.StateRef{Number: b.Env.Number - 1}, func(v state.View, _ *types.Header) error {
		return n.machine(func(m *evm.Machine) error { return f(ctx, tracer.NewReplay(m, v, b)) })
	})
}

// TraceTx implements rpc.Tracer.
func (n *Node) TraceTx(ctx context.Context, hash common.Hash, o *rpc.TraceOptions) (out json.RawMessage, err error) {
	info, err := n.TxByHash(ctx, hash)
	if err != nil || info == nil {
		return nil, err
	}
	b, err := n.tracedBlock(ctx, info.BlockNumber)
	if err != nil {
		return nil, err
	}
	i := int(info.Index)
	if i >= len(b.Txs) || b.Txs[i].Hash() != hash {
		return nil, fmt.Errorf("transaction %s moved while it was looked up: retry", hash)
	}
	err = n.replay(ctx, b, func(ctx context.Context, r *tracer.Replay) error {
		if err := r.SkipTo(ctx, i); err != nil {
			return err
		}
		out, err = limited(ctx, o, func(ctx context.Context) (json.RawMessage, error) { return r.Trace(ctx, n.traceConfig(o)) })
		return err
	})
	return out, traceError(err)
}

// TraceBlock implements rpc.Tracer.
func (n *Node) TraceBlock(ctx context.Context, number uint64, o *rpc.TraceOptions) ([]rpc.TxTrace, error) {
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	return n.traceAll(ctx, b, o)
}

// TraceRawBlock implements rpc.Tracer.
func (n *Node) TraceRawBlock(ctx context.Context, h *types.Header, txs []*chain.Tx, o *rpc.TraceOptions) ([]rpc.TxTrace, error) {
	parent, err := n.HeaderByNumber(ctx, h.Number.Uint64()-1)
	if err != nil {
		return nil, err
	}
	if parent == nil || parent.Hash() != h.ParentHash {
		return nil, fmt.Errorf("parent %s not found", h.ParentHash)
	}
	b := &tracer.Block{Hash: h.Hash(), ParentHash: h.ParentHash, Env: n.envOf(h), Txs: txs}
	// A block in Ethereum's encoding does not tell its mini-blocks.
	known, err := n.BlockByNumber(ctx, h.Number.Uint64())
	if err != nil {
		return nil, err
	}
	if known != nil && known.Hash() == b.Hash {
		b.MiniBlocks = known.MiniBlocks
	}
	return n.traceAll(ctx, b, o)
}

func (n *Node) traceAll(ctx context.Context, b *tracer.Block, o *rpc.TraceOptions) (out []rpc.TxTrace, err error) {
	left := *o
	err = n.replay(ctx, b, func(ctx context.Context, r *tracer.Replay) error {
		for _, tx := range b.Txs {
			raw, err := limited(ctx, o, func(ctx context.Context) (json.RawMessage, error) { return r.Trace(ctx, n.traceConfig(&left)) })
			if err != nil {
				return tooLarge(err, o)
			}
			if o.MaxBytes > 0 {
				if left.MaxBytes -= len(raw); left.MaxBytes <= 0 {
					return &tracer.TooLargeError{Limit: o.MaxBytes}
				}
			}
			out = append(out, rpc.TxTrace{Hash: tx.Hash(), Result: raw})
		}
		return nil
	})
	return out, traceError(err)
}

// tooLarge names the limit of the whole answer, of which a part was left.
func tooLarge(err error, o *rpc.TraceOptions) error {
	var large *tracer.TooLargeError
	if errors.As(err, &large) {
		return &tracer.TooLargeError{Limit: o.MaxBytes}
	}
	return err
}

// TraceCalls implements rpc.Tracer.
func (n *Node) TraceCalls(ctx context.Context, at rpc.TracePoint, calls []*rpc.CallRequest, options []*rpc.TraceOptions) (out []json.RawMessage, err error) {
	if at.BeforeTx != nil {
		out, err = n.traceCallsWithin(ctx, at, calls, options)
		return out, traceError(err)
	}
	ctx, leave, err := n.traces.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	err = n.read(at.State, func(v state.View, h *types.Header) error {
		return n.machine(func(m *evm.Machine) error {
			out, err = n.traceCalls(ctx, m, v, n.envOf(h), calls, options)
			return err
		})
	})
	return out, traceError(err)
}

// traceCallsWithin traces calls before a transaction of a block.
func (n *Node) traceCallsWithin(ctx context.Context, at rpc.TracePoint, calls []*rpc.CallRequest, options []*rpc.TraceOptions) (out []json.RawMessage, err error) {
	number := at.State.Number
	if at.State.Newest {
		number = n.newestBlock()
	}
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	if *at.BeforeTx >= uint64(len(b.Txs)) {
		return nil, fmt.Errorf("transaction index %d out of range for block %d with %d transactions", *at.BeforeTx, number, len(b.Txs))
	}
	err = n.replay(ctx, b, func(ctx context.Context, r *tracer.Replay) error {
		if err := r.SkipTo(ctx, int(*at.BeforeTx)); err != nil {
			return err
		}
		out, err = n.traceCalls(ctx, r.Machine(), r.State(), b.Env, calls, options)
		return err
	})
	return out, err
}

// traceCalls traces calls, each on what the ones before left. State overrides hold for
// all of them as long as no call has written to what they replace.
func (n *Node) traceCalls(ctx context.Context, m *evm.Machine, v state.View, env *evm.Env, calls []*rpc.CallRequest, options []*rpc.TraceOptions) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, 0, len(calls))
	var keep *state.Overlay
	var moves evm.PrecompileMoves
	size := 0
	for i, req := range calls {
		msg, err := callMsg(req)
		if err != nil {
			return nil, err
		}
		if msg.GasCap == 0 || msg.GasCap > n.opts.GasCap {
			msg.GasCap = n.opts.GasCap
		}
		if len(calls) > 1 {
			if i == 0 {
				if v, moves, err = msg.Overrides.Over(v, m); err != nil {
					return nil, moveError(err)
				}
				keep = state.NewOverlay(v)
				v = keep
			}
			msg.Overrides, msg.Moves = nil, moves
		}
		raw, err := limited(ctx, options[i], func(ctx context.Context) (json.RawMessage, error) {
			return tracer.Call(ctx, m, v, msg, env, n.traceConfig(options[i]), keep)
		})
		if err != nil {
			return nil, err
		}
		if size += len(raw); options[i].MaxBytes > 0 && size > options[i].MaxBytes {
			return nil, &tracer.TooLargeError{Limit: options[i].MaxBytes}
		}
		out = append(out, raw)
	}
	return out, nil
}
