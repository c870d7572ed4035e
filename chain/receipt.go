package chain

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"

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
	// L1Prices are those of the L1 data fee that was paid; nil for a deposit, and where
	// they are not known. Receipts share them: they must not be changed.
	L1Prices *L1FeeParams
}

// depositReceiptVersion is the OP Stack's since Canyon.
const depositReceiptVersion = 1

type receiptRLP struct {
	Status            uint64
	CumulativeGasUsed uint64
	Bloom             []byte
	Logs              []*types.Log
}

type depositReceiptRLP struct {
	Status            uint64
	CumulativeGasUsed uint64
	Bloom             []byte
	Logs              []*types.Log
	DepositNonce      uint64
	Version           uint64
}

// MarshalBinary is the consensus encoding (EIP-2718).
func (r *Receipt) MarshalBinary() []byte { return r.AppendBinary(nil) }

// BinarySize is the length of the consensus encoding in bytes.
func (r *Receipt) BinarySize() int { return r.size(r.Bloom[:]) }

// size is the length of the encoding with that bloom.
func (r *Receipt) size(bloom []byte) int {
	content, _ := r.contentSize(bloom)
	n := int(rlp.ListSize(content))
	if r.Type != types.LegacyTxType {
		n++
	}
	return n
}

// contentSize is the length of the encoding without type and list head, and of the
// content of its list of logs.
func (r *Receipt) contentSize(bloom []byte) (content, logs uint64) {
	for _, l := range r.Logs {
		logs += rlp.ListSize(logSize(l))
	}
	content = uint64(rlp.IntSize(r.Status)+rlp.IntSize(r.CumulativeGasUsed)) + rlp.BytesSize(bloom) + rlp.ListSize(logs)
	if r.Type == DepositTxType {
		content += uint64(rlp.IntSize(r.DepositNonce) + rlp.IntSize(depositReceiptVersion))
	}
	return content, logs
}

// AppendBinary appends the consensus encoding (EIP-2718).
func (r *Receipt) AppendBinary(out []byte) []byte { return r.append(out, r.Bloom[:]) }

// AppendStored appends the encoding for the disk (AppendStoredReceipts).
func (r *Receipt) AppendStored(out []byte) []byte { return r.append(out, nil) }

// append appends the encoding with that bloom.
func (r *Receipt) append(out, bloom []byte) []byte {
	size, logs := r.contentSize(bloom)
	out = slices.Grow(out, r.size(bloom)) // no more: who gives memory of that size keeps it
	if r.Type != types.LegacyTxType {
		out = append(out, r.Type)
	}
	out = AppendListHead(out, size)
	out = rlp.AppendUint64(out, r.Status)
	out = rlp.AppendUint64(out, r.CumulativeGasUsed)
	out = AppendString(out, bloom)
	out = AppendListHead(out, logs)
	for _, l := range r.Logs {
		out = AppendListHead(out, logSize(l))
		out = AppendString(out, l.Address[:])
		out = AppendListHead(out, topicsSize(l))
		for i := range l.Topics {
			out = AppendString(out, l.Topics[i][:])
		}
		out = AppendString(out, l.Data)
	}
	if r.Type == DepositTxType {
		out = rlp.AppendUint64(out, r.DepositNonce)
		out = rlp.AppendUint64(out, depositReceiptVersion)
	}
	return out
}

// logSize is the length of the fields of a log.
func logSize(l *types.Log) uint64 {
	return common.AddressLength + 1 + rlp.ListSize(topicsSize(l)) + rlp.BytesSize(l.Data)
}

func topicsSize(l *types.Log) uint64 { return uint64(len(l.Topics)) * (common.HashLength + 1) }

// UnmarshalReceipt decodes the consensus encoding; context fields stay zero.
func UnmarshalReceipt(raw []byte) (*Receipt, error) {
	r, bloom, err := unmarshalReceipt(raw)
	if err != nil {
		return nil, err
	}
	if len(bloom) != types.BloomByteLength {
		return nil, fmt.Errorf("receipt: bloom of %d bytes", len(bloom))
	}
	return r, nil
}

// UnmarshalStoredReceipt decodes what AppendStoredReceipts makes of a receipt, and the
// consensus encoding, too.
func UnmarshalStoredReceipt(raw []byte) (*Receipt, error) {
	r, bloom, err := unmarshalReceipt(raw)
	if err != nil {
		return nil, err
	}
	switch len(bloom) {
	case 0:
		if len(r.Logs) > 0 {
			r.Bloom = LogsBloom(r.Logs)
		}
	case types.BloomByteLength:
	default:
		return nil, fmt.Errorf("stored receipt: bloom of %d bytes", len(bloom))
	}
	return r, nil
}

// unmarshalReceipt also returns the bloom as it is there, of any length.
func unmarshalReceipt(raw []byte) (r *Receipt, bloom []byte, err error) {
	if len(raw) == 0 {
		return nil, nil, errors.New("receipt: empty")
	}
	typ := byte(types.LegacyTxType)
	if raw[0] < 0x80 {
		if typ, raw = raw[0], raw[1:]; typ == types.LegacyTxType {
			return nil, nil, errors.New("receipt: a legacy receipt has no type byte")
		}
	}
	r = &Receipt{Type: typ}
	switch typ {
	case types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType:
		var body receiptRLP
		if err := rlp.DecodeBytes(raw, &body); err != nil {
			return nil, nil, fmt.Errorf("receipt: %w", err)
		}
		r.Status, r.CumulativeGasUsed, bloom, r.Logs = body.Status, body.CumulativeGasUsed, body.Bloom, body.Logs
	case DepositTxType:
		var body depositReceiptRLP
		if err := rlp.DecodeBytes(raw, &body); err != nil {
			return nil, nil, fmt.Errorf("deposit receipt: %w", err)
		}
		if body.Version != depositReceiptVersion {
			return nil, nil, fmt.Errorf("deposit receipt: version %d is not known", body.Version)
		}
		r.Status, r.CumulativeGasUsed, bloom, r.Logs = body.Status, body.CumulativeGasUsed, body.Bloom, body.Logs
		r.DepositNonce = body.DepositNonce
	default:
		return nil, nil, fmt.Errorf("receipt: type %#x is not known", typ)
	}
	if r.Status > 1 {
		return nil, nil, fmt.Errorf("receipt: status %d", r.Status)
	}
	copy(r.Bloom[:], bloom)
	return r, bloom, nil
}

// LogsBloom is the bloom filter of logs (yellow paper, M3:2048).
func LogsBloom(logs []*types.Log) types.Bloom {
	return types.CreateBloom(&types.Receipt{Logs: logs})
}

// ReceiptsSize is the number of bytes that AppendReceipts appends.
func ReceiptsSize(receipts []*Receipt) int { return int(rlp.ListSize(receiptsContent(receipts))) }

func receiptsContent(receipts []*Receipt) (size uint64) {
	for _, r := range receipts {
		n := uint64(r.BinarySize())
		size += uint64(headSize(n)) + n
	}
	return size
}

// AppendReceipts appends the RLP list of the receipts' consensus encodings.
func AppendReceipts(out []byte, receipts []*Receipt) []byte {
	out = AppendListHead(out, receiptsContent(receipts))
	for _, r := range receipts {
		out = r.AppendBinary(AppendStringHead(out, uint64(r.BinarySize())))
	}
	return out
}

// AppendStoredReceipts appends the RLP list of the receipts' encodings for the disk: the
// consensus encodings with an empty bloom, which is that of the logs and nine tenths of a
// receipt without any.
func AppendStoredReceipts(out []byte, receipts []*Receipt) []byte {
	out = AppendListHead(out, storedContent(receipts))
	for _, r := range receipts {
		out = r.append(AppendStringHead(out, uint64(r.size(nil))), nil)
	}
	return out
}

// StoredBinary is the encoding of one receipt for the disk, as in AppendStoredReceipts.
func (r *Receipt) StoredBinary() []byte { return r.append(nil, nil) }

// StoredReceiptsSize is the number of bytes that AppendStoredReceipts appends.
func StoredReceiptsSize(receipts []*Receipt) int { return int(rlp.ListSize(storedContent(receipts))) }

func storedContent(receipts []*Receipt) (size uint64) {
	for _, r := range receipts {
		n := uint64(r.size(nil))
		size += uint64(headSize(n)) + n
	}
	return size
}

// Receipts is a list for Merkle roots: it satisfies types.DerivableList.
type Receipts []*Receipt

// Len is the number of receipts.
func (r Receipts) Len() int { return len(r) }

// EncodeIndex writes the consensus encoding of receipt i.
func (r Receipts) EncodeIndex(i int, w *bytes.Buffer) {
	w.Write(r[i].AppendBinary(w.AvailableBuffer()))
}
