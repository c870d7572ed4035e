package chain

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// NewUnsignedTx makes a transaction that nobody signed, sent by from: only a
// development chain executes such. In place of a signature it has r = 2^160 + from and
// s = 1, so that two senders' transactions differ and RestoreTx recognises it. Nobody
// can make a transaction whose real signature looks so and whose signer is from: that
// is a preimage of an address. DecodeTx takes it for one signed by somebody else.
func NewUnsignedTx(data types.TxData, from common.Address) (*Tx, error) {
	r, s, v := unsignedR(from), big.NewInt(1), new(big.Int)
	switch d := data.(type) {
	case *types.LegacyTx:
		d.R, d.S, d.V = r, s, big.NewInt(27)
	case *types.AccessListTx:
		d.R, d.S, d.V = r, s, v
	case *types.DynamicFeeTx:
		d.R, d.S, d.V = r, s, v
	case *types.SetCodeTx:
		d.R.SetFromBig(r)
		d.S.SetOne()
		d.V.Clear()
	default:
		return nil, fmt.Errorf("%w: type %T, allowed 0, 1, 2 and 4", ErrTxType, data)
	}
	raw, err := types.NewTx(data).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxMalformed, err)
	}
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxMalformed, err)
	}
	return signedBy(from, eth, crypto.Keccak256Hash(raw), raw), nil
}

// unsignedR is what stands for r when from did not sign.
func unsignedR(from common.Address) *big.Int {
	return new(big.Int).SetBytes(append([]byte{1}, from[:]...))
}

// Unsigned reports whether the transaction is one of NewUnsignedTx: its encoding ends
// with r and s.
func (t *Tx) Unsigned() bool {
	const sLen, rLen = 1, 2 + common.AddressLength // r has a byte of length before it
	end := len(t.raw) - sLen
	if end < rLen || t.raw[end] != 1 || t.Deposit != nil {
		return false
	}
	r := t.raw[end-rLen : end]
	return r[0] == 0x80+1+common.AddressLength && r[1] == 1 && common.Address(r[2:]) == t.from
}
