package rpc

import "encoding/binary"

// nibble is the value of a hex digit, 0xff of anything else.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// unhex decodes digits into dst, of half their length.
func unhex(dst, digits []byte) error {
	for len(dst) >= 4 {
		v, ok := unhex8(binary.LittleEndian.Uint64(digits))
		if !ok {
			return errHexDigit
		}
		binary.LittleEndian.PutUint32(dst, v)
		dst, digits = dst[4:], digits[8:]
	}
	for i := range dst {
		hi, lo := nibble(digits[2*i]), nibble(digits[2*i+1])
		if hi|lo > 0xf {
			return errHexDigit
		}
		dst[i] = hi<<4 | lo
	}
	return nil
}

// unhex8 decodes eight digits, the first in the lowest byte of x, to four bytes, in all
// bytes of a word at once.
func unhex8(x uint64) (v uint32, ok bool) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	ascii := x & tops
	x &^= tops
	// A byte below 0x80 plus 0x80-k has its top bit set if it is k or more.
	digit := (x + (0x80-'0')*ones) &^ (x + (0x80-'9'-1)*ones)
	small := x | 0x20*ones // letters; '@' and the like stay outside of a..f
	letter := (small + (0x80-'a')*ones) &^ (small + (0x80-'f'-1)*ones)
	if (digit|letter)&tops != tops || ascii != 0 {
		return 0, false
	}
	x = x&(0xf*ones) + (letter&tops)>>7*9
	x = (x<<4 | x>>8) & 0x00ff00ff00ff00ff // pairs of digits
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16), true
}
