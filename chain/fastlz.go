package chain

import (
	"encoding/binary"
	"math/bits"
)

// FastLZ tells how long data would be under FastLZ compression of level 1, which stands
// for a transaction's share of a compressed batch (OP Stack specification, "Fjord",
// section "FastLZ implementation"). The length is part of consensus, quirks included. The
// zero value is ready; it reuses its memory and is for one goroutine.
//
// n bytes become n + ⌈n/32⌉ at most. A run of k literals takes k + ⌈k/32⌉ ≤ k + (k+31)/32
// bytes. A match covers three bytes or more and takes at least one fewer than it covers.
// With j matches there are at most j+1 runs, so the length is at most
// n - j + (n + 31(j+1))/32 ≤ n + (n+31)/32, and it is an integer.
type FastLZ struct {
	// last is where three bytes with a given hash were seen last, plus base; less than
	// base if not in the present data.
	last [1 << fastLZHashBits]uint32
	base uint32
}

const (
	fastLZHashBits = 13
	fastLZTail     = 13   // bytes at the end where no match begins
	fastLZWindow   = 8191 // farthest match, bytes
	fastLZLongest  = 262  // longest match of one instruction, bytes beyond the first two
	// fastLZMost is how much data a table serves before it is cleared, bytes.
	fastLZMost = 1 << 31
)

// FastLZLength is FastLZ.Length with memory of its own.
func FastLZLength(data []byte) uint32 {
	var z FastLZ
	return z.Length(data)
}

// Length is the compressed length of data, which is shorter than 2^31 bytes.
func (z *FastLZ) Length(data []byte) uint32 {
	size := uint32(len(data))
	if size < fastLZTail {
		return literals(size)
	}
	if z.base > fastLZMost-size {
		*z = FastLZ{}
	}
	limit := size - fastLZTail
	var length, start uint32 // start: of the bytes that no instruction covers yet
	// A match at the last place before the limit is not taken.
	for here := uint32(2); here+1 < limit; {
		three := threeBytes(data, here)
		seen := z.swap(three, here)
		if here-seen > fastLZWindow || three != threeBytes(data, seen) {
			here++
			continue
		}
		length += literals(here - start)
		matched := match(data[:limit+9], seen+3, here+3)
		length += copies(matched)
		here += matched
		z.swap(threeBytes(data, here), here)
		z.swap(threeBytes(data, here+1), here+1)
		here += 2
		start = here
	}
	z.base += size
	return length + literals(size-start)
}

// swap notes where three bytes are and returns where they were last, 0 if nowhere.
func (z *FastLZ) swap(three, here uint32) (seen uint32) {
	entry := &z.last[three*2654435769>>(32-fastLZHashBits)]
	if *entry >= z.base {
		seen = *entry - z.base
	}
	*entry = z.base + here
	return seen
}

func threeBytes(data []byte, at uint32) uint32 {
	return binary.LittleEndian.Uint32(data[at:]) & 0xffffff
}

// literals is the length of instructions that hold n bytes as they are, 32 each at most.
func literals(n uint32) uint32 {
	length := n / 32 * 33
	if n %= 32; n > 0 {
		length += n + 1
	}
	return length
}

// copies is the length of instructions that copy a match of n+2 bytes.
func copies(n uint32) uint32 {
	n--
	length := n / fastLZLongest * 3
	if n%fastLZLongest >= 6 {
		return length + 3
	}
	return length + 2
}

// match is the number of bytes from p and q on up to and with the first that differs.
func match(data []byte, p, q uint32) uint32 {
	earlier, later := data[p:], data[q:]
	n := 0
	for ; len(later)-n >= 8; n += 8 {
		if differ := binary.LittleEndian.Uint64(earlier[n:]) ^ binary.LittleEndian.Uint64(later[n:]); differ != 0 {
			return uint32(n + bits.TrailingZeros64(differ)/8 + 1)
		}
	}
	for ; n < len(later); n++ {
		if earlier[n] != later[n] {
			return uint32(n + 1)
		}
	}
	return uint32(n)
}
