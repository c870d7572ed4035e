package node

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// Kinds of record in the write-ahead log.
const (
	RecordMiniBlock byte = 1
	RecordSeal      byte = 2
	RecordEdit      byte = 3 // development chains only
)

// miniRecord is a mini-block as the log holds it: what is needed to execute it
// again. Receipts and diff are recomputed and must match the header.
type miniRecord struct {
	Header    chain.MiniBlockHeader
	Signature chain.Signature
	// Timestamp, PrevRandao, ParentBeacon and Params are the block's attributes.
	Timestamp    uint64
	PrevRandao   common.Hash
	ParentBeacon common.Hash
	Params       chain.BlockParams
	Txs          [][]byte
	Senders      []common.Address
	BaseFee      *big.Int `rlp:"optional"` // the attributes', nil but on a development chain
}

// attributes are those of the block.
func (r *miniRecord) attributes() chain.Attributes {
	return chain.Attributes{Timestamp: r.Timestamp, PrevRandao: r.PrevRandao, ParentBeacon: r.ParentBeacon, Params: r.Params, BaseFee: r.BaseFee}
}

// sealRecord says that a block is complete. Without it a block whose hash was
// announced could grow after a crash.
type sealRecord struct {
	Number uint64
	Hash   common.Hash
}

// EncodeMiniBlock is the payload of a RecordMiniBlock.
func EncodeMiniBlock(m *chain.MiniBlock, a chain.Attributes) []byte {
	return AppendMiniBlock(nil, m, a)
}

// AppendMiniBlock appends the payload of a RecordMiniBlock: the RLP of a miniRecord,
// without the lists that its encoder would want.
func AppendMiniBlock(out []byte, m *chain.MiniBlock, a chain.Attributes) []byte {
	header, params, fee := mustEncode(&m.Header), mustEncode(&a.Params), []byte(nil)
	if a.BaseFee != nil {
		fee = mustEncode(a.BaseFee)
	}
	raws, senders := uint64(0), uint64(len(m.Txs)*(1+common.AddressLength))
	for _, tx := range m.Txs {
		raws += rlp.BytesSize(tx.Raw())
	}
	size := uint64(len(header)) + rlp.BytesSize(m.Signature[:]) + uint64(rlp.IntSize(a.Timestamp)) + 2*(1+common.HashLength) +
		uint64(len(params)) + rlp.ListSize(raws) + rlp.ListSize(senders) + uint64(len(fee))
	out = slices.Grow(out, int(rlp.ListSize(size)))
	out = append(chain.AppendListHead(out, size), header...)
	out = chain.AppendString(out, m.Signature[:])
	out = rlp.AppendUint64(out, a.Timestamp)
	out = chain.AppendString(chain.AppendString(out, a.PrevRandao[:]), a.ParentBeacon[:])
	out = append(out, params...)
	out = chain.AppendListHead(out, raws)
	for _, tx := range m.Txs {
		out = chain.AppendString(out, tx.Raw())
	}
	out = chain.AppendListHead(out, senders)
	for _, tx := range m.Txs {
		from := tx.From()
		out = chain.AppendString(out, from[:])
	}
	return append(out, fee...)
}

// EncodeSeal is the payload of a RecordSeal.
func EncodeSeal(b *chain.Block) []byte {
	return mustEncode(&sealRecord{Number: b.Number(), Hash: b.Hash()})
}

func mustEncode(v any) []byte {
	out, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(fmt.Sprintf("encode log record: %v", err)) // own value: cannot fail
	}
	return out
}

func decodeMiniRecord(payload []byte) (*miniRecord, error) {
	rec := new(miniRecord)
	if err := rlp.DecodeBytes(payload, rec); err != nil {
		return nil, fmt.Errorf("mini-block record: %w", err)
	}
	if len(rec.Txs) != len(rec.Senders) || uint64(len(rec.Txs)) != rec.Header.TxCount {
		return nil, fmt.Errorf("mini-block record %d: %d transactions, %d senders, header says %d",
			rec.Header.Number, len(rec.Txs), len(rec.Senders), rec.Header.TxCount)
	}
	return rec, nil
}

func decodeSealRecord(payload []byte) (*sealRecord, error) {
	rec := new(sealRecord)
	if err := rlp.DecodeBytes(payload, rec); err != nil {
		return nil, fmt.Errorf("seal record: %w", err)
	}
	return rec, nil
}
