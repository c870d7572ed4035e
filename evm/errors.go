package evm

import (
	"errors"
	"fmt"

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
	ErrBlobCreate           = errors.New("blob transaction of type create")
	ErrNoBlobHashes         = errors.New("blob transaction missing blob hashes")
	ErrTooManyBlobs         = errors.New("blob transaction has too many blobs")
	ErrBlobHashVersion      = errors.New("invalid hash version")
	ErrBlobFeeCapTooLow     = errors.New("max fee per blob gas less than block blob gas fee")
	ErrBlobFeeCapVeryHigh   = errors.New("blobGasFeeCap exceeds 256 bits")
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

// errReverted is what a frame returns that ends with REVERT.
var errReverted = ErrReverted

// Failures of a frame, in go-ethereum's words. All but a revert take the frame's gas.
var (
	errDepth               = errors.New("max call depth exceeded")
	errInsufficientBalance = errors.New("insufficient balance for transfer")
	errCollision           = errors.New("contract address collision")
	errNonceOverflow       = errors.New("nonce uint64 overflow")
	errCodeStore           = errors.New("contract creation code storage out of gas")
	errCodeTooLarge        = errors.New("max code size exceeded")
	errInvalidCode         = errors.New("invalid code: must not begin with 0xef")
	errInvalidJump         = errors.New("invalid jump destination")
	errWriteProtection     = errors.New("write protection")
	errReturnDataBounds    = errors.New("return data out of bounds")
)

// outOfGas is a cost that could not be computed; errors.Is finds ErrOutOfGas in it.
type outOfGas struct{ cause error }

func (e *outOfGas) Error() string        { return ErrOutOfGas.Error() + ": " + e.cause.Error() }
func (e *outOfGas) Is(target error) bool { return target == ErrOutOfGas }

var (
	errMemoryTooLarge = &outOfGas{ErrGasOverflow}
	errCallGas        = &outOfGas{ErrOutOfGas}
	errStaticGas      = &outOfGas{errWriteProtection}
	errSentry         = &outOfGas{errors.New("not enough gas for reentrancy sentry")}
)

// sizeError is a code that is larger than its limit, in bytes.
type sizeError struct {
	cause       error
	size, limit uint64
}

func (e *sizeError) Error() string {
	return fmt.Sprintf("%v: code size %v limit %v", e.cause, e.size, e.limit)
}
func (e *sizeError) Unwrap() error { return e.cause }

// stackError is an instruction that needs more words than there are, or more room.
type stackError struct {
	height, limit int
	overflow      bool
}

func (e *stackError) Error() string {
	if e.overflow {
		return fmt.Sprintf("stack limit reached %d (%d)", e.height, e.limit)
	}
	return fmt.Sprintf("stack underflow (%d <=> %d)", e.height, e.limit)
}

// opcodeError is a byte that is no instruction.
type opcodeError struct{ op byte }

func invalidOpcode(op byte) error { return &opcodeError{op} }

func (e *opcodeError) Error() string { return "invalid opcode: " + vm.OpCode(e.op).String() }

// outcome turns the failure of a transaction's frame into what callers see; it keeps
// data.
func outcome(err error, data []byte) error {
	switch {
	case err == nil:
		return nil
	case err == errReverted:
		return &RevertError{Data: data}
	case errors.Is(err, ErrOutOfGas):
		return ErrOutOfGas
	}
	return err
}
