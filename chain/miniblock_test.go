package chain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// miniVector is one row of testdata/miniblock.json, for other implementations too.
type miniVector struct {
	Name      string          `json:"name"`
	Header    MiniBlockHeader `json:"header"`
	RLP       string          `json:"rlp"`
	Hash      common.Hash     `json:"hash"`
	Key       string          `json:"privateKey"`
	Signature string          `json:"signature"`
	Signer    common.Address  `json:"signer"`
}

func miniHeaders() map[string]MiniBlockHeader {
	full := MiniBlockHeader{
		ChainID: 7411, Epoch: 3, Number: 123_456_789, ParentHash: common.HexToHash("0x01"), BlockNumber: 1_234_567, Index: 99,
		TimestampMicros: 1_795_000_000_123_456, FirstTxIndex: 40_000, TxCount: 812, GasUsed: 17_052_000,
		TxsHash: common.HexToHash("0x02"), ReceiptsHash: common.HexToHash("0x03"), DiffHash: common.HexToHash("0x04"),
	}
	largest := full
	largest.ChainID, largest.Epoch, largest.Number, largest.GasUsed = 1<<53, 1<<63, ^uint64(0), ^uint64(0)
	return map[string]MiniBlockHeader{"zero": {}, "busy": full, "largest": largest}
}

func TestMiniBlockGoldenVectors(t *testing.T) {
	const path = "testdata/miniblock.json"
	key, err := crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		t.Fatal(err)
	}
	var got []miniVector
	for _, name := range []string{"zero", "busy", "largest"} {
		h := miniHeaders()[name]
		enc, err := rlp.EncodeToBytes(&h)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := h.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := h.Signer(sig)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, miniVector{name, h, hex.EncodeToString(enc), h.Hash(), hex.EncodeToString(crypto.FromECDSA(key)), hex.EncodeToString(sig[:]), signer})
	}
	raw, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	if *update {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, want) {
		t.Errorf("mini-block vectors changed; the format is a protocol: run with -update only if that is meant")
	}
}

// The hash is checked against an encoding that was put together by hand.
func TestMiniBlockHashIsKeccakOfOneAndRLP(t *testing.T) {
	var h MiniBlockHeader
	// Six 0x80 (zero integers: chainId, epoch, number …) around 32-byte strings.
	body := []byte{0x80, 0x80, 0x80}
	zero := append([]byte{0xa0}, make([]byte, 32)...)
	body = append(body, zero...)                                // parentHash
	body = append(body, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80)     // blockNumber … gasUsed
	body = append(body, bytes.Repeat(zero, 3)...)               // the three hashes
	enc := append([]byte{0x01, 0xf8, byte(len(body))}, body...) // list header
	if want := crypto.Keccak256Hash(enc); h.Hash() != want {
		t.Errorf("hash %s, want %s", h.Hash(), want)
	}
}

func TestMiniBlockSignerRefusesHighSAndBadValues(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	h := miniHeaders()["busy"]
	sig, err := h.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	n := crypto.S256().Params().N
	high := sig
	s := new(big.Int).SetBytes(sig[32:64])
	s.Sub(n, s).FillBytes(high[32:64])
	high[64] ^= 1
	zeroR, badV := sig, sig
	clear(zeroR[:32])
	badV[64] = 27
	for name, bad := range map[string]Signature{"high s": high, "zero r": zeroR, "v of 27": badV} {
		if _, err := h.Signer(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got, err := h.Signer(sig); err != nil || got != crypto.PubkeyToAddress(key.PublicKey) {
		t.Errorf("signer %s, %v", got, err)
	}
}

func FuzzMiniBlockHeader(f *testing.F) {
	for _, h := range miniHeaders() {
		enc, err := rlp.EncodeToBytes(&h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h MiniBlockHeader
		if rlp.DecodeBytes(raw, &h) != nil {
			return
		}
		again, err := rlp.EncodeToBytes(&h)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x decodes, but encodes as %x (%v)", raw, again, err)
		}
	})
}

// What go-ethereum encodes is what we encode, for receipts that it knows.
func TestReceiptsAreEncodedAsGoEthereumDoes(t *testing.T) {
	for _, size := range []int{0, 1, 2, 55, 56, 57, 255, 256, 257, 70_000} {
		for topics := range 5 {
			logs := make([]*types.Log, topics)
			for i := range logs {
				data := bytes.Repeat([]byte{byte(3 + 200*i)}, size)
				logs[i] = &types.Log{Address: common.Address{byte(i)}, Topics: make([]common.Hash, topics), Data: data}
			}
			for _, typ := range []byte{types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType} {
				ours := Receipt{Type: typ, Status: uint64(topics & 1), CumulativeGasUsed: uint64(size) << topics, Logs: logs, Bloom: LogsBloom(logs)}
				theirs := types.Receipt{Type: typ, Status: ours.Status, CumulativeGasUsed: ours.CumulativeGasUsed, Logs: logs, Bloom: ours.Bloom}
				want, err := theirs.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if got := ours.MarshalBinary(); !bytes.Equal(got, want) {
					t.Fatalf("type %d, %d topics, %d bytes: %x, want %x", typ, topics, size, got, want)
				}
			}
		}
	}
}
