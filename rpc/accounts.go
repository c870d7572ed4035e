package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// account resolves the state that argument i names, for a read of addr.
func (s *Server) account(c *call, a *args, i int) (common.Address, StateRef, error) {
	addr, ref := a.address(0), a.state(i)
	if a.err != nil {
		return addr, StateRef{}, a.err
	}
	st, err := s.stateRef(c.ctx, ref)
	return addr, st, err
}

func (s *Server) getBalance(c *call, a *args) (rawJSON, error) {
	addr, ref, err := s.account(c, a, 1)
	if err != nil {
		return nil, err
	}
	v, err := s.backend.Balance(c.ctx, addr, ref)
	if err != nil {
		return nil, err
	}
	return bigQuantity(v), nil
}

func (s *Server) getTransactionCount(c *call, a *args) (rawJSON, error) {
	addr, ref, err := s.account(c, a, 1)
	if err != nil {
		return nil, err
	}
	v, err := s.backend.Nonce(c.ctx, addr, ref)
	if err != nil {
		return nil, err
	}
	return quantity(v), nil
}

func (s *Server) getCode(c *call, a *args) (rawJSON, error) {
	addr, ref, err := s.account(c, a, 1)
	if err != nil {
		return nil, err
	}
	v, err := s.backend.Code(c.ctx, addr, ref)
	if err != nil {
		return nil, err
	}
	return hexData(v), nil
}

func (s *Server) getStorageAt(c *call, a *args) (rawJSON, error) {
	addr, slot, block := a.address(0), read(a, 1, decodeSlot), a.state(2)
	if a.err != nil {
		return nil, a.err
	}
	ref, err := s.stateRef(c.ctx, block)
	if err != nil {
		return nil, err
	}
	v, err := s.backend.Storage(c.ctx, addr, slot, ref)
	if err != nil {
		return nil, err
	}
	return hexData(v[:]), nil
}

// callArgs is the JSON of a call, as go-ethereum's TransactionArgs.
type callArgs struct {
	From                 *common.Address              `json:"from"`
	To                   *common.Address              `json:"to"`
	Gas                  *hexutil.Uint64              `json:"gas"`
	GasPrice             *hexutil.Big                 `json:"gasPrice"`
	MaxFeePerGas         *hexutil.Big                 `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big                 `json:"maxPriorityFeePerGas"`
	Value                *hexutil.Big                 `json:"value"`
	Nonce                *hexutil.Uint64              `json:"nonce"`
	Data                 *hexutil.Bytes               `json:"data"`
	Input                *hexutil.Bytes               `json:"input"`
	AccessList           *types.AccessList            `json:"accessList"`
	ChainID              *hexutil.Big                 `json:"chainId"`
	AuthorizationList    []types.SetCodeAuthorization `json:"authorizationList"`
	BlobVersionedHashes  []common.Hash                `json:"blobVersionedHashes"`
}

// accountArgs is the JSON of a state override.
type accountArgs struct {
	Nonce            *hexutil.Uint64             `json:"nonce"`
	Code             *hexutil.Bytes              `json:"code"`
	Balance          *hexutil.Big                `json:"balance"`
	State            map[common.Hash]common.Hash `json:"state"`
	StateDiff        map[common.Hash]common.Hash `json:"stateDiff"`
	MovePrecompileTo *common.Address             `json:"movePrecompileToAddress"`
}

// blockArgs is the JSON of a block override.
type blockArgs struct {
	Number        *hexutil.Big    `json:"number"`
	Time          *hexutil.Uint64 `json:"time"`
	GasLimit      *hexutil.Uint64 `json:"gasLimit"`
	FeeRecipient  *common.Address `json:"feeRecipient"`
	PrevRandao    *common.Hash    `json:"prevRandao"`
	BaseFeePerGas *hexutil.Big    `json:"baseFeePerGas"`
	BlobBaseFee   *hexutil.Big    `json:"blobBaseFee"`
}

// message checks the call and converts it.
func (j *callArgs) message(chainID uint64) (CallMsg, error) {
	m := CallMsg{
		To: j.To, GasPrice: bigOf(j.GasPrice), GasFeeCap: bigOf(j.MaxFeePerGas), GasTipCap: bigOf(j.MaxPriorityFeePerGas),
		Value: new(big.Int), AuthList: j.AuthorizationList,
	}
	switch {
	case j.GasPrice != nil && (j.MaxFeePerGas != nil || j.MaxPriorityFeePerGas != nil):
		return m, errors.New("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
	case j.MaxFeePerGas != nil && j.MaxPriorityFeePerGas != nil && m.GasFeeCap.Cmp(m.GasTipCap) < 0:
		return m, fmt.Errorf("maxFeePerGas (%v) < maxPriorityFeePerGas (%v)", m.GasFeeCap, m.GasTipCap)
	case j.Data != nil && j.Input != nil && string(*j.Data) != string(*j.Input):
		return m, errors.New(`both "data" and "input" are set and not equal. Please use "input" to pass transaction call data`)
	case j.ChainID != nil && bigOf(j.ChainID).Cmp(new(big.Int).SetUint64(chainID)) != 0:
		return m, fmt.Errorf("chainId does not match node's (have=%v, want=%v)", j.ChainID.ToInt(), chainID)
	case j.BlobVersionedHashes != nil:
		return m, errors.New("blob transactions are not supported on this chain")
	}
	if j.From != nil {
		m.From = *j.From
	}
	if j.Gas != nil {
		m.Gas = uint64(*j.Gas)
	}
	if j.Value != nil {
		m.Value = bigOf(j.Value)
	}
	m.Nonce = (*uint64)(j.Nonce)
	if j.Input != nil {
		m.Data = *j.Input
	} else if j.Data != nil {
		m.Data = *j.Data
	}
	if j.AccessList != nil {
		m.AccessList = *j.AccessList
	}
	return m, nil
}

func overrides(in map[common.Address]accountArgs) (map[common.Address]AccountOverride, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[common.Address]AccountOverride, len(in))
	for addr, o := range in {
		if o.State != nil && o.StateDiff != nil {
			return nil, fmt.Errorf("account %s has both 'state' and 'stateDiff'", addr.Hex())
		}
		out[addr] = AccountOverride{
			Nonce: (*uint64)(o.Nonce), Code: (*[]byte)(o.Code), Balance: bigOf(o.Balance),
			State: o.State, StateDiff: o.StateDiff, MovePrecompileTo: o.MovePrecompileTo,
		}
	}
	return out, nil
}

// callRequest reads the arguments of eth_call and its sisters: call, block, state
// overrides, block overrides. The block is returned beside the request.
func (s *Server) callRequest(a *args) (*CallRequest, blockRef, error) {
	var msg callArgs
	var accounts map[common.Address]accountArgs
	var block blockArgs
	a.object(0, &msg, false)
	ref := a.state(1)
	a.object(2, &accounts, true)
	a.object(3, &block, true)
	if a.err != nil {
		return nil, ref, a.err
	}
	m, err := msg.message(s.backend.Config().ChainID)
	if err != nil {
		return nil, ref, err
	}
	m.Gas = min(m.Gas, s.opts.CallGasCap)
	req := &CallRequest{Msg: m, GasCap: s.opts.CallGasCap, Block: block.override()}
	req.Overrides, err = overrides(accounts)
	return req, ref, err
}

func (s *Server) ethCall(c *call, a *args) (rawJSON, error) {
	var res *CallResult
	err := s.simulate(c, a, func(ctx context.Context, req *CallRequest) (err error) {
		res, err = s.backend.Call(ctx, req)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case res.Reverted:
		return nil, RevertError(res.ReturnData)
	case res.Err != nil:
		return nil, res.Err
	}
	return hexData(res.ReturnData), nil
}

func (s *Server) estimateGas(c *call, a *args) (rawJSON, error) {
	var gas chain.Gas
	err := s.simulate(c, a, func(ctx context.Context, req *CallRequest) (err error) {
		gas, err = s.backend.EstimateGas(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return quantity(gas), nil
}

func (s *Server) createAccessList(c *call, a *args) (rawJSON, error) {
	var res *AccessListResult
	err := s.simulate(c, a, func(ctx context.Context, req *CallRequest) (err error) {
		res, err = s.backend.CreateAccessList(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	w := newWriter(256)
	w.open('{')
	w.key("accessList").accessList(res.AccessList)
	if res.Err != "" {
		w.key("error").text(res.Err)
	}
	w.key("gasUsed").qty(res.GasUsed)
	w.shut('}')
	return w.b, nil
}
