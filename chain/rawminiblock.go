package chain

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// RawMiniBlock is a mini-block whose parts are as they are encoded: for who reads each
// of them once, and need not hold more.
type RawMiniBlock struct {
	Header    MiniBlockHeader
	Signature Signature
	Txs       [][]byte         // EIP-2718
	Senders   []common.Address // of Txs, as somebody says
	// Receipts are each in the consensus encoding, or in that for the disk
	// (AppendStoredReceipts); nil: not known.
	Receipts [][]byte
	Diff     []byte // nil: not known
}

// Raw gives the encodings. Receipts are in the consensus encoding.
func (m *MiniBlock) Raw() *RawMiniBlock {
	out := &RawMiniBlock{Header: m.Header, Signature: m.Signature, Diff: m.Diff}
	for _, tx := range m.Txs {
		out.Txs, out.Senders = append(out.Txs, tx.Raw()), append(out.Senders, tx.From())
	}
	for _, r := range m.Receipts {
		out.Receipts = append(out.Receipts, r.MarshalBinary())
	}
	return out
}

// Decode decodes all parts. Senders are believed.
func (m *RawMiniBlock) Decode() (*MiniBlock, error) {
	out := &MiniBlock{Header: m.Header, Signature: m.Signature, Diff: m.Diff}
	if len(m.Senders) != len(m.Txs) {
		return nil, fmt.Errorf("%d transactions, %d senders", len(m.Txs), len(m.Senders))
	}
	for i, raw := range m.Txs {
		tx, err := RestoreTx(raw, m.Senders[i])
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		out.Txs = append(out.Txs, tx)
	}
	var err error
	out.Receipts, err = m.DecodeReceipts()
	return out, err
}

// DecodeReceipts decodes the receipts alone.
func (m *RawMiniBlock) DecodeReceipts() ([]*Receipt, error) {
	var out []*Receipt
	for i, raw := range m.Receipts {
		r, err := UnmarshalStoredReceipt(raw)
		if err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
		out = append(out, r)
	}
	return out, nil
}
