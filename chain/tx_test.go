package chain

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signedTx(t testing.TB, chainID int64, inner types.TxData) []byte {
	t.Helper()
	raw, err := types.MustSignNewTx(testKey(t), types.LatestSignerForChainID(big.NewInt(chainID)), inner).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestDecodeTxAcceptsWhatTheChainTakesAndNamesWhatItRefuses(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxTxBytes = 2000
	to := common.HexToAddress("0x42")
	dynamic := func(id int64, data []byte) types.TxData {
		return &types.DynamicFeeTx{ChainID: big.NewInt(id), Gas: 21000, To: &to, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Value: big.NewInt(1), Data: data}
	}
	valid := signedTx(t, 7411, dynamic(7411, nil))
	trailing := append(bytes.Clone(valid), 0)
	deposit := NewDepositTx(&Deposit{From: to, Mint: new(big.Int), Value: new(big.Int)}).Raw()
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"dynamic fee":         {valid, nil},
		"legacy with EIP-155": {signedTx(t, 7411, &types.LegacyTx{Gas: 21000, To: &to, GasPrice: big.NewInt(1), Value: big.NewInt(1)}), nil},
		"access list":         {signedTx(t, 7411, &types.AccessListTx{ChainID: big.NewInt(7411), Gas: 21000, To: &to, GasPrice: big.NewInt(1), Value: new(big.Int)}), nil},
		"other chain":         {signedTx(t, 1, dynamic(1, nil)), ErrTxChainID},
		"too large":           {signedTx(t, 7411, dynamic(7411, make([]byte, 2000))), ErrTxTooLarge},
		"trailing byte":       {trailing, ErrTxMalformed},
		"cut short":           {valid[:len(valid)-1], ErrTxMalformed},
		"empty":               {nil, ErrTxMalformed},
		"blob type":           {[]byte{3, 0xc0}, ErrTxType},
		"deposit type":        {deposit, ErrTxType},
		"unknown type":        {[]byte{0x55}, ErrTxType},
	} {
		tx, err := DecodeTx(c.raw, &cfg)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		if err == nil && (tx.From() != common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266") || tx.Hash() != crypto.Keccak256Hash(c.raw)) {
			t.Errorf("%s: from %s, hash %s", name, tx.From(), tx.Hash())
		}
	}
}

// What a Tx says without copies is what go-ethereum's transaction says.
func TestTxAnswersAsItsTransaction(t *testing.T) {
	cfg := DefaultConfig()
	to := common.HexToAddress("0x42")
	id := new(big.Int).SetUint64(cfg.ChainID)
	most := new(big.Int).Sub(new(big.Int).Lsh(common.Big1, 256), common.Big1)
	list := types.AccessList{{Address: to, StorageKeys: []common.Hash{{1}}}}
	for name, inner := range map[string]types.TxData{
		"legacy":      &types.LegacyTx{Nonce: 3, Gas: 21000, To: &to, GasPrice: big.NewInt(7), Value: most, Data: []byte{1}},
		"creation":    &types.LegacyTx{Gas: 90000, GasPrice: most, Value: new(big.Int), Data: []byte{1, 2}},
		"access list": &types.AccessListTx{ChainID: id, Gas: 21000, To: &to, GasPrice: big.NewInt(1), Value: big.NewInt(5), AccessList: list},
		"dynamic fee": &types.DynamicFeeTx{ChainID: id, Nonce: 1 << 40, Gas: 21000, To: &to, GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(2), Value: big.NewInt(1)},
		"set code": &types.SetCodeTx{ChainID: uint256.NewInt(cfg.ChainID), Gas: 21000, To: to, GasFeeCap: uint256.NewInt(9), GasTipCap: uint256.NewInt(2),
			Value: uint256.NewInt(4), AccessList: list, AuthList: []types.SetCodeAuthorization{{Address: to, Nonce: 5}}},
	} {
		decoded, err := DecodeTx(signedTx(t, int64(cfg.ChainID), inner), &cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		restored, err := RestoreTx(decoded.Raw(), decoded.From())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, tx := range []*Tx{decoded, restored} {
			value, ok := tx.Value256()
			if !ok || value.ToBig().Cmp(tx.Eth().Value()) != 0 {
				t.Errorf("%s: value %v, want %v", name, value, tx.Eth().Value())
			}
			feeCap, tipCap, ok := tx.Fees()
			if !ok || feeCap.ToBig().Cmp(tx.Eth().GasFeeCap()) != 0 || tipCap.ToBig().Cmp(tx.Eth().GasTipCap()) != 0 {
				t.Errorf("%s: fees %v and %v", name, feeCap, tipCap)
			}
			if tx.Nonce() != tx.Eth().Nonce() || tx.Gas() != tx.Eth().Gas() || !reflect.DeepEqual(tx.To(), tx.Eth().To()) || !bytes.Equal(tx.Data(), tx.Eth().Data()) ||
				(len(tx.AccessList())+len(tx.Eth().AccessList()) > 0 && !reflect.DeepEqual(tx.AccessList(), tx.Eth().AccessList())) || !reflect.DeepEqual(tx.Authorizations(), tx.Eth().SetCodeAuthorizations()) {
				t.Errorf("%s: %+v", name, tx)
			}
			if allocs := testing.AllocsPerRun(10, func() {
				tx.Value256()
				tx.Fees()
				tx.To()
				tx.AccessList()
				tx.Authorizations()
				tx.Data()
			}); allocs != 0 {
				t.Errorf("%s: %v allocations", name, allocs)
			}
		}
	}
}

// RLP can carry larger numbers than the EVM; the execution refuses them.
func TestTxTellsNumbersThatAreTooLarge(t *testing.T) {
	cfg := DefaultConfig()
	to := common.HexToAddress("0x42")
	id, huge := new(big.Int).SetUint64(cfg.ChainID), new(big.Int).Lsh(common.Big1, 256)
	for name, c := range map[string]struct {
		fee, tip, value *big.Int
		fees, fits      bool
	}{
		"none":    {common.Big1, common.Big1, common.Big1, true, true},
		"fee cap": {huge, common.Big1, common.Big1, false, true},
		"tip cap": {common.Big1, huge, common.Big1, false, true},
		"value":   {common.Big1, common.Big1, huge, true, false},
	} {
		tx, err := DecodeTx(signedTx(t, int64(cfg.ChainID), &types.DynamicFeeTx{ChainID: id, Gas: 21000, To: &to, GasFeeCap: c.fee, GasTipCap: c.tip, Value: c.value}), &cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, fits := tx.Value256()
		if _, _, fees := tx.Fees(); fees != c.fees || fits != c.fits {
			t.Errorf("%s too large: fees %t, value %t", name, fees, fits)
		}
	}
	deposit := NewDepositTx(&Deposit{From: to, To: &to, Mint: new(big.Int), Value: big.NewInt(8), Gas: 9, Data: []byte{1}})
	value, ok := deposit.Value256()
	feeCap, tipCap, fees := deposit.Fees()
	if !ok || value.Uint64() != 8 || !fees || !feeCap.IsZero() || !tipCap.IsZero() || deposit.Gas() != 9 || deposit.Nonce() != 0 ||
		*deposit.To() != to || deposit.AccessList() != nil || deposit.Authorizations() != nil || !bytes.Equal(deposit.Data(), []byte{1}) {
		t.Errorf("deposit %+v", deposit)
	}
}

func TestDepositFromLogReadsThePortalEvent(t *testing.T) {
	opaque := append(common.LeftPadBytes([]byte{5}, 32), common.LeftPadBytes([]byte{3}, 32)...)
	opaque = append(opaque, 0, 0, 0, 0, 0, 1, 0x86, 0xa0) // gas 100,000
	opaque = append(opaque, 0)                            // not a creation
	opaque = append(opaque, 0xca, 0xfe)
	data := append(common.LeftPadBytes([]byte{32}, 32), common.LeftPadBytes([]byte{byte(len(opaque))}, 32)...)
	data = append(data, common.RightPadBytes(opaque, (len(opaque)+31)/32*32)...)
	from, to := common.HexToAddress("0x11"), common.HexToAddress("0x22")
	log := &types.Log{Topics: []common.Hash{DepositEventTopic, common.BytesToHash(from[:]), common.BytesToHash(to[:]), {}}, Data: data, Index: 7}
	tx, err := DepositFromLog(log, common.HexToHash("0xabc"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Deposit{From: from, To: &to, Mint: big.NewInt(5), Value: big.NewInt(3), Gas: 100_000, Data: []byte{0xca, 0xfe}, SourceHash: tx.Deposit.SourceHash}
	if !reflect.DeepEqual(tx.Deposit, want) {
		t.Errorf("deposit %+v, want %+v", tx.Deposit, want)
	}
	// keccak256(0 ‖ keccak256(blockHash ‖ index)) put together by hand.
	inner := crypto.Keccak256(common.HexToHash("0xabc").Bytes(), common.LeftPadBytes([]byte{7}, 32))
	if source := crypto.Keccak256Hash(make([]byte, 32), inner); tx.Deposit.SourceHash != source {
		t.Errorf("source hash %s, want %s", tx.Deposit.SourceHash, source)
	}
	for name, spoil := range map[string]func(*types.Log){
		"other event":    func(l *types.Log) { l.Topics[0] = common.Hash{} },
		"other version":  func(l *types.Log) { l.Topics[3] = common.Hash{31: 1} },
		"length too big": func(l *types.Log) { l.Data[63] = 0xff },
		"too short":      func(l *types.Log) { l.Data[63] = 72 },
		"bad offset":     func(l *types.Log) { l.Data[31] = 64 },
		"odd length":     func(l *types.Log) { l.Data = l.Data[:len(l.Data)-1] },
	} {
		bad := &types.Log{Topics: append([]common.Hash(nil), log.Topics...), Data: bytes.Clone(log.Data), Index: 7}
		spoil(bad)
		if _, err := DepositFromLog(bad, common.Hash{}); err == nil || !strings.HasPrefix(err.Error(), "deposit log 7: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestL1AttributesSurviveTheirDeposit(t *testing.T) {
	a := L1Attributes{Number: 9, Hash: common.HexToHash("0x99"), Timestamp: 1234, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1), SequenceNumber: 3, Batcher: common.HexToAddress("0xbb")}
	got, err := ParseL1Attributes(a.Tx())
	if err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v (%v), want %+v", got, err, a)
	}
}

func TestNextBaseFeeMovesAsEIP1559AndStopsAtTheFloor(t *testing.T) {
	cfg := DefaultConfig()
	parent := func(used uint64, fee int64) *types.Header {
		return &types.Header{GasLimit: 6000, GasUsed: used, BaseFee: big.NewInt(fee)} // target 1000
	}
	for name, c := range map[string]struct {
		used      uint64
		fee, want int64
	}{
		"at target":     {1000, 250_000_000, 250_000_000},
		"double target": {2000, 250_000_000, 251_000_000},
		"empty":         {0, 250_000_000, 249_000_000},
		"full":          {6000, 250_000_000, 255_000_000},
		"floor":         {0, 1_000_000, 1_000_000},
	} {
		if got := NextBaseFee(&cfg, parent(c.used, c.fee)); got.Int64() != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}

func FuzzDecodeAnyTx(f *testing.F) {
	cfg := DefaultConfig()
	to := common.HexToAddress("0x42")
	f.Add(signedTx(f, 7411, &types.DynamicFeeTx{ChainID: big.NewInt(7411), Gas: 21000, To: &to, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Value: big.NewInt(1)}))
	f.Add(NewDepositTx(&Deposit{From: to, Mint: big.NewInt(1), Value: new(big.Int), Data: []byte{1}}).Raw())
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := DecodeAnyTx(raw, &cfg)
		if err != nil {
			return
		}
		if !bytes.Equal(tx.Raw(), raw) || tx.Hash() != crypto.Keccak256Hash(raw) {
			t.Fatalf("%x decodes, but encodes as %x", raw, tx.Raw())
		}
		if tx.Deposit == nil {
			again, err := tx.Eth().MarshalBinary()
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%x decodes, but encodes as %x (%v)", raw, again, err)
			}
		}
	})
}

func FuzzUnmarshalReceipt(f *testing.F) {
	log := &types.Log{Address: common.HexToAddress("0x1"), Topics: []common.Hash{{1}}, Data: []byte{1}}
	for _, typ := range []byte{0, 1, 2, 4, DepositTxType} {
		f.Add((&Receipt{Type: typ, Status: 1, CumulativeGasUsed: 5, Logs: []*types.Log{log}, DepositNonce: 3}).MarshalBinary())
	}
	f.Add(append([]byte{0}, (&Receipt{Status: 1, Logs: []*types.Log{log}}).MarshalBinary()...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := UnmarshalReceipt(raw)
		if err == nil && !bytes.Equal(r.MarshalBinary(), raw) {
			t.Fatalf("%x decodes, but encodes as %x", raw, r.MarshalBinary())
		}
		if err != nil {
			return
		}
		r.Bloom = LogsBloom(r.Logs)
		list := AppendStoredReceipts(nil, []*Receipt{r, r})
		var stored [][]byte
		if err := rlp.DecodeBytes(list, &stored); err != nil || len(stored) != 2 || len(list) != StoredReceiptsSize([]*Receipt{r, r}) {
			t.Fatalf("%x: stored as %x (%v)", raw, list, err)
		}
		for _, again := range [][]byte{stored[1], r.MarshalBinary()} {
			if back, err := UnmarshalStoredReceipt(again); err != nil || !bytes.Equal(back.MarshalBinary(), r.MarshalBinary()) {
				t.Fatalf("%x: stored as %x, which is %v (%v)", raw, again, back, err)
			}
		}
		if _, err := UnmarshalReceipt(stored[0]); err == nil {
			t.Fatalf("%x: without bloom it passes for the consensus encoding", stored[0])
		}
	})
}

func FuzzExtra(f *testing.F) {
	f.Add(Extra{Denominator: 250, Elasticity: 6, MinBaseFee: 1, LastMiniBlock: common.Hash{1}}.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := DecodeExtra(raw); err == nil && !bytes.Equal(e.Encode(), raw) {
			t.Fatalf("%x decodes, but encodes as %x", raw, e.Encode())
		}
	})
}

func FuzzDepositFromLog(f *testing.F) {
	f.Add(make([]byte, 160))
	f.Fuzz(func(t *testing.T, data []byte) {
		log := &types.Log{Topics: []common.Hash{DepositEventTopic, {}, {}, {}}, Data: data}
		tx, err := DepositFromLog(log, common.Hash{})
		if err != nil {
			return
		}
		cfg := DefaultConfig()
		if again, err := DecodeAnyTx(tx.Raw(), &cfg); err != nil || again.Hash() != tx.Hash() {
			t.Fatalf("deposit from %x does not decode again: %v", data, err)
		}
	})
}

// A body with both kinds of transaction is what go-ethereum's decoder expects.
func TestTxInABodyIsAStringUnlessLegacy(t *testing.T) {
	cfg := DefaultConfig()
	to := common.HexToAddress("0x42")
	for _, inner := range []types.TxData{
		&types.LegacyTx{Gas: 21000, To: &to, GasPrice: big.NewInt(1), Value: big.NewInt(1)},
		&types.DynamicFeeTx{ChainID: big.NewInt(7411), Gas: 21000, To: &to, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Value: big.NewInt(1)},
	} {
		tx, err := DecodeTx(signedTx(t, 7411, inner), &cfg)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := rlp.EncodeToBytes(tx)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := rlp.EncodeToBytes(tx.Eth())
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("type %d: %x, want %x (%v)", tx.Type(), ours, theirs, err)
		}
	}
}
