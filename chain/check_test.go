package chain

import (
	"crypto/ecdsa"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// signedRaw is a transaction of one of the kinds that are checked behind execution, or of
// one that is not.
func signedRaw(t testing.TB, cfg *Config, key *ecdsa.PrivateKey, kind int, nonce uint64) []byte {
	t.Helper()
	id := new(big.Int).SetUint64(cfg.ChainID)
	var data types.TxData
	signer := types.LatestSignerForChainID(id)
	switch kind {
	case 0:
		data = &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: 21_000, To: &common.Address{1}, Value: big.NewInt(5), GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(1)}
	case 1:
		data = &types.LegacyTx{Nonce: nonce, Gas: 60_000, To: &common.Address{2}, Value: new(big.Int), GasPrice: big.NewInt(7), Data: []byte("some data")}
	case 2: // without a chain id
		data, signer = &types.LegacyTx{Nonce: nonce, Gas: 21_000, To: &common.Address{3}, Value: new(big.Int), GasPrice: big.NewInt(7)}, types.HomesteadSigner{}
	default: // not plain
		data = &types.AccessListTx{ChainID: id, Nonce: nonce, Gas: 50_000, To: &common.Address{4}, Value: new(big.Int), GasPrice: big.NewInt(7), AccessList: types.AccessList{{Address: common.Address{5}}}}
	}
	raw, err := types.MustSignNewTx(key, signer, data).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A transaction that somebody vouches for has the sender that is named, right or wrong, and
// a checker tells which are wrong: exactly those that DecodeTx sees otherwise.
func TestWhatIsVouchedForIsBelievedAndThenChecked(t *testing.T) {
	cfg := DefaultConfig()
	r := rand.New(rand.NewPCG(40, 1))
	keys := make([]*ecdsa.PrivateKey, 9)
	for i := range keys {
		keys[i], _ = crypto.ToECDSA(common.LeftPadBytes([]byte{byte(i + 1)}, 32))
	}
	decoder, checker := NewDecoder(&cfg), NewChecker(&cfg)
	for round, n := range []int{1, 2, 17, 300, 700, 700, 1, 5} { // the later ones of known senders
		raws, senders, vouched := make([][]byte, n), make([]common.Address, n), make([]bool, n)
		var asked []bool
		for i := range raws {
			key := keys[r.IntN(len(keys))]
			raws[i] = signedRaw(t, &cfg, key, r.IntN(4), uint64(round*1000+i))
			senders[i] = crypto.PubkeyToAddress(key.PublicKey)
			switch vouched[i] = r.IntN(4) > 0; r.IntN(20) {
			case 0: // somebody else
				senders[i] = crypto.PubkeyToAddress(keys[0].PublicKey)
			case 1: // nobody: another signature, which may be of somebody or invalid
				raws[i][len(raws[i])-1] ^= 1
			case 2:
				senders[i] = common.Address{0xde, 0xad}
			}
		}
		asked = slices.Clone(vouched)
		txs, errs := make([]*Tx, n), make([]error, n)
		decoder.DecodeVouched(raws, senders, vouched, txs, errs)
		var believed []*Tx
		var wrong []int
		for i, raw := range raws {
			right, err := DecodeTx(raw, &cfg)
			if vouched[i] {
				if !asked[i] || errs[i] != nil || txs[i].From() != senders[i] || txs[i].Hash() != crypto.Keccak256Hash(raw) || txs[i].typ == types.AccessListTxType {
					t.Fatalf("round %d, %d: %v from %v, named %v", round, i, errs[i], txs[i].From(), senders[i])
				}
				if err != nil || right.From() != senders[i] {
					wrong = append(wrong, len(believed))
				}
				believed = append(believed, txs[i])
				continue
			}
			if (err == nil) != (errs[i] == nil) || err == nil && (txs[i].From() != right.From() || txs[i].Hash() != right.Hash()) {
				t.Fatalf("round %d, %d: %v, by itself %v", round, i, errs[i], err)
			}
		}
		got := checker.Check(believed, nil)
		slices.Sort(got)
		if !slices.Equal(got, wrong) {
			t.Fatalf("round %d: of %d wrong are %v, found %v", round, len(believed), wrong, got)
		}
	}
}

// BenchmarkCheck is what a transfer costs when its sender is known, in batches of 1,024, by
// how many senders they have.
func BenchmarkCheck(b *testing.B) {
	cfg := DefaultConfig()
	for _, senders := range []int{16, 256, 1000} {
		b.Run(map[int]string{16: "16 senders", 256: "256 senders", 1000: "1000 senders"}[senders], func(b *testing.B) {
			const n = 1024
			keys := make([]*ecdsa.PrivateKey, senders)
			for i := range keys {
				keys[i], _ = crypto.GenerateKey()
			}
			raws, from, vouched := make([][]byte, n), make([]common.Address, n), make([]bool, n)
			for i := range raws {
				key := keys[i%senders]
				raws[i], from[i], vouched[i] = signedRaw(b, &cfg, key, 0, uint64(i)), crypto.PubkeyToAddress(key.PublicKey), true
			}
			txs, errs := make([]*Tx, n), make([]error, n)
			d, c := NewDecoder(&cfg), NewChecker(&cfg)
			for b.Loop() {
				d.DecodeVouched(raws, from, vouched, txs, errs)
				if wrong := c.Check(txs, nil); len(wrong) > 0 {
					b.Fatal(wrong)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/tx")
		})
	}
}
