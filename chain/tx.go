package chain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

// Tx is one transaction of the chain, signed or deposited, with its sender known.
// It is immutable once made and safe to share.
type Tx struct {
	Deposit *Deposit // nil for a signed transaction

	eth atomic.Pointer[types.Transaction] // decoded when asked for
	typ byte
	// listless is set when there is known to be no access list.
	listless bool
	from     common.Address
	hash     common.Hash
	raw      []byte

	// What every execution asks for. go-ethereum copies most of it on each call.
	to           *common.Address
	recipient    common.Address // what to may point to
	value        uint256.Int
	feeCap       uint256.Int
	tipCap       uint256.Int
	gas          Gas
	nonce        uint64
	data         []byte
	valueTooHigh bool
	feesTooHigh  bool
	fastLZ       atomic.Uint32 // found when asked for; 0: not yet
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
	t := &Tx{Deposit: d, typ: DepositTxType, from: d.From, hash: crypto.Keccak256Hash(raw), raw: raw, to: d.To, gas: d.Gas, data: d.Data}
	t.valueTooHigh = t.value.SetFromBig(d.Value)
	return t
}

// signedBy is the signed transaction eth, whose sender and encoding are known.
func signedBy(from common.Address, eth *types.Transaction, hash common.Hash, raw []byte) *Tx {
	t := &Tx{typ: eth.Type(), from: from, hash: hash, raw: raw, to: eth.To(), gas: eth.Gas(), nonce: eth.Nonce(), data: eth.Data()}
	t.eth.Store(eth)
	t.valueTooHigh = t.value.SetFromBig(eth.Value())
	feeTooHigh, tipTooHigh := t.feeCap.SetFromBig(eth.GasFeeCap()), t.tipCap.SetFromBig(eth.GasTipCap())
	t.feesTooHigh = feeTooHigh || tipTooHigh
	return t
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
	return signedBy(from, eth, eth.Hash(), raw), nil
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
func (t *Tx) Type() byte { return t.typ }

// Eth is go-ethereum's form of a signed transaction, nil for a deposit. The caller must
// not change it.
func (t *Tx) Eth() *types.Transaction {
	if t.Deposit != nil {
		return nil
	}
	if eth := t.eth.Load(); eth != nil {
		return eth
	}
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(t.raw); err != nil {
		panic(fmt.Sprintf("decode transaction %v again: %v", t.hash, err)) // it was decoded before
	}
	t.eth.Store(eth)
	return eth
}

// FastLZ is the FastLZ length of the encoding as far as the L1 data fee depends on it: 0
// for one that is charged for the least size whatever it holds. z is memory to use; nil is
// memory of its own.
func (t *Tx) FastLZ(z *FastLZ) uint32 {
	if len(t.raw) <= flatBytes {
		return 0
	}
	if n := t.fastLZ.Load(); n > 0 {
		return n
	}
	var n uint32
	if z != nil {
		n = z.Length(t.raw)
	} else {
		n = FastLZLength(t.raw)
	}
	t.fastLZ.Store(n)
	return n
}

// To is the recipient; nil creates a contract. The caller must not change it.
func (t *Tx) To() *common.Address { return t.to }

// Gas is the gas limit.
func (t *Tx) Gas() Gas { return t.gas }

// Nonce is the sender's nonce; 0 for a deposit, which does not choose one.
func (t *Tx) Nonce() uint64 { return t.nonce }

// Value is the wei sent.
func (t *Tx) Value() *big.Int {
	if t.Deposit != nil {
		return t.Deposit.Value
	}
	return t.Eth().Value()
}

// Value256 is Value without a copy; ok is false if it does not fit. The caller must
// not change it.
func (t *Tx) Value256() (value *uint256.Int, ok bool) { return &t.value, !t.valueTooHigh }

// Fees are the most that the sender pays per gas, and the most of it that goes to the
// block's producer, in wei (EIP-1559); both are the gas price of types 0 and 1, and
// zero for a deposit. ok is false if one of them does not fit. The caller must not
// change them.
func (t *Tx) Fees() (feeCap, tipCap *uint256.Int, ok bool) {
	return &t.feeCap, &t.tipCap, !t.feesTooHigh
}

// Data is the calldata or initcode; the caller must not change it.
func (t *Tx) Data() []byte { return t.data }

// AccessList is the list of EIP-2930, nil without one; the caller must not change it.
func (t *Tx) AccessList() types.AccessList {
	if t.Deposit != nil || t.listless {
		return nil
	}
	return t.Eth().AccessList()
}

// Authorizations is the list of EIP-7702, nil without one; the caller must not change
// it.
func (t *Tx) Authorizations() []types.SetCodeAuthorization {
	if t.typ != types.SetCodeTxType {
		return nil
	}
	return t.Eth().SetCodeAuthorizations()
}

// EffectiveGasPrice is the wei per gas the sender pays at baseFee (EIP-1559).
func (t *Tx) EffectiveGasPrice(baseFee *big.Int) *big.Int {
	if t.Deposit != nil {
		return new(big.Int)
	}
	if t.feesTooHigh {
		price := new(big.Int).Add(t.Eth().GasTipCap(), baseFee)
		if cap := t.Eth().GasFeeCap(); price.Cmp(cap) > 0 {
			return new(big.Int).Set(cap)
		}
		return price
	}
	price := t.tipCap.ToBig()
	if price.Add(price, baseFee); t.feeCap.CmpBig(price) < 0 {
		return t.feeCap.ToBig()
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
