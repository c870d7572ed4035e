package batch

import (
	"math/bits"

	"github.com/holiman/uint256"
)

// amounts is the model of a column of 256-bit numbers. People choose few digits and many
// zeros: a number that did not come before is digits × 10^zeros.
type amounts struct {
	seen   dictionary[uint256.Int]
	zeros  [128]odds
	length [4][512]odds // of the digits in bits, by zeros modulo 4
}

// mostAmounts bounds the values that one column of amounts remembers.
const mostAmounts = 4096

func (c *column) amount(m *amounts, r *room, v *uint256.Int) {
	if slot := m.seen.code(c, *v); slot >= 0 {
		*v = m.seen.keys[slot]
		return
	}
	c.digits(m, v)
	m.seen.add(c, r, mostAmounts, *v)
}

// margins is the model of what people pay beyond the tip. Wallets compute it from the
// latest base fee, so that a value is common for a block or two: what came last is coded
// by how long ago.
type margins struct {
	rank   [16]odds
	recent [recentMargins]uint256.Int // the latest first
}

// recentMargins is also the rank of a value that is not among the recent ones.
const recentMargins = 15

func (c *column) margin(m *margins, other *amounts, r *room, v *uint256.Int) {
	rank := 0
	if c.writing {
		for rank < recentMargins && m.recent[rank] != *v {
			rank++
		}
	}
	rank = int(c.tree(m.rank[:], 4, uint(rank)))
	if rank < recentMargins {
		*v = m.recent[rank]
	} else {
		c.amount(other, r, v)
		rank--
	}
	copy(m.recent[1:rank+1], m.recent[:rank])
	m.recent[0] = *v
}

func (c *column) digits(m *amounts, v *uint256.Int) {
	var digits uint256.Int
	zeros := 0
	if c.writing {
		digits = *v
		zeros = stripZeros(&digits)
	}
	zeros = int(c.tree(m.zeros[:], 7, uint(zeros)))
	n := int(c.tree(m.length[zeros&3][:], 9, uint(digits.BitLen())))
	if n > 256 || zeros > 0 && n == 0 || zeros > 77 {
		c.bad = true
		v.Clear()
		return
	}
	if n > 0 { // the highest bit is set: n says so
		i, below := (n-1)/64, (n-1)%64
		digits[i] = 1<<below | c.direct(below, digits[i]&(1<<below-1))
		for i--; i >= 0; i-- {
			digits[i] = c.direct(64, digits[i])
		}
	}
	if c.writing {
		return
	}
	if zeros == 0 {
		*v = digits
		return
	}
	// What a writer makes fits, and its digits do not end with a zero.
	if _, over := v.MulOverflow(&digits, &powers[zeros]); over {
		c.bad = true
		v.Clear()
	} else if digits[0]&1 == 0 && new(uint256.Int).Mod(&digits, &powers[1]).IsZero() {
		c.bad = true
	}
}

// powers[n] is 10^n.
var powers = func() (p [78]uint256.Int) {
	ten := uint256.NewInt(10)
	p[0].SetOne()
	for i := 1; i < len(p); i++ {
		p[i].Mul(&p[i-1], ten)
	}
	return p
}()

// stripZeros divides v by the highest power of ten that divides it, and returns which.
func stripZeros(v *uint256.Int) int {
	if v.IsZero() {
		return 0
	}
	zeros := 0
	for step := 64; step > 0; step /= 2 {
		if trailing(v) < step {
			continue
		}
		if v.IsUint64() {
			if step < 20 {
				p := powers[step][0]
				if v[0]%p == 0 {
					v[0] /= p
					zeros += step
				}
			}
			continue
		}
		var quotient, rest uint256.Int
		if quotient.DivMod(v, &powers[step], &rest); rest.IsZero() {
			*v = quotient
			zeros += step
		}
	}
	return zeros
}

// trailing is how many of the lowest bits are 0.
func trailing(v *uint256.Int) int {
	for i, word := range v {
		if word != 0 {
			return 64*i + bits.TrailingZeros64(word)
		}
	}
	return 256
}
