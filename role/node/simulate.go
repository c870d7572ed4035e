package node

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// Simulate implements rpc.Simulator.
func (n *Node) Simulate(ctx context.Context, req *rpc.SimulateRequest) ([]*rpc.SimulatedBlock, error) {
	var out []*rpc.SimulatedBlock
	err := n.read(req.State, func(v state.View, header *types.Header) error {
		base := header
		if req.State.Newest && header.Root == (common.Hash{}) { // the open block: it has no hash to build on
			var err error
			if base, err = n.HeaderByNumber(ctx, header.Number.Uint64()-1); err != nil {
				return err
			}
		}
		return n.machine(func(m *evm.Machine) (err error) {
			s := &simulation{node: n, req: req, base: base, view: v, gas: req.GasCap, machine: m}
			if out, err = s.run(ctx); errors.Is(err, evm.ErrCancelled) && ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		})
	})
	return out, err
}

// simulation is eth_simulateV1 at work.
type simulation struct {
	node    *Node
	req     *rpc.SimulateRequest
	base    *types.Header
	view    state.View // after the last block
	gas     chain.Gas  // left for all calls to come
	bytes   int        // of the answer so far, about
	machine *evm.Machine
	headers []*types.Header // simulated so far
}

// secondsBetween is the time from one simulated block to the next by default.
const secondsBetween = 1

func (s *simulation) run(ctx context.Context) ([]*rpc.SimulatedBlock, error) {
	blocks, err := s.inOrder()
	if err != nil {
		return nil, err
	}
	var out []*rpc.SimulatedBlock
	for i := range blocks {
		b, err := s.block(ctx, &blocks[i])
		if err != nil {
			return nil, err
		}
		s.headers = append(s.headers, b.Header)
		out = append(out, b)
	}
	return out, nil
}

// inOrder gives every block a number and a time, and fills gaps between numbers with
// empty blocks.
func (s *simulation) inOrder() ([]rpc.SimulateBlock, error) {
	var out []rpc.SimulateBlock
	number, time := s.base.Number.Uint64(), s.base.Time
	at := func(b rpc.SimulateBlock, number, time uint64) rpc.SimulateBlock {
		b.Block.Number, b.Block.Time = new(big.Int).SetUint64(number), &time
		return b
	}
	for _, b := range s.req.Blocks {
		next := number + 1
		if b.Block.Number != nil {
			if !b.Block.Number.IsUint64() {
				return nil, rpc.Errorf(rpc.CodeClientLimit, "too many blocks")
			}
			next = b.Block.Number.Uint64()
		}
		if next <= number {
			return nil, rpc.Errorf(rpc.CodeSimBlockNumber, "block numbers must be in order: %d <= %d", next, number)
		}
		if next-s.base.Number.Uint64() > rpc.MaxSimulatedBlocks {
			return nil, rpc.Errorf(rpc.CodeClientLimit, "too many blocks")
		}
		for number++; number < next; number++ {
			time += secondsBetween
			out = append(out, at(rpc.SimulateBlock{}, number, time))
		}
		if b.Block.Time == nil {
			time += secondsBetween
		} else {
			if *b.Block.Time <= time {
				return nil, rpc.Errorf(rpc.CodeSimTimestamp, "block timestamps must be in order: %d <= %d", *b.Block.Time, time)
			}
			time = *b.Block.Time
		}
		out = append(out, at(b, number, time))
	}
	return out, nil
}

// header is what is known of a simulated block before its calls.
func (s *simulation) header(b *rpc.SimulateBlock) *types.Header {
	parent := s.base
	if n := len(s.headers); n > 0 {
		parent = s.headers[n-1]
	}
	h := newSimulatedHeader(parent, b)
	switch {
	case b.Block.BaseFee != nil:
		h.BaseFee = b.Block.BaseFee
	case s.req.Validation:
		h.BaseFee = chain.NextBaseFee(s.node.cfg, parent)
	}
	return h
}

func newSimulatedHeader(parent *types.Header, b *rpc.SimulateBlock) *types.Header {
	var blobGas, excess uint64
	h := &types.Header{
		ParentHash: parent.Hash(), UncleHash: types.EmptyUncleHash, Coinbase: parent.Coinbase, Difficulty: new(big.Int),
		Number: b.Block.Number, Time: *b.Block.Time, GasLimit: parent.GasLimit, BaseFee: new(big.Int),
		TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash, WithdrawalsHash: &types.EmptyWithdrawalsHash,
		BlobGasUsed: &blobGas, ExcessBlobGas: &excess, ParentBeaconRoot: new(common.Hash), RequestsHash: &types.EmptyRequestsHash,
	}
	if b.Block.GasLimit != nil {
		h.GasLimit = *b.Block.GasLimit
	}
	if b.Block.FeeRecipient != nil {
		h.Coinbase = *b.Block.FeeRecipient
	}
	if b.Block.PrevRandao != nil {
		h.MixDigest = *b.Block.PrevRandao
	}
	if b.BeaconRoot != nil {
		h.ParentBeaconRoot = b.BeaconRoot
	}
	return h
}

// env is the environment of calls in a simulated block.
func (s *simulation) env(h *types.Header, b *rpc.SimulateBlock) *evm.Env {
	env := s.node.envOf(h)
	env.BlobBaseFee = b.Block.BlobBaseFee
	real := env.BlockHash
	env.BlockHash = func(number uint64) common.Hash {
		base := s.base.Number.Uint64()
		switch {
		case number < base:
			return real(number)
		case number == base:
			return s.base.Hash()
		case number-base-1 < uint64(len(s.headers)):
			return s.headers[number-base-1].Hash()
		}
		return common.Hash{}
	}
	return env
}

// block executes one block.
func (s *simulation) block(ctx context.Context, in *rpc.SimulateBlock) (*rpc.SimulatedBlock, error) {
	h := s.header(in)
	overrides, err := stateOverrides(in.Overrides)
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeInvalidParams, "%v", err)
	}
	view, moves, err := overrides.Over(s.view, s.machine)
	if err != nil {
		return nil, moveError(err)
	}
	w := &simulatedBlock{simulation: s, header: h, env: s.env(h, in), state: state.NewOverlay(view), moves: moves}
	for _, call := range []struct {
		to   common.Address
		data *common.Hash
	}{{evm.BeaconRootsAddr, h.ParentBeaconRoot}, {evm.HistoryAddr, &h.ParentHash}} {
		// A call that fails changes nothing, and the block goes on without it.
		if diff, err := s.machine.SystemCall(w.state, w.env, call.to, call.data[:]); err == nil {
			w.state.Apply(diff)
		}
	}
	if s.req.TraceTransfers {
		w.tracer = &transferTracer{}
		s.machine.SetTracer(w.tracer.hooks())
	}
	for i := range in.Calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := w.call(ctx, &in.Calls[i]); err != nil {
			return nil, err
		}
	}
	s.machine.SetTracer(nil)
	s.view = w.state
	return w.finish(), nil
}

// simulatedBlock is a block at work.
type simulatedBlock struct {
	*simulation
	header   *types.Header
	env      *evm.Env
	state    *state.Overlay
	moves    evm.PrecompileMoves
	tracer   *transferTracer // nil: transfers are not traced
	txs      []*chain.Tx
	receipts []*chain.Receipt
	calls    []rpc.SimulatedCall
	gasUsed  chain.Gas
	logs     uint // of the block so far
}

// call executes one call. An error ends the simulation.
func (w *simulatedBlock) call(ctx context.Context, in *rpc.SimulateCall) error {
	left := w.header.GasLimit - w.gasUsed
	limit := left
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit > left {
		return rpc.Errorf(rpc.CodeSimBlockGas, "block gas limit reached: remaining: %d, required: %d", left, limit)
	}
	capped := limit > w.gas
	limit = min(limit, w.gas)
	nonce := w.nonce(in)
	tx, err := simulatedTx(&in.CallMsg, w.node.cfg, nonce, limit)
	if err != nil {
		return rpc.Errorf(rpc.CodeInvalidParams, "%v", err)
	}
	if limit == 0 { // to the machine zero is no limit
		return rpc.Errorf(rpc.CodeSimIntrinsic, "err: %v: have 0, want 21000 (supplied gas 0)", evm.ErrIntrinsicGas)
	}
	if w.tracer != nil {
		w.tracer.begin()
	}
	res, err := w.machine.Call(w.state, &evm.CallMsg{
		From: in.From, To: in.To, Gas: limit, GasCap: limit, GasPrice: in.GasPrice, GasFeeCap: in.GasFeeCap, GasTipCap: in.GasTipCap,
		Value: in.Value, Data: in.Data, AccessList: in.AccessList, Authorizations: in.AuthList,
		Moves: w.moves, Nonce: nonce, Strict: w.req.Validation, KeepBaseFee: true, Done: ctx.Done(),
	}, w.env)
	if errors.Is(err, evm.ErrCancelled) {
		return err
	}
	if err != nil {
		return rpc.Errorf(simulateCode(err), "%v", err)
	}
	w.state.Apply(res.Diff)
	w.gas -= min(w.gas, res.GasUsed)
	w.gasUsed += res.GasUsed
	w.enter(tx, res, capped)
	w.bytes += answerBytes(res.ReturnData, w.calls[len(w.calls)-1].Logs)
	if limit := w.req.MaxBytes; limit > 0 && w.bytes > limit {
		return answerTooLarge(limit)
	}
	return nil
}

// answerBytes is about what the outcome of a call takes as JSON.
func answerBytes(returned []byte, logs []*types.Log) int {
	const each = 400 // of a call or log, beside its data
	n := each + 2*len(returned)
	for _, l := range logs {
		n += each + 2*len(l.Data)
	}
	return n
}

func answerTooLarge(limit int) error {
	return rpc.Errorf(rpc.CodeLimit, "response is larger than %d bytes: ask for fewer calls at once", limit)
}

// nonce is what the call says, or the sender's.
func (w *simulatedBlock) nonce(in *rpc.SimulateCall) uint64 {
	if in.Nonce != nil {
		return *in.Nonce
	}
	account, _ := w.state.Account(in.From)
	return account.Nonce
}

// enter puts an executed call into the block.
func (w *simulatedBlock) enter(tx *chain.Tx, res *evm.CallResult, capped bool) {
	r := &chain.Receipt{
		Type: tx.Type(), CumulativeGasUsed: w.gasUsed, TxHash: tx.Hash(), GasUsed: res.GasUsed,
		EffectiveGasPrice: tx.EffectiveGasPrice(w.header.BaseFee), ContractAddress: res.ContractAddress,
	}
	out := rpc.SimulatedCall{ReturnData: res.ReturnData, GasUsed: res.GasUsed, MaxGasUsed: res.PeakGas}
	var revert *evm.RevertError
	switch {
	case res.Err == nil:
		r.Status, r.Logs = types.ReceiptStatusSuccessful, res.Logs
		if out.Logs = res.Logs; w.tracer != nil {
			out.Logs = w.tracer.logs()
		}
	case errors.As(res.Err, &revert):
		out.ReturnData, out.Err = revert.Data, rpc.RevertError(revert.Data)
	default:
		message := "vm execution error: " + res.Err.Error()
		if capped {
			message += " (gas limit was capped by the node's limit for calls)"
		}
		out.Err = rpc.Errorf(rpc.CodeVMError, "%s", message)
	}
	r.Bloom = chain.LogsBloom(r.Logs)
	for _, l := range out.Logs {
		l.Index = w.logs
		w.logs++
	}
	w.txs, w.receipts, w.calls = append(w.txs, tx), append(w.receipts, r), append(w.calls, out)
}

// finish completes the header. The state root stays zero.
func (w *simulatedBlock) finish() *rpc.SimulatedBlock {
	h := w.header
	h.GasUsed = w.gasUsed
	for _, r := range w.receipts {
		for i := range h.Bloom {
			h.Bloom[i] |= r.Bloom[i]
		}
	}
	if len(w.txs) > 0 {
		h.TxHash = types.DeriveSha(chain.Txs(w.txs), trie.NewStackTrie(nil))
		h.ReceiptHash = types.DeriveSha(chain.Receipts(w.receipts), trie.NewStackTrie(nil))
	}
	return &rpc.SimulatedBlock{Block: chain.NewBlock(h, w.txs, w.receipts, nil), Calls: w.calls}
}

// simulateCode is the code of a call that is not possible.
func simulateCode(err error) int {
	for _, c := range []struct {
		reason error
		code   int
	}{
		{evm.ErrNonceTooLow, rpc.CodeSimNonceLow}, {evm.ErrNonceTooHigh, rpc.CodeSimNonceHigh},
		{evm.ErrFeeCapTooLow, rpc.CodeSimBaseFee}, {evm.ErrIntrinsicGas, rpc.CodeSimIntrinsic}, {evm.ErrFloorDataGas, rpc.CodeSimIntrinsic},
		{evm.ErrInsufficientFunds, rpc.CodeSimFunds}, {evm.ErrInsufficientTransfer, rpc.CodeSimFunds},
		{evm.ErrSenderNoEOA, rpc.CodeSimSender}, {evm.ErrInitCodeTooLarge, rpc.CodeSimInitCode},
		{evm.ErrFeeCapVeryHigh, rpc.CodeInvalidParams}, {evm.ErrTipVeryHigh, rpc.CodeInvalidParams},
		{evm.ErrTipAboveFeeCap, rpc.CodeInvalidParams}, {evm.ErrValueVeryHigh, rpc.CodeInvalidParams},
		{evm.ErrSetCodeCreate, rpc.CodeInvalidParams}, {evm.ErrEmptyAuthList, rpc.CodeInvalidParams},
	} {
		if errors.Is(err, c.reason) {
			return c.code
		}
	}
	return rpc.CodeInternal
}

// simulatedTx is the unsigned transaction that stands for a call in its block.
func simulatedTx(m *rpc.CallMsg, cfg *chain.Config, nonce uint64, gas chain.Gas) (*chain.Tx, error) {
	eth, err := m.Unsigned(cfg.ChainID, nonce, gas)
	if err != nil {
		return nil, err
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode the call: %w", err)
	}
	return chain.RestoreTx(raw, m.From)
}
