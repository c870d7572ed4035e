package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A line is a table entry of one lane: x and y, each four words of 64 bits, the low
// word first. It fills a cache line.

// transpose turns eight registers of one lane's words each into eight registers of one
// word of every lane, and back.
func transpose(rows [8]reg.VecVirtual) (words [8]reg.VecVirtual) {
	var pairs [8]reg.VecVirtual // even and odd words of two lanes
	for i := 0; i < 8; i += 2 {
		pairs[i], pairs[i+1] = ZMM(), ZMM()
		vpunpcklqdq(rows[i+1], rows[i], pairs[i])
		vpunpckhqdq(rows[i+1], rows[i], pairs[i+1])
	}
	shuffle := func(order uint64, low, high reg.VecVirtual) reg.VecVirtual {
		z := ZMM()
		vshufi64x2(Imm(order), high, low, z)
		return z
	}
	const evens, odds = 0x88, 0xdd
	for i := range 2 {
		a0 := shuffle(evens, pairs[i], pairs[2+i])
		a1 := shuffle(odds, pairs[i], pairs[2+i])
		b0 := shuffle(evens, pairs[4+i], pairs[6+i])
		b1 := shuffle(odds, pairs[4+i], pairs[6+i])
		words[i] = shuffle(evens, a0, b0)
		words[4+i] = shuffle(odds, a0, b0)
		words[2+i] = shuffle(evens, a1, b1)
		words[6+i] = shuffle(odds, a1, b1)
	}
	return words
}

// unpack makes five limbs of four words.
func unpack(k constants, w [4]reg.VecVirtual) (e element) {
	const orThenAnd = 0xa8 // (dst | second) & first, as VPTERNLOGQ counts
	for i := range e {
		e[i] = ZMM()
	}
	vpandq(k.mask52, w[0], e[0])
	for i := 1; i < 4; i++ {
		t := ZMM()
		vpsrlq(Imm(uint64(64-12*i)), w[i-1], t)
		vpsllq(Imm(uint64(12*i)), w[i], e[i])
		vporq(t, e[i], e[i])
		vpandq(k.mask52, e[i], e[i])
	}
	vpsrlq(Imm(16), w[3], e[4])
	return e
}

// pack is the inverse of unpack.
func pack(e element) (w [4]reg.VecVirtual) {
	for i := range w {
		t := ZMM()
		w[i] = ZMM()
		vpsllq(Imm(uint64(52-12*i)), e[i+1], t)
		if i == 0 {
			vporq(t, e[0], w[0])
			continue
		}
		vpsrlq(Imm(uint64(12*i)), e[i], w[i])
		vporq(t, w[i], w[i])
	}
	return w
}

// loadLines loads a line for each lane: base plus its offset, less the bit for the sign.
func loadLines(k constants, base, offsets reg.Register, group int) (x, y element) {
	var rows [8]reg.VecVirtual
	for lane := range rows {
		offset := GP64()
		movl(Mem{Base: offsets, Disp: group*32 + lane*4}, offset.As32())
		ANDL(U32(1<<31-1), offset.As32())
		rows[lane] = ZMM()
		vmovdqu64(Mem{Base: base, Index: offset, Scale: 1}, rows[lane])
	}
	w := transpose(rows)
	return unpack(k, [4]reg.VecVirtual(w[:4])), unpack(k, [4]reg.VecVirtual(w[4:]))
}

// storeLines stores a line of each lane, lineStride apart.
func storeLines(x, y [4]reg.VecVirtual, base reg.Register, offset int) {
	var words [8]reg.VecVirtual
	copy(words[:4], x[:])
	copy(words[4:], y[:])
	for lane, row := range transpose(words) {
		vmovdqu64(row, Mem{Base: base, Disp: offset + lane*lineStride})
	}
}

// negateLanes replaces e by its negative in the lanes whose offset has the highest bit.
func negateLanes(k constants, e element, offsets Mem) {
	bits, words := K(), YMM()
	VMOVDQU32(offsets, words)
	VPMOVD2M(words, bits)
	for i := range e {
		m := ZMM()
		vpbroadcastq(double.limb(i), m)
		vpsubq(e[i], m, bits, e[i])
	}
	e.carry(k)
}
