package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The parts of the work space that the functions share, as offsets; the Go side
// declares the same (type work).
const (
	pointBytes = 3 * elementBytes
	temps      = 10
	maxGroups  = 2
	tempsAt    = maxGroups * pointBytes
	commonAt   = tempsAt + maxGroups*temps*elementBytes
	linesAt    = commonAt + maxGroups*elementBytes
	tableLines = 16 * 8 * lineStride
	lineStride = 128 // the line of R, then that of lambda R
)

// A group is eight lanes of a work space.
type group struct {
	k       constants
	base    reg.Register
	x, y, z slot
	common  slot // what Z is relative to
	number  int
}

func (g group) temp(i int) slot {
	return slot{g.base, tempsAt + (g.number*temps+i)*elementBytes}
}

// groupsOf are the first groups of the work space at base.
func groupsOf(k constants, base reg.Register, count int) (groups []group) {
	for i := range count {
		at := i * pointBytes
		groups = append(groups, group{
			k: k, base: base, number: i,
			x: slot{base, at}, y: slot{base, at + elementBytes}, z: slot{base, at + 2*elementBytes},
			common: slot{base, commonAt + i*elementBytes},
		})
	}
	return groups
}

// inTurn writes down the steps of a formula, each for all groups before the next, so
// that the processor finds independent work close by.
func inTurn(groups []group, steps ...func(group)) {
	for _, step := range steps {
		for _, g := range groups {
			tape.operation(func() { step(g) })
		}
	}
	tape.flush()
}

// doublePoints replaces each point by twice the point, n times (Jacobian coordinates,
// "dbl-2009-l" without its trick for the product):
// M = 3X^2, B = XY^2, X' = M^2 - 8B, Y' = M(4B - X') - 8Y^4, Z' = 2YZ.
func doublePoints(groups []group) {
	inTurn(groups,
		func(g group) { g.temp(1).store(sqr(g.k, g.x, 3)) },
		func(g group) { g.temp(0).store(sqr(g.k, g.y, 1)) },
		func(g group) { g.temp(2).store(mul(g.k, g.x, g.temp(0), 1, nil)) },
		func(g group) { g.temp(4).store(sqr(g.k, g.temp(0), 1)) },
		func(g group) {
			g.x.store(sqrAdd(g.k, g.temp(1), func(i int) reg.VecVirtual { return minusLimb(large, g.temp(2), 3, i) }))
		},
		func(g group) { g.temp(3).store(difference(g.k, g.temp(2), 2, g.x, double)) },
		func(g group) { g.z.store(mul(g.k, g.y, g.z, 2, nil)) },
		func(g group) {
			g.y.store(mul(g.k, g.temp(1), g.temp(3), 1, minus(large, g.temp(4), 3)))
		},
	)
}

// addPoints adds to each point the one in temp 0 (its x negated) and 1 (its y), which
// is affine, and negates the sum: with
// H = X - xZ^2, R = Y - (-y)Z^3, V = XH^2:
// X' = R^2 + H^3 - 2V, Y' = R(X' - V) + YH^3, Z' = ZH.
// If the points are equal or opposite, or the first is infinity, Z' is zero, and stays
// so.
func addPoints(groups []group, relative bool) {
	z := func(g group) slot { return g.z }
	if relative {
		z = func(g group) slot { return g.temp(2) }
		inTurn(groups, func(g group) { g.temp(2).store(mul(g.k, g.z, g.common, 1, nil)) })
	}
	inTurn(groups,
		func(g group) { g.temp(3).store(sqr(g.k, z(g), 1)) },
		func(g group) { g.temp(4).store(mul(g.k, g.temp(3), z(g), 1, nil)) },
		func(g group) {
			addend := g.x.load()
			g.temp(5).store(mul(g.k, g.temp(0), g.temp(3), 1, &addend)) // H
		},
		func(g group) {
			addend := g.y.load()
			g.temp(6).store(mul(g.k, g.temp(1), g.temp(4), 1, &addend)) // R
		},
		func(g group) { g.temp(7).store(sqr(g.k, g.temp(5), 1)) },
		func(g group) { g.temp(8).store(mul(g.k, g.x, g.temp(7), 1, nil)) },       // V
		func(g group) { g.temp(9).store(mul(g.k, g.temp(5), g.temp(7), 1, nil)) }, // H^3
		func(g group) {
			g.x.store(sqrAdd(g.k, g.temp(6), func(i int) reg.VecVirtual {
				e := minusLimb(large, g.temp(8), 1, i)
				vpaddq(g.temp(9).limb(i), e, e)
				return e
			}))
		},
		func(g group) { g.temp(3).store(difference(g.k, g.x, 0, g.temp(8), double)) },
		func(g group) { g.z.store(mul(g.k, g.z, g.temp(5), 1, nil)) },
		func(g group) {
			c := newAccumulators(nil)
			c.multiply(g.temp(6), g.temp(3))
			c.multiply(g.y, g.temp(9))
			g.y.store(c.reduce(g.k, 1))
		},
	)
}

// startTable sets temps 0 and 1 to twice the affine point (x, y), and the first entry
// at q to the point itself, both with the Z coordinate 2y, which becomes z of the entry.
func startTable(groups []group, entry func(group) [3]slot) {
	inTurn(groups,
		func(g group) { g.temp(2).store(sqr(g.k, g.y, 1)) },
		func(g group) { g.temp(3).store(sqr(g.k, g.x, 3)) },
		func(g group) { entry(g)[0].store(mul(g.k, g.x, g.temp(2), 4, nil)) },
		func(g group) { entry(g)[1].store(sqr(g.k, g.temp(2), 8)) },
		func(g group) {
			g.temp(0).store(sqrAdd(g.k, g.temp(3), func(i int) reg.VecVirtual { return minusLimb(large, entry(g)[0], 1, i) }))
		},
		func(g group) { g.temp(4).store(difference(g.k, entry(g)[0], 0, g.temp(0), double)) },
		func(g group) {
			g.temp(1).store(mul(g.k, g.temp(3), g.temp(4), 1, minus(large, entry(g)[1], 0)))
		},
		func(g group) {
			tape.tailBegins()
			e := g.y.load()
			for i := range e {
				vpaddq(e[i], e[i], e[i])
			}
			e.carry(g.k)
			entry(g)[2].store(e)
		},
	)
}

// nextEntry adds temps 0 and 1 to an entry of the same Z (Meloni's addition), and gives
// the sum and them the same new Z, which is the old one times z of the sum.
func nextEntry(groups []group, entry, sum func(group) [3]slot) {
	inTurn(groups,
		func(g group) { sum(g)[2].store(difference(g.k, g.temp(0), 0, entry(g)[0], double)) },
		func(g group) { g.temp(5).store(difference(g.k, g.temp(1), 0, entry(g)[1], double)) },
		func(g group) { g.temp(2).store(sqr(g.k, sum(g)[2], 1)) },
		func(g group) { g.temp(3).store(mul(g.k, g.temp(0), g.temp(2), 1, nil)) },
		func(g group) { g.temp(4).store(mul(g.k, entry(g)[0], g.temp(2), 1, nil)) },
		func(g group) {
			sum(g)[0].store(sqrAdd(g.k, g.temp(5), func(i int) reg.VecVirtual {
				e := minusLimb(large, g.temp(3), 0, i)
				vpsubq(g.temp(4).limb(i), e, e)
				return e
			}))
		},
		func(g group) { g.temp(4).store(difference(g.k, g.temp(3), 0, g.temp(4), double)) },
		func(g group) { g.temp(1).store(mul(g.k, g.temp(1), g.temp(4), 1, nil)) },
		func(g group) { g.temp(4).store(difference(g.k, g.temp(3), 0, sum(g)[0], double)) },
		func(g group) {
			sum(g)[1].store(mul(g.k, g.temp(5), g.temp(4), 1, minus(large, g.temp(1), 0)))
		},
		func(g group) {
			tape.tailBegins()
			g.temp(0).store(g.temp(3).load())
		},
	)
}

// finishEntry brings an entry to the Z that is common (its own times the common
// element of the group), writes its lines, and multiplies the common element by z of
// the entry.
func finishEntry(groups []group, entry func(group) [3]slot, beta slot, lines reg.Register) {
	inTurn(groups,
		func(g group) { g.temp(2).store(sqr(g.k, g.common, 1)) },
		func(g group) { g.temp(3).store(mul(g.k, entry(g)[0], g.temp(2), 1, nil)) },
		func(g group) { g.temp(4).store(mul(g.k, g.common, g.temp(2), 1, nil)) },
		func(g group) { g.temp(5).store(mul(g.k, entry(g)[1], g.temp(4), 1, nil)) },
		func(g group) { g.temp(6).store(mul(g.k, g.temp(3), beta, 1, nil)) },
		func(g group) { g.common.store(mul(g.k, g.common, entry(g)[2], 1, nil)) },
		func(g group) {
			tape.tailBegins()
			at := g.number * tableLines
			y := g.temp(5).load()
			y.fold(g.k)
			packedY := pack(y)
			for i, x := range []slot{g.temp(3), g.temp(6)} {
				e := *minus(double, x, 0)
				e.carry(g.k)
				e.fold(g.k)
				storeLines(pack(e), packedY, lines, at+64*i)
			}
		},
	)
}

// loadPoint puts the lines that the offsets of the step name into temps 0 and 1, y negated
// as they say.
func loadPoint(groups []group, base, step reg.Register) {
	for _, g := range groups {
		x, y := loadLines(g.k, base, step, g.number)
		g.temp(0).store(x)
		negateLanes(g.k, y, Mem{Base: step, Disp: g.number * 8 * 4})
		g.temp(1).store(y)
	}
}
