package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// shiftLeft sets d to x << n for n below 256.
func shiftLeft(d, x *uint256.Int, n uint64) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	switch n / 64 {
	case 1:
		x0, x1, x2, x3 = 0, x0, x1, x2
	case 2:
		x0, x1, x2, x3 = 0, 0, x0, x1
	case 3:
		x0, x1, x2, x3 = 0, 0, 0, x0
	}
	n &= 63
	m := 64 - n // a shift by 64 gives 0
	d[3] = x3<<n | x2>>m
	d[2] = x2<<n | x1>>m
	d[1] = x1<<n | x0>>m
	d[0] = x0 << n
}

// shiftRight sets d to x >> n for n below 256.
func shiftRight(d, x *uint256.Int, n uint64) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	switch n / 64 {
	case 1:
		x0, x1, x2, x3 = x1, x2, x3, 0
	case 2:
		x0, x1, x2, x3 = x2, x3, 0, 0
	case 3:
		x0, x1, x2, x3 = x3, 0, 0, 0
	}
	n &= 63
	m := 64 - n
	d[0] = x0>>n | x1<<m
	d[1] = x1>>n | x2<<m
	d[2] = x2>>n | x3<<m
	d[3] = x3 >> n
}

// shiftSigned sets d to x >> n for n below 256, the sign bit drawn in.
func shiftSigned(d, x *uint256.Int, n uint64) {
	sign := uint64(int64(x[3]) >> 63)
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	switch n / 64 {
	case 1:
		x0, x1, x2, x3 = x1, x2, x3, sign
	case 2:
		x0, x1, x2, x3 = x2, x3, sign, sign
	case 3:
		x0, x1, x2, x3 = x3, sign, sign, sign
	}
	n &= 63
	m := 64 - n
	d[0] = x0>>n | x1<<m
	d[1] = x1>>n | x2<<m
	d[2] = x2>>n | x3<<m
	d[3] = x3>>n | sign<<m
}

// maskWord sets d to the low n bits of x, n from 1 to 256.
func maskWord(d, x *uint256.Int, n uint64) {
	for i := range d {
		switch width := int(n) - 64*i; {
		case width >= 64:
			d[i] = x[i]
		case width > 0:
			d[i] = x[i] & (1<<width - 1)
		default:
			d[i] = 0
		}
	}
}

// copyWithin is MCOPY (EIP-5656).
func (f *frame) copyWithin(to, from, size *uint256.Int) bool {
	if size.IsZero() {
		return true
	}
	top := to
	if from.Gt(to) {
		top = from
	}
	if _, _, ok := f.touch(top, size); !ok || !f.chargeWords(size.Uint64(), 3) {
		return false
	}
	n := size.Uint64()
	copy(f.mem[to.Uint64():to.Uint64()+n], f.mem[from.Uint64():from.Uint64()+n])
	return true
}

// copyReturned is RETURNDATACOPY (EIP-211).
func (f *frame) copyReturned(to, from, size *uint256.Int) error {
	var end uint256.Int
	if _, overflow := end.AddOverflow(from, size); overflow || !end.IsUint64() || end.Uint64() > uint64(len(f.returned)) {
		return errReturnDataBounds
	}
	off, n, ok := f.touch(to, size)
	if !ok || !f.chargeWords(n, 3) {
		return ErrOutOfGas
	}
	copy(f.mem[off:off+n], f.returned[from.Uint64():])
	return nil
}

// logSpan is LOG0 to LOG4.
func (f *frame) logSpan(offset, size *uint256.Int, topics []common.Hash) error {
	off, n, ok := f.touch(offset, size)
	if !ok || n > maxMemory || !f.charge(n*gasLogByte) {
		return ErrOutOfGas
	}
	return f.log(topics, f.mem[off:off+n])
}
