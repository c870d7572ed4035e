package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// Error codes: JSON-RPC 2.0 section 5.1, EIP-1474, EIP-7966 and go-ethereum.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeNoMethod       = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeServer         = -32000
	CodeLimit          = -32005
	CodeReverted       = 3
	CodeSyncTimeout    = 4
	CodeNotReady       = 5
	CodeNonceGap       = 6

	// Of the execution-apis, beyond EIP-1474; CodeClientLimit is a limit that the
	// node sets, CodePruned answers for history that it does not hold (EIP-4444).
	CodeNotFound    = -32001
	CodeClientLimit = -38026
	CodePruned      = 4444
)

// Error is an error with the code and data that the client sees.
type Error struct {
	Code    int
	Message string
	Data    any // marshalled into the answer; nil leaves the field out
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error without data.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// RevertError is what a client sees of a REVERT with that return data: code 3, the
// reason decoded into the message, and the data.
func RevertError(data []byte) *Error {
	msg := "execution reverted"
	if reason, err := abi.UnpackRevert(data); err == nil {
		msg += ": " + reason
	}
	return &Error{Code: CodeReverted, Message: msg, Data: hexutil.Encode(data)}
}

// NonceGapError refuses a transaction whose nonce is ahead of its sender's
// (EIP-7966 code 6); the data is the expected nonce. eth_sendRawTransaction shows it
// with go-ethereum's code.
func NonceGapError(expected, got uint64) *Error {
	return &Error{
		Code:    CodeNonceGap,
		Message: fmt.Sprintf("nonce too high: next nonce %d, tx nonce %d", expected, got),
		Data:    hexutil.Uint64(expected),
	}
}

// NotReadyError says that the node cannot take transactions now (EIP-7966 code 5).
func NotReadyError(reason string) *Error {
	return &Error{Code: CodeNotReady, Message: "node is not ready: " + reason}
}

// timeoutError is EIP-7966's answer when the receipt did not come in time.
func timeoutError(hash common.Hash, millis int64) *Error {
	return &Error{
		Code:    CodeSyncTimeout,
		Message: fmt.Sprintf("the transaction was added to the queue but was not processed in %d ms", millis),
		Data:    hash,
	}
}

// asError turns any error into what the client sees.
func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(CodeServer, "request timed out")
	case errors.Is(err, context.Canceled):
		return Errorf(CodeServer, "request cancelled")
	}
	return &Error{Code: CodeServer, Message: err.Error()}
}
