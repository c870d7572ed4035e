//go:build amd64 && !purego

package secp256k1

import "golang.org/x/sys/cpu"

//go:generate go run ./asm -out lockstep_amd64.s

// vectors tells that the processor and the system have AVX-512 with IFMA.
var vectors = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW &&
	cpu.X86.HasAVX512VL && cpu.X86.HasAVX512IFMA

// The functions whose names end in 1 work on one group of eight lanes, those with 2 on
// two.

// mul1 sets out to a*b, for consecutive elements.
//
//go:noescape
func mul1(out, a, b *lanes)

//go:noescape
func mul2(out, a, b *lanes)

// curve1 sets out, which is not a, to a*a*a + 7, for consecutive elements.
//
//go:noescape
func curve1(out, a *lanes)

//go:noescape
func curve2(out, a *lanes)

// sqr1 squares a n times, n > 0, for consecutive elements.
//
//go:noescape
func sqr1(out, a *lanes, n int)

//go:noescape
func sqr2(out, a *lanes, n int)

// double1 doubles the points n times, n > 0.
//
//go:noescape
func double1(w *work, n int)

//go:noescape
func double2(w *work, n int)

// add1 adds points of the tables to the points and negates the sums.
//
//go:noescape
func add1(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

//go:noescape
func add2(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

// addAffine1 adds multiples of the generator to the points and negates the sums.
//
//go:noescape
func addAffine1(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

//go:noescape
func addAffine2(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

// start1 sets the points to points of the tables.
//
//go:noescape
func start1(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

//go:noescape
func start2(w *work, base *byte, offsets *[2][8]uint32, negate *[2]uint8)

// tableStart1 makes the first table entries of the points, whose Z is one.
//
//go:noescape
func tableStart1(w *work, q *[2]point)

//go:noescape
func tableStart2(w *work, q *[2]point)

// tableNext1 makes the table entries that follow q.
//
//go:noescape
func tableNext1(w *work, q *[2]point)

//go:noescape
func tableNext2(w *work, q *[2]point)

// tableLines1 writes the lines of the table entries q.
//
//go:noescape
func tableLines1(w *work, q *[2]point, beta *lanes, lines *byte)

//go:noescape
func tableLines2(w *work, q *[2]point, beta *lanes, lines *byte)
