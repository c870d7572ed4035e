package chain

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Receipt is the outcome of one transaction. The first group is consensus: it
// enters the receipts root. The second is context, known to whoever executed.
type Receipt struct {
	Type              byte
	Status            uint64 // types.ReceiptStatusSuccessful or …Failed
	CumulativeGasUsed Gas    // of the block up to and including this transaction
	Bloom             types.Bloom
	Logs              []*types.Log
	DepositNonce      uint64 // deposits only: the sender's nonce before execution

	TxHash            common.Hash
	GasUsed           Gas
	EffectiveGasPrice *big.Int
	ContractAddress   common.Address // of a creation, else zero
}

// depositReceiptVersion is the OP Stack's since Canyon.
const depositReceiptVersion = 1

type receiptRLP struct {
	Status            uint64
	CumulativeGasUsed uint64
	Bloom             types.Bloom
	Logs              []*types.Log
}

type depositReceiptRLP struct {
	Status            uint64
	CumulativeGasUsed uint64
	Bloom             types.Bloom
	Logs              []*types.Log
	DepositNonce      uint64
	Version           uint64
}

// MarshalBinary is the consensus encoding (EIP-2718).
func (r *Receipt) MarshalBinary() []byte {
	var buf bytes.Buffer
	if r.Type != types.LegacyTxType {
		buf.WriteByte(r.Type)
	}
	var err error
	if r.Type == DepositTxType {
		err = rlp.Encode(&buf, &depositReceiptRLP{r.Status, r.CumulativeGasUsed, r.Bloom, r.Logs, r.DepositNonce, depositReceiptVersion})
	} else {
		err = rlp.Encode(&buf, &receiptRLP{r.Status, r.CumulativeGasUsed, r.Bloom, r.Logs})
	}
	if err != nil {
		panic(fmt.Sprintf("encode receipt: %v", err)) // own value: cannot fail
	}
	return buf.Bytes()
}

// UnmarshalReceipt decodes the consensus encoding; context fields stay zero.
func UnmarshalReceipt(raw []byte) (*Receipt, error) {
	if len(raw) == 0 {
		return nil, errors.New("receipt: empty")
	}
	typ := byte(types.LegacyTxType)
	if raw[0] < 0x80 {
		if typ, raw = raw[0], raw[1:]; typ == types.LegacyTxType {
			return nil, errors.New("receipt: a legacy receipt has no type byte")
		}
	}
	r := &Receipt{Type: typ}
	switch typ {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType:
		var body receiptRLP
		if err := rlp.DecodeBytes(raw, &body); err != nil {
			return nil, fmt.Errorf("receipt: %w", err)
		}
		r.Status, r.CumulativeGasUsed, r.Bloom, r.Logs = body.Status, body.CumulativeGasUsed, body.Bloom, body.Logs
	case DepositTxType:
		var body depositReceiptRLP
		if err := rlp.DecodeBytes(raw, &body); err != nil {
			return nil, fmt.Errorf("deposit receipt: %w", err)
		}
		if body.Version != depositReceiptVersion {
			return nil, fmt.Errorf("deposit receipt: version %d is not known", body.Version)
		}
		r.Status, r.CumulativeGasUsed, r.Bloom, r.Logs = body.Status, body.CumulativeGasUsed, body.Bloom, body.Logs
		r.DepositNonce = body.DepositNonce
	default:
		return nil, fmt.Errorf("receipt: type %#x is not known", typ)
	}
	if r.Status > 1 {
		return nil, fmt.Errorf("receipt: status %d", r.Status)
	}
	return r, nil
}

// LogsBloom is the bloom filter of logs (yellow paper, M3:2048).
func LogsBloom(logs []*types.Log) types.Bloom {
	return types.CreateBloom(&types.Receipt{Logs: logs})
}

// Receipts is a list for Merkle roots: it satisfies types.DerivableList.
type Receipts []*Receipt

// Len is the number of receipts.
func (r Receipts) Len() int { return len(r) }

// EncodeIndex writes the consensus encoding of receipt i.
func (r Receipts) EncodeIndex(i int, w *bytes.Buffer) { w.Write(r[i].MarshalBinary()) }
