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

// hold tells what Verify must find, with libsecp256k1.
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

// plus is a + b times c modulo the order.
func plus(a, c [32]byte, b int64) (sum [32]byte) {
	v := new(big.Int).Mul(big.NewInt(b), new(big.Int).SetBytes(c[:]))
	v.Add(v, new(big.Int).SetBytes(a[:])).Mod(v, groupOrder).FillBytes(sum[:])
	return sum
}

func TestVerifyFindsOneThatIsWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	v := newVerifier(randomHash(r))
	var orderBytes [32]byte
	groupOrder.FillBytes(orderBytes[:])
	changes := map[string]func(c *claims, i, k int){
		"another V":            func(c *claims, i, _ int) { c.sigs[i].V ^= 1 },
		"V of two":             func(c *claims, i, _ int) { c.sigs[i].V |= 2 },
		"V of 27":              func(c *claims, i, _ int) { c.sigs[i].V += 27 },
		"another key":          func(c *claims, i, _ int) { c.of[i] = (c.of[i] + 1) % int32(len(c.keys)) },
		"r is zero":            func(c *claims, i, _ int) { c.sigs[i].R = [32]byte{} },
		"s is zero":            func(c *claims, i, _ int) { c.sigs[i].S = [32]byte{} },
		"r is the order":       func(c *claims, i, _ int) { c.sigs[i].R = orderBytes },
		"s is the order":       func(c *claims, i, _ int) { c.sigs[i].S = orderBytes },
		"r is no coordinate":   func(c *claims, i, _ int) { c.sigs[i].R = [32]byte{31: 5} },
		"r has a bit more":     func(c *claims, i, _ int) { c.sigs[i].R[r.IntN(32)] ^= 1 << r.IntN(8) },
		"s has a bit more":     func(c *claims, i, _ int) { c.sigs[i].S[r.IntN(32)] ^= 1 << r.IntN(8) },
		"another hash":         func(c *claims, i, _ int) { c.sigs[i].Hash[r.IntN(32)] ^= 1 << r.IntN(8) },
		"high s with V":        func(c *claims, i, _ int) { c.sigs[i].S = plus([32]byte{}, c.sigs[i].S, -1) },
		"another's R":          func(c *claims, i, k int) { c.sigs[i].R, c.sigs[i].V = c.sigs[k].R, c.sigs[k].V },
		"key not on the curve": func(c *claims, i, _ int) { c.keys[c.of[i]][63] ^= 1 },
		"key's negative": func(c *claims, i, _ int) {
			y := new(big.Int).SetBytes(c.keys[c.of[i]][32:])
			y.Sub(fieldPrime, y).FillBytes(c.keys[c.of[i]][32:])
		},
		"key of zeros": func(c *claims, i, _ int) { c.keys[c.of[i]] = [64]byte{} },
		"the same that cancel with equal coefficients": func(c *claims, i, k int) {
			c.sigs[i].Hash = plus(c.sigs[i].Hash, c.sigs[i].S, 7)
			c.sigs[k].Hash = plus(c.sigs[k].Hash, c.sigs[k].S, -7)
		},
		"two signatures change their hashes": func(c *claims, i, k int) {
			c.sigs[i].Hash, c.sigs[k].Hash = c.sigs[k].Hash, c.sigs[i].Hash
		},
		"s changed so that s/r cancels": func(c *claims, i, k int) {
			c.sigs[i].R, c.sigs[k].R = c.sigs[k].R, c.sigs[i].R
			c.sigs[i].V, c.sigs[k].V = c.sigs[k].V, c.sigs[i].V
		},
	}
	for name, change := range changes {
		for _, n := range []int{2, 40, 256, 300} {
			c := claimed(t, r, n, min(n, 20))
			i := r.IntN(n)
			change(&c, i, (i+1+r.IntN(n-1))%n)
			if c.hold() {
				t.Fatalf("%s: the signatures are right", name)
			}
			if c.verified(v) {
				t.Errorf("%s, %d signatures: taken as right", name, n)
			}
		}
	}
}

// A high s with the other V, a signature many times, hashes above the order.
func TestVerifyTakesWhatRecoverTakes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 3))
	v := newVerifier(randomHash(r))
	c := claimed(t, r, 100, 7)
	for i := range 20 {
		c.sigs[i].S = plus([32]byte{}, c.sigs[i].S, -1)
		c.sigs[i].V ^= 1
		c.sigs[40+i], c.of[40+i] = c.sigs[i+20], c.of[i+20]
		c.sigs[60+i], c.of[60+i] = c.sigs[0], c.of[0]
	}
	var numbers []*big.Int
	for i := int64(1); i < 20; i++ {
		numbers = append(numbers, big.NewInt(i), new(big.Int).Lsh(big.NewInt(i), 128))
	}
	for _, k := range numbers { // R is the key, its negative, a multiple of the generator
		for _, u := range [][2]*big.Int{{new(big.Int), big.NewInt(1)}, {new(big.Int).Mul(k, big.NewInt(-2)), big.NewInt(1)}, {k, big.NewInt(3)}} {
			sig, one := made(k, u[0], u[1]), Recovered{}
			if recoverOne(&sig, &one); one.OK {
				c.sigs, c.of = append(c.sigs, sig), append(c.of, int32(len(c.keys)))
				c.keys = append(c.keys, one.PublicKey)
			}
		}
	}
	if !c.hold() {
		t.Fatal("made wrongly")
	}
	refused := 0
	const calls = 50
	for range calls {
		if !c.verified(v) {
			refused++ // keys here are multiples of each other: points may meet
		}
	}
	if refused == calls {
		t.Error("never taken as right")
	}
	if c.sigs, c.of = c.sigs[:100], c.of[:100]; !c.verified(v) {
		t.Error("signatures by ordinary keys were not taken")
	}
}

// checkClaims holds a call against libsecp256k1. Wrong claims must be found; right ones
// may be refused only if somebody made points that meet.
func checkClaims(t testing.TB, v *Verifier, c *claims, crafted bool) {
	t.Helper()
	got, want := c.verified(v), c.hold()
	if got && !want || want && !got && !crafted {
		t.Fatalf("%d signatures: %v, but it is %v", len(c.sigs), got, want)
	}
}

func TestVerifyEqualsRecoverForRandomBatches(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	r := rand.New(rand.NewPCG(8, 4))
	v := newVerifier(randomHash(r))
	for round := range rounds {
		n := 1 + r.IntN(80)
		c := claimed(t, r, n, 1+r.IntN(n))
		if round%2 == 0 {
			private := []*ecdsa.PrivateKey{randomKey(r)}
			i := r.IntN(n)
			c.sigs[i], c.of[i] = randomSignature(t, r, private), int32(len(c.keys))
			c.keys = append(c.keys, keyBytes(private[0]))
		}
		checkClaims(t, v, &c, false)
	}
}

// Points of which all are small multiples of the generator meet all the time: whatever
// is taken as right must be.
func TestVerifyWherePointsMeetIsNeverWronglyTrue(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 5))
	v := newVerifier(randomHash(r))
	small := func() *big.Int { return big.NewInt(r.Int64N(9) - 4) }
	taken := 0
	for range 200 {
		var c claims
		for len(c.sigs) < 40 {
			k := small()
			if k.Sign() == 0 {
				continue
			}
			sig, one := made(k, small(), small()), Recovered{}
			if recoverOne(&sig, &one); one.OK {
				c.sigs, c.of = append(c.sigs, sig), append(c.of, int32(len(c.keys)))
				c.keys = append(c.keys, one.PublicKey)
			}
		}
		if c.verified(v) {
			taken++
		}
		i := r.IntN(len(c.sigs))
		if c.sigs[i].V ^= 1; c.verified(v) && !c.hold() {
			t.Fatal("a wrong signature was taken as right")
		}
	}
	t.Logf("%d of 200 right ones were taken", taken)
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	if !vectors {
		t.Skip("no AVX-512 with IFMA")
	}
	r := rand.New(rand.NewPCG(8, 6))
	v, c := NewVerifier(), claimed(t, r, 100, 30)
	if n := testing.AllocsPerRun(20, func() { c.verified(v) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzVerify(f *testing.F) {
	r := rand.New(rand.NewPCG(8, 7))
	good := claimed(f, r, 12, 3)
	for i := range 3 {
		sig := &good.sigs[i]
		f.Add(sig.Hash[:], sig.R[:], sig.S[:], sig.V, good.keys[i][:])
	}
	one := made(big.NewInt(1), big.NewInt(1), big.NewInt(-1))
	f.Add(one.Hash[:], one.R[:], one.S[:], one.V, good.keys[0][:])
	f.Fuzz(func(t *testing.T, hash, rr, s []byte, parity byte, key []byte) {
		var c claims
		c.sigs, c.of = append(c.sigs, good.sigs...), append(c.of, good.of...)
		c.keys = append(c.keys, good.keys...)
		c.keys = append(c.keys, [64]byte{})
		copy(c.keys[3][:], key)
		sig := Signature{V: parity}
		copy(sig.Hash[:], hash)
		copy(sig.R[:], rr)
		copy(sig.S[:], s)
		c.sigs, c.of = append(c.sigs, sig), append(c.of, 3)
		v := NewVerifier()
		checkClaims(t, v, &c, true)
		var found Recovered
		if recoverOne(&sig, &found); found.OK {
			c.keys[3] = found.PublicKey
			checkClaims(t, v, &c, true)
		}
	})
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
