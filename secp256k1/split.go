package secp256k1

import "math/bits"

// Windows of the two multiplications. A scalar is written with odd digits only, so that
// all lanes add at the same places and never nothing.
const (
	pointBits    = 5                        // window of the point R
	pointWindows = 26                       // of each half scalar
	halfBits     = pointBits * pointWindows // 130

	generatorBits    = 13                       // window of the generator, a divisor of 130
	generatorWindows = halfBits / generatorBits // of each half scalar
)

// The endomorphism (x, y) -> (beta x, y) multiplies by lambda. The lattice of pairs
// (a, b) with a + b lambda = 0 modulo the order has the short basis (latticeA, -latticeB)
// and (latticeC, latticeA) (Gallant, Lambert, Vanstone 2001; the values are in
// libsecp256k1's scalar_impl.h).
var (
	latticeA = [3]uint64{0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	latticeB = [3]uint64{0x6f547fa90abfe4c3, 0xe4437ed6010e8828}
	latticeC = [3]uint64{0x57c1108d9d44cfd8, 0x14ca50f7a8e2f3f6, 1}

	// 2^384 times latticeA and latticeB over the order, rounded.
	roundA = number{0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	roundB = number{0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828}

	beta = number{0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710}
)

// mulRound is a*b/2^384, rounded.
func mulRound(a, b *number) [2]uint64 {
	var p0, p1, p2, p3 uint64
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
	for _, x := range a {
		var c uint64
		c, _ = mulAdd(x, b0, p0, 0)
		c, p0 = mulAdd(x, b1, p1, c)
		c, p1 = mulAdd(x, b2, p2, c)
		p3, p2 = mulAdd(x, b3, p3, c)
	}
	low, carry := bits.Add64(p2, p1>>63, 0)
	return [2]uint64{low, p3 + carry}
}

// addTo and subFrom work modulo 2^192 on numbers with a sign.
func addTo(a *[3]uint64, b [3]uint64) {
	var c uint64
	a[0], c = bits.Add64(a[0], b[0], 0)
	a[1], c = bits.Add64(a[1], b[1], c)
	a[2] += b[2] + c
}

func subFrom(a *[3]uint64, b [3]uint64) {
	var c uint64
	a[0], c = bits.Sub64(a[0], b[0], 0)
	a[1], c = bits.Sub64(a[1], b[1], c)
	a[2] -= b[2] + c
}

// product is a*b modulo 2^192.
func product(a [2]uint64, b *[3]uint64) (p [3]uint64) {
	var c uint64
	c, p[0] = bits.Mul64(a[0], b[0])
	c, p[1] = mulAdd(a[0], b[1], c, 0)
	p[2] = c + a[0]*b[2]
	c, p[1] = mulAdd(a[1], b[0], p[1], 0)
	p[2] += c + a[1]*b[1]
	return p
}

// split finds odd k1 and k2 with k = k1 + k2 lambda modulo the order and |k1|, |k2| below
// 2^129, and returns (k + 2^130 - 1)/2 of each: its bits are the digits, see digit.
//
// The nearest point of the lattice leaves |k1| <= (latticeA + latticeC)/2 and
// |k2| <= (latticeB + latticeA)/2. One basis vector is odd in both places, the other in
// the second only, so adding each at most once makes both odd.
func split(k *number) (e1, e2 [3]uint64) {
	c1, c2 := mulRound(k, &roundA), mulRound(k, &roundB)
	k1 := [3]uint64{k[0], k[1], k[2]}
	subFrom(&k1, product(c1, &latticeA))
	subFrom(&k1, product(c2, &latticeC))
	k2 := product(c1, &latticeB)
	subFrom(&k2, product(c2, &latticeA))
	if k1[0]&1 == 0 {
		addTo(&k1, latticeA)
		subFrom(&k2, latticeB)
	}
	if k2[0]&1 == 0 {
		addTo(&k1, latticeC)
		addTo(&k2, latticeA)
	}
	return halve(k1), halve(k2)
}

// halve is (k + 2^130 - 1)/2 of an odd k.
func halve(k [3]uint64) [3]uint64 {
	addTo(&k, [3]uint64{^uint64(0), ^uint64(0), 3})
	return [3]uint64{k[0]>>1 | k[1]<<63, k[1]>>1 | k[2]<<63, k[2] >> 1}
}

// generatorHalf is (2^260 - 1)/2 modulo the order.
var generatorHalf = number{0xe1563adfe6691698, 0x87e0873ddd5f4e3f, 0x0000000000000009, 0x8000000000000000}

// generatorDigits returns k' with k = 2k' - (2^260 - 1) modulo the order, as two halves
// of 130 bits: their bits are the digits, see digit.
func generatorDigits(k number) (low, high [3]uint64) {
	var carry uint64
	if k[0]&1 != 0 {
		k[0], carry = bits.Add64(k[0], order.m[0], 0)
		k[1], carry = bits.Add64(k[1], order.m[1], carry)
		k[2], carry = bits.Add64(k[2], order.m[2], carry)
		k[3], carry = bits.Add64(k[3], order.m[3], carry)
	}
	k = number{k[0]>>1 | k[1]<<63, k[1]>>1 | k[2]<<63, k[2]>>1 | k[3]<<63, k[3]>>1 | carry<<63}
	k = order.add(k, generatorHalf)
	return [3]uint64{k[0], k[1], k[2] & 3}, [3]uint64{k[2]>>2 | k[3]<<62, k[3] >> 2}
}

// digit returns the digit of a scalar at a bit, of a width, as the offset of its line:
// index*stride for 2*index + 1, with the bit for negated if it is negative. With e the
// bits there the digit is 2e - (2^width - 1).
func digit(e *[3]uint64, at, width uint, stride uint32) uint32 {
	v := e[at/64] >> (at % 64)
	if at%64+width > 64 {
		v |= e[at/64+1] << (64 - at%64)
	}
	below := uint32(v>>(width-1)&1) - 1 // all ones if e is below the middle
	return (uint32(v)^below)&(1<<(width-1)-1)*stride | below&negated
}
