package secp256k1

import (
	"encoding/binary"
	"sync"
	"unsafe" // for the address of memory
)

const (
	generatorSize  = 1 << (generatorBits - 1)
	generatorBytes = generatorSize * lineBytes
)

// generator is the base point (SEC 2, section 2.4.1).
var generator = affine{
	x: number{0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac},
	y: number{0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465},
}

// affine is a point other than infinity; in this file its coordinates are in the entered
// form of field.
type affine struct{ x, y number }

// generatorLines are the lines of the odd multiples of the generator, and then those of
// the generator times 2^130. Made when first needed, in some milliseconds.
var generatorLines = sync.OnceValue(func() *byte {
	memory := make([]byte, 2*generatorBytes+lineBytes)
	skip := -uintptr(unsafe.Pointer(&memory[0])) % lineBytes
	memory = memory[skip:]
	g := affine{field.enter(generator.x), field.enter(generator.y)}
	writeMultiples(memory[:generatorBytes], g)
	for range halfBits {
		g = sum(g, g)
	}
	writeMultiples(memory[generatorBytes:2*generatorBytes], g)
	return &memory[0]
})

// writeMultiples writes the lines of g, 3g, 5g and so on.
func writeMultiples(lines []byte, g affine) {
	multiples := make([]affine, 1, len(lines)/lineBytes)
	multiples[0] = g
	step := sum(g, g)
	for len(multiples) < cap(multiples) {
		multiples = append(multiples, shifted(multiples, step)...)
		step = sum(step, step)
	}
	for i, m := range multiples {
		line := (*[lineBytes]byte)(lines[i*lineBytes:])
		for j, word := range field.leave(field.negate(m.x)) {
			binary.LittleEndian.PutUint64(line[8*j:], word)
		}
		for j, word := range field.leave(m.y) {
			binary.LittleEndian.PutUint64(line[32+8*j:], word)
		}
	}
}

// shifted adds b to points, none of which is b or its negative.
func shifted(points []affine, b affine) []affine {
	products := make([]number, len(points)+1)
	products[0] = field.enter(number{1})
	for i, a := range points {
		d := field.sub(b.x, a.x)
		products[i+1] = field.mul(&products[i], &d)
	}
	inverse := inverted(products[len(points)])
	out := make([]affine, len(points))
	for i := len(points) - 1; i >= 0; i-- {
		a := points[i]
		d := field.sub(b.x, a.x)
		one := field.mul(&inverse, &products[i])
		inverse = field.mul(&inverse, &d)
		rise := field.sub(b.y, a.y)
		out[i] = chord(a, b, field.mul(&rise, &one))
	}
	return out
}

// sum adds two points that are not opposite.
func sum(a, b affine) affine {
	rise, run := field.sub(b.y, a.y), field.sub(b.x, a.x)
	if a == b {
		square := field.mul(&a.x, &a.x)
		rise, run = field.add(field.add(square, square), square), field.add(a.y, a.y)
	}
	run = inverted(run)
	return chord(a, b, field.mul(&rise, &run))
}

// chord is the sum of two points on a line of that slope.
func chord(a, b affine, slope number) (c affine) {
	c.x = field.sub(field.sub(field.mul(&slope, &slope), a.x), b.x)
	run := field.sub(a.x, c.x)
	c.y = field.sub(field.mul(&slope, &run), a.y)
	return c
}

// inverted is 1/a, both in the entered form.
func inverted(a number) number { return field.enter(field.enter(field.invert(a))) }
