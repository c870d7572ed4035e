package rpc

import (
	"context"
	"errors"
	"math/big"

	"github.com/talaria-l2/talaria/chain"
)

// fillTransaction completes a transaction for signing: nonce, gas and fees as they would
// have to be now. Fees allow for the base fee to double.
func (s *Server) fillTransaction(c *call, a *args) (rawJSON, error) {
	var in callArgs
	a.object(0, &in, false)
	if a.err != nil {
		return nil, a.err
	}
	cfg := s.backend.Config()
	m, err := in.message(cfg.ChainID)
	switch {
	case err != nil:
		return nil, err
	case m.To == nil && len(m.Data) == 0:
		return nil, errors.New("contract creation without any data provided")
	case m.To == nil && m.AuthList != nil:
		return nil, errors.New(`authorizationList provided for contract creation, but "to" field is missing`)
	}
	newest := StateRef{Newest: true}
	if m.Nonce == nil {
		nonce, err := s.backend.Nonce(c.ctx, m.From, newest)
		if err != nil {
			return nil, err
		}
		m.Nonce = &nonce
	}
	if err := s.fillFees(&m); err != nil {
		return nil, err
	}
	if in.Gas == nil {
		if m.Gas, err = s.fillGas(c, m); err != nil {
			return nil, err
		}
	}
	eth, err := m.Unsigned(cfg.ChainID, *m.Nonce, m.Gas)
	if err != nil {
		return nil, err
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := newWriter(1024 + 4*len(raw))
	w.open('{')
	w.key("raw").hex(raw)
	w.key("tx").open('{')
	w.key("type").qty(uint64(eth.Type()))
	w.key("gas").qty(eth.Gas())
	w.key("from").hex(m.From[:])
	w.key("to").addressOrNull(eth.To())
	w.key("value").big(eth.Value())
	w.key("input").hex(eth.Data())
	w.typedFields(eth, nil)
	w.shut('}')
	w.shut('}')
	return w.b, nil
}

// fillGas estimates without the fees: whether they can be paid is not the question.
func (s *Server) fillGas(c *call, m CallMsg) (chain.Gas, error) {
	if err := s.calls.enter(c.ctx, c.asker); err != nil {
		return 0, err
	}
	defer s.calls.leave()
	m.GasPrice, m.GasFeeCap, m.GasTipCap = nil, nil, nil
	ctx, cancel := context.WithTimeout(c.ctx, s.opts.CallTimeout)
	defer cancel()
	return s.backend.EstimateGas(ctx, &CallRequest{Msg: m, State: StateRef{Newest: true}, GasCap: s.opts.CallGasCap})
}

// fillFees sets what is missing of the fees.
func (s *Server) fillFees(m *CallMsg) error {
	if m.GasPrice != nil {
		return nil
	}
	if m.GasTipCap == nil {
		m.GasTipCap = new(big.Int).SetUint64(s.opts.SuggestedTipWei)
		if m.GasFeeCap != nil && m.GasFeeCap.Cmp(m.GasTipCap) < 0 {
			m.GasTipCap = m.GasFeeCap
		}
	}
	if m.GasFeeCap == nil {
		fee := new(big.Int).Lsh(s.baseFee(), 1)
		m.GasFeeCap = fee.Add(fee, m.GasTipCap)
	}
	const most = 256 // bits of an amount
	if m.GasFeeCap.BitLen() > most {
		return errors.New("maxPriorityFeePerGas is too high: with the base fee it is above 2^256-1")
	}
	return nil
}
