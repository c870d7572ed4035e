//go:build amd64 && !purego

package secp256k1

import "golang.org/x/sys/cpu"

//go:generate go run ./asm -out lockstep_amd64.s

// vectors tells that the processor and the system have AVX-512 with IFMA.
var vectors = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW &&
	cpu.X86.HasAVX512VL && cpu.X86.HasAVX512IFMA

// The functions whose names end in 1 or 2 work on the first so many groups.

// mul1 sets out to a*b, for as many elements that follow one another.
//
//go:noescape
func mul1(out, a, b *lanes)

//go:noescape
func mul2(out, a, b *lanes)

// curve1 sets out, which is not a, to a*a*a + 7.
//
//go:noescape
func curve1(out, a *elements)

//go:noescape
func curve2(out, a *elements)

// sqr1 sets out to a squared n times, n > 0.
//
//go:noescape
func sqr1(out, a *elements, n int)

//go:noescape
func sqr2(out, a *elements, n int)

// double1 doubles the points n times, n > 0.
//
//go:noescape
func double1(w *work, n int)

//go:noescape
func double2(w *work, n int)

// start1 sets the points to points of the tables.
//
//go:noescape
func start1(w *work, base *byte, s *step)

//go:noescape
func start2(w *work, base *byte, s *step)

// add1 adds points of the tables to the points and negates the sums.
//
//go:noescape
func add1(w *work, base *byte, s *step)

//go:noescape
func add2(w *work, base *byte, s *step)

// addAffine1 adds multiples of the generator to the points and negates the sums.
//
//go:noescape
func addAffine1(w *work, base *byte, s *step)

//go:noescape
func addAffine2(w *work, base *byte, s *step)

// tableStart1 makes the first table entries of the points, whose Z is one.
//
//go:noescape
func tableStart1(w *work, q *points)

//go:noescape
func tableStart2(w *work, q *points)

// tableNext1 makes the table entries that follow q.
//
//go:noescape
func tableNext1(w *work, q *points)

//go:noescape
func tableNext2(w *work, q *points)

// tableLines1 writes the lines of the table entries q.
//
//go:noescape
func tableLines1(w *work, q *points, beta *lanes, lines *byte)

//go:noescape
func tableLines2(w *work, q *points, beta *lanes, lines *byte)

//go:noescape
func tableLines4(w *work, q *points, beta *lanes, lines *byte)
