//go:build amd64 && !purego

package secp256k1

// Up to sixteen signatures are recovered in lockstep: every lane does the same, whatever its
// numbers. The public key is u1 G + u2 R with u1 = -hash/r and u2 = s/r. The multiple of
// R is split by the endomorphism, that of G at bit 130, and the four sums share their
// doublings.
//
// The formula for adding is not complete: where the two points have the same x, or the
// first is infinity, Z becomes zero, and no later step makes it anything else. So a lane
// with Z = 0 at the end, which has such a case behind it or infinity as its result, is
// done again by libsecp256k1; one with any other Z is right.

// findRoots sets root to the square roots of x^3 + 7, where there are any:
// the power (p+1)/4, whose bits are 223 ones, 0, 22 ones, 0000, 11, 00.
func (w *work) findRoots() {
	w.curve(&w.rhs, &w.x)
	a, t := &w.rhs, &w.root
	x2, x3, x22, x44, x88, u := &w.powers[0], &w.powers[1], &w.powers[2], &w.powers[3], &w.powers[4], &w.powers[5]
	w.grow(x2, a, 1, a)
	w.grow(x3, x2, 1, a)
	w.grow(t, x3, 3, x3) // 6
	w.grow(t, t, 3, x3)  // 9
	w.grow(t, t, 2, x2)  // 11
	*u = *t
	w.grow(x22, t, 11, u)
	w.grow(x44, x22, 22, x22)
	w.grow(x88, x44, 44, x44)
	w.grow(t, x88, 88, x88) // 176
	w.grow(t, t, 44, x44)   // 220
	w.grow(t, t, 3, x3)     // 223
	w.grow(t, t, 23, x22)
	w.grow(t, t, 6, x2)
	w.sqr(t, t, 2)
}

// grow sets out, which is not b, to a^(2^n) * b.
func (w *work) grow(out, a *elements, n int, b *elements) {
	w.sqr(out, a, n)
	w.mul(out, out, b)
}

// makeTables writes the lines of the odd multiples of the points (x, y).
func (w *work) makeTables() {
	for g := range w.groups {
		w.points[g].x, w.points[g].y = w.x[g], w.y[g]
	}
	w.tableStart(&w.entries[0])
	for i := range tableSize - 1 {
		w.tableNext(&w.entries[i])
	}
	for g := range w.groups {
		w.common[g].fill(&number{1})
	}
	for i := tableSize - 1; i >= 0; i-- {
		w.tableLines(&w.entries[i], &w.lines[0][i*entryBytes])
	}
}

// A plan is the order of the additions: all windows that begin at a bit, from the highest
// bit on, first those of R.
type plan struct {
	additions []addition
	// The place of each window in the order; that of the other half scalar follows.
	point     [pointWindows]int
	generator [generatorWindows]int
}

// addition are two steps, for both halves of a scalar.
type addition struct {
	doublings int // before it
	generator bool
}

var ladderPlan = newPlan()

func newPlan() (p plan) {
	behind := 0
	for at := halfBits - pointBits; at >= 0; at-- {
		if at%pointBits == 0 {
			p.point[at/pointBits] = 2 * len(p.additions)
			p.additions = append(p.additions, addition{behind, false})
			behind = 0
		}
		if at%generatorBits == 0 {
			p.generator[at/generatorBits] = 2 * len(p.additions)
			p.additions = append(p.additions, addition{behind, true})
			behind = 0
		}
		behind++
	}
	return p
}

// ladder computes the sums of the steps. Each addition negates, which the signs of the
// steps allow for: the points are the negatives of the sums at the end.
func (w *work) ladder() {
	lines := generatorLines()
	for i, a := range ladderPlan.additions {
		first, second := &w.steps[2*i], &w.steps[2*i+1]
		if a.doublings > 0 {
			w.double(a.doublings)
		}
		switch {
		case i == 0:
			w.start(first)
			w.add(second)
		case a.generator:
			w.addGenerator(first, lines)
			w.addGenerator(second, lines)
		default:
			w.add(first)
			w.add(second)
		}
	}
}

// setDigits writes the steps of a lane. Before step s > 0 the sum has been negated s-1
// times, so the point to add must be too; and it is minus its y that is added. Of two
// steps the second negates what its digit does not; the very first adds to nothing, and
// what it takes is not negated either.
func (w *work) setDigits(group, lane int, u1, u2 *number) {
	r1, r2 := split(u2)
	g1, g2 := generatorDigits(*u1)
	of := uint32(group*tableBytes + lane*2*lineBytes)
	for i, at := range ladderPlan.point {
		pair := (*[2]step)(w.steps[at:])
		pair[0][group][lane] = of + digit(&r1, uint(i*pointBits), pointBits, entryBytes)
		pair[1][group][lane] = (of + lineBytes + digit(&r2, uint(i*pointBits), pointBits, entryBytes)) ^ negated
	}
	for i, at := range ladderPlan.generator {
		pair := (*[2]step)(w.steps[at:])
		pair[0][group][lane] = digit(&g1, uint(i*generatorBits), generatorBits, lineBytes)
		pair[1][group][lane] = (generatorBytes + digit(&g2, uint(i*generatorBits), generatorBits, lineBytes)) ^ negated
	}
}
