package node

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
)

func FuzzDecodeRecords(f *testing.F) {
	to := common.Address{1}
	tx := chain.NewDepositTx(&chain.Deposit{From: to, To: &to, Mint: new(big.Int), Value: new(big.Int)})
	m := &chain.MiniBlock{Header: chain.MiniBlockHeader{Number: 7, TxCount: 1}, Txs: []*chain.Tx{tx}}
	f.Add(EncodeMiniBlock(m, exec.Attributes{Timestamp: 5}))
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
