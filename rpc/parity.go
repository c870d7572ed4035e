package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// parityMethods trace in OpenEthereum's words.
func (s *Server) parityMethods(t methodTable) {
	const shapes = "role/node.TestParityTraces"
	t.slow("trace_block", 1, s.parityBlock).doc("All calls of a block's transactions as OpenEthereum lists them", shapes)
	t.slow("trace_transaction", 1, s.parityTransaction).doc("All calls of a transaction as OpenEthereum lists them", shapes)
	t.slow("trace_get", 2, s.parityGet).doc("The call of a transaction at a trace address", shapes)
	t.slow("trace_filter", 1, s.parityFilter).doc("Calls from or to addresses in at most 1000 blocks; `mode` is `union` (also if it is left out) or `intersection`", "role/node.TestTraceFilter")
	t.slow("trace_call", 3, s.parityCall).doc("What a call would do: `trace`, `stateDiff`, `vmTrace`", "role/node.TestParityCalls")
	t.slow("trace_callMany", 2, s.parityCallMany).doc("What calls would do, each on what the ones before left", "role/node.TestParityCalls")
	t.slow("trace_rawTransaction", 2, s.parityRawTransaction).doc("What a signed transaction would do now; its nonce is not checked", "role/node.TestParityCalls")
	t.slow("trace_replayTransaction", 2, s.parityReplay).doc("What a transaction did: `trace`, `stateDiff`, `vmTrace`", "role/node.TestReplayedStateDiffs")
	t.slow("trace_replayBlockTransactions", 2, s.parityReplayBlock).doc("What a block's transactions did: `trace`, `stateDiff`, `vmTrace`", "role/node.TestReplayedStateDiffs")
}

const maxTraceBlocks = 1000 // of one trace_filter

// flatOptions ask for OpenEthereum's list of calls.
func (s *Server) flatOptions() *TraceOptions {
	return &TraceOptions{
		Tracer: "flatCallTracer", TracerConfig: json.RawMessage(`{"convertParityErrors":true}`),
		Timeout: defaultTraceTimeout, MaxBytes: s.opts.MaxResponseBytes,
	}
}

// replayOptions reads the list of trace types that argument i holds.
func (s *Server) replayOptions(a *args, i int) *TraceOptions {
	var types []string
	a.object(i, &types, false)
	if a.err != nil {
		return nil
	}
	o, err := s.replayTypes(types)
	if err != nil {
		a.fail(i, err)
	}
	return o
}

func (s *Server) replayTypes(types []string) (*TraceOptions, error) {
	o := &TraceOptions{Form: TraceReplay, Timeout: defaultTraceTimeout, MaxBytes: s.opts.MaxResponseBytes}
	for _, name := range types {
		switch name {
		case "trace":
			o.Trace = true
		case "stateDiff":
			o.StateDiff = true
		case "vmTrace":
			o.VMTrace = true
		default:
			return nil, fmt.Errorf("trace type %q: want trace, stateDiff or vmTrace", clip(name))
		}
	}
	return o, nil
}

// joined makes one list of the members of many.
func joined(lists []TxTrace) rawJSON {
	size := 2
	for i := range lists {
		size += len(lists[i].Result)
	}
	out := append(make(rawJSON, 0, size), '[')
	for i := range lists {
		inner := lists[i].Result[1 : len(lists[i].Result)-1]
		if len(inner) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, inner...)
	}
	return append(out, ']')
}

func (s *Server) parityBlock(c *call, a *args) (rawJSON, error) {
	ref := read(a, 0, decodeBlockRef)
	if a.err != nil {
		return nil, a.err
	}
	number, err := s.traceTarget(c.ctx, ref)
	if errors.Is(err, errGenesis) {
		return rawJSON("[]"), nil
	}
	if err != nil {
		return nil, err
	}
	list, err := s.backend.TraceBlock(c.ctx, number, s.flatOptions())
	if err != nil {
		return nil, err
	}
	return joined(list), nil
}

// parityTransaction answers null for a transaction that is not known, as do all
// methods of this dialect.
func (s *Server) parityTransaction(c *call, a *args) (rawJSON, error) {
	hash := a.hash(0)
	if a.err != nil {
		return nil, a.err
	}
	raw, err := s.backend.TraceTx(c.ctx, hash, s.flatOptions())
	return rawJSON(raw), err
}

func decodeCounts(raw []byte) (out []uint64, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("want a list of positions")
	}
	for _, item := range list {
		n, err := decodeCount(bytes.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (s *Server) parityGet(c *call, a *args) (rawJSON, error) {
	hash, path := a.hash(0), read(a, 1, decodeCounts)
	if a.err != nil {
		return nil, a.err
	}
	raw, err := s.backend.TraceTx(c.ctx, hash, s.flatOptions())
	if err != nil || raw == nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	for _, item := range list {
		var at struct {
			TraceAddress []uint64 `json:"traceAddress"`
		}
		if err := json.Unmarshal(item, &at); err != nil {
			return nil, err
		}
		if slices.Equal(at.TraceAddress, path) {
			return rawJSON(item), nil
		}
	}
	return nil, nil
}

// traceFilter is the JSON of a trace_filter.
type traceFilter struct {
	FromBlock   json.RawMessage  `json:"fromBlock"`
	ToBlock     json.RawMessage  `json:"toBlock"`
	FromAddress []common.Address `json:"fromAddress"`
	ToAddress   []common.Address `json:"toAddress"`
	After       json.RawMessage  `json:"after"`
	Count       json.RawMessage  `json:"count"`
	Mode        string           `json:"mode"`
}

// flatTrace are the members of a call that a filter looks at.
type flatTrace struct {
	Action struct {
		From          *common.Address `json:"from"`
		To            *common.Address `json:"to"`
		Address       *common.Address `json:"address"`       // that destroys itself
		RefundAddress *common.Address `json:"refundAddress"` // that gets what it had
	} `json:"action"`
	Result *struct {
		Address *common.Address `json:"address"` // that was created
	} `json:"result"`
}

func among(list []common.Address, some ...*common.Address) bool {
	return slices.ContainsFunc(some, func(a *common.Address) bool { return a != nil && slices.Contains(list, *a) })
}

// matches reports whether the call is from or to one of the addresses.
func (f *traceFilter) matches(t *flatTrace) bool {
	if len(f.FromAddress) == 0 && len(f.ToAddress) == 0 {
		return true
	}
	var created *common.Address
	if t.Result != nil {
		created = t.Result.Address
	}
	from := among(f.FromAddress, t.Action.From, t.Action.Address)
	to := among(f.ToAddress, t.Action.To, t.Action.RefundAddress, created)
	if f.Mode == "intersection" {
		return (from || len(f.FromAddress) == 0) && (to || len(f.ToAddress) == 0)
	}
	return from || to
}

// bounds are the first and last block and how many calls to leave out and to give.
func (f *traceFilter) bounds(s *Server) (from, to, after, count uint64, err error) {
	block := func(raw json.RawMessage, none blockRef) uint64 {
		ref := none
		if len(raw) > 0 && raw[0] != 'n' && err == nil {
			ref, err = decodeBlockNumber(raw)
		}
		n, pending := s.numberOf(ref)
		if open := s.backend.Pending(); pending && open != nil {
			n = open.Header.Number.Uint64()
		}
		return n
	}
	number := func(raw json.RawMessage, none uint64) uint64 {
		if len(raw) == 0 || raw[0] == 'n' || err != nil {
			return none
		}
		var n uint64
		n, err = decodeCount(raw)
		return n
	}
	from, to = block(f.FromBlock, blockRef{tag: tagEarliest}), block(f.ToBlock, blockRef{tag: tagLatest})
	after, count = number(f.After, 0), number(f.Count, 1<<62)
	switch {
	case err != nil:
	case f.Mode != "" && f.Mode != "union" && f.Mode != "intersection":
		err = fmt.Errorf("mode %q: want union or intersection", clip(f.Mode))
	case from > to:
		err = fmt.Errorf("fromBlock %d is behind toBlock %d", from, to)
	case to-from >= maxTraceBlocks:
		err = fmt.Errorf("%d blocks are more than %d: ask for fewer blocks at once", to-from+1, maxTraceBlocks)
	}
	if err != nil {
		err = Errorf(CodeInvalidParams, "invalid argument 0: %v", err)
	}
	return from, to, after, count, err
}

func (s *Server) parityFilter(c *call, a *args) (rawJSON, error) {
	var f traceFilter
	a.object(0, &f, false)
	if a.err != nil {
		return nil, a.err
	}
	from, to, after, count, err := f.bounds(s)
	if err != nil {
		return nil, err
	}
	w := newWriter(1024)
	w.open('[')
	for number := max(from, 1); number <= to && count > 0; number++ {
		if _, err := s.traceTarget(c.ctx, blockRef{number: number}); err != nil {
			break // there are no more blocks
		}
		list, err := s.backend.TraceBlock(c.ctx, number, s.flatOptions())
		if err != nil {
			return nil, err
		}
		var traces []json.RawMessage
		if err := json.Unmarshal(joined(list), &traces); err != nil {
			return nil, err
		}
		for _, raw := range traces {
			var t flatTrace
			if err := json.Unmarshal(raw, &t); err != nil {
				return nil, err
			}
			if !f.matches(&t) {
				continue
			}
			if after > 0 {
				after--
				continue
			}
			if count == 0 {
				break
			}
			count--
			w.rawBytes(raw)
		}
		if len(w.b) > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
	}
	w.shut(']')
	return w.b, nil
}

// parityCalls runs calls in OpenEthereum's form.
func (s *Server) parityCalls(ctx context.Context, ref blockRef, calls []*CallRequest, o []*TraceOptions) ([]json.RawMessage, error) {
	at, err := s.tracePoint(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	return s.backend.TraceCalls(ctx, at, calls, o)
}

func (s *Server) parityCall(c *call, a *args) (rawJSON, error) {
	var msg callArgs
	a.object(0, &msg, false)
	o := s.replayOptions(a, 1)
	ref := a.state(2)
	if a.err != nil {
		return nil, a.err
	}
	req, err := s.traceRequest(&msg, &blockArgs{}, nil)
	if err != nil {
		return nil, err
	}
	out, err := s.parityCalls(c.ctx, ref, []*CallRequest{req}, []*TraceOptions{o})
	if err != nil {
		return nil, err
	}
	return rawJSON(out[0]), nil
}

func (s *Server) parityCallMany(c *call, a *args) (rawJSON, error) {
	var pairs [][]json.RawMessage
	a.object(0, &pairs, false)
	ref := a.state(1)
	if a.err != nil {
		return nil, a.err
	}
	if len(pairs) > maxTraceCalls {
		return nil, Errorf(CodeLimit, "%d calls are more than %d: send less at once", len(pairs), maxTraceCalls)
	}
	calls, options := make([]*CallRequest, len(pairs)), make([]*TraceOptions, len(pairs))
	for i, pair := range pairs {
		var msg callArgs
		var types []string
		err := errors.New("want a pair of a call and its trace types")
		if len(pair) == 2 {
			err = errors.Join(json.Unmarshal(pair[0], &msg), json.Unmarshal(pair[1], &types))
		}
		if err == nil {
			options[i], err = s.replayTypes(types)
		}
		if err == nil {
			calls[i], err = s.traceRequest(&msg, &blockArgs{}, nil)
		}
		if err != nil {
			return nil, Errorf(CodeInvalidParams, "invalid argument 0: call %d: %v", i, err)
		}
	}
	out, err := s.parityCalls(c.ctx, ref, calls, options)
	if err != nil {
		return nil, err
	}
	w := newWriter(1024)
	w.open('[')
	for _, raw := range out {
		w.rawBytes(raw)
	}
	w.shut(']')
	return w.b, nil
}

func (s *Server) parityRawTransaction(c *call, a *args) (rawJSON, error) {
	raw, o := a.bytes(0), s.replayOptions(a, 1)
	if a.err != nil {
		return nil, a.err
	}
	tx, err := chain.DecodeTx(raw, s.backend.Config())
	if err != nil {
		return nil, err
	}
	eth := tx.Eth()
	m := CallMsg{From: tx.From(), To: tx.To(), Gas: tx.Gas(), Value: tx.Value(), Data: tx.Data(), AccessList: tx.AccessList(), AuthList: tx.Authorizations()}
	m.GasFeeCap, m.GasTipCap = eth.GasFeeCap(), eth.GasTipCap()
	out, err := s.parityCalls(c.ctx, blockRef{tag: tagLatest}, []*CallRequest{{Msg: m, GasCap: s.opts.CallGasCap}}, []*TraceOptions{o})
	if err != nil {
		return nil, err
	}
	return rawJSON(out[0]), nil
}

func (s *Server) parityReplay(c *call, a *args) (rawJSON, error) {
	hash, o := a.hash(0), s.replayOptions(a, 1)
	if a.err != nil {
		return nil, a.err
	}
	raw, err := s.backend.TraceTx(c.ctx, hash, o)
	return rawJSON(raw), err
}

func (s *Server) parityReplayBlock(c *call, a *args) (rawJSON, error) {
	ref, o := read(a, 0, decodeBlockRef), s.replayOptions(a, 1)
	if a.err != nil {
		return nil, a.err
	}
	number, err := s.traceTarget(c.ctx, ref)
	if errors.Is(err, errGenesis) {
		return rawJSON("[]"), nil
	}
	if err != nil {
		return nil, err
	}
	list, err := s.backend.TraceBlock(c.ctx, number, o)
	if err != nil {
		return nil, err
	}
	w := newWriter(1024)
	w.open('[')
	for i := range list {
		body := list[i].Result // an object with members
		w.open('{')
		w.key("transactionHash").hex(list[i].Hash[:])
		w.rawBytes(body[1:])
	}
	w.shut(']')
	return w.b, nil
}
