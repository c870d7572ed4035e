package secp256k1

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// What comes out is known here without recovering: with R = k G the key is
// (u1 + u2 k) G, and a multiple of G is an ordinary multiplication.
func TestRecoverOfChosenSums(t *testing.T) {
	n := func(v int64) *big.Int { return big.NewInt(v) }
	power := func(e uint) *big.Int { return new(big.Int).Lsh(n(1), e) }
	half := new(big.Int).ModInverse(n(2), groupOrder)
	lambda, _ := new(big.Int).SetString("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72", 16)
	less := func(v *big.Int, d int64) *big.Int { return new(big.Int).Sub(v, n(d)) }
	var sigs []Signature
	var names []string
	var keys []*big.Int
	for _, c := range []struct {
		name      string
		k, u1, u2 *big.Int
	}{
		{"R is the generator", n(1), n(3), n(5)},
		{"R is the generator's negative", n(-1), n(3), n(5)},
		{"R is lambda times the generator", lambda, n(3), n(5)},
		{"R is minus lambda times the generator", new(big.Int).Neg(lambda), n(3), n(5)},
		{"R is half the generator", half, n(1), n(2)},
		{"R is the generator's multiple in the second table", power(130), n(1), n(1)},
		{"R is its negative", new(big.Int).Neg(power(130)), power(130), n(2)},
		{"the hash is zero", n(77), n(0), n(5)},
		{"both multiples are the same point", n(1), n(9), n(9)},
		{"both multiples are the same point, R odd", n(7), n(63), n(9)},
		{"the multiples cancel", n(1), n(-9), n(9)},
		{"the multiples cancel, R odd", n(7), n(-63), n(9)},
		{"the multiples cancel at the order", n(2), n(2), less(groupOrder, 1)},
		{"u2 is one", n(1234567), n(0), n(1)},
		{"u2 is minus one", n(1234567), n(0), n(-1)},
		{"u2 is lambda", n(1234567), n(1), lambda},
		{"u2 is minus lambda", n(1234567), n(1), new(big.Int).Neg(lambda)},
		{"u2 is 2^128", n(1234567), n(1), power(128)},
		{"u2 is 2^129 - 1", n(1234567), n(1), less(power(129), 1)},
		{"u1 is the order less one", n(1234567), less(groupOrder, 1), n(1)},
		{"u1 is 2^130", n(1234567), power(130), n(1)},
		{"u1 is 2^130 - 1", n(1234567), less(power(130), 1), n(1)},
		{"the key is the generator", n(5), n(-4), n(1)},
		{"the key is R", n(5), n(0), n(1)},
		{"the key is minus R", n(5), n(-10), n(1)},
	} {
		sigs = append(sigs, made(c.k, c.u1, c.u2))
		names = append(names, c.name)
		key := new(big.Int).Mul(c.u2, c.k)
		keys = append(keys, key.Add(key, c.u1).Mod(key, groupOrder))
	}
	out := make([]Recovered, len(sigs))
	Recover(sigs, out)
	for i, name := range names {
		var want Recovered
		if keys[i].Sign() != 0 {
			x, y := crypto.S256().ScalarBaseMult(keys[i].Bytes())
			x.FillBytes(want.PublicKey[:32])
			y.FillBytes(want.PublicKey[32:])
			want.Address, want.OK = common.Address(crypto.Keccak256(want.PublicKey[:])[12:]), true
		}
		if out[i] != want {
			t.Errorf("%s: got %v, want %v", name, out[i], want)
		}
	}
}

func TestRecoverOfChosenR(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *big.Int
		ok   bool
	}{
		{"one is an x coordinate", big.NewInt(1), true},
		{"two", big.NewInt(2), true},
		{"five is none", big.NewInt(5), false},
		{"the order", groupOrder, false},
		{"the prime", fieldPrime, false},
		{"one above the prime", new(big.Int).Add(fieldPrime, big.NewInt(1)), false},
	} {
		sigs, out := make([]Signature, 9), make([]Recovered, 9)
		for i := range sigs {
			c.r.FillBytes(sigs[i].R[:])
			sigs[i].S[31], sigs[i].Hash[0], sigs[i].V = byte(i+1), 0xff, byte(i%2)
		}
		Recover(sigs, out)
		for i := range out {
			if out[i].OK != c.ok {
				t.Errorf("%s, lane %d: %v", c.name, i, out[i].OK)
			}
		}
	}
}
