package evm

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// message is what the state transition needs to know of a transaction or a call.
type message struct {
	from       common.Address
	to         *common.Address // nil creates a contract
	nonce      uint64
	gas        uint64
	value      uint256.Int // wei
	price      uint256.Int // wei per gas paid, base fee included
	feeCap     uint256.Int
	tipCap     uint256.Int
	data       []byte
	accessList types.AccessList
	auths      []types.SetCodeAuthorization
	setCode    bool // has an authorization list, even if empty

	// simulated skips the checks of nonce, sender's code and gas cap.
	simulated bool
	// free skips the fee checks: deposits, and calls without a price.
	free bool
	// deposit neither buys gas nor pays fees.
	deposit bool
}

// signedMessage converts a signed transaction.
func signedMessage(tx *chain.Tx, baseFee *uint256.Int) (message, error) {
	eth := tx.Eth
	m := message{
		from: tx.From(), to: eth.To(), nonce: eth.Nonce(), gas: eth.Gas(), data: eth.Data(),
		accessList: eth.AccessList(), auths: eth.SetCodeAuthorizations(),
	}
	switch tx.Type() {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType:
	case types.SetCodeTxType:
		m.setCode = true
	default:
		return m, fmt.Errorf("%w: type %#x", ErrTxType, tx.Type())
	}
	if fee := eth.GasFeeCap(); m.feeCap.SetFromBig(fee) {
		return m, fmt.Errorf("%w: address %v, maxFeePerGas bit length: %d", ErrFeeCapVeryHigh, m.from.Hex(), fee.BitLen())
	}
	if tip := eth.GasTipCap(); m.tipCap.SetFromBig(tip) {
		return m, fmt.Errorf("%w: address %v, maxPriorityFeePerGas bit length: %d", ErrTipVeryHigh, m.from.Hex(), tip.BitLen())
	}
	if m.value.SetFromBig(eth.Value()) {
		return m, fmt.Errorf("%w: address %v", ErrValueVeryHigh, m.from.Hex())
	}
	m.price = effectivePrice(&m.feeCap, &m.tipCap, baseFee)
	return m, nil
}

// effectivePrice is min(feeCap, baseFee + tipCap) (EIP-1559).
func effectivePrice(feeCap, tipCap, baseFee *uint256.Int) uint256.Int {
	var price uint256.Int
	if _, overflow := price.AddOverflow(tipCap, baseFee); overflow || price.Gt(feeCap) {
		return *feeCap
	}
	return price
}

// depositMessage converts a deposit; its mint is not part of the message.
func depositMessage(d *chain.Deposit) (message, error) {
	m := message{from: d.From, to: d.To, gas: d.Gas, data: d.Data, simulated: true, free: true, deposit: true}
	if m.value.SetFromBig(d.Value) {
		return m, fmt.Errorf("%w: address %v", ErrValueVeryHigh, d.From.Hex())
	}
	return m, nil
}

// wei converts an amount that must fit 256 bits; nil is zero.
func wei(v *big.Int) (out uint256.Int, err error) {
	if v == nil {
		return out, nil
	}
	if v.Sign() < 0 || out.SetFromBig(v) {
		return out, fmt.Errorf("%w: %v", ErrValueVeryHigh, v)
	}
	return out, nil
}
