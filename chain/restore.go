package chain

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// RestoreTx decodes a transaction that this node validated before, deposits
// included, without recovering its sender again: from is what From returned. The
// result keeps raw.
func RestoreTx(raw []byte, from common.Address) (*Tx, error) {
	if len(raw) > 0 && raw[0] == DepositTxType {
		tx, err := DecodeAnyTx(raw, nil)
		if err != nil {
			return nil, err
		}
		if tx.from != from {
			return nil, fmt.Errorf("%w: deposit from %v, stored as from %v", ErrTxMalformed, tx.from, from)
		}
		return tx, nil
	}
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxMalformed, err)
	}
	if eth.Type() == types.BlobTxType {
		return nil, fmt.Errorf("%w: type %#x, allowed 0, 1, 2 and 4", ErrTxType, eth.Type())
	}
	return signedBy(from, eth, crypto.Keccak256Hash(raw), raw), nil
}
