package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

func (b *fakeBackend) StorageValues(_ context.Context, slots []StorageSlot, _ StateRef) ([]common.Hash, error) {
	out := make([]common.Hash, len(slots))
	for i := range slots {
		out[i] = slots[i].Slot
	}
	return out, nil
}

// result asks and decodes an answer that must be no error.
func result[T any](t *testing.T, addr, method, params string) (out T) {
	t.Helper()
	r := ask(t, addr, method, params)
	if r.Error != nil {
		t.Fatalf("%s%s: %+v", method, params, r.Error)
	}
	if err := json.Unmarshal(r.Result, &out); err != nil {
		t.Fatalf("%s%s: %v in %s", method, params, err, r.Result)
	}
	return out
}

func TestRawEncodings(t *testing.T) {
	b := newFake(t)
	tx := b.signed(t, 0)
	b.send(t)
	deposit := b.Deposit()
	blk := b.Seal()
	_, addr := serve(t, b, Options{})

	var header types.Header
	if err := rlp.DecodeBytes(result[hexutil.Bytes](t, addr, "debug_getRawHeader", `["0x1"]`), &header); err != nil || header.Hash() != blk.Hash() {
		t.Errorf("header %v, %v", header.Hash(), err)
	}
	raw := result[hexutil.Bytes](t, addr, "debug_getRawBlock", `["latest"]`)
	if byHash := result[hexutil.Bytes](t, addr, "debug_getRawBlock", `["`+blk.Hash().Hex()+`"]`); !bytes.Equal(raw, byHash) {
		t.Error("the block differs by hash")
	}
	var parts struct {
		Header              types.Header
		Txs                 []rlp.RawValue
		Uncles, Withdrawals []rlp.RawValue
	}
	if err := rlp.DecodeBytes(raw, &parts); err != nil || parts.Header.Hash() != blk.Hash() || len(parts.Txs) != 2 || len(parts.Uncles)+len(parts.Withdrawals) != 0 {
		t.Fatalf("block %+v, %v", parts, err)
	}
	if got := blockSize(blk.Header, blk.Txs); got != uint64(len(raw)) {
		t.Errorf("size says %d, the encoding has %d bytes", got, len(raw))
	}
	var first, second []byte
	if rlp.DecodeBytes(parts.Txs[0], &first) != nil || rlp.DecodeBytes(parts.Txs[1], &second) != nil ||
		!bytes.Equal(first, blk.Txs[0].Raw()) || !bytes.Equal(second, deposit.Raw()) {
		t.Error("transactions are not those of the block")
	}
	var minis []chain.MiniBlockHeader
	if err := rlp.DecodeBytes(result[hexutil.Bytes](t, addr, "debug_getRawMiniBlockHeaders", `["0x1"]`), &minis); err != nil || len(minis) == 0 || !slices.Equal(minis, blk.MiniBlocks) {
		t.Errorf("mini-block headers %v, %v", minis, err)
	}
	receipts := result[[]hexutil.Bytes](t, addr, "debug_getRawReceipts", `["0x1"]`)
	var eth types.Receipt
	if len(receipts) != 2 || !bytes.Equal(receipts[1], blk.Receipts[1].MarshalBinary()) || eth.UnmarshalBinary(receipts[0]) != nil || eth.CumulativeGasUsed != 21000 {
		t.Errorf("receipts %x", receipts)
	}
	want, _ := tx.MarshalBinary()
	for method, params := range map[string]string{
		"debug_getRawTransaction":                    `["` + tx.Hash().Hex() + `"]`,
		"eth_getRawTransactionByHash":                `["` + tx.Hash().Hex() + `"]`,
		"eth_getRawTransactionByBlockNumberAndIndex": `["0x1","0x0"]`,
		"eth_getRawTransactionByBlockHashAndIndex":   `["` + blk.Hash().Hex() + `","0x0"]`,
	} {
		if got := result[hexutil.Bytes](t, addr, method, params); !bytes.Equal(got, want) {
			t.Errorf("%s: %x", method, got)
		}
	}
	const nobody = `"0x00000000000000000000000000000000000000000000000000000000000000aa"`
	for method, want := range map[string]string{
		"debug_getRawBlock":    `["0x9"]:block #9 not found`,
		"debug_getRawHeader":   `[` + nobody + `]:block ` + nobody[1:len(nobody)-1] + ` not found`,
		"debug_getRawReceipts": `["pending"]:block 2 is not sealed yet: ask for latest, or wait`,
	} {
		params, message, _ := strings.Cut(want, ":")
		if r := ask(t, addr, method, params); r.Error == nil || r.Error.Code != CodeServer || r.Error.Message != message {
			t.Errorf("%s%s: %+v", method, params, r.Error)
		}
	}
	if got := ask(t, addr, "debug_getRawTransaction", "["+nobody+"]"); string(got.Result) != `"0x"` {
		t.Errorf("unknown transaction: %s", got.Result)
	}
	if got := ask(t, addr, "eth_getRawTransactionByBlockNumberAndIndex", `["0x1","0x2"]`); string(got.Result) != "null" {
		t.Errorf("index too high: %s", got.Result)
	}
}

func TestFixedAnswers(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{ClientVersion: "talaria/test"})
	hash := `"` + common.Hash{1}.Hex() + `"`
	for question, want := range map[string]string{
		"debug_getBadBlocks []":  `[]`,
		"eth_accounts []":        `[]`,
		"eth_baseFee []":         `"0xf4240"`,
		"eth_blobBaseFee []":     `"0x1"`,
		"eth_coinbase []":        `"0x4200000000000000000000000000000000000011"`,
		"eth_protocolVersion []": `"0x45"`,
		"eth_mining []":          `false`,
		"eth_hashrate []":        `"0x0"`,
		"eth_getUncleByBlockNumberAndIndex [\"0x1\",\"0x0\"]":    `null`,
		"eth_getUncleByBlockHashAndIndex [" + hash + ",\"0x0\"]": `null`,
		"net_listening []":      `true`,
		"net_peerCount []":      `"0x0"`,
		"web3_clientVersion []": `"talaria/test"`,
	} {
		method, params, _ := strings.Cut(question, " ")
		if r := ask(t, addr, method, params); r.Error != nil || string(r.Result) != want {
			t.Errorf("%s: %s, %+v", question, r.Result, r.Error)
		}
	}
	spaces := result[map[string]string](t, addr, "rpc_modules", "[]")
	for _, name := range []string{"eth", "debug", "net", "web3", "rpc", "talaria", "realtime"} {
		if spaces[name] != "1.0" {
			t.Errorf("rpc_modules does not name %s: %v", name, spaces)
		}
	}
}

func TestConfigNamesThePrecompilesOfTheEVM(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	got := result[struct {
		Current struct {
			Precompiles map[string]common.Address
			ForkID      hexutil.Bytes
		}
		Next *int
	}](t, addr, "eth_config", "[]")
	if len(got.Current.Precompiles) != 18 || len(got.Current.ForkID) != 4 || got.Next != nil {
		t.Errorf("%+v", got)
	}
	for name, at := range map[string]int64{ // EIP-7910's own example, and EIP-7951
		"ECREC": 1, "SHA256": 2, "RIPEMD160": 3, "ID": 4, "MODEXP": 5, "BN254_ADD": 6, "BN254_MUL": 7, "BN254_PAIRING": 8,
		"BLAKE2F": 9, "KZG_POINT_EVALUATION": 10, "BLS12_G1ADD": 11, "BLS12_G1MSM": 12, "BLS12_G2ADD": 13, "BLS12_G2MSM": 14,
		"BLS12_PAIRING_CHECK": 15, "BLS12_MAP_FP_TO_G1": 16, "BLS12_MAP_FP2_TO_G2": 17, "P256VERIFY": 256,
	} {
		if got := got.Current.Precompiles[name]; got != common.BigToAddress(big.NewInt(at)) {
			t.Errorf("%s is at %v", name, got)
		}
	}
}

func TestCapabilities(t *testing.T) {
	b := newFake(t)
	blk := b.Seal()
	_, addr := serve(t, b, Options{})
	got := result[map[string]map[string]any](t, addr, "eth_capabilities", "[]")
	if got["head"]["hash"] != blk.Hash().Hex() || got["head"]["number"] != "0x1" {
		t.Errorf("head %v", got["head"])
	}
	for _, kind := range []string{"state", "tx", "logs", "receipts", "blocks", "stateproofs"} {
		if got[kind]["disabled"] != false || got[kind]["oldestBlock"] != "0x0" {
			t.Errorf("%s: %v", kind, got[kind])
		}
	}
}

func TestStorageValues(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	const a, c = "0x00000000000000000000000000000000000000aa", "0x00000000000000000000000000000000000000cc"
	got := result[map[string][]string](t, addr, "eth_getStorageValues", `[{"`+c+`":["0x1","0x02"],"`+a+`":["0x3"]},"latest"]`)
	word := func(n int) string { return fmt.Sprintf("0x%064x", n) }
	if fmt.Sprint(got) != fmt.Sprint(map[string][]string{c: {word(1), word(2)}, a: {word(3)}}) {
		t.Errorf("%v", got)
	}
	for params, code := range map[string]int{
		`[{}]`: CodeInvalidParams, `[{"0x1":[]}]`: CodeInvalidParams, `[{"` + a + `":["0xzz"]}]`: CodeInvalidParams,
		`[{"` + a + `":[` + strings.Repeat(`"0x1",`, maxStorageSlots) + `"0x1"]}]`: CodeClientLimit,
		`[{"` + a + `":["0x1"]},"0x99"]`:                                           CodeServer,
	} {
		if r := ask(t, addr, "eth_getStorageValues", params); r.Error == nil || r.Error.Code != code {
			t.Errorf("%.60s: %s %+v, want code %d", params, r.Result, r.Error, code)
		}
	}
}

func TestPendingTransactions(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	b.Deposit()
	b.send(t)
	got := result[[]struct{ Hash, BlockHash *common.Hash }](t, addr, "eth_pendingTransactions", "[]")
	if len(got) != 1 || *got[0].Hash != b.open.Txs[1].Hash() || got[0].BlockHash != nil {
		t.Errorf("%+v", got)
	}
	b.Seal()
	if got := result[[]any](t, addr, "eth_pendingTransactions", "[]"); len(got) != 0 {
		t.Errorf("%v after the block was sealed", got)
	}
}

func TestHeadersAndCounts(t *testing.T) {
	b := newFake(t)
	b.send(t)
	b.send(t)
	blk := b.Seal()
	_, addr := serve(t, b, Options{})
	hash := blk.Hash().Hex()
	for _, question := range []string{`eth_getHeaderByNumber ["0x1"]`, `eth_getHeaderByHash ["` + hash + `"]`} {
		method, params, _ := strings.Cut(question, " ")
		got := result[map[string]any](t, addr, method, params)
		if _, has := got["transactions"]; has || got["hash"] != hash {
			t.Errorf("%s: %v", method, got)
		}
	}
	for method, want := range map[string]string{
		"eth_getBlockTransactionCountBy": `"0x2"`, "eth_getUncleCountByBlock": `"0x0"`,
	} {
		for kind, id := range map[string]string{"Number": "0x1", "Hash": hash} {
			if r := ask(t, addr, method+kind, `["`+id+`"]`); string(r.Result) != want {
				t.Errorf("%s%s: %s %+v", method, kind, r.Result, r.Error)
			}
		}
		if r := ask(t, addr, method+"Number", `["0x9"]`); string(r.Result) != "null" {
			t.Errorf("%s of no block: %s", method, r.Result)
		}
	}
}

func TestSyncStatusTellsEveryHead(t *testing.T) {
	b := newFake(t)
	b.Seal()
	b.safe = 1
	b.send(t)
	_, addr := serve(t, b, Options{})
	if r := ask(t, addr, "eth_syncing", "[]"); string(r.Result) != "false" {
		t.Errorf("eth_syncing: %s", r.Result)
	}
	got := result[struct {
		Head            struct{ Number hexutil.Uint64 }
		Safe, Finalized hexutil.Uint64
		OpenBlock       struct{ Number, Transactions, MiniBlock hexutil.Uint64 }
	}](t, addr, "talaria_syncStatus", "[]")
	if got.Head.Number != 1 || got.Safe != 1 || got.Finalized != 0 || got.OpenBlock.Number != 2 || got.OpenBlock.Transactions != 1 {
		t.Errorf("%+v", got)
	}
}

func (b *fakeBackend) Proof(_ context.Context, _ common.Address, slots []common.Hash, number uint64) (*AccountProof, error) {
	p := &AccountProof{Nonce: number, Balance: new(big.Int), Nodes: [][]byte{{0xc0}}, Slots: make([]SlotProof, len(slots))}
	for i := range slots {
		p.Slots[i] = SlotProof{Value: slots[i]}
	}
	return p, nil
}

func TestGetProofEchoesKeysAndNamesASealedBlock(t *testing.T) {
	b := newFake(t)
	blk := b.Seal()
	b.send(t)
	_, addr := serve(t, b, Options{})
	const who = `"0x00000000000000000000000000000000000000aa"`
	word := `"0x` + strings.Repeat("0", 62) + `01"`
	type answer struct {
		Nonce        string
		StorageProof []struct{ Key, Value string }
	}
	got := result[answer](t, addr, "eth_getProof", `[`+who+`,["0x01",`+word+`,"0x0"],"latest"]`)
	if got.Nonce != "0x1" || len(got.StorageProof) != 3 || got.StorageProof[0].Key != "0x1" || `"`+got.StorageProof[1].Key+`"` != word || got.StorageProof[2].Key != "0x0" || got.StorageProof[1].Value != "0x1" {
		t.Errorf("%+v", got)
	}
	for _, block := range []string{`"pending"`, `"0x1"`, `"` + blk.Hash().Hex() + `"`, `{"blockHash":"` + blk.Hash().Hex() + `"}`} {
		if got := result[answer](t, addr, "eth_getProof", `[`+who+`,[],`+block+`]`); got.Nonce != "0x1" {
			t.Errorf("%s: block %s", block, got.Nonce)
		}
	}
	for params, code := range map[string]int{
		`[` + who + `,["0xzz"]]`: CodeInvalidParams, `[` + who + `,"0x0"]`: CodeInvalidParams,
		`[` + who + `,[],"0x2"]`: CodeServer, `[` + who + `,[],"0x3"]`: CodeServer,
		`[` + who + `,[` + strings.Repeat(`"0x1",`, maxProofSlots) + `"0x1"]]`: CodeInvalidParams,
	} {
		if r := ask(t, addr, "eth_getProof", params); r.Error == nil || r.Error.Code != code {
			t.Errorf("%.60s: %s %+v, want code %d", params, r.Result, r.Error, code)
		}
	}
}

func (b *fakeBackend) Simulate(context.Context, *SimulateRequest) ([]*SimulatedBlock, error) {
	return nil, nil
}

func (b *fakeBackend) ExecutionWitness(context.Context, uint64, common.Hash) (*chain.Witness, error) {
	return new(chain.Witness), nil
}

func (b *fakeBackend) BlockAccesses(context.Context, uint64) ([]AccountAccess, error) {
	return []AccountAccess{}, nil
}

func (b *fakeBackend) L1Status() (L1Status, bool)    { return b.l1, b.l1.Head.Number > 0 }
func (b *fakeBackend) GenesisOrigin() chain.L1Origin { return chain.L1Origin{Number: 3} }

func (b *fakeBackend) TierTimes(uint64) TierTime { return TierTime{} }

func (b *fakeBackend) CallMany(context.Context, *CallManyRequest) ([][]*CallResult, error) {
	return nil, nil
}
