package node

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
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
	// Timestamp, PrevRandao and ParentBeacon are the block's attributes.
	Timestamp    uint64
	PrevRandao   common.Hash
	ParentBeacon common.Hash
	Txs          [][]byte
	Senders      []common.Address
	BaseFee      *big.Int `rlp:"optional"` // the attributes', nil but on a development chain
}

// sealRecord says that a block is complete. Without it a block whose hash was
// announced could grow after a crash.
type sealRecord struct {
	Number uint64
	Hash   common.Hash
}

// EncodeMiniBlock is the payload of a RecordMiniBlock.
func EncodeMiniBlock(m *chain.MiniBlock, a exec.Attributes) []byte {
	rec := miniRecord{
		Header: m.Header, Signature: m.Signature,
		Timestamp: a.Timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon, BaseFee: a.BaseFee,
		Txs: make([][]byte, len(m.Txs)), Senders: make([]common.Address, len(m.Txs)),
	}
	for i, tx := range m.Txs {
		rec.Txs[i], rec.Senders[i] = tx.Raw(), tx.From()
	}
	return mustEncode(&rec)
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
