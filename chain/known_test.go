package chain

import (
	"bytes"
	"crypto/ecdsa"
	"math/big"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// hintedSamples are transfers of some accounts in turn, and who signed them.
func hintedSamples(t testing.TB, accounts, n int) (raws [][]byte, senders []common.Address) {
	id := new(big.Int).SetUint64(DefaultConfig().ChainID)
	to := common.HexToAddress("0x42")
	keys := make([]*ecdsa.PrivateKey, accounts)
	for i := range keys {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), 9}))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	for i := range n {
		key := keys[i%accounts]
		raw, err := types.MustSignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
			ChainID: id, Nonce: uint64(i), Gas: 21000, To: &to, GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(2), Value: big.NewInt(1),
		}).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		raws, senders = append(raws, raw), append(senders, crypto.PubkeyToAddress(key.PublicKey))
	}
	return raws, senders
}

// checkHinted compares a Decoder's answers to hints with those without.
func checkHinted(t *testing.T, d *Decoder, cfg *Config, raws [][]byte, senders []common.Address) {
	t.Helper()
	txs, errs := make([]*Tx, len(raws)), make([]error, len(raws))
	d.DecodeHinted(raws, senders, txs, errs)
	want, wantErrs := make([]*Tx, len(raws)), make([]error, len(raws))
	NewDecoder(cfg).Decode(raws, want, wantErrs)
	for i, raw := range raws {
		if (errs[i] == nil) != (wantErrs[i] == nil) || errs[i] != nil && errs[i].Error() != wantErrs[i].Error() {
			t.Fatalf("%x: error %v, without hints %v", raw, errs[i], wantErrs[i])
		}
		if errs[i] == nil {
			sameTx(t, txs[i], want[i])
		}
	}
}

func TestHintsChangeNothingButTheCost(t *testing.T) {
	cfg := DefaultConfig()
	raws, senders := hintedSamples(t, 12, 160)
	d := NewDecoder(&cfg)
	random := rand.New(rand.NewSource(2))
	for round := range 40 {
		some, hints := make([][]byte, len(raws)), make([]common.Address, len(raws))
		copy(some, raws)
		copy(hints, senders)
		if d.hinted != nil {
			d.hinted.trust = trust{} // so that wrong hints are tried each time
		}
		for range round % 4 {
			i, k := random.Intn(len(raws)), random.Intn(len(raws))
			switch random.Intn(5) {
			case 0:
				hints[i] = hints[k]
			case 1:
				hints[i] = common.Address{}
			case 2:
				hints[i] = common.Address{byte(random.Intn(256)), 1}
			case 3:
				some[i] = bytes.Clone(some[i])
				some[i][len(some[i])-1-random.Intn(60)] ^= 1 << random.Intn(8)
			default:
				some[i] = some[i][:len(some[i])-1]
			}
		}
		checkHinted(t, d, &cfg, some, hints)
	}
	if h := d.hinted; len(h.whose) == 0 {
		t.Error("no key was known")
	}
}

func FuzzHintsChangeNothing(f *testing.F) {
	cfg := DefaultConfig()
	raws, senders := hintedSamples(f, 4, 100)
	d := NewDecoder(&cfg)
	txs, errs := make([]*Tx, len(raws)), make([]error, len(raws))
	d.DecodeHinted(raws, senders, txs, errs)
	f.Add(raws[3], senders[3][:])
	f.Add(raws[3], senders[2][:])
	f.Fuzz(func(t *testing.T, raw, hint []byte) {
		d.hinted.trust = trust{}
		some, hints := append([][]byte{raw}, raws...), append([]common.Address{common.BytesToAddress(hint)}, senders...)
		checkHinted(t, d, &cfg, some, hints)
	})
}

func TestWrongHintsAreTriedSeldom(t *testing.T) {
	var s trust
	tried := 0
	for range 10_000 {
		if s.given() {
			tried++
			s.learn(false)
		}
	}
	if tried > 20 {
		t.Errorf("always wrong hints were tried %d times in 10,000", tried)
	}
	for s.skip > 0 {
		s.given()
	}
	for range rightBefore * 10 {
		s.learn(true)
	}
	if s.learn(false); s.skip != leastSkipped {
		t.Errorf("after right hints one wrong batch makes %d skip", s.skip)
	}
}
