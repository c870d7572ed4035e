package secp256k1

import "math/bits"

// wide is a number with a sign in five limbs of 62 bits; the last has the sign.
type wide [5]int64

const mask62 = 1<<62 - 1

func widen(a *number) wide {
	return wide{
		int64(a[0] & mask62),
		int64((a[0]>>62 | a[1]<<2) & mask62),
		int64((a[1]>>60 | a[2]<<4) & mask62),
		int64((a[2]>>58 | a[3]<<6) & mask62),
		int64(a[3] >> 56),
	}
}

func (a *wide) isZero() bool { return a[0]|a[1]|a[2]|a[3]|a[4] == 0 }

// matrix is what 62 steps do to the pair (f, g), times 2^62.
type matrix struct{ u, v, q, r int64 }

// invert is 1/a, for a below the modulus; zero has zero. It takes the steps of Bernstein
// and Yang ("Fast constant-time gcd computation and modular inversion", 2019), without
// their constant time: nothing here is secret.
func (m *modulus) invert(a number) number {
	f, g := widen(&m.m), widen(&a)
	d, e := wide{}, wide{1}
	modulus := f
	inverse := -m.inverse & mask62 // of the modulus
	delta := int64(1)
	for !g.isZero() {
		var t matrix
		delta, t = divide(delta, uint64(f[0])|uint64(f[1])<<62, uint64(g[0])|uint64(g[1])<<62)
		t.applyModulo(&d, &e, &modulus, inverse)
		t.apply(&f, &g)
	}
	return m.narrow(&d, f[4] < 0)
}

// divide does 62 division steps on the low bits of f and g.
func divide(delta int64, f, g uint64) (int64, matrix) {
	t := matrix{u: 1, r: 1}
	for left := 62; ; {
		zeros := bits.TrailingZeros64(g | ^uint64(0)<<left)
		g >>= zeros
		t.u <<= zeros
		t.v <<= zeros
		delta += int64(zeros)
		left -= zeros
		if left == 0 {
			return delta, t
		}
		if delta > 0 {
			delta = -delta
			f, g = g, -f
			t.u, t.q = t.q, -t.u
			t.v, t.r = t.r, -t.v
		}
		// Several steps at once: make as many low bits of g zero as may be before f
		// and g change places again, at most four.
		limit := min(1-delta, int64(left), 4)
		mask := uint64(1)<<limit - 1
		w := f + (f+1)&4<<1 // -1/f modulo 16, but for the sign
		w = -w * g & mask
		g += f * w
		t.q += t.u * int64(w)
		t.r += t.v * int64(w)
	}
}

// sum is a number of 128 bits with a sign.
type sum128 struct {
	low  uint64
	high int64
}

func (s *sum128) add(a, b int64) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	high -= uint64(a>>63&b) + uint64(b>>63&a)
	var carry uint64
	s.low, carry = bits.Add64(s.low, low, 0)
	s.high += int64(high + carry)
}

// limb takes the low 62 bits off.
func (s *sum128) limb() int64 {
	l := s.low & mask62
	s.low = s.low>>62 | uint64(s.high)<<2
	s.high >>= 62
	return int64(l)
}

// apply multiplies (f, g) by the matrix and divides by 2^62, which leaves nothing.
func (t *matrix) apply(f, g *wide) {
	var a, b sum128
	for i := range f {
		x, y := f[i], g[i]
		a.add(t.u, x)
		a.add(t.v, y)
		b.add(t.q, x)
		b.add(t.r, y)
		if l, k := a.limb(), b.limb(); i > 0 {
			f[i-1], g[i-1] = l, k
		}
	}
	f[4], g[4] = int64(a.low), int64(b.low)
}

// applyModulo does it to (d, e) modulo m; both stay between -2m and m.
func (t *matrix) applyModulo(d, e, m *wide, inverse uint64) {
	signD, signE := d[4]>>63, e[4]>>63
	md, me := t.u&signD+t.v&signE, t.q&signD+t.r&signE
	var a, b sum128
	for i := range d {
		x, y := d[i], e[i]
		a.add(t.u, x)
		a.add(t.v, y)
		b.add(t.q, x)
		b.add(t.r, y)
		if i == 0 {
			md -= int64((inverse*a.low + uint64(md)) & mask62)
			me -= int64((inverse*b.low + uint64(me)) & mask62)
		}
		a.add(m[i], md)
		b.add(m[i], me)
		if l, k := a.limb(), b.limb(); i > 0 {
			d[i-1], e[i-1] = l, k
		}
	}
	d[4], e[4] = int64(a.low), int64(b.low)
}

// narrow is d, or its negative, below the modulus, for d between -2m and m.
func (m *modulus) narrow(d *wide, negative bool) number {
	a := number{
		uint64(d[0]) | uint64(d[1])<<62,
		uint64(d[1])>>2 | uint64(d[2])<<60,
		uint64(d[2])>>4 | uint64(d[3])<<58,
		uint64(d[3])>>6 | uint64(d[4])<<56,
	}
	for high := d[4] >> 8; high < 0; { // what is above 256 bits
		var carry uint64
		for i := range a {
			a[i], carry = bits.Add64(a[i], m.m[i], carry)
		}
		high += int64(carry)
	}
	if negative {
		return m.negate(m.reduce(a))
	}
	return m.reduce(a)
}
