package batch

import "math/bits"

// column is one entropy-coded column: a range coder with 64 bits of range that either
// writes or reads. All coding of values is written once for both directions: every
// method takes the value to write, returns the value that is in the column, and ignores
// its argument when reading. A column that reads never fails early: behind its end come
// zeros, and what no writer makes sets bad.
type column struct {
	writing bool
	bad     bool
	buf     []byte
	pos     int    // next byte to read
	low     uint64 // writing: lower end of the interval; reading: offset in the interval
	width   uint64 // of the interval, at least 2^56 between symbols
}

func newWriter() column { return column{writing: true, width: 1<<64 - 1} }

func newReader(data []byte) column {
	c := column{buf: data, width: 1<<64 - 1}
	for range 8 {
		c.low = c.low<<8 | c.next()
	}
	return c
}

func (c *column) next() uint64 {
	c.pos++
	if c.pos > len(c.buf) {
		return 0
	}
	return uint64(c.buf[c.pos-1])
}

// add moves the lower end up and carries into what is written.
func (c *column) add(n uint64) {
	low, carry := bits.Add64(c.low, n, 0)
	c.low = low
	if carry == 0 {
		return
	}
	for i := len(c.buf) - 1; i >= 0; i-- { // the interval lies below 1: it ends before the first byte
		c.buf[i]++
		if c.buf[i] != 0 {
			return
		}
	}
}

func (c *column) normalize() {
	for c.width < 1<<56 {
		if c.writing {
			c.buf = append(c.buf, byte(c.low>>56))
			c.low <<= 8
		} else {
			c.low = c.low<<8 | c.next()
		}
		c.width <<= 8
	}
}

// finish ends writing with the shortest string in the interval, without trailing zeros.
func (c *column) finish() []byte {
	for free := 56; free >= 0; free -= 8 {
		mask := uint64(1)<<free - 1
		top := (c.low + mask) &^ mask
		if top-c.low < c.width {
			if top < c.low {
				c.add(-c.low) // carries; low is 0 then
				top = 0
			}
			for shift := 56; shift >= free; shift -= 8 {
				c.buf = append(c.buf, byte(top>>shift))
			}
			break
		}
	}
	for len(c.buf) > 0 && c.buf[len(c.buf)-1] == 0 {
		c.buf = c.buf[:len(c.buf)-1]
	}
	return c.buf
}

// finished tells whether reading used up exactly what a writer would have written, as
// far as that can be told: no byte is left and the last one is not zero.
func (c *column) finished() bool {
	n := len(c.buf)
	return !c.bad && c.pos >= n && (n == 0 || c.buf[n-1] != 0)
}

// size is the most that finish will return of what is written so far, in bytes.
func (c *column) size() int { return len(c.buf) + 8 }

// bit is a decision whose odds the model learns.
func (c *column) bit(m *odds, b uint) uint {
	p := uint32(m.p) ^ 1<<15 // of a 0, in 2^-16
	edge := c.width >> 16 * uint64(p)
	if !c.writing {
		b = 0
		if c.low >= edge {
			b = 1
		}
	}
	rate := rates[m.n]
	if m.n < slowest {
		m.n++
	}
	if b == 0 {
		c.width = edge
		p += (1<<16 - p) * rate >> 16
	} else {
		c.width -= edge
		if c.writing {
			c.add(edge)
		} else {
			c.low -= edge
		}
		p -= p * rate >> 16
	}
	m.p = uint16(min(max(p, surest), 1<<16-surest)) ^ 1<<15
	if c.width < 1<<56 {
		c.normalize()
	}
	return b
}

// odds are what is known of a decision: how likely a 0 is, from 1/2 at first. They move
// by the n-th part of the distance, so that the first cases teach most.
type odds struct{ p, n uint16 }

const (
	slowest = 158 // steps in rates
	surest  = 24  // no probability is below 24/65,536
)

// rates[n] is 2^16/(n+2), rounded down.
var rates = func() (r [slowest + 1]uint32) {
	for n := range r {
		r[n] = 1 << 16 / (uint32(n) + 2)
	}
	return r
}()

// tree is a number of n bits, decision by decision from the highest on; models has 2^n.
func (c *column) tree(models []odds, n int, v uint) uint {
	at := uint(1)
	for i := n - 1; i >= 0; i-- {
		at = at<<1 | c.bit(&models[at], v>>i&1)
	}
	return at - 1<<n
}

// direct is a number of n bits, 0..64, all values of which are equally likely.
func (c *column) direct(n int, v uint64) uint64 {
	if n > 32 {
		high := c.direct(n-32, v>>32)
		return high<<32 | c.direct(32, v&(1<<32-1))
	}
	if n == 0 {
		return 0
	}
	return c.share(v&(1<<n-1), 1, 1<<n, nil)
}

// uniform is a number below n, 1..2^32, all values of which are equally likely.
func (c *column) uniform(n uint64, v uint64) uint64 { return c.share(v, 1, n, nil) }

// share is a symbol with size shares of total, which begin at start. When reading, find
// returns those of the symbol that has the share at; nil means that every symbol has one.
func (c *column) share(start, size, total uint64, find func(at uint64) (start, size uint64)) uint64 {
	unit := c.width / total
	if c.writing {
		c.add(start * unit)
	} else {
		at := c.low / unit
		if at >= total {
			c.bad, at = true, total-1
		}
		start, size = at, 1
		if find != nil {
			start, size = find(at)
		}
		c.low -= start * unit
	}
	c.width = size * unit
	if c.width < 1<<56 {
		c.normalize()
	}
	return start
}

// numbers is the model of whole numbers of up to 64 bits: their length and the three
// bits below the highest are learnt.
type numbers struct {
	length [128]odds
	top    [65][8]odds
}

func (c *column) number(m *numbers, v uint64) uint64 {
	n := int(c.tree(m.length[:], 7, uint(bits.Len64(v))))
	if n > 64 {
		c.bad = true
		return 0
	}
	if n < 2 {
		return uint64(n)
	}
	top := min(3, n-1)
	rest := n - 1 - top
	out := uint64(1)<<top | uint64(c.tree(m.top[n][:], top, uint(v>>rest)&(1<<top-1)))
	return out<<rest | c.direct(rest, v&(1<<rest-1))
}
