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
	l1Fee      uint256.Int // wei
	data       []byte
	accessList types.AccessList
	auths      []types.SetCodeAuthorization
	setCode    bool // has an authorization list, even if empty

	blobHashes []common.Hash
	blobFeeCap uint256.Int // wei per blob gas
	blobs      bool        // is a blob transaction, even if without blobs

	// simulated skips the checks of nonce, sender's code and gas cap.
	simulated bool
	// strict brings the check of the nonce back.
	strict bool
	// keepBaseFee leaves the base fee as it is in a simulation without a price.
	keepBaseFee bool
	// priced is set if a simulation has one price, not a fee cap and a tip cap.
	priced bool
	// free skips the fee checks: deposits, and calls without a price.
	free bool
	// deposit neither buys gas nor pays fees.
	deposit bool
	// unsigned lets the sender have code: see chain.NewUnsignedTx.
	unsigned bool
}

// setSigned makes the message that of a signed transaction.
func (m *message) setSigned(tx *chain.Tx, baseFee *uint256.Int) error {
	*m = message{
		from: tx.From(), to: tx.To(), nonce: tx.Nonce(), gas: tx.Gas(), data: tx.Data(),
		accessList: tx.AccessList(), auths: tx.Authorizations(), unsigned: tx.Unsigned(),
	}
	switch tx.Type() {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType:
	case types.SetCodeTxType:
		m.setCode = true
	case types.BlobTxType:
		m.blobs, m.blobHashes = true, tx.Eth().BlobHashes()
		if m.blobFeeCap.SetFromBig(tx.Eth().BlobGasFeeCap()) {
			return fmt.Errorf("%w: address %v", ErrBlobFeeCapVeryHigh, m.from.Hex())
		}
	default:
		return fmt.Errorf("%w: type %#x", ErrTxType, tx.Type())
	}
	feeCap, tipCap, ok := tx.Fees()
	if !ok {
		return m.feesTooHigh(tx.Eth())
	}
	value, ok := tx.Value256()
	if !ok {
		return fmt.Errorf("%w: address %v", ErrValueVeryHigh, m.from.Hex())
	}
	m.feeCap, m.tipCap, m.value = *feeCap, *tipCap, *value
	m.price = effectivePrice(feeCap, tipCap, baseFee)
	return nil
}

// feesTooHigh says which fee does not fit 256 bits.
func (m *message) feesTooHigh(tx *types.Transaction) error {
	if n := tx.GasFeeCap().BitLen(); n > 256 {
		return fmt.Errorf("%w: address %v, maxFeePerGas bit length: %d", ErrFeeCapVeryHigh, m.from.Hex(), n)
	}
	return fmt.Errorf("%w: address %v, maxPriorityFeePerGas bit length: %d", ErrTipVeryHigh, m.from.Hex(), tx.GasTipCap().BitLen())
}

// effectivePrice is min(feeCap, baseFee + tipCap) (EIP-1559).
func effectivePrice(feeCap, tipCap, baseFee *uint256.Int) uint256.Int {
	var price uint256.Int
	if _, overflow := price.AddOverflow(tipCap, baseFee); overflow || price.Gt(feeCap) {
		return *feeCap
	}
	return price
}

// setDeposit makes the message that of a deposit, whose mint is not part of it.
func (m *message) setDeposit(d *chain.Deposit) error {
	*m = message{from: d.From, to: d.To, gas: d.Gas, data: d.Data, simulated: true, free: true, deposit: true}
	if m.value.SetFromBig(d.Value) {
		return fmt.Errorf("%w: address %v", ErrValueVeryHigh, d.From.Hex())
	}
	return nil
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
