package ingest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// ackOf is the acknowledgement of a settled submission.
func ackOf(sub *rpc.Submission) wire.Ack {
	info, err := sub.Result()
	ack := wire.Ack{Hash: sub.Hash()}
	if ack.Hash == (common.Hash{}) { // it could not be decoded, or was not
		ack.Hash = keccak.Sum256(sub.Raw())
	}
	switch {
	case err != nil:
		ack.Status, ack.Detail = statusOf(err)
	case info.Receipt.Status == 1:
		ack.Status, ack.Detail = wire.Succeeded, info.MiniBlock
	default:
		ack.Status, ack.Detail = wire.Reverted, info.MiniBlock
	}
	return ack
}

// statusOf is the class of a refusal. Backends refuse with go-ethereum's texts where it
// has one (see rpc.Backend): that is what is looked for when there is no type.
func statusOf(err error) (status wire.Status, detail uint64) {
	var e *rpc.Error
	if errors.As(err, &e) {
		switch e.Code {
		case rpc.CodeNonceGap:
			expected, _ := e.Data.(hexutil.Uint64)
			return wire.NonceGap, uint64(expected)
		case rpc.CodeNotReady:
			return wire.NotReady, 0
		case rpc.CodeLimit:
			return wire.Overloaded, 0
		}
	}
	switch {
	case errors.Is(err, chain.ErrTxTooLarge):
		return wire.TooLarge, 0
	case errors.Is(err, chain.ErrTxSignature):
		return wire.Signature, 0
	case errors.Is(err, chain.ErrTxMalformed), errors.Is(err, chain.ErrTxType), errors.Is(err, chain.ErrTxChainID):
		return wire.Malformed, 0
	}
	text := err.Error()
	for _, c := range [...]struct {
		part   string
		status wire.Status
	}{
		{"nonce too low", wire.NonceLow},
		{"nonce too high", wire.NonceGap},
		{"insufficient funds", wire.Funds},
		{"max fee per gas less than block base fee", wire.FeeLow},
		{"underpriced", wire.FeeLow},
		{"already known", wire.Known},
		{"out of capacity", wire.Overloaded},
		{"account limit exceeded", wire.Overloaded},
		{"oversized data", wire.TooLarge},
		{"max initcode size exceeded", wire.TooLarge},
		{"transaction gas limit too high", wire.TooLarge},
		{"transaction type not supported", wire.Malformed},
	} {
		if strings.Contains(text, c.part) {
			return c.status, expectedNonce(text, c.status)
		}
	}
	return wire.Refused, 0
}

// expectedNonce reads it out of "…: next nonce 5, tx nonce 3"; 0 if it is not there.
func expectedNonce(text string, status wire.Status) (nonce uint64) {
	if status != wire.NonceLow && status != wire.NonceGap {
		return 0
	}
	if _, after, ok := strings.Cut(text, "next nonce "); ok {
		if _, err := fmt.Sscanf(after, "%d", &nonce); err != nil {
			return 0
		}
	}
	return nonce
}
