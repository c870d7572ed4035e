package secp256k1

import (
	"crypto/ecdsa"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// randomHash returns 32 random bytes.
func randomHash(r *rand.Rand) (b [32]byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// randomKey returns a private key that depends on the source only.
func randomKey(r *rand.Rand) *ecdsa.PrivateKey {
	for {
		b := randomHash(r)
		if key, err := crypto.ToECDSA(b[:]); err == nil {
			return key
		}
	}
}

// signed returns a valid signature of a random hash.
func signed(t testing.TB, r *rand.Rand, key *ecdsa.PrivateKey) (sig Signature) {
	t.Helper()
	sig.Hash = randomHash(r)
	rsv, err := crypto.Sign(sig.Hash[:], key)
	if err != nil {
		t.Fatal(err)
	}
	copy(sig.R[:], rsv[:32])
	copy(sig.S[:], rsv[32:64])
	sig.V = rsv[64]
	return sig
}

func TestRecoverFindsTheSigner(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for _, n := range []int{0, 1, 7, 8, 9, 16, 33} {
		sigs, keys := make([]Signature, n), make([]*ecdsa.PrivateKey, n)
		for i := range sigs {
			keys[i] = randomKey(r)
			sigs[i] = signed(t, r, keys[i])
		}
		out := make([]Recovered, n+1)
		Recover(sigs, out)
		for i, key := range keys {
			if want := crypto.PubkeyToAddress(key.PublicKey); !out[i].OK || out[i].Address != want {
				t.Fatalf("signature %d of %d: %s %v, want %s", i, n, out[i].Address, out[i].OK, want)
			}
			if got := crypto.FromECDSAPub(&key.PublicKey)[1:]; string(got) != string(out[i].PublicKey[:]) {
				t.Fatalf("signature %d of %d: another public key", i, n)
			}
		}
		if out[n] != (Recovered{}) {
			t.Fatalf("%d signatures: the result behind the last was written", n)
		}
	}
}

func TestRecoverRefusesWhatNobodySigned(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2))
	good := signed(t, r, randomKey(r))
	var order [32]byte
	crypto.S256().Params().N.FillBytes(order[:])
	for name, change := range map[string]func(*Signature){
		"r is zero":      func(s *Signature) { s.R = [32]byte{} },
		"s is zero":      func(s *Signature) { s.S = [32]byte{} },
		"r is the order": func(s *Signature) { s.R = order },
		"s is the order": func(s *Signature) { s.S = order },
		"v is two":       func(s *Signature) { s.V = 2 },
		"v is 27":        func(s *Signature) { s.V = 27 },
	} {
		sigs := []Signature{good, good, good}
		change(&sigs[1])
		out := make([]Recovered, 3)
		out[1].OK = true
		Recover(sigs, out)
		if out[1] != (Recovered{}) || !out[0].OK || !out[2].OK {
			t.Errorf("%s: %v", name, out)
		}
	}
}
