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

// ladder computes the sums of the steps. Each addition negates, which the signs of the
// steps allow for: the points are the negatives of the sums at the end.
func (w *work) ladder() {
	lines := generatorLines()
	s, behind := 0, 0
	for at := halfBits - pointBits; at >= 0; at-- {
		if at < halfBits-pointBits {
			behind++
		}
		if at%pointBits != 0 && at%generatorBits != 0 {
			continue
		}
		if behind > 0 {
			w.double(behind)
			behind = 0
		}
		if at%pointBits == 0 {
			for range 2 {
				if s == 0 {
					w.start(&w.steps[s])
				} else {
					w.add(&w.steps[s])
				}
				s++
			}
		}
		if at%generatorBits == 0 {
			for range 2 {
				w.addGenerator(&w.steps[s], lines)
				s++
			}
		}
	}
	for g := range w.groups {
		w.root[g], w.rhs[g] = w.points[g].z, w.common[g]
	}
	w.mul(&w.root, &w.root, &w.rhs)
}

// setDigits writes the steps of a lane.
func (w *work) setDigits(group, lane int, u1, u2 *number) {
	r1, r2 := split(u2)
	g1, g2 := generatorDigits(*u1)
	s := 0
	set := func(e *[3]uint64, at, width uint, stride, offset uint32) {
		index, negative := digit(e, at, width)
		// The point is negated s-1 times before step s, and minus y is what is added.
		flip := uint8(s-1) & 1
		if s == 0 {
			flip = 0
		} else {
			flip ^= 1
		}
		step := &w.steps[s]
		step.offsets[group][lane] = index*stride + offset
		bit := uint8(1) << lane
		step.negate[group] &^= bit
		if negative^flip != 0 {
			step.negate[group] |= bit
		}
		s++
	}
	of := uint32(group)*tableBytes + uint32(lane)*2*lineBytes
	for at := halfBits - pointBits; at >= 0; at-- {
		if at%pointBits == 0 {
			set(&r1, uint(at), pointBits, entryBytes, of)
			set(&r2, uint(at), pointBits, entryBytes, of+lineBytes)
		}
		if at%generatorBits == 0 {
			set(&g1, uint(at), generatorBits, lineBytes, 0)
			set(&g2, uint(at), generatorBits, lineBytes, generatorBytes)
		}
	}
}
