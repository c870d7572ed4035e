package batch

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/talaria-l2/talaria/chain"
)

// benchBlocks are blocks of signed transactions of 50 accounts. Transfers go to
// random accounts of 1,000; ERC-20 transfers call one of 5 tokens.
func benchBlocks(b *testing.B, erc20 bool, blocks, txs int) []Block {
	rng := rand.New(rand.NewSource(1))
	var keys []*ecdsa.PrivateKey
	for i := range 50 {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		key, err := crypto.ToECDSA(crypto.Keccak256(seed[:]))
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, key)
	}
	people := make([]common.Address, 1_000)
	for i := range people {
		rng.Read(people[i][:])
	}
	nonces := make([]uint64, len(keys))
	id := big.NewInt(chain.DefaultL2ChainID)
	signer := types.NewPragueSigner(id)
	out := make([]Block, blocks)
	for i := range out {
		at := chain.Micros(1_700_000_000+i) * 1_000_000
		out[i] = Block{Number: uint64(i + 1), Timestamp: at.Seconds(), Origin: chain.L1Origin{Number: uint64(100 + i/12), Hash: hashOf(uint64(i / 12))}}
		out[i].MiniBlocks = []MiniBlock{{Timestamp: at + 40, TxCount: 1}}
		for m := range 100 {
			out[i].MiniBlocks = append(out[i].MiniBlocks, MiniBlock{
				Timestamp: at + chain.Micros(m*9_900+100+rng.Intn(60)), TxCount: uint64(txs / 100)})
		}
		for range txs {
			from, to := rng.Intn(len(keys)), people[rng.Intn(len(people))]
			tx := &types.DynamicFeeTx{ChainID: id, Nonce: nonces[from], Gas: 21_000, To: &to,
				GasTipCap: big.NewInt(1_000_000), GasFeeCap: big.NewInt(3_000_000), Value: big.NewInt(rng.Int63n(1_000) * 1_000_000_000_000_000)}
			if erc20 {
				token := people[rng.Intn(5)]
				data := append([]byte{0xa9, 0x05, 0x9c, 0xbb}, common.LeftPadBytes(to[:], 32)...)
				data = append(data, common.LeftPadBytes(tx.Value.Bytes(), 32)...)
				tx.To, tx.Value, tx.Gas, tx.Data = &token, new(big.Int), 60_000, data
			}
			nonces[from]++
			signed, err := types.SignNewTx(keys[from], signer, tx)
			if err != nil {
				b.Fatal(err)
			}
			raw, err := signed.MarshalBinary()
			if err != nil {
				b.Fatal(err)
			}
			out[i].Txs = append(out[i].Txs, raw)
			out[i].Senders = append(out[i].Senders, crypto.PubkeyToAddress(keys[from].PublicKey))
		}
	}
	return out
}

// BenchmarkRatio measures encoding, and reports how much smaller than the transactions
// the channel is and what one transaction costs on L1. The channel is decoded again
// and compared in number.
func BenchmarkRatio(b *testing.B) {
	for name, erc20 := range map[string]bool{"transfers": false, "erc20": true} {
		b.Run(name, func(b *testing.B) {
			blocks := benchBlocks(b, erc20, 20, 500)
			var ch *Channel
			b.ReportAllocs()
			for b.Loop() {
				ch = build(b, BuilderSettings{TargetBytes: MaxChannelBytes}, blocks)
			}
			_, got, err := DecodeChannel(ch.Data, 0)
			if err != nil || len(got) != len(blocks) {
				b.Fatal(len(got), err)
			}
			b.SetBytes(int64(ch.Header.RawBytes))
			b.ReportMetric(float64(ch.Header.RawBytes)/float64(len(ch.Data)), "ratio")
			b.ReportMetric(float64(len(ch.Data))/10_000, "B/tx")
			b.ReportMetric(float64(ch.Header.RawBytes)/10_000, "rawB/tx")
		})
	}
}

// BenchmarkDecode measures channel decoding without signature recovery.
func BenchmarkDecode(b *testing.B) {
	ch := build(b, BuilderSettings{TargetBytes: MaxChannelBytes}, benchBlocks(b, false, 20, 500))
	b.SetBytes(int64(ch.Header.RawBytes))
	b.ReportAllocs()
	for b.Loop() {
		if _, blocks, err := DecodeChannel(ch.Data, 0); err != nil || len(blocks) != 20 {
			b.Fatal(len(blocks), err)
		}
	}
}
