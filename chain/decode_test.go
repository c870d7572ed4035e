package chain

import (
	"bytes"
	"math/big"
	"math/rand"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// signedSamples are transactions of every type and shape of field.
func signedSamples(t testing.TB) [][]byte {
	id := int64(DefaultConfig().ChainID)
	to := common.HexToAddress("0x42")
	big7 := new(big.Int).Lsh(big.NewInt(7), 200)
	list := types.AccessList{{Address: to, StorageKeys: []common.Hash{{1}}}}
	out := [][]byte{nil, {0xc0}, {2}, {2, 0xc0}}
	for _, inner := range []types.TxData{
		&types.LegacyTx{Nonce: 3, Gas: 21000, To: &to, GasPrice: big.NewInt(7), Value: big7},
		&types.LegacyTx{Gas: 90000, GasPrice: big7, Value: new(big.Int), Data: bytes.Repeat([]byte{5}, 70)},
		&types.AccessListTx{ChainID: big.NewInt(id), Gas: 21000, To: &to, GasPrice: big.NewInt(1), Value: big.NewInt(5), AccessList: list},
		&types.DynamicFeeTx{ChainID: big.NewInt(id), Nonce: 1 << 40, Gas: 21000, To: &to, GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(2), Value: big.NewInt(1)},
		&types.DynamicFeeTx{ChainID: big.NewInt(id), Gas: 1 << 30, GasFeeCap: big7, GasTipCap: big.NewInt(200), Value: new(big.Int), Data: make([]byte, 300)},
		&types.DynamicFeeTx{ChainID: big.NewInt(id), Gas: 1 << 30, GasFeeCap: big7, GasTipCap: big7, Value: new(big.Int), Data: []byte{0x7f}, AccessList: list},
		&types.DynamicFeeTx{ChainID: big.NewInt(id), Gas: 1, To: &to, GasFeeCap: new(big.Int), GasTipCap: new(big.Int), Value: new(big.Int), Data: make([]byte, 70_000)},
		&types.SetCodeTx{ChainID: uint256.NewInt(uint64(id)), Gas: 21000, To: to, GasFeeCap: uint256.NewInt(9), GasTipCap: uint256.NewInt(2),
			Value: uint256.NewInt(4), AccessList: list, AuthList: []types.SetCodeAuthorization{{Address: to, Nonce: 5}}},
	} {
		out = append(out, signedTx(t, id, inner))
	}
	unprotected := &types.LegacyTx{Nonce: 9, Gas: 21000, To: &to, GasPrice: big.NewInt(7), Value: big.NewInt(1)}
	tx, err := types.SignNewTx(testKey(t), types.HomesteadSigner{}, unprotected)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return append(out, raw, signedTx(t, 1, unprotected))
}

// checkTogether compares a Decoder's answers with those of DecodeTx.
func checkTogether(t *testing.T, d *Decoder, cfg *Config, raws [][]byte) {
	t.Helper()
	txs, errs := make([]*Tx, len(raws)), make([]error, len(raws))
	d.Decode(raws, txs, errs)
	for i, raw := range raws {
		want, wantErr := DecodeTx(raw, cfg)
		if (errs[i] == nil) != (wantErr == nil) || wantErr != nil && errs[i].Error() != wantErr.Error() {
			t.Fatalf("%x: error %v, alone %v", raw, errs[i], wantErr)
		}
		if wantErr == nil {
			sameTx(t, txs[i], want)
			if n := txs[i].fastLZ.Load(); len(raw) > flatBytes && n != FastLZLength(raw) {
				t.Fatalf("%x: FastLZ length %d is kept", raw, n)
			}
			again, err := RestoreTx(raw, want.From())
			if err != nil {
				t.Fatal(err)
			}
			sameTx(t, again, want)
		}
	}
}

func sameTx(t *testing.T, got, want *Tx) {
	t.Helper()
	value, ok := got.Value256()
	wantValue, wantOK := want.Value256()
	feeCap, tipCap, feesOK := got.Fees()
	wantCap, wantTip, wantFeesOK := want.Fees()
	if got.Hash() != want.Hash() || got.From() != want.From() || got.Type() != want.Type() || got.Nonce() != want.Nonce() || got.Gas() != want.Gas() ||
		!bytes.Equal(got.Data(), want.Data()) || !bytes.Equal(got.Raw(), want.Raw()) || (got.To() == nil) != (want.To() == nil) ||
		got.To() != nil && *got.To() != *want.To() || ok != wantOK || ok && *value != *wantValue ||
		feesOK != wantFeesOK || feesOK && (*feeCap != *wantCap || *tipCap != *wantTip) ||
		len(got.AccessList()) != len(want.AccessList()) || len(got.Authorizations()) != len(want.Authorizations()) ||
		got.Eth().Hash() != want.Eth().Hash() {
		t.Fatalf("%x: got %+v, want %+v", want.Raw(), got, want)
	}
}

// TestManyAreDecodedAsEachAlone: whatever is sent, a Decoder answers as DecodeTx does.
func TestManyAreDecodedAsEachAlone(t *testing.T) {
	cfg := DefaultConfig()
	samples := signedSamples(t)
	d := NewDecoder(&cfg)
	checkTogether(t, d, &cfg, samples)
	random := rand.New(rand.NewSource(1))
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		raws := make([][]byte, 1+random.Intn(40))
		for i := range raws {
			raw := bytes.Clone(samples[random.Intn(len(samples))])
			for range random.Intn(3) {
				if n := len(raw); n > 0 {
					at := random.Intn(min(n, 200))
					switch random.Intn(4) {
					case 0:
						raw[at] ^= 1 << random.Intn(8)
					case 1:
						raw[n-1-random.Intn(min(n, 70))] = byte(random.Intn(256))
					case 2:
						raw = raw[:n-1]
					default:
						raw = append(raw[:at:at], append([]byte{byte(random.Intn(256))}, raw[at:]...)...)
					}
				}
			}
			raws[i] = raw
		}
		checkTogether(t, d, &cfg, raws)
	}
}

func FuzzManyAreDecodedAsEachAlone(f *testing.F) {
	cfg := DefaultConfig()
	samples := signedSamples(f)
	for _, raw := range samples {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkTogether(t, NewDecoder(&cfg), &cfg, [][]byte{samples[4], raw, samples[7]})
	})
}

func TestATransactionThatIsKeptDoesNotKeepTheRestOfItsBatch(t *testing.T) {
	cfg := DefaultConfig()
	raw := signedTx(t, int64(cfg.ChainID), &types.LegacyTx{Gas: 21000, To: new(common.Address), GasPrice: big.NewInt(7), Value: big.NewInt(1)})
	const rounds, together = 200, 256
	raws := make([][]byte, together) // all but one are refused
	raws[0] = raw
	d := NewDecoder(&cfg)
	txs, errs := make([]*Tx, together), make([]error, together)
	kept := make([]*Tx, 0, rounds)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	d.Decode(raws, txs, errs)
	before := heap()
	for range rounds {
		d.Decode(raws, txs, errs)
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		kept = append(kept, txs[0])
	}
	if grown := heap() - before; grown > rounds*4096 {
		t.Errorf("%d transactions keep %d bytes", len(kept), grown)
	}
	runtime.KeepAlive(kept)
}

// TestEffectiveGasPriceIsGoEthereums: at any base fee, of every type.
func TestEffectiveGasPriceIsGoEthereums(t *testing.T) {
	cfg := DefaultConfig()
	for _, raw := range signedSamples(t) {
		tx, err := DecodeTx(raw, &cfg)
		if err != nil {
			continue // the samples hold what is not accepted, too
		}
		for _, fee := range []*big.Int{new(big.Int), big.NewInt(1), big.NewInt(6), big.NewInt(8), new(big.Int).Lsh(big.NewInt(7), 200)} {
			want := new(big.Int).Add(tx.Eth().GasTipCap(), fee)
			if most := tx.Eth().GasFeeCap(); want.Cmp(most) > 0 {
				want = most
			}
			if got := tx.EffectiveGasPrice(fee); got.Cmp(want) != 0 {
				t.Errorf("%x at %v: %v, want %v", raw[:8], fee, got, want)
			}
		}
	}
}
