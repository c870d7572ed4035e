package secp256k1

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

// keyBytes is the public key as Recover gives it.
func keyBytes(key *ecdsa.PrivateKey) (b [64]byte) {
	copy(b[:], crypto.FromECDSAPub(&key.PublicKey)[1:])
	return b
}

// claims are signatures, and the keys that are said to have made them.
type claims struct {
	sigs []Signature
	keys [][64]byte
	of   []int32
}

// claimed are n signatures by so many keys in turn.
func claimed(t testing.TB, r *rand.Rand, n, keys int) (c claims) {
	t.Helper()
	var private []*ecdsa.PrivateKey
	for range keys {
		private = append(private, randomKey(r))
		c.keys = append(c.keys, keyBytes(private[len(private)-1]))
	}
	for i := range n {
		c.sigs = append(c.sigs, signed(t, r, private[i%keys]))
		c.of = append(c.of, int32(i%keys))
	}
	return c
}

// true_ tells what Verify must find, with libsecp256k1.
func (c *claims) hold() bool {
	for i := range c.sigs {
		var one Recovered
		recoverOne(&c.sigs[i], &one)
		if !one.OK || one.PublicKey != c.keys[c.of[i]] {
			return false
		}
	}
	return true
}

func (c *claims) verified(v *Verifier) bool { return v.Verify(c.sigs, c.keys, c.of) }

func TestVerifyFindsThatSignaturesAreByTheirKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	v := newVerifier(randomHash(r))
	for _, n := range []int{0, 1, 15, 16, 17, 100, 255, 256, 257, 600} {
		for _, keys := range []int{1, 2, 16, 17, n} {
			if keys == 0 {
				continue
			}
			c := claimed(t, r, n, keys)
			if !c.verified(v) {
				t.Errorf("%d signatures of %d keys are not by them", n, keys)
			}
		}
	}
}

// BenchmarkVerify measures one signature of a call beside Recover, the least of all calls.
func BenchmarkVerify(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 100))
	v := NewVerifier()
	for _, n := range []int{16, 24, 32, 48, 64, 128, 256, 512} {
		out := make([]Recovered, n)
		for _, keys := range []int{1, 16, n / 2, n} {
			c := claimed(b, r, n, keys)
			b.Run(fmt.Sprintf("%d of %d keys", n, keys), func(b *testing.B) {
				least, leastRecover := time.Hour, time.Hour
				for b.Loop() {
					start := time.Now()
					ok := c.verified(v)
					least = min(least, time.Since(start))
					if !ok {
						b.Fatal("not verified")
					}
					start = time.Now()
					Recover(c.sigs, out)
					leastRecover = min(leastRecover, time.Since(start))
				}
				b.ReportMetric(float64(least.Nanoseconds())/float64(n), "least-ns/verified")
				b.ReportMetric(float64(leastRecover.Nanoseconds())/float64(n), "least-ns/recovered")
			})
		}
	}
}

var _ = big.NewInt
