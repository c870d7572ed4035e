package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// Simulator executes sequences of calls without effect.
type Simulator interface {
	// Simulate executes blocks of calls on one another. An error of one call that makes
	// it impossible, as against one that fails while it runs, is the error of all.
	Simulate(ctx context.Context, req *SimulateRequest) ([]*SimulatedBlock, error)
}

// Error codes of eth_simulateV1 (execution-apis).
const (
	CodeVMError        = -32015
	CodeTimeout        = -32016
	CodeSimNonceLow    = -38010
	CodeSimNonceHigh   = -38011
	CodeSimBaseFee     = -38012
	CodeSimIntrinsic   = -38013
	CodeSimFunds       = -38014
	CodeSimBlockGas    = -38015
	CodeSimBlockNumber = -38020
	CodeSimTimestamp   = -38021
	CodeSimMoveToSelf  = -38022
	CodeSimMoveTwice   = -38023
	CodeSimSender      = -38024
	CodeSimInitCode    = -38025
)

// MaxSimulatedBlocks bounds the blocks of one simulation, those that fill gaps between
// numbers included.
const MaxSimulatedBlocks = 256

const (
	maxSimulatedCalls      = 10_000 // of one simulation
	maxSimulatedBlockCalls = 5_000  // of one block
)

// SimulateRequest is eth_simulateV1.
type SimulateRequest struct {
	// State is what the first block builds on; the newest one continues the last sealed
	// block as the open block does.
	State  StateRef
	Blocks []SimulateBlock
	// TraceTransfers adds a log for every transfer of ether.
	TraceTransfers bool
	// Validation checks nonces and prices as for transactions.
	Validation bool
	// GasCap bounds the gas of all calls together.
	GasCap chain.Gas
	// MaxBytes bounds what the calls return and log, as JSON: gas alone does not, since
	// memory is cheap in each of many calls. 0: no bound.
	MaxBytes int
}

// SimulateBlock is a block of calls.
type SimulateBlock struct {
	Block      BlockOverride
	BeaconRoot *common.Hash
	Overrides  map[common.Address]AccountOverride // on the state before the block
	Calls      []SimulateCall
}

// SimulateCall is one call of a block.
type SimulateCall struct {
	CallMsg
	// Limit is the call's gas; nil is what the block has left. CallMsg.Gas is ignored.
	Limit *chain.Gas
}

// SimulatedBlock is a block that was never made. Its state root is zero: it is not
// computed.
type SimulatedBlock struct {
	*chain.Block // without mini-blocks
	Calls        []SimulatedCall
}

// SimulatedCall is the outcome of a call; Err is nil if it succeeded.
type SimulatedCall struct {
	ReturnData []byte
	Logs       []*types.Log // with the index in the block; none of a failed call
	GasUsed    chain.Gas
	MaxGasUsed chain.Gas // before refunds
	Err        *Error
}

// simulateArgs is the JSON of eth_simulateV1.
type simulateArgs struct {
	BlockStateCalls []struct {
		BlockOverrides json.RawMessage                    `json:"blockOverrides"`
		StateOverrides map[common.Address]json.RawMessage `json:"stateOverrides"`
		Calls          []callArgs                         `json:"calls"`
	} `json:"blockStateCalls"`
	TraceTransfers         bool `json:"traceTransfers"`
	Validation             bool `json:"validation"`
	ReturnFullTransactions bool `json:"returnFullTransactions"`
}

// strictly decodes JSON and refuses members that v does not have.
func strictly(raw []byte, v any) error {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// simulateBlockArgs is the JSON of block overrides in a simulation.
type simulateBlockArgs struct {
	blockArgs
	BeaconRoot  *common.Hash       `json:"beaconRoot"`
	Difficulty  *hexutil.Big       `json:"difficulty"`
	Withdrawals *types.Withdrawals `json:"withdrawals"`
}

func (b *blockArgs) override() BlockOverride {
	return BlockOverride{
		Number: bigOf(b.Number), Time: (*uint64)(b.Time), GasLimit: (*uint64)(b.GasLimit),
		FeeRecipient: b.FeeRecipient, PrevRandao: b.PrevRandao,
		BaseFee: bigOf(b.BaseFeePerGas), BlobBaseFee: bigOf(b.BlobBaseFee),
	}
}

// request checks the arguments and converts them.
func (j *simulateArgs) request(cfg *chain.Config) (*SimulateRequest, error) {
	invalid := func(i int, err error) error { return Errorf(CodeInvalidParams, "block %d: %v", i, err) }
	req := &SimulateRequest{TraceTransfers: j.TraceTransfers, Validation: j.Validation}
	total := 0
	switch n := len(j.BlockStateCalls); {
	case n == 0:
		return nil, Errorf(CodeInvalidParams, "empty input")
	case n > MaxSimulatedBlocks:
		return nil, Errorf(CodeClientLimit, "too many blocks")
	}
	for i := range j.BlockStateCalls {
		in := &j.BlockStateCalls[i]
		if n := len(in.Calls); n > maxSimulatedBlockCalls {
			return nil, Errorf(CodeClientLimit, "too many calls in block: %d > %d", n, maxSimulatedBlockCalls)
		}
		if total += len(in.Calls); total > maxSimulatedCalls {
			return nil, Errorf(CodeClientLimit, "too many calls: %d > %d", total, maxSimulatedCalls)
		}
		var block simulateBlockArgs
		if err := strictly(in.BlockOverrides, &block); err != nil {
			return nil, invalid(i, fmt.Errorf("block override: %w", err))
		}
		switch {
		case block.Difficulty != nil && block.Difficulty.ToInt().Sign() != 0:
			return nil, invalid(i, errors.New("difficulty override is not allowed: it is always zero"))
		case block.Withdrawals != nil && len(*block.Withdrawals) > 0:
			return nil, invalid(i, errors.New("withdrawals override is not allowed: this chain has none"))
		}
		accounts := make(map[common.Address]accountArgs, len(in.StateOverrides))
		for addr, raw := range in.StateOverrides {
			var account accountArgs
			if err := strictly(raw, &account); err != nil {
				return nil, invalid(i, fmt.Errorf("state override of %s: %w", addr.Hex(), err))
			}
			accounts[addr] = account
		}
		out := SimulateBlock{Block: block.override(), BeaconRoot: block.BeaconRoot}
		var err error
		if out.Overrides, err = overrides(accounts); err != nil {
			return nil, err
		}
		for k := range in.Calls {
			msg, err := in.Calls[k].message(cfg.ChainID)
			if err != nil {
				return nil, err
			}
			out.Calls = append(out.Calls, SimulateCall{msg, (*uint64)(in.Calls[k].Gas)})
		}
		req.Blocks = append(req.Blocks, out)
	}
	return req, nil
}

// simulateV1 is eth_simulateV1.
func (s *Server) simulateV1(c *call, a *args) (rawJSON, error) {
	var in simulateArgs
	a.object(0, &in, false)
	block := a.state(1)
	if a.err != nil {
		return nil, a.err
	}
	req, err := in.request(s.backend.Config())
	if err != nil {
		return nil, err
	}
	req.GasCap, req.MaxBytes = s.opts.CallGasCap, s.opts.MaxResponseBytes
	if req.State, err = s.stateRef(c.ctx, block); err != nil {
		return nil, err
	}
	blocks, err := s.backend.Simulate(c.ctx, req)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, Errorf(CodeTimeout, "execution timed out: ask for fewer calls at once")
	}
	if err != nil {
		return nil, err
	}
	w := newWriter(4096)
	w.open('[')
	for _, b := range blocks {
		w.simulated(b, in.ReturnFullTransactions)
		if len(w.b) > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
	}
	w.shut(']')
	return w.b, nil
}

// simulated writes a block object with the outcomes of its calls.
func (w *writer) simulated(b *SimulatedBlock, full bool) {
	v := sealedView(b.Block)
	w.open('{')
	w.blockFields(v, full)
	w.key("calls").open('[')
	for i := range b.Calls {
		r, place := &b.Calls[i], v.place(i)
		w.open('{')
		w.key("returnData").hex(r.ReturnData)
		w.key("logs").open('[')
		for _, l := range r.Logs {
			w.log(l, place, uint64(l.Index))
		}
		w.shut(']')
		w.key("gasUsed").qty(r.GasUsed)
		w.key("maxUsedGas").qty(r.MaxGasUsed)
		if r.Err == nil {
			w.key("status").qty(types.ReceiptStatusSuccessful)
		} else {
			w.key("status").qty(types.ReceiptStatusFailed)
			w.key("error").open('{')
			w.key("message").text(r.Err.Message)
			w.key("code").int(r.Err.Code)
			if data, ok := r.Err.Data.(string); ok {
				w.key("data").text(data)
			}
			w.shut('}')
		}
		w.shut('}')
	}
	w.shut(']')
	w.shut('}')
}

// simulationMethods run calls without effect.
func (s *Server) simulationMethods(t methodTable) {
	t.slow("eth_callMany", 4, s.callMany).doc("Runs bundles of calls on one another at the end of a block, as Erigon does; each bundle is one block later", "role/node.TestBundlesOfCalls")
	t.slow("eth_simulateV1", 2, s.simulateV1).doc("Executes blocks of calls on one another, with overrides, and answers with the blocks; their `stateRoot` is zero", "role/node.TestSimulatedBlocks")
}

// Unsigned is the transaction that the message asks for, without a signature: of type 0
// or 1 if it has a gas price, of type 4 with authorizations, else of type 2.
func (m *CallMsg) Unsigned(chainID, nonce uint64, gas chain.Gas) (*types.Transaction, error) {
	id := new(big.Int).SetUint64(chainID)
	feeCap, tipCap := orZero(m.GasFeeCap), orZero(m.GasTipCap)
	switch {
	case m.GasPrice != nil && m.AccessList == nil:
		return types.NewTx(&types.LegacyTx{To: m.To, Nonce: nonce, Gas: gas, GasPrice: m.GasPrice, Value: m.Value, Data: m.Data}), nil
	case m.GasPrice != nil:
		return types.NewTx(&types.AccessListTx{
			ChainID: id, To: m.To, Nonce: nonce, Gas: gas, GasPrice: m.GasPrice, Value: m.Value, Data: m.Data, AccessList: m.AccessList,
		}), nil
	case m.AuthList == nil:
		return types.NewTx(&types.DynamicFeeTx{
			ChainID: id, To: m.To, Nonce: nonce, Gas: gas, GasFeeCap: feeCap, GasTipCap: tipCap, Value: m.Value, Data: m.Data, AccessList: m.AccessList,
		}), nil
	case m.To == nil:
		return nil, errors.New("EIP-7702 transaction cannot be used to create contract")
	}
	return types.NewTx(&types.SetCodeTx{
		ChainID: uint256.NewInt(chainID), To: *m.To, Nonce: nonce, Gas: gas, GasFeeCap: uint256.MustFromBig(feeCap), GasTipCap: uint256.MustFromBig(tipCap),
		Value: uint256.MustFromBig(m.Value), Data: m.Data, AccessList: m.AccessList, AuthList: m.AuthList,
	}), nil
}

func orZero(v *big.Int) *big.Int {
	if v == nil {
		return new(big.Int)
	}
	return v
}
