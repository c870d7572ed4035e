package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// Tracer is the part of Backend that executes again and tells what happened. Results
// are encoded JSON. All methods end with their context, which carries a deadline.
type Tracer interface {
	// TraceTx traces a published transaction; nil if there is none.
	TraceTx(ctx context.Context, hash common.Hash, o *TraceOptions) (json.RawMessage, error)
	// TraceBlock traces all transactions of a block: a sealed one, or the open one as far
	// as it is published.
	TraceBlock(ctx context.Context, number uint64, o *TraceOptions) ([]TxTrace, error)
	// TraceRawBlock traces transactions as if they made up the block with the header,
	// on the state after the header's parent.
	TraceRawBlock(ctx context.Context, h *types.Header, txs []*chain.Tx, o *TraceOptions) ([]TxTrace, error)
	// TraceCalls traces calls, each on what the ones before left. The first carries the
	// state overrides; each has its own block overrides.
	TraceCalls(ctx context.Context, at TracePoint, calls []*CallRequest, o []*TraceOptions) ([]json.RawMessage, error)
}

// TracePoint is the state that traced calls see.
type TracePoint struct {
	State StateRef
	// BeforeTx is, if not nil, the index of the transaction in the block before which
	// the calls are made; State then names the block, the open one if Newest.
	BeforeTx *uint64
}

// TxTrace is the trace of one transaction of a block.
type TxTrace struct {
	Hash   common.Hash
	Result json.RawMessage
}

// TraceOptions say what is told of a transaction.
type TraceOptions struct {
	Form TraceForm
	// Tracer is a name of go-ethereum's or a script; empty is the struct logger, which the
	// four fields after TracerConfig are for.
	Tracer                                                       string
	TracerConfig                                                 json.RawMessage
	EnableMemory, DisableStack, DisableStorage, EnableReturnData bool
	Limit                                                        int // bytes that the struct logger notes; 0: as many as fit

	// Of TraceReplay.
	Trace, StateDiff, VMTrace bool

	Timeout  time.Duration // of one transaction
	MaxBytes int           // of the result
}

// TraceForm is the shape of a trace.
type TraceForm uint8

// Forms of traces.
const (
	TraceTracer     TraceForm = iota // what the tracer gives
	TraceReplay                      // trace_replayTransaction's object
	TraceCallList                    // ots_traceTransaction's list
	TraceOperations                  // ots_getInternalOperations' list
	TraceRevertData                  // ots_getTransactionError's data
)

// traceMethods trace as go-ethereum does.
func (s *Server) traceMethods(t methodTable) {
	t.slow("debug_traceTransaction", 2, s.traceTransaction).doc("What a transaction did, told by one of go-ethereum's tracers; also while its block is open", "tracer.TestTracesEqualGoEthereums")
	t.slow("debug_traceBlockByNumber", 2, s.traceBlockByNumber).doc("What all transactions of a block did; `pending` is the open block", "role/node.TestTracingABlock")
	t.slow("debug_traceBlockByHash", 2, s.traceBlockByHash).doc("What all transactions of a block did", "role/node.TestTracingABlock")
	t.slow("debug_traceBlock", 2, s.traceRawBlock).doc("What the transactions of a block given in RLP do on its parent's state", "role/node.TestTracingARawBlock")
	t.slow("debug_traceCall", 3, s.traceCall).doc("What a call would do, with state and block overrides, after a block or before one of its transactions", "role/node.TestTracingCalls")
	t.slow("debug_traceCallMany", 3, s.traceCallMany).doc("What bundles of calls would do, each on what the ones before left", "role/node.TestTracingCalls")
}

const (
	defaultTraceTimeout = 5 * time.Second // go-ethereum's
	maxTraceCalls       = 1000            // calls of one debug_traceCallMany or trace_callMany
)

// traceArgs is the JSON of a trace's options.
type traceArgs struct {
	Tracer           *string         `json:"tracer"`
	TracerConfig     json.RawMessage `json:"tracerConfig"`
	Timeout          *string         `json:"timeout"`
	EnableMemory     bool            `json:"enableMemory"`
	DisableStack     bool            `json:"disableStack"`
	DisableStorage   bool            `json:"disableStorage"`
	EnableReturnData bool            `json:"enableReturnData"`
	Limit            int             `json:"limit"`
	// Of calls.
	StateOverrides map[common.Address]accountArgs `json:"stateOverrides"`
	StateOverride  map[common.Address]accountArgs `json:"stateOverride"` // Erigon's name
	BlockOverrides blockArgs                      `json:"blockOverrides"`
	TxIndex        *hexutil.Uint64                `json:"txIndex"`
}

func (j *traceArgs) options(s *Server) (*TraceOptions, error) {
	o := &TraceOptions{
		TracerConfig: j.TracerConfig, EnableMemory: j.EnableMemory, DisableStack: j.DisableStack,
		DisableStorage: j.DisableStorage, EnableReturnData: j.EnableReturnData, Limit: max(j.Limit, 0),
		Timeout: defaultTraceTimeout, MaxBytes: s.opts.MaxResponseBytes,
	}
	if j.Tracer != nil {
		o.Tracer = *j.Tracer
	}
	if string(o.TracerConfig) == jsonNull {
		o.TracerConfig = nil
	}
	if j.Timeout != nil {
		d, err := time.ParseDuration(*j.Timeout)
		if err != nil {
			return nil, Errorf(CodeInvalidParams, "timeout %q: want a duration like \"10s\"", clip(*j.Timeout))
		}
		o.Timeout = d
	}
	return o, nil
}

// traceOptions reads the options that argument i may hold.
func (s *Server) traceOptions(a *args, i int) (*TraceOptions, *traceArgs, error) {
	var j traceArgs
	a.object(i, &j, true)
	if a.err != nil {
		return nil, nil, a.err
	}
	o, err := j.options(s)
	return o, &j, err
}

func (s *Server) traceTransaction(c *call, a *args) (rawJSON, error) {
	hash := a.hash(0)
	o, _, err := s.traceOptions(a, 1)
	if err != nil {
		return nil, err
	}
	raw, err := s.backend.TraceTx(c.ctx, hash, o)
	if err == nil && raw == nil {
		return nil, errNoTx
	}
	return rawJSON(raw), err
}

var (
	errNoTx    = errors.New("transaction not found")
	errGenesis = errors.New("genesis is not traceable")
)

// traceTarget is the number of the block that ref names.
func (s *Server) traceTarget(ctx context.Context, ref blockRef) (uint64, error) {
	var number uint64
	if ref.tag == tagHash {
		b, err := s.backend.BlockByHash(ctx, ref.hash)
		if err != nil {
			return 0, err
		}
		if b == nil {
			return 0, fmt.Errorf("block %s not found", ref.hash.Hex())
		}
		number = b.Number()
	} else {
		var pending bool
		number, pending = s.numberOf(ref)
		open := s.backend.Pending()
		if pending && open != nil {
			number = open.Header.Number.Uint64()
		} else if number > s.backend.Head().Number.Uint64() && (open == nil || open.Header.Number.Uint64() != number) {
			return 0, fmt.Errorf("block #%d not found", number)
		}
	}
	if number == 0 {
		return 0, errGenesis
	}
	return number, nil
}

func (s *Server) traceBlock(c *call, a *args, ref blockRef) (rawJSON, error) {
	o, _, err := s.traceOptions(a, 1)
	if err != nil {
		return nil, err
	}
	number, err := s.traceTarget(c.ctx, ref)
	if err != nil {
		return nil, err
	}
	list, err := s.backend.TraceBlock(c.ctx, number, o)
	if err != nil {
		return nil, err
	}
	return txTraces(list), nil
}

// txTraces is go-ethereum's list of traces.
func txTraces(list []TxTrace) rawJSON {
	size := 2
	for i := range list {
		size += len(list[i].Result) + 100
	}
	w := newWriter(size)
	w.open('[')
	for i := range list {
		w.open('{')
		w.key("txHash").hex(list[i].Hash[:])
		w.key("result").rawBytes(list[i].Result)
		w.shut('}')
	}
	w.shut(']')
	return w.b
}

func (s *Server) traceBlockByNumber(c *call, a *args) (rawJSON, error) {
	ref := a.block(0)
	return s.traceBlock(c, a, ref)
}

func (s *Server) traceBlockByHash(c *call, a *args) (rawJSON, error) {
	ref := byHash(a, 0)
	return s.traceBlock(c, a, ref)
}

// traceRawBlock decodes a block with deposits, which types.Block does not know.
func (s *Server) traceRawBlock(c *call, a *args) (rawJSON, error) {
	raw := a.bytes(0)
	o, _, err := s.traceOptions(a, 1)
	if err != nil {
		return nil, err
	}
	h, txs, err := decodeBlock(raw, s.backend.Config())
	if err != nil {
		return nil, Errorf(CodeInvalidParams, "could not decode block: %v", err)
	}
	if h.Number.Sign() == 0 {
		return nil, errGenesis
	}
	list, err := s.backend.TraceRawBlock(c.ctx, h, txs, o)
	if err != nil {
		return nil, err
	}
	return txTraces(list), nil
}

func decodeBlock(raw []byte, cfg *chain.Config) (*types.Header, []*chain.Tx, error) {
	var b struct {
		Header *types.Header
		Txs    []rlp.RawValue
		Rest   []rlp.RawValue `rlp:"tail"`
	}
	if err := rlp.DecodeBytes(raw, &b); err != nil {
		return nil, nil, err
	}
	if b.Header.Number == nil || !b.Header.Number.IsUint64() || b.Header.BaseFee == nil {
		return nil, nil, errors.New("header without number or base fee")
	}
	txs := make([]*chain.Tx, len(b.Txs))
	for i, enc := range b.Txs {
		tx := []byte(enc)
		if kind, content, _, err := rlp.Split(enc); err != nil {
			return nil, nil, err
		} else if kind != rlp.List {
			tx = content
		}
		var err error
		if txs[i], err = chain.DecodeAnyTx(tx, cfg); err != nil {
			return nil, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	return b.Header, txs, nil
}

// traceRequest is a call as the backend takes it.
func (s *Server) traceRequest(j *callArgs, block *blockArgs, accounts map[common.Address]accountArgs) (*CallRequest, error) {
	m, err := j.message(s.backend.Config().ChainID)
	if err != nil {
		return nil, err
	}
	m.Gas = min(m.Gas, s.opts.CallGasCap)
	req := &CallRequest{Msg: m, GasCap: s.opts.CallGasCap, Block: BlockOverride{
		Number: bigOf(block.Number), Time: (*uint64)(block.Time), GasLimit: (*uint64)(block.GasLimit),
		FeeRecipient: block.FeeRecipient, PrevRandao: block.PrevRandao,
		BaseFee: bigOf(block.BaseFeePerGas), BlobBaseFee: bigOf(block.BlobBaseFee),
	}}
	req.Overrides, err = overrides(accounts)
	return req, err
}

// tracePoint resolves the state of traced calls.
func (s *Server) tracePoint(ctx context.Context, ref blockRef, index *uint64) (TracePoint, error) {
	state, err := s.stateRef(ctx, ref)
	return TracePoint{State: state, BeforeTx: index}, err
}

func (s *Server) traceCall(c *call, a *args) (rawJSON, error) {
	var msg callArgs
	a.object(0, &msg, false)
	ref := a.state(1)
	o, j, err := s.traceOptions(a, 2)
	if err != nil {
		return nil, err
	}
	req, err := s.traceRequest(&msg, &j.BlockOverrides, j.accounts())
	if err != nil {
		return nil, err
	}
	at, err := s.tracePoint(c.ctx, ref, (*uint64)(j.TxIndex))
	if err != nil {
		return nil, err
	}
	out, err := s.backend.TraceCalls(c.ctx, at, []*CallRequest{req}, []*TraceOptions{o})
	if err != nil {
		return nil, err
	}
	return rawJSON(out[0]), nil
}

func (j *traceArgs) accounts() map[common.Address]accountArgs {
	if j.StateOverrides != nil {
		return j.StateOverrides
	}
	return j.StateOverride
}

// traceBundle is one of debug_traceCallMany.
type traceBundle struct {
	Transactions  []callArgs `json:"transactions"`
	BlockOverride blockArgs  `json:"blockOverride"`
}

// traceContext is where debug_traceCallMany begins, in Erigon's words.
type traceContext struct {
	BlockNumber      json.RawMessage `json:"blockNumber"`
	TransactionIndex json.RawMessage `json:"transactionIndex"` // -1 or nothing: after the block
}

func (x *traceContext) read() (ref blockRef, index *uint64, err error) {
	ref = blockRef{tag: tagLatest}
	if raw := x.BlockNumber; len(raw) > 0 && raw[0] != 'n' {
		if ref, err = decodeBlockRef(raw); err != nil {
			return ref, nil, err
		}
	}
	raw := x.TransactionIndex
	if len(raw) == 0 || raw[0] == 'n' || string(raw) == "-1" {
		return ref, nil, nil
	}
	i, err := decodeCount(raw)
	return ref, &i, err
}

// traceCallMany is Erigon's method: bundles, context, options. The answer is a list of
// traces for each bundle.
func (s *Server) traceCallMany(c *call, a *args) (rawJSON, error) {
	var bundles []traceBundle
	var where traceContext
	a.object(0, &bundles, false)
	a.object(1, &where, true)
	o, j, err := s.traceOptions(a, 2)
	if err != nil {
		return nil, err
	}
	ref, index, err := where.read()
	if err != nil {
		return nil, Errorf(CodeInvalidParams, "invalid argument 1: %v", err)
	}
	var calls []*CallRequest
	var options []*TraceOptions
	for i := range bundles {
		b := &bundles[i]
		for k := range b.Transactions {
			req, err := s.traceRequest(&b.Transactions[k], &b.BlockOverride, j.accounts())
			if err != nil {
				return nil, err
			}
			calls, options = append(calls, req), append(options, o)
		}
	}
	if len(calls) > maxTraceCalls {
		return nil, Errorf(CodeLimit, "%d calls are more than %d: send less at once", len(calls), maxTraceCalls)
	}
	at, err := s.tracePoint(c.ctx, ref, index)
	if err != nil {
		return nil, err
	}
	out, err := s.backend.TraceCalls(c.ctx, at, calls, options)
	if err != nil {
		return nil, err
	}
	w := newWriter(1024)
	w.open('[')
	for i := range bundles {
		w.open('[')
		for range bundles[i].Transactions {
			w.rawBytes(out[0])
			out = out[1:]
		}
		w.shut(']')
	}
	w.shut(']')
	return w.b, nil
}
