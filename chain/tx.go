package chain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Tx is one transaction of the chain, signed or deposited, with its sender known.
// It is immutable once made and safe to share.
type Tx struct {
	Eth     *types.Transaction // nil for a deposit
	Deposit *Deposit           // nil for a signed transaction

	from common.Address
	hash common.Hash
	raw  []byte
}

// Errors of DecodeTx; each is wrapped with what was found.
var (
	ErrTxTooLarge  = errors.New("oversized data")
	ErrTxType      = errors.New("transaction type not supported")
	ErrTxMalformed = errors.New("malformed transaction")
	ErrTxChainID   = errors.New("invalid chain id for signer")
	ErrTxSignature = errors.New("invalid transaction signature")
)

// NewDepositTx wraps a deposit, whose Mint and Value must not be nil. It takes
// ownership of d.
func NewDepositTx(d *Deposit) *Tx {
	raw := d.encode()
	return &Tx{Deposit: d, from: d.From, hash: crypto.Keccak256Hash(raw), raw: raw}
}

// DecodeTx decodes one signed transaction of types 0, 1, 2 or 4 (EIP-2718) for the
// chain of cfg and recovers its sender. Blob transactions and deposits are not
// accepted from users. The result keeps raw.
func DecodeTx(raw []byte, cfg *Config) (*Tx, error) {
	if uint64(len(raw)) > cfg.MaxTxBytes {
		return nil, fmt.Errorf("%w: transaction size %d, limit %d", ErrTxTooLarge, len(raw), cfg.MaxTxBytes)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrTxMalformed)
	}
	switch raw[0] {
	case types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType:
	default:
		if raw[0] < 0xc0 {
			return nil, fmt.Errorf("%w: type %#x, allowed 0, 1, 2 and 4", ErrTxType, raw[0])
		}
	}
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxMalformed, err)
	}
	if !eth.Protected() && eth.Type() == types.LegacyTxType {
		return newSigned(eth, raw, types.HomesteadSigner{})
	}
	want := new(big.Int).SetUint64(cfg.ChainID)
	if eth.ChainId().Cmp(want) != 0 {
		return nil, fmt.Errorf("%w: have %v want %v", ErrTxChainID, eth.ChainId(), want)
	}
	return newSigned(eth, raw, types.NewPragueSigner(want))
}

func newSigned(eth *types.Transaction, raw []byte, signer types.Signer) (*Tx, error) {
	from, err := types.Sender(signer, eth)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxSignature, err)
	}
	return &Tx{Eth: eth, from: from, hash: eth.Hash(), raw: raw}, nil
}

// DecodeAnyTx is DecodeTx that also accepts deposits, for data that this node or
// L1 ordered.
func DecodeAnyTx(raw []byte, cfg *Config) (*Tx, error) {
	if len(raw) == 0 || raw[0] != DepositTxType {
		return DecodeTx(raw, cfg)
	}
	d := new(Deposit)
	if err := rlp.DecodeBytes(raw[1:], d); err != nil {
		return nil, fmt.Errorf("%w: deposit: %v", ErrTxMalformed, err)
	}
	if d.Mint.BitLen() > 256 || d.Value.BitLen() > 256 {
		return nil, fmt.Errorf("%w: deposit: mint or value above 2^256", ErrTxMalformed)
	}
	return NewDepositTx(d), nil
}

// Hash is keccak256 of the EIP-2718 encoding.
func (t *Tx) Hash() common.Hash { return t.hash }

// From is the recovered or deposited sender.
func (t *Tx) From() common.Address { return t.from }

// Raw is the EIP-2718 encoding; the caller must not change it.
func (t *Tx) Raw() []byte { return t.raw }

// IsDeposit reports whether L1 ordered the transaction.
func (t *Tx) IsDeposit() bool { return t.Deposit != nil }

// Type is the EIP-2718 type.
func (t *Tx) Type() byte {
	if t.Deposit != nil {
		return DepositTxType
	}
	return t.Eth.Type()
}

// To is the recipient; nil creates a contract.
func (t *Tx) To() *common.Address {
	if t.Deposit != nil {
		return t.Deposit.To
	}
	return t.Eth.To()
}

// Gas is the gas limit.
func (t *Tx) Gas() Gas {
	if t.Deposit != nil {
		return t.Deposit.Gas
	}
	return t.Eth.Gas()
}

// Nonce is the sender's nonce; 0 for a deposit, which does not choose one.
func (t *Tx) Nonce() uint64 {
	if t.Deposit != nil {
		return 0
	}
	return t.Eth.Nonce()
}

// Value is the wei sent.
func (t *Tx) Value() *big.Int {
	if t.Deposit != nil {
		return t.Deposit.Value
	}
	return t.Eth.Value()
}

// Data is the calldata or initcode; the caller must not change it.
func (t *Tx) Data() []byte {
	if t.Deposit != nil {
		return t.Deposit.Data
	}
	return t.Eth.Data()
}

// EffectiveGasPrice is the wei per gas the sender pays at baseFee (EIP-1559).
func (t *Tx) EffectiveGasPrice(baseFee *big.Int) *big.Int {
	if t.Deposit != nil {
		return new(big.Int)
	}
	price := new(big.Int).Add(t.Eth.GasTipCap(), baseFee)
	if cap := t.Eth.GasFeeCap(); price.Cmp(cap) > 0 {
		return new(big.Int).Set(cap)
	}
	return price
}

// Txs is a list for Merkle roots: it satisfies types.DerivableList.
type Txs []*Tx

// Len is the number of transactions.
func (t Txs) Len() int { return len(t) }

// EncodeIndex writes the encoding of transaction i.
func (t Txs) EncodeIndex(i int, w *bytes.Buffer) { w.Write(t[i].raw) }

// EncodeRLP writes the transaction as it stands in a block body: a legacy
// transaction as its list, any other type as a string.
func (t *Tx) EncodeRLP(w io.Writer) error {
	if t.Type() == types.LegacyTxType {
		_, err := w.Write(t.raw)
		return err
	}
	return rlp.Encode(w, t.raw)
}
