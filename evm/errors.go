package evm

import (
	"errors"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/core/vm"
)

// Reasons why a transaction is invalid: it cannot be in a block and changes
// nothing. Each is wrapped with the values that matter; the texts are go-ethereum's,
// which clients match on.
var (
	ErrNonceTooLow          = errors.New("nonce too low")
	ErrNonceTooHigh         = errors.New("nonce too high")
	ErrNonceMax             = errors.New("nonce has max value")
	ErrInsufficientFunds    = errors.New("insufficient funds for gas * price + value")
	ErrInsufficientTransfer = errors.New("insufficient funds for transfer")
	ErrIntrinsicGas         = errors.New("intrinsic gas too low")
	ErrFloorDataGas         = errors.New("insufficient gas for floor data gas cost")
	ErrGasOverflow          = errors.New("gas uint64 overflow")
	ErrGasAboveCap          = errors.New("transaction gas limit too high")
	ErrTipAboveFeeCap       = errors.New("max priority fee per gas higher than max fee per gas")
	ErrTipVeryHigh          = errors.New("max priority fee per gas higher than 2^256-1")
	ErrFeeCapVeryHigh       = errors.New("max fee per gas higher than 2^256-1")
	ErrFeeCapTooLow         = errors.New("max fee per gas less than block base fee")
	ErrValueVeryHigh        = errors.New("value exceeds 256 bits")
	ErrSenderNoEOA          = errors.New("sender not an eoa")
	ErrEmptyAuthList        = errors.New("EIP-7702 transaction with empty auth list")
	ErrSetCodeCreate        = errors.New("EIP-7702 transaction cannot be used to create contract")
	ErrTxType               = errors.New("transaction type not supported")
	ErrInitCodeTooLarge     = errors.New("max initcode size exceeded")
)

// Outcomes of execution that callers tell apart. A transaction that ends with one
// of them is included and pays.
var (
	ErrReverted = errors.New("execution reverted")
	ErrOutOfGas = errors.New("out of gas")
	// ErrFailedDeposit wraps the reason why a deposit could not run at all.
	ErrFailedDeposit = errors.New("failed deposit")
	// ErrCancelled ends a call whose Done channel was closed.
	ErrCancelled = errors.New("execution aborted")
)

// RevertError is a REVERT with its data; errors.Is finds ErrReverted in it. Its
// text carries the reason of Error(string) and Panic(uint256).
type RevertError struct {
	Data []byte // as returned by the contract; may be empty
}

// Error is "execution reverted", with the reason if there is one.
func (e *RevertError) Error() string {
	if reason, err := abi.UnpackRevert(e.Data); err == nil {
		return ErrReverted.Error() + ": " + reason
	}
	return ErrReverted.Error()
}

// Unwrap returns ErrReverted.
func (e *RevertError) Unwrap() error { return ErrReverted }

// outcome turns the interpreter's error into this package's.
func outcome(err error, data []byte) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vm.ErrExecutionReverted):
		return &RevertError{Data: data}
	case errors.Is(err, vm.ErrOutOfGas):
		return ErrOutOfGas
	}
	return err
}
