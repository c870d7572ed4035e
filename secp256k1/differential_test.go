package secp256k1

import (
	"crypto/ecdsa"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// compare recovers signatures together and one by one.
func compare(t testing.TB, sigs []Signature) (accepted int) {
	t.Helper()
	out := make([]Recovered, len(sigs))
	for i := range out {
		out[i] = Recovered{OK: true, PublicKey: [64]byte{1, 2, 3}}
	}
	Recover(sigs, out)
	for i := range sigs {
		var want Recovered
		recoverOne(&sigs[i], &want)
		if out[i] != want {
			t.Fatalf("signature %d of %d, %x:\n got %v\nwant %v", i, len(sigs), sigs[i], out[i], want)
		}
		if want.OK {
			accepted++
		}
	}
	return accepted
}

var (
	groupOrder = crypto.S256().Params().N
	fieldPrime = crypto.S256().Params().P
)

// edges are numbers at which something changes: around zero, the order, the prime,
// their difference, powers of two, and multiples of the roots of one.
func edges() (all []*big.Int) {
	lambda, _ := new(big.Int).SetString("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72", 16)
	power := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	for _, center := range []*big.Int{
		new(big.Int), groupOrder, fieldPrime, new(big.Int).Sub(fieldPrime, groupOrder),
		new(big.Int).Rsh(groupOrder, 1), lambda, new(big.Int).Sub(groupOrder, lambda),
		power(128), power(129), power(130), power(255), new(big.Int).Sub(power(256), big.NewInt(4)),
	} {
		for d := int64(-3); d <= 3; d++ {
			if v := new(big.Int).Add(center, big.NewInt(d)); v.Sign() >= 0 && v.BitLen() <= 256 {
				all = append(all, v)
			}
		}
	}
	return all
}

// made returns the signature with which u1 and u2 come out, for R = k G:
// r is R's x, s = u2 r, hash = -u1 r.
func made(k, u1, u2 *big.Int) (sig Signature) {
	x, y := crypto.S256().ScalarBaseMult(new(big.Int).Mod(k, groupOrder).Bytes())
	sig.V = byte(y.Bit(0))
	r := new(big.Int).Mod(x, groupOrder)
	r.FillBytes(sig.R[:])
	s := new(big.Int).Mul(u2, r)
	s.Mod(s, groupOrder).FillBytes(sig.S[:])
	hash := new(big.Int).Mul(u1, r)
	hash.Neg(hash).Mod(hash, groupOrder).FillBytes(sig.Hash[:])
	return sig
}

func TestRecoverEqualsLibsecp256k1OnEdgeNumbers(t *testing.T) {
	numbers := edges()
	r := rand.New(rand.NewPCG(7, 10))
	good := signed(t, r, randomKey(r))
	var sigs []Signature
	for _, a := range numbers {
		for _, b := range numbers {
			sig := good
			a.FillBytes(sig.R[:])
			b.FillBytes(sig.S[:])
			sig.V = byte(r.IntN(2))
			if r.IntN(4) == 0 {
				numbers[r.IntN(len(numbers))].FillBytes(sig.Hash[:])
			}
			sigs = append(sigs, sig)
		}
	}
	if n := compare(t, sigs); n < 1000 || n == len(sigs) {
		t.Errorf("%d of %d were accepted", n, len(sigs))
	}
}

// What an attacker can choose: R whose multiple is known, so that sums on the way meet.
func TestRecoverEqualsLibsecp256k1WherePointsMeet(t *testing.T) {
	var sigs []Signature
	numbers := edges()
	for i := int64(1); i <= 34; i++ {
		numbers = append(numbers, big.NewInt(i), big.NewInt(-i))
	}
	r := rand.New(rand.NewPCG(7, 11))
	pick := func() *big.Int { return numbers[r.IntN(len(numbers))] }
	for _, k := range []int64{1, -1, 2, -2, 3, 5, 31, 4096, 8191} {
		for i := int64(-40); i <= 40; i++ {
			// the sum is infinity, or twice one of its halves
			sigs = append(sigs, made(big.NewInt(k), big.NewInt(-k*i), big.NewInt(i)),
				made(big.NewInt(k), big.NewInt(k*i), big.NewInt(i)))
		}
	}
	for len(sigs) < 6000 {
		k := pick()
		if new(big.Int).Mod(k, groupOrder).Sign() != 0 {
			sigs = append(sigs, made(k, pick(), pick()))
		}
	}
	if n := compare(t, sigs); n < 1000 || n == len(sigs) {
		t.Errorf("%d of %d were accepted", n, len(sigs))
	}
}

// randomSignature returns a valid signature, or one with something wrong.
func randomSignature(t testing.TB, r *rand.Rand, keys []*ecdsa.PrivateKey) Signature {
	sig := signed(t, r, keys[r.IntN(len(keys))])
	switch r.IntN(8) {
	case 0:
		sig.V = byte(r.IntN(5))
	case 1:
		bit := r.IntN(3 * 256)
		part := []*[32]byte{&sig.Hash, &sig.R, &sig.S}[bit/256]
		part[bit%256/8] ^= 1 << (bit % 8)
	case 2:
		sig.R = randomHash(r)
	case 3:
		sig.R, sig.S = randomHash(r), randomHash(r)
	case 4:
		s := new(big.Int).SetBytes(sig.S[:])
		s.Sub(groupOrder, s).FillBytes(sig.S[:])
		sig.V ^= 1
	}
	return sig
}

// The long form: TALARIA_RECOVER=1000000 go test -run EqualsLibsecp256k1ForRandom ./secp256k1
func TestRecoverEqualsLibsecp256k1ForRandomSignatures(t *testing.T) {
	count := 20000
	if n, err := strconv.Atoi(os.Getenv("TALARIA_RECOVER")); err == nil {
		count = n
	} else if testing.Short() {
		count = 8000
	}
	r := rand.New(rand.NewPCG(7, 12))
	var keys []*ecdsa.PrivateKey
	for range 100 {
		keys = append(keys, randomKey(r))
	}
	for count > 0 {
		sigs := make([]Signature, min(count, r.IntN(200)))
		for i := range sigs {
			sigs[i] = randomSignature(t, r, keys)
		}
		compare(t, sigs)
		count -= len(sigs)
	}
}

func TestRecoverIsForManyGoroutines(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 13))
	keys := []*ecdsa.PrivateKey{randomKey(r), randomKey(r)}
	var calls sync.WaitGroup
	for range 8 {
		sigs := make([]Signature, 100)
		for i := range sigs {
			sigs[i] = randomSignature(t, r, keys)
		}
		want := make([]Recovered, len(sigs))
		for i := range sigs {
			recoverOne(&sigs[i], &want[i])
		}
		calls.Go(func() {
			out := make([]Recovered, len(sigs))
			Recover(sigs, out)
			for i := range out {
				if out[i] != want[i] {
					t.Errorf("signature %d: got %v, want %v", i, out[i], want[i])
				}
			}
		})
	}
	calls.Wait()
}

func TestRecoverOfManyDoesNotAllocate(t *testing.T) {
	if !vectors {
		t.Skip("no AVX-512 with IFMA")
	}
	r := rand.New(rand.NewPCG(7, 14))
	sigs, out := make([]Signature, 64), make([]Recovered, 64)
	for i := range sigs {
		sigs[i] = signed(t, r, randomKey(r))
	}
	Recover(sigs, out)
	if n := testing.AllocsPerRun(20, func() { Recover(sigs, out) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRecover(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 15))
	key := randomKey(r)
	for range 4 {
		sig := signed(f, r, key)
		f.Add(sig.Hash[:], sig.R[:], sig.S[:], sig.V)
	}
	one := made(big.NewInt(1), big.NewInt(1), big.NewInt(-1))
	f.Add(one.Hash[:], one.R[:], one.S[:], one.V)
	good := signed(f, r, key)
	f.Fuzz(func(t *testing.T, hash, rr, s []byte, v byte) {
		var sig Signature
		copy(sig.Hash[:], hash)
		copy(sig.R[:], rr)
		copy(sig.S[:], s)
		sig.V = v
		sigs := []Signature{good, good, good, good, good, sig, good, good, good, sig}
		sigs[7].R, sigs[8].S, sigs[9].Hash = sig.R, sig.S, good.Hash
		compare(t, sigs)
	})
}
