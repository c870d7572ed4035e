package node

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

func TestMiniBlockRecordsAreTheRLPOfTheirFields(t *testing.T) {
	t.Parallel()
	to := common.Address{1}
	var txs []*chain.Tx
	for n := range 40 {
		txs = append(txs, chain.NewDepositTx(&chain.Deposit{From: common.Address{byte(n)}, To: &to, Mint: new(big.Int), Value: new(big.Int), Data: make([]byte, 10*n)}))
	}
	for _, fee := range []*big.Int{nil, new(big.Int), big.NewInt(1 << 40)} {
		for _, count := range []int{0, 1, 40} {
			m := &chain.MiniBlock{Header: chain.MiniBlockHeader{Number: 7, TxCount: uint64(count)}, Signature: chain.Signature{1, 2, 3}, Txs: txs[:count]}
			a := chain.Attributes{Timestamp: 1 << 33, PrevRandao: common.Hash{4}, ParentBeacon: common.Hash{5}, BaseFee: fee}
			rec := miniRecord{Header: m.Header, Signature: m.Signature, Timestamp: a.Timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon, BaseFee: fee, Txs: [][]byte{}, Senders: []common.Address{}}
			for _, tx := range m.Txs {
				rec.Txs, rec.Senders = append(rec.Txs, tx.Raw()), append(rec.Senders, tx.From())
			}
			if got := AppendMiniBlock([]byte("before"), m, a); !bytes.Equal(got, append([]byte("before"), mustEncode(&rec)...)) {
				t.Fatalf("%d transactions, base fee %v: %x", count, fee, got)
			}
		}
	}
}

func FuzzDecodeRecords(f *testing.F) {
	to := common.Address{1}
	tx := chain.NewDepositTx(&chain.Deposit{From: to, To: &to, Mint: new(big.Int), Value: new(big.Int)})
	m := &chain.MiniBlock{Header: chain.MiniBlockHeader{Number: 7, TxCount: 1}, Txs: []*chain.Tx{tx}}
	f.Add(EncodeMiniBlock(m, chain.Attributes{Timestamp: 5}))
	f.Add(mustEncode(&sealRecord{Number: 9, Hash: common.Hash{1}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if rec, err := decodeMiniRecord(raw); err == nil && !bytes.Equal(mustEncode(rec), raw) {
			t.Fatalf("mini-block record %x encodes differently", raw)
		}
		if rec, err := decodeSealRecord(raw); err == nil && !bytes.Equal(mustEncode(rec), raw) {
			t.Fatalf("seal record %x encodes differently", raw)
		}
	})
}
