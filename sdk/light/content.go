package light

import (
	"bytes"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// MiniBlock is a mini-block whose transactions and receipts are those that its header
// commits to. Whether the header belongs to the chain is Chain's to say.
type MiniBlock struct {
	Signed
	Txs      []*Transaction
	Receipts []*Receipt // of Txs, in their order
}

// MaxTxs is how many transactions a mini-block may have.
const MaxTxs = 65_000

// ParseMiniBlock reads the answer of talaria_getMiniBlock or an event of the miniBlocks
// stream and checks its content against its header. What no hash covers (senders, prices,
// places, finality) is not taken over.
func ParseMiniBlock(raw []byte) (*MiniBlock, error) {
	m := new(MiniBlock)
	if err := m.Signed.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	var body struct {
		Txs      []json.RawMessage `json:"transactions"`
		Receipts []json.RawMessage `json:"receipts"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, fault(CodeEncoding, "mini-block: %v", err)
	}
	h := &m.Header
	if n := uint64(len(body.Txs)); n != h.TxCount || n != uint64(len(body.Receipts)) || n > MaxTxs {
		return nil, fault(CodeContent, "mini-block %d: %d transactions and %d receipts, the header says %d", h.Number, n, len(body.Receipts), h.TxCount)
	}
	hashes := make([]byte, 0, len(body.Txs)*common.HashLength)
	for i, raw := range body.Txs {
		tx, err := ParseTransaction(raw)
		if err != nil {
			return nil, err
		}
		tx.BlockNumber, tx.Index = h.BlockNumber, h.FirstTxIndex+uint64(i)
		m.Txs, hashes = append(m.Txs, tx), append(hashes, tx.Hash[:]...)
	}
	if crypto.Keccak256Hash(hashes) != h.TxsHash {
		return nil, fault(CodeContent, "mini-block %d: transactions are not those of txsHash", h.Number)
	}
	list := make([][]byte, len(body.Receipts))
	for i, raw := range body.Receipts {
		r, err := parseReceipt(raw)
		if err != nil {
			return nil, err
		}
		m.Receipts, list[i] = append(m.Receipts, r), r.MarshalBinary()
	}
	enc, err := rlp.EncodeToBytes(list)
	if err != nil {
		return nil, fault(CodeEncoding, "receipts: %v", err)
	}
	if crypto.Keccak256Hash(enc) != h.ReceiptsHash {
		return nil, fault(CodeContent, "mini-block %d: receipts are not those of receiptsHash", h.Number)
	}
	return m, m.place()
}

// place derives from the receipts what no hash covers by itself.
func (m *MiniBlock) place() error {
	h := &m.Header
	if len(m.Receipts) == 0 {
		return nil
	}
	first, last := m.Receipts[0].CumulativeGasUsed, m.Receipts[len(m.Receipts)-1].CumulativeGasUsed
	before := last - h.GasUsed // gas of the block before this mini-block
	if last < h.GasUsed || before > first || h.FirstTxIndex == 0 && before != 0 {
		return fault(CodeContent, "mini-block %d: its gas and that of its receipts differ", h.Number)
	}
	return placeReceipts(m.Receipts, m.Txs, before)
}

// placeReceipts notes transactions, places and gas of consecutive receipts. before is the
// cumulative gas of the block before the first.
func placeReceipts(receipts []*Receipt, txs []*Transaction, before uint64) error {
	for i, r := range receipts {
		tx := txs[i]
		if r.Type != tx.Type || r.CumulativeGasUsed < before {
			return fault(CodeContent, "receipt %d of block %d does not fit its transaction", tx.Index, tx.BlockNumber)
		}
		r.TxHash, r.BlockNumber, r.Index = tx.Hash, tx.BlockNumber, tx.Index
		r.GasUsed, before = r.CumulativeGasUsed-before, r.CumulativeGasUsed
	}
	return nil
}

// rawList is a list of encodings whose Merkle root types.DeriveSha computes.
type rawList [][]byte

// Len is how many there are.
func (l rawList) Len() int { return len(l) }

// EncodeIndex writes encoding i.
func (l rawList) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l[i]) }
