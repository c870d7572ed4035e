package secp256k1

import (
	"encoding/binary"
	"math/bits"
)

// number is an integer below 2^256, its low word first.
type number [4]uint64

// parse reads a big-endian number.
func parse(b *[32]byte) number {
	return number{
		binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[16:]),
		binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[:]),
	}
}

// put writes a big-endian number to 32 bytes.
func (a *number) put(b []byte) {
	binary.BigEndian.PutUint64(b[24:], a[0])
	binary.BigEndian.PutUint64(b[16:], a[1])
	binary.BigEndian.PutUint64(b[8:], a[2])
	binary.BigEndian.PutUint64(b, a[3])
}

func (a *number) isZero() bool { return a[0]|a[1]|a[2]|a[3] == 0 }

// minus is a - b modulo 2^256 and whether a < b.
func (a *number) minus(b *number) (d number, borrow uint64) {
	d[0], borrow = bits.Sub64(a[0], b[0], 0)
	d[1], borrow = bits.Sub64(a[1], b[1], borrow)
	d[2], borrow = bits.Sub64(a[2], b[2], borrow)
	d[3], borrow = bits.Sub64(a[3], b[3], borrow)
	return d, borrow
}

// A modulus is an odd prime above 2^255 with what Montgomery's multiplication needs.
type modulus struct {
	m       number
	inverse uint64 // -1/m modulo 2^64
	square  number // 2^512 modulo m
}

// The field and the order of the group (SEC 2, section 2.4.1).
var (
	field = modulus{
		m:       number{0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
		inverse: 0xd838091dd2253531,
		square:  number{0x000007a2000e90a1, 0x0000000000000001, 0, 0},
	}
	order = modulus{
		m:       number{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff},
		inverse: 0x4b0dff665588b13f,
		square:  number{0x896cf21467d7d140, 0x741496c20e7cf878, 0xe697f5e45bcd07c6, 0x9d671cd581c69bc5},
	}
)

// reduce brings a number below the modulus.
func (m *modulus) reduce(a number) number {
	if d, borrow := a.minus(&m.m); borrow == 0 {
		return d
	}
	return a
}

// add is a + b, both below the modulus.
func (m *modulus) add(a, b number) (s number) {
	var carry uint64
	s[0], carry = bits.Add64(a[0], b[0], 0)
	s[1], carry = bits.Add64(a[1], b[1], carry)
	s[2], carry = bits.Add64(a[2], b[2], carry)
	s[3], carry = bits.Add64(a[3], b[3], carry)
	if d, borrow := s.minus(&m.m); carry != 0 || borrow == 0 {
		return d
	}
	return s
}

// negate is -a, below the modulus.
func (m *modulus) negate(a number) number {
	if a.isZero() {
		return a
	}
	d, _ := m.m.minus(&a)
	return d
}

// sub is a - b, both below the modulus.
func (m *modulus) sub(a, b number) number { return m.add(a, m.negate(b)) }

// mulAdd is a*b + c + d.
func mulAdd(a, b, c, d uint64) (high, low uint64) {
	high, low = bits.Mul64(a, b)
	low, carry := bits.Add64(low, c, 0)
	high += carry
	low, carry = bits.Add64(low, d, 0)
	return high + carry, low
}

// mul is a*b/2^256 (Montgomery's product), both below the modulus.
func (m *modulus) mul(a, b *number) number {
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
	m0, m1, m2, m3, inverse := m.m[0], m.m[1], m.m[2], m.m[3], m.inverse
	var t0, t1, t2, t3, t4 uint64
	for _, x := range a {
		var c, d, carry uint64
		c, t0 = mulAdd(x, b0, t0, 0)
		c, t1 = mulAdd(x, b1, t1, c)
		c, t2 = mulAdd(x, b2, t2, c)
		c, t3 = mulAdd(x, b3, t3, c)
		t4, carry = bits.Add64(t4, c, 0)
		q := t0 * inverse
		d, _ = mulAdd(q, m0, t0, 0)
		d, t0 = mulAdd(q, m1, t1, d)
		d, t1 = mulAdd(q, m2, t2, d)
		d, t2 = mulAdd(q, m3, t3, d)
		t3, c = bits.Add64(t4, d, 0)
		t4 = carry + c
	}
	r := number{t0, t1, t2, t3}
	if d, borrow := r.minus(&m.m); t4 != 0 || borrow == 0 {
		return d
	}
	return r
}

// enter is a*2^256, the form in which products stay in that form.
func (m *modulus) enter(a number) number { return m.mul(&a, &m.square) }

// leave undoes enter.
func (m *modulus) leave(a number) number { return m.mul(&a, &number{1}) }
