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
	tape.read(s)
	for i := range e {
		e[i] = ZMM()
		vmovdqu64(s.limb(i), e[i])
	}
	return e
}

func (s slot) store(e element) {
	tape.write(s)
	for i := range e {
		vmovdqu64(e[i], s.limb(i))
	}
}

// constants are held in registers throughout a function, or where they are needed less,
// in memory.
type constants struct {
	mask52, foldHigh reg.VecVirtual
	mask48, foldTop  Mem
}

func loadConstants() constants {
	return constants{
		broadcast(1<<52 - 1), broadcast(foldHigh),
		NewDataAddr(Symbol{Name: "mask48", Static: true}, 0),
		NewDataAddr(Symbol{Name: "foldTop", Static: true}, 0),
	}
}

// layDownConstants writes those that are in memory.
func layDownConstants() {
	GLOBL("mask48", attr.RODATA|attr.NOPTR)
	DATA(0, U64(1<<48-1))
	GLOBL("foldTop", attr.RODATA|attr.NOPTR)
	DATA(0, U64(foldTop))
}

func broadcast(value uint64) reg.VecVirtual {
	word, vector := GP64(), ZMM()
	movq(U64(value), word)
	vpbroadcastq(word, vector)
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
	tape.instruction(func() {
		Instruction(&ir.Instruction{
			Opcode: "VPXORQ", Operands: []Op{z, z, z}, Outputs: []Op{z},
		})
	})
	return z
}

// accumulators are the ten columns of a product. A column is nil until something is
// added to it.
type accumulators [10]reg.VecVirtual

// newAccumulators begins with an addend, each limb below 2^58, or nil.
func newAccumulators(addend *element) *accumulators {
	c := new(accumulators)
	if addend != nil {
		copy(c[:], addend[:])
	}
	return c
}

func (c *accumulators) column(i int) reg.VecVirtual {
	if c[i] == nil {
		c[i] = zero()
	}
	return c[i]
}

// multiply adds a*b to the columns.
func (c *accumulators) multiply(a, b slot) {
	tape.read(a)
	factor := b.load()
	for i := range 5 {
		limb := ZMM()
		vmovdqu64(a.limb(i), limb)
		for j := range 5 {
			vpmadd52luq(limb, factor[j], c.column(i+j))
		}
		for j := range 5 {
			vpmadd52huq(limb, factor[j], c.column(i+j+1))
		}
	}
}

// square adds a*a to the columns, which are nil.
func (c *accumulators) square(a element) {
	for i := range a {
		for j := i + 1; j < 5; j++ {
			vpmadd52luq(a[i], a[j], c.column(i+j))
		}
		for j := i + 1; j < 5; j++ {
			vpmadd52huq(a[i], a[j], c.column(i+j+1))
		}
	}
	for i := 1; i < 9; i++ {
		vpaddq(c[i], c[i], c[i])
	}
	for i := range a {
		vpmadd52luq(a[i], a[i], c.column(2*i))
		vpmadd52huq(a[i], a[i], c.column(2*i+1))
	}
}

// reduce makes a weak element of the columns, times 1, 2, 3, 4 or 8.
func (c *accumulators) reduce(k constants, times int) element {
	tape.tailBegins()
	for i := 5; i < 9; i++ {
		t := ZMM()
		vpsrlq(Imm(52), c[i], t)
		vpaddq(t, c[i+1], c[i+1])
	}
	over := zero() // of weight 2^260
	for i := range 5 {
		vpmadd52luq(c[5+i], k.foldHigh, c[i])
		next := over
		if i < 4 {
			next = c[i+1]
		}
		vpmadd52huq(c[5+i], k.foldHigh, next)
	}
	for _, x := range []reg.VecVirtual{c[0], c[1], c[2], c[3], c[4], over} {
		switch times {
		case 2:
			vpaddq(x, x, x)
		case 3:
			t := ZMM()
			vpaddq(x, x, t)
			vpaddq(t, x, x)
		case 4:
			vpsllq(Imm(2), x, x)
		case 8:
			vpsllq(Imm(3), x, x)
		}
	}
	t := ZMM()
	vpsllq(Imm(4), over, over)
	vpsrlq(Imm(48), c[4], t)
	vpaddq(t, over, over) // of weight 2^256
	vpandqBroadcast(k.mask48, c[4], c[4])
	vpmadd52luqBroadcast(k.foldTop, over, c[0])
	vpmadd52huqBroadcast(k.foldTop, over, c[1])
	e := element{c[0], c[1], c[2], c[3], c[4]}
	e.carry(k)
	return e
}

// carry brings limbs 0 to 3 below 2^52.
func (e element) carry(k constants) {
	for i := range 4 {
		t := ZMM()
		vpsrlq(Imm(52), e[i], t)
		vpaddq(t, e[i+1], e[i+1])
		vpandq(k.mask52, e[i], e[i])
	}
}

// fold brings a weak element below 2^256.
func (e element) fold(k constants) {
	t := ZMM()
	vpsrlq(Imm(48), e[4], t)
	vpandqBroadcast(k.mask48, e[4], e[4])
	vpmadd52luqBroadcast(k.foldTop, t, e[0])
	e.carry(k)
}

// mul is a*b + addend, or a*b times a small number.
func mul(k constants, a, b slot, times int, addend *element) element {
	c := newAccumulators(addend)
	c.multiply(a, b)
	return c.reduce(k, times)
}

// sqr is (a*a) times a small number.
func sqr(k constants, a slot, times int) element {
	c := newAccumulators(nil)
	c.square(a.load())
	return c.reduce(k, times)
}

// sqrAdd is a*a + addend.
func sqrAdd(k constants, a slot, addend func(limb int) reg.VecVirtual) element {
	c := newAccumulators(nil)
	c.square(a.load())
	tape.tailBegins()
	for i := range 5 {
		vpaddq(addend(i), c[i], c[i])
	}
	return c.reduce(k, 1)
}

// minus is m - (v << shift), with limbs that may be large.
func minus(m multiple, v slot, shift uint64) *element {
	var e element
	for i := range e {
		e[i] = minusLimb(m, v, shift, i)
	}
	return &e
}

func minusLimb(m multiple, v slot, shift uint64, i int) reg.VecVirtual {
	tape.read(v)
	e := ZMM()
	vpbroadcastq(m.limb(i), e)
	if shift == 0 {
		vpsubq(v.limb(i), e, e)
		return e
	}
	t := ZMM()
	vpsllq(Imm(shift), v.limb(i), t)
	vpsubq(t, e, e)
	return e
}

// difference is (a << shift) - b + m with its limbs carried.
func difference(k constants, a slot, shift uint64, b slot, m multiple) element {
	tape.tailBegins()
	e := *minus(m, b, 0)
	for i := range e {
		if shift == 0 {
			vpaddq(a.limb(i), e[i], e[i])
			continue
		}
		t := ZMM()
		vpsllq(Imm(shift), a.limb(i), t)
		vpaddq(t, e[i], e[i])
	}
	e.carry(k)
	return e
}
