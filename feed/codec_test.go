package feed

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

const testChain = 7411

// sampleTxs are a deposit, a legacy transaction, a creation with an access list, one of
// EIP-1559 and one that nobody signed.
func sampleTxs(t testing.TB) []*chain.Tx {
	t.Helper()
	key, err := crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		t.Fatal(err)
	}
	to := common.HexToAddress("0x1234")
	cfg := &chain.Config{ChainID: testChain, MaxTxBytes: 1 << 20}
	txs := []*chain.Tx{chain.NewDepositTx(&chain.Deposit{
		From: to, Mint: big.NewInt(5), Value: big.NewInt(3), Gas: 50_000, Data: []byte{1, 2, 3},
	})}
	id := big.NewInt(testChain)
	for _, data := range []types.TxData{
		&types.LegacyTx{Nonce: 1, GasPrice: big.NewInt(7), Gas: 21_000, To: &to, Value: big.NewInt(9)},
		&types.AccessListTx{ChainID: id, Nonce: 2, GasPrice: big.NewInt(7), Gas: 90_000, Value: new(big.Int), Data: bytes.Repeat([]byte{6}, 300), AccessList: types.AccessList{{Address: to, StorageKeys: []common.Hash{{1}}}}},
		&types.DynamicFeeTx{ChainID: id, Nonce: 3, GasFeeCap: big.NewInt(8), GasTipCap: big.NewInt(1), Gas: 21_000, To: &to, Value: big.NewInt(1)},
	} {
		signed, err := types.SignNewTx(key, types.NewPragueSigner(id), data)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := chain.DecodeTx(raw, cfg)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	unsigned, err := chain.NewUnsignedTx(&types.DynamicFeeTx{ChainID: id, GasFeeCap: big.NewInt(8), GasTipCap: big.NewInt(1), Gas: 21_000, To: &to, Value: big.NewInt(1)}, to)
	if err != nil {
		t.Fatal(err)
	}
	return append(txs, unsigned)
}

// sample is a mini-block with one of everything.
func sample(t testing.TB, epoch, number uint64) *MiniBlock {
	t.Helper()
	m := &MiniBlock{MiniBlock: &chain.MiniBlock{Txs: sampleTxs(t), Diff: []byte{0xc0}}, Attributes: chain.Attributes{
		Timestamp: 1_700_000_000, PrevRandao: common.Hash{7}, ParentBeacon: common.Hash{8},
		Params: chain.BlockParams{GasLimit: 10_000_000_000, Denominator: 250, Elasticity: 6, MinBaseFee: 1},
	}}
	const before, each = 100_000, 21_000
	for i, tx := range m.Txs {
		r := &chain.Receipt{Type: tx.Type(), Status: uint64(i % 2), Logs: []*types.Log{}, GasUsed: each, CumulativeGasUsed: before + uint64(i+1)*each, TxHash: tx.Hash()}
		if tx.To() == nil {
			nonce := tx.Nonce()
			if tx.IsDeposit() {
				r.DepositNonce, nonce = 4, 4
			}
			r.ContractAddress = crypto.CreateAddress(tx.From(), nonce)
		}
		for k := range i {
			r.Logs = append(r.Logs, &types.Log{
				Address: common.Address{byte(k)}, Topics: []common.Hash{{1}, {2}}[:k%3], Data: bytes.Repeat([]byte{byte(i)}, 40*k),
				TxHash: tx.Hash(), TxIndex: uint(2 + i),
			})
		}
		r.Bloom = chain.LogsBloom(r.Logs)
		m.Receipts = append(m.Receipts, r)
	}
	m.Header = chain.MiniBlockHeader{
		ChainID: testChain, Epoch: epoch, Number: number, BlockNumber: 12, Index: 3, TimestampMicros: 1_700_000_000_123_456, FirstTxIndex: 2,
		TxCount: uint64(len(m.Txs)), GasUsed: uint64(len(m.Txs)) * each, TxsHash: chain.TxsHash(m.Txs), ReceiptsHash: chain.ReceiptsHash(m.Receipts), DiffHash: keccak.Sum256(m.Diff),
	}
	m.Signature[3] = 9
	return m
}

func TestAMiniBlockComesBackAsItWas(t *testing.T) {
	fee := sample(t, 2, 40)
	fee.Attributes.BaseFee = big.NewInt(0)
	empty := sample(t, 2, 41)
	empty.Txs, empty.Receipts, empty.Header.TxCount, empty.Header.GasUsed = []*chain.Tx{}, []*chain.Receipt{}, 0, 0
	for name, m := range map[string]*MiniBlock{"one of everything": sample(t, 1, 39), "a base fee that was set": fee, "nothing in it": empty} {
		t.Run(name, func(t *testing.T) {
			raw := m.Encode()
			got, err := DecodeMiniBlock(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.Header != m.Header || got.Signature != m.Signature || !bytes.Equal(got.Diff, m.Diff) {
				t.Fatalf("header, signature or diff differ: %+v", got.Header)
			}
			if got.Attributes.BaseFee == nil != (m.Attributes.BaseFee == nil) {
				t.Fatalf("base fee %v, want %v", got.Attributes.BaseFee, m.Attributes.BaseFee)
			}
			if want := m.Attributes; got.Attributes.Timestamp != want.Timestamp || got.Attributes.PrevRandao != want.PrevRandao ||
				got.Attributes.ParentBeacon != want.ParentBeacon || got.Attributes.Params != want.Params {
				t.Fatalf("attributes %+v, want %+v", got.Attributes, want)
			}
			for i, tx := range got.Txs {
				if tx.Hash() != m.Txs[i].Hash() || tx.From() != m.Txs[i].From() || !bytes.Equal(tx.Raw(), m.Txs[i].Raw()) || tx.Unsigned() != m.Txs[i].Unsigned() {
					t.Errorf("transaction %d differs", i)
				}
			}
			if !reflect.DeepEqual(got.Receipts, m.Receipts) {
				t.Errorf("receipts differ:\n%+v\n%+v", got.Receipts, m.Receipts)
			}
			if !bytes.Equal(got.Encode(), raw) {
				t.Error("encoded again it is not the same")
			}
			checkRaw(t, raw, got)
		})
	}
}

// checkRaw wants the same of who reads the parts without decoding them.
func checkRaw(t *testing.T, raw []byte, want *MiniBlock) {
	t.Helper()
	m, err := DecodeRawMiniBlock(raw)
	if err != nil || !bytes.Equal(m.Encoded, raw) || m.Header != want.Header || m.Signature != want.Signature || !bytes.Equal(m.Diff, want.Diff) {
		t.Fatalf("undecoded: %+v, %v", m, err)
	}
	decoded, err := m.Decode()
	if err != nil || len(decoded.Txs) != len(want.Txs) || chain.ReceiptsHash(decoded.Receipts) != want.Header.ReceiptsHash && len(want.Txs) > 0 {
		t.Fatalf("decoded later: %+v, %v", decoded, err)
	}
	for i, tx := range decoded.Txs {
		if tx.Hash() != want.Txs[i].Hash() || tx.From() != want.Txs[i].From() {
			t.Errorf("decoded later: transaction %d differs", i)
		}
	}
}

func TestTheOthersComeBackAsTheyWere(t *testing.T) {
	header := &types.Header{Number: big.NewInt(12), Difficulty: new(big.Int), BaseFee: big.NewInt(1), Extra: []byte{1}}
	b := &Block{Header: header, LastMiniBlock: 99}
	if got, err := DecodeBlock(b.Encode()); err != nil || got.Header.Hash() != header.Hash() || got.LastMiniBlock != 99 {
		t.Errorf("block: %+v, %v", got, err)
	}
	w := &Witness{Number: 12, Hash: header.Hash(), Witness: &chain.Witness{
		Headers: []*types.Header{header}, Codes: [][]byte{{1}, {2, 3}}, State: [][]byte{bytes.Repeat([]byte{4}, 100)},
	}}
	got, err := DecodeWitness(w.Encode())
	if err != nil || got.Number != 12 || got.Hash != w.Hash || len(got.Witness.Headers) != 1 || got.Witness.Headers[0].Hash() != header.Hash() ||
		!reflect.DeepEqual(got.Witness.Codes, w.Witness.Codes) || !reflect.DeepEqual(got.Witness.State, w.Witness.State) {
		t.Errorf("witness: %+v, %v", got, err)
	}
	a := &Attestation{Number: 12, Hash: header.Hash(), Key: [192]byte{1}, Signature: [96]byte{2}}
	if got, err := DecodeAttestation(a.Encode()); err != nil || *got != *a {
		t.Errorf("attestation: %+v, %v", got, err)
	}
}

func TestWhatIsMalformedIsRefused(t *testing.T) {
	good := sample(t, 1, 39)
	change := func(f func(m *MiniBlock)) []byte {
		m := sample(t, 1, 39)
		f(m)
		return m.Encode()
	}
	many := &Witness{Witness: &chain.Witness{Codes: make([][]byte, MaxWitnessCodes+1)}}
	for name, test := range map[string]struct {
		raw    []byte
		decode func([]byte) error
	}{
		"nothing":                             {nil, decodesMini},
		"a list cut short":                    {good.Encode()[:100], decodesMini},
		"bytes behind the list":               {append(good.Encode(), 0), decodesMini},
		"fewer transactions than said":        {change(func(m *MiniBlock) { m.Header.TxCount-- }), decodesMini},
		"more transactions than said":         {change(func(m *MiniBlock) { m.Header.TxCount++ }), decodesMini},
		"more transactions than fit":          {change(func(m *MiniBlock) { m.Header.TxCount = 1 << 60 }), decodesMini},
		"a receipt too few":                   {change(func(m *MiniBlock) { m.Receipts = m.Receipts[1:] }), decodesMini},
		"a receipt of another type":           {change(func(m *MiniBlock) { m.Receipts[1], m.Receipts[2] = m.Receipts[2], m.Receipts[1] }), decodesMini},
		"gas that goes back":                  {change(func(m *MiniBlock) { m.Receipts[1].CumulativeGasUsed = 0 }), decodesMini},
		"more gas than the block has used":    {change(func(m *MiniBlock) { m.Header.GasUsed = 1 << 40 }), decodesMini},
		"a block without header":              {[]byte{0xc2, 0xc0, 0x01}, func(b []byte) error { _, err := DecodeBlock(b); return err }},
		"a witness of too many codes":         {many.Encode(), func(b []byte) error { _, err := DecodeWitness(b); return err }},
		"an attestation with a key too short": {mustEncode([]any{uint64(1), common.Hash{}, []byte{1}, [96]byte{}}), func(b []byte) error { _, err := DecodeAttestation(b); return err }},
	} {
		if err := test.decode(test.raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func decodesMini(raw []byte) error {
	_, err := DecodeMiniBlock(raw)
	if _, undecoded := DecodeRawMiniBlock(raw); undecoded != nil && err == nil {
		return fmt.Errorf("decoded, but not undecoded: %w", undecoded)
	}
	return err
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(0), sample(f, 1, 39).Encode())
	header := &types.Header{Number: big.NewInt(12), Difficulty: new(big.Int), BaseFee: big.NewInt(1)}
	f.Add(byte(1), (&Block{Header: header, LastMiniBlock: 99}).Encode())
	f.Add(byte(2), (&Witness{Number: 12, Witness: &chain.Witness{Headers: []*types.Header{header}, Codes: [][]byte{{1}}, State: [][]byte{{4}}}}).Encode())
	f.Add(byte(3), (&Attestation{Number: 12}).Encode())
	f.Fuzz(func(t *testing.T, kind byte, raw []byte) {
		var again []byte
		var err error
		switch kind % 4 {
		case 0:
			var m *MiniBlock
			if m, err = DecodeMiniBlock(raw); err == nil {
				again = m.Encode()
				if _, err := DecodeMiniBlock(again); err != nil {
					t.Fatalf("what was decoded and encoded again is refused: %v", err)
				}
				return // a receipt may have come with its bloom
			}
		case 1:
			var b *Block
			if b, err = DecodeBlock(raw); err == nil {
				again = b.Encode()
			}
		case 2:
			var w *Witness
			if w, err = DecodeWitness(raw); err == nil {
				again = w.Encode()
			}
		default:
			var a *Attestation
			if a, err = DecodeAttestation(raw); err == nil {
				again = a.Encode()
			}
		}
		if err == nil && !bytes.Equal(again, raw) {
			t.Fatalf("%x decoded and encoded again is %x", raw, again)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("untyped error: %v", err)
		}
	})
}

func sampleBlock(n uint64) *Block {
	return &Block{Header: &types.Header{Number: new(big.Int).SetUint64(n), Difficulty: new(big.Int), BaseFee: big.NewInt(1)}, LastMiniBlock: 10 * n}
}

func sampleWitness(n uint64) *Witness {
	b := sampleBlock(n)
	return &Witness{Number: n, Hash: b.Header.Hash(), Witness: &chain.Witness{Headers: []*types.Header{b.Header}, Codes: [][]byte{{1}}, State: [][]byte{bytes.Repeat([]byte{4}, 100)}}}
}
