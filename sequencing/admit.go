package sequencing

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/talaria-l2/talaria/chain"
)

// Errors of Admit; the texts are go-ethereum's, so that clients recognise them.
var (
	ErrTxType          = errors.New("transaction type not supported")
	ErrOversized       = errors.New("oversized data")
	ErrGasLimitTooHigh = errors.New("transaction gas limit too high")
	ErrNonceMax        = errors.New("nonce has max value")
	ErrFeeCapVeryHigh  = errors.New("max fee per gas higher than 2^256-1")
	ErrTipVeryHigh     = errors.New("max priority fee per gas higher than 2^256-1")
	ErrTipAboveFeeCap  = errors.New("max priority fee per gas higher than max fee per gas")
	ErrFeeCapTooLow    = errors.New("max fee per gas less than block base fee")
	ErrValueTooHigh    = errors.New("value exceeds 256 bits")
	ErrInitCodeSize    = errors.New("max initcode size exceeded")
	ErrEmptyAuthList   = errors.New("EIP-7702 transaction with empty auth list")
	ErrSetCodeCreate   = errors.New("EIP-7702 transaction cannot be used to create contract")
)

// Admit checks all that can be said of a user transaction without state, for a
// block with the base fee (wei per gas; nil skips that check). Whether its gas
// covers the intrinsic cost is package evm's to say.
func Admit(tx *chain.Tx, cfg *chain.Config, baseFee *big.Int) error {
	if tx.IsDeposit() {
		return fmt.Errorf("%w: type %#x", ErrTxType, tx.Type())
	}
	switch tx.Type() {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType:
	default:
		return fmt.Errorf("%w: type %#x", ErrTxType, tx.Type())
	}
	if size := uint64(len(tx.Raw())); size > cfg.MaxTxBytes {
		return fmt.Errorf("%w: transaction size %d, limit %d", ErrOversized, size, cfg.MaxTxBytes)
	}
	if tx.To() == nil && uint64(len(tx.Data())) > cfg.MaxInitCode {
		return fmt.Errorf("%w: code size %d, limit %d", ErrInitCodeSize, len(tx.Data()), cfg.MaxInitCode)
	}
	if tx.Gas() > cfg.TxGasCap {
		return fmt.Errorf("%w (cap: %d, tx: %d)", ErrGasLimitTooHigh, cfg.TxGasCap, tx.Gas())
	}
	if tx.Nonce() == math.MaxUint64 {
		return fmt.Errorf("%w: address %v, nonce: %d", ErrNonceMax, tx.From(), tx.Nonce())
	}
	if _, ok := tx.Value256(); !ok {
		return fmt.Errorf("%w: address %v", ErrValueTooHigh, tx.From())
	}
	if tx.Type() == types.SetCodeTxType {
		if tx.To() == nil {
			return fmt.Errorf("%w (sender %v)", ErrSetCodeCreate, tx.From())
		}
		if len(tx.Authorizations()) == 0 {
			return fmt.Errorf("%w (sender %v)", ErrEmptyAuthList, tx.From())
		}
	}
	return admitFees(tx, baseFee)
}

func admitFees(tx *chain.Tx, baseFee *big.Int) error {
	feeCap, tip, ok := tx.Fees()
	switch {
	case !ok:
		if n := tx.Eth().GasFeeCap().BitLen(); n > 256 {
			return fmt.Errorf("%w: address %v, maxFeePerGas bit length: %d", ErrFeeCapVeryHigh, tx.From(), n)
		}
		return fmt.Errorf("%w: address %v, maxPriorityFeePerGas bit length: %d", ErrTipVeryHigh, tx.From(), tx.Eth().GasTipCap().BitLen())
	case feeCap.Lt(tip):
		return fmt.Errorf("%w: address %v, maxPriorityFeePerGas: %s, maxFeePerGas: %s", ErrTipAboveFeeCap, tx.From(), tip, feeCap)
	case baseFee != nil && feeCap.CmpBig(baseFee) < 0:
		return fmt.Errorf("%w: address %v, maxFeePerGas: %s, baseFee: %s", ErrFeeCapTooLow, tx.From(), feeCap, baseFee)
	}
	return nil
}
