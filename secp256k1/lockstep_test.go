//go:build amd64 && !purego

package secp256k1

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/ethereum/go-ethereum/crypto"
)

func (a number) big() *big.Int {
	var b [32]byte
	a.put(b[:])
	return new(big.Int).SetBytes(b[:])
}

func fromBig(b *big.Int) number {
	var bytes [32]byte
	b.FillBytes(bytes[:])
	return parse(&bytes)
}

func TestModularArithmeticEqualsBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	for _, m := range []*modulus{&field, &order} {
		p := m.m.big()
		inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), p)
		for range 1000 {
			ab, bb := randomHash(r), randomHash(r)
			a, b := m.reduce(parse(&ab)), m.reduce(parse(&bb))
			want := new(big.Int).Mul(a.big(), b.big())
			want.Mul(want, inverse).Mod(want, p)
			if got := m.mul(&a, &b); got.big().Cmp(want) != 0 {
				t.Fatalf("%x * %x = %x, want %x", a, b, got, want)
			}
			if m.leave(m.enter(a)) != a {
				t.Fatalf("enter and leave %x", a)
			}
			want.Sub(a.big(), b.big()).Mod(want, p)
			if got := m.sub(a, b); got.big().Cmp(want) != 0 {
				t.Fatalf("%x - %x = %x, want %x", a, b, got, want)
			}
		}
		for i := range uint64(2000) {
			b := randomHash(r)
			for _, a := range []number{m.reduce(parse(&b)), {i + 1}, m.negate(number{i + 1}), {0, 0, 0, i + 1}} {
				want := new(big.Int).ModInverse(a.big(), p)
				if got := m.invert(a); got.big().Cmp(want) != 0 {
					t.Fatalf("1/%x = %x, want %x", a, got, want)
				}
			}
		}
		if got := m.invert(number{}); got != (number{}) {
			t.Fatalf("1/0 = %x", got)
		}
	}
}

// weak fills a lane with limbs as large as the vector code allows, or random ones.
func weak(r *rand.Rand, l *lanes, lane int) *big.Int {
	v := new(big.Int)
	for i := range l {
		limit := uint64(1) << 52
		if i == 4 {
			limit = 1<<48 + 1<<9
		}
		l[i][lane] = r.Uint64N(limit)
		switch r.IntN(3) {
		case 0:
			l[i][lane] = limit - 1
		case 1:
			l[i][lane] &= 1
		}
		v.Add(v, new(big.Int).Lsh(new(big.Int).SetUint64(l[i][lane]), uint(52*i)))
	}
	return v.Mod(v, field.m.big())
}

func TestLanesMultiplyAsBigIntegers(t *testing.T) {
	if !vectors {
		t.Skip("no AVX-512 with IFMA")
	}
	r := rand.New(rand.NewPCG(7, 4))
	w := new(work)
	p := field.m.big()
	for round := range 500 {
		w.groups = 1 << (round % 2)
		var a, b, out elements
		var x, y [8 * maxGroups]*big.Int
		for i := range x {
			x[i], y[i] = weak(r, &a[i/8], i%8), weak(r, &b[i/8], i%8)
		}
		check := func(what string, want func(i int) *big.Int) {
			t.Helper()
			for i := range 8 * w.groups {
				if got := out[i/8].number(i % 8); got.big().Cmp(new(big.Int).Mod(want(i), p)) != 0 {
					t.Fatalf("%s, lane %d: %x", what, i, got)
				}
				for j := range 5 {
					if limit := []uint64{1 << 52, 1<<48 + 1<<9}[j/4]; out[i/8][j][i%8] >= limit {
						t.Fatalf("%s, lane %d: limb %d is %x", what, i, j, out[i/8][j][i%8])
					}
				}
			}
		}
		w.mul(&out, &a, &b)
		check("product", func(i int) *big.Int { return new(big.Int).Mul(x[i], y[i]) })
		w.sqr(&out, &a, 1)
		check("square", func(i int) *big.Int { return new(big.Int).Mul(x[i], x[i]) })
		w.sqr(&out, &a, 3)
		check("eighth power", func(i int) *big.Int { return new(big.Int).Exp(x[i], big.NewInt(8), p) })
		w.x = a
		w.findRoots()
		out = w.rhs
		check("curve", func(i int) *big.Int {
			c := new(big.Int).Exp(x[i], big.NewInt(3), p)
			return c.Add(c, big.NewInt(7))
		})
		out = w.root
		check("root", func(i int) *big.Int {
			c := new(big.Int).Exp(x[i], big.NewInt(3), p)
			e := new(big.Int).Add(p, big.NewInt(1))
			return c.Exp(c.Add(c, big.NewInt(7)), e.Rsh(e, 2), p)
		})
	}
}

func TestSplitsAreWhatTheyStandFor(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 5))
	n := order.m.big()
	lambda, _ := new(big.Int).SetString("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72", 16)
	value := func(e *[3]uint64, width uint) *big.Int {
		v := new(big.Int)
		for at := uint(0); at < halfBits; at += width {
			index := digit(e, at, width, 1)
			d := big.NewInt(2*int64(index&^negated) + 1)
			if index&negated != 0 {
				d.Neg(d)
			}
			v.Add(v, d.Lsh(d, at))
		}
		if e[2]>>2 != 0 {
			t.Fatalf("%x is more than 130 bits", e)
		}
		return v
	}
	check := func(k number) {
		t.Helper()
		e1, e2 := split(&k)
		got := new(big.Int).Mul(value(&e2, pointBits), lambda)
		got.Add(got, value(&e1, pointBits)).Mod(got, n)
		if got.Cmp(k.big()) != 0 {
			t.Fatalf("%x was split into what is %x", k, got)
		}
		low, high := generatorDigits(k)
		got.Lsh(value(&high, generatorBits), halfBits)
		got.Add(got, value(&low, generatorBits)).Mod(got, n)
		if got.Cmp(k.big()) != 0 {
			t.Fatalf("the digits of %x are %x", k, got)
		}
	}
	for i := range 1000 {
		check(number{uint64(i)})
		check(order.negate(number{uint64(i)}))
		b := randomHash(r)
		check(order.reduce(parse(&b)))
		b = [32]byte{}
		b[i/32%32] = 1 << (i % 8)
		check(order.reduce(parse(&b)))
	}
}

func TestGeneratorLinesAreOddMultiples(t *testing.T) {
	memory := unsafe.Slice(generatorLines(), 2*generatorBytes)
	for i := range 2 * generatorSize {
		if i > 40 && i%97 != 0 && i < 2*generatorSize-1 {
			continue
		}
		k := big.NewInt(2*int64(i%generatorSize) + 1)
		if i >= generatorSize {
			k.Lsh(k, halfBits)
		}
		x, y := crypto.S256().ScalarBaseMult(k.Mod(k, order.m.big()).Bytes())
		var got affine
		for j := range 4 {
			got.x[j] = binary.LittleEndian.Uint64(memory[i*lineBytes+8*j:])
			got.y[j] = binary.LittleEndian.Uint64(memory[i*lineBytes+32+8*j:])
		}
		if field.negate(got.x).big().Cmp(x) != 0 || got.y.big().Cmp(y) != 0 {
			t.Fatalf("line %d is not %v times the generator", i, k)
		}
	}
}
