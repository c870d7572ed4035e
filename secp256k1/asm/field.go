package main

import (
	"math/big"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An element of the field modulo p = 2^256 - 0x1000003d1 is five limbs of 52 bits,
// each a register with the limbs of eight elements.
//
// What a multiplication takes: every limb below 2^52, so the value below 2^260.
// What it gives ("weak"): limbs 0 to 3 below 2^52, limb 4 at most 2^48 + 2^8.
type element [5]reg.VecVirtual

const (
	limbBytes    = 64
	elementBytes = 5 * limbBytes

	foldTop  = 0x1000003d1  // 2^256 mod p
	foldHigh = 0x1000003d10 // 2^260 mod p
)

// A slot is an element in memory.
type slot struct {
	base   reg.Register
	offset int
}

func (s slot) limb(i int) Mem { return Mem{Base: s.base, Disp: s.offset + i*limbBytes} }

func (s slot) load() (e element) {
	for i := range e {
		e[i] = ZMM()
		VMOVDQU64(s.limb(i), e[i])
	}
	return e
}

func (s slot) store(e element) {
	for i := range e {
		VMOVDQU64(e[i], s.limb(i))
	}
}

// constants are held in registers throughout a function.
type constants struct {
	mask52, mask48, foldTop, foldHigh reg.VecVirtual
}

func loadConstants() constants {
	return constants{
		broadcast(1<<52 - 1), broadcast(1<<48 - 1), broadcast(foldTop), broadcast(foldHigh),
	}
}

func broadcast(value uint64) reg.VecVirtual {
	word, vector := GP64(), ZMM()
	MOVQ(U64(value), word)
	VPBROADCASTQ(word, vector)
	return vector
}

// A multiple is a multiple of p whose limbs are all larger than those of what is
// subtracted from it, so that no difference is negative.
type multiple struct{ data Mem }

// multipleOfP lays down p<<shift with limbs 0 to 3 of at least 2^bits - 2^(bits-52).
func multipleOfP(name string, shift, bits uint) multiple {
	p := new(big.Int).Lsh(big.NewInt(1), 256)
	p.Sub(p, big.NewInt(foldTop))
	p.Lsh(p, shift)
	data := GLOBL(name, attr.RODATA|attr.NOPTR)
	borrow := uint64(0)
	for i := range 5 {
		limb := new(big.Int).Rsh(p, uint(52*i))
		if i < 4 {
			limb.And(limb, big.NewInt(1<<52-1))
		}
		value := limb.Uint64() - borrow
		if i < 4 {
			value += 1 << bits
			borrow = 1 << (bits - 52)
		}
		DATA(8*i, U64(value))
	}
	return multiple{data}
}

func (m multiple) limb(i int) Mem { return m.data.Offset(8 * i) }

// zero clears a register. To avo the instruction would read what it clears.
func zero() reg.VecVirtual {
	z := ZMM()
	Instruction(&ir.Instruction{
		Opcode: "VPXORQ", Operands: []Op{z, z, z}, Outputs: []Op{z},
	})
	return z
}

// accumulators are the ten columns of a product.
type accumulators [10]reg.VecVirtual

// newAccumulators begins with an addend, each limb below 2^58, or nil.
func newAccumulators(addend *element) (c accumulators) {
	for i := range c {
		if i < 5 && addend != nil {
			c[i] = addend[i]
		} else {
			c[i] = zero()
		}
	}
	return c
}

// multiply adds a*b to the columns.
func (c accumulators) multiply(a, b element) {
	for i := range a {
		for j := range b {
			VPMADD52LUQ(a[i], b[j], c[i+j])
		}
		for j := range b {
			VPMADD52HUQ(a[i], b[j], c[i+j+1])
		}
	}
}

// square adds a*a to the columns, which are zero.
func (c accumulators) square(a element) {
	for i := range a {
		for j := i + 1; j < 5; j++ {
			VPMADD52LUQ(a[i], a[j], c[i+j])
		}
		for j := i + 1; j < 5; j++ {
			VPMADD52HUQ(a[i], a[j], c[i+j+1])
		}
	}
	for i := 1; i < 9; i++ {
		VPADDQ(c[i], c[i], c[i])
	}
	for i := range a {
		VPMADD52LUQ(a[i], a[i], c[2*i])
		VPMADD52HUQ(a[i], a[i], c[2*i+1])
	}
}

// reduce makes a weak element of the columns, times 1, 2, 3, 4 or 8.
func (c accumulators) reduce(k constants, times int) element {
	t := ZMM()
	for i := 5; i < 9; i++ {
		VPSRLQ(Imm(52), c[i], t)
		VPADDQ(t, c[i+1], c[i+1])
	}
	over := zero() // of weight 2^260
	for i := range 5 {
		VPMADD52LUQ(c[5+i], k.foldHigh, c[i])
		next := over
		if i < 4 {
			next = c[i+1]
		}
		VPMADD52HUQ(c[5+i], k.foldHigh, next)
	}
	for _, x := range []reg.VecVirtual{c[0], c[1], c[2], c[3], c[4], over} {
		switch times {
		case 2:
			VPADDQ(x, x, x)
		case 3:
			VPADDQ(x, x, t)
			VPADDQ(t, x, x)
		case 4:
			VPSLLQ(Imm(2), x, x)
		case 8:
			VPSLLQ(Imm(3), x, x)
		}
	}
	VPSLLQ(Imm(4), over, over)
	VPSRLQ(Imm(48), c[4], t)
	VPADDQ(t, over, over) // of weight 2^256
	VPANDQ(k.mask48, c[4], c[4])
	VPMADD52LUQ(over, k.foldTop, c[0])
	VPMADD52HUQ(over, k.foldTop, c[1])
	e := element{c[0], c[1], c[2], c[3], c[4]}
	e.carry(k)
	return e
}

// carry brings limbs 0 to 3 below 2^52.
func (e element) carry(k constants) {
	t := ZMM()
	for i := range 4 {
		VPSRLQ(Imm(52), e[i], t)
		VPADDQ(t, e[i+1], e[i+1])
		VPANDQ(k.mask52, e[i], e[i])
	}
}

// fold brings a weak element below 2^256.
func (e element) fold(k constants) {
	t := ZMM()
	VPSRLQ(Imm(48), e[4], t)
	VPANDQ(k.mask48, e[4], e[4])
	VPMADD52LUQ(t, k.foldTop, e[0])
	e.carry(k)
}

// mul is a*b + addend, or a*b times a small number.
func mul(k constants, a, b slot, times int, addend *element) element {
	c := newAccumulators(addend)
	c.multiply(a.load(), b.load())
	return c.reduce(k, times)
}

// sqr is (a*a) times a small number.
func sqr(k constants, a slot, times int) element {
	c := newAccumulators(nil)
	c.square(a.load())
	return c.reduce(k, times)
}

// sqrAdd is a*a + addend.
func sqrAdd(k constants, a slot, addend func() *element) element {
	c := newAccumulators(nil)
	c.square(a.load())
	for i, x := range addend() {
		VPADDQ(x, c[i], c[i])
	}
	return c.reduce(k, 1)
}

// minus is m - (v << shift), with limbs that may be large.
func minus(m multiple, v slot, shift uint64) *element {
	var e element
	for i := range e {
		e[i] = ZMM()
		t := ZMM()
		VPBROADCASTQ(m.limb(i), e[i])
		if shift == 0 {
			VPSUBQ(v.limb(i), e[i], e[i])
			continue
		}
		VPSLLQ(Imm(shift), v.limb(i), t)
		VPSUBQ(t, e[i], e[i])
	}
	return &e
}

// difference is (a << shift) - b + m with its limbs carried.
func difference(k constants, a slot, shift uint64, b slot, m multiple) element {
	e := *minus(m, b, 0)
	for i := range e {
		if shift == 0 {
			VPADDQ(a.limb(i), e[i], e[i])
			continue
		}
		t := ZMM()
		VPSLLQ(Imm(shift), a.limb(i), t)
		VPADDQ(t, e[i], e[i])
	}
	e.carry(k)
	return e
}
