//go:build amd64 && !purego

package secp256k1

import "math/rand/v2"

// A signature is by the key Q if R = (hash/s) G + (r/s) Q. All of them hold if
//
//	sum a_i R_i - (sum a_i hash_i/s_i) G - sum over the keys (sum a_i r_i/s_i) Q = 0
//
// for coefficients a_i that nobody could foresee. If one does not hold, what it leaves is
// no infinity, and of the coefficients that its a_i could be, given all others, one at
// most makes the sum zero: the group has prime order. There are 2^128 of them, which
// are different modulo the order: a + b lambda for odd a and b of 64 bits with a sign,
// because the lattice of the endomorphism has no vector that short but zero.
//
// The sum is that of sixteen lanes, each with the points of many signatures, which share
// its doublings. As in the ladder a lane whose points meet has Z = 0 at the end, and
// then the equation is said not to hold. A random multiple of G in each lane, which the
// first lane takes back, makes sure that no lane comes to infinity unless it is wanted.
const (
	// mostVerified signatures make one equation.
	mostVerified = 256

	inLockstep = 8 * maxGroups
	mostRows   = mostVerified / inLockstep

	coefficientBits    = 4 // window of the coefficients
	coefficientWindows = 64 / coefficientBits
	coefficientTable   = 1 << (coefficientBits - 1)
)

// equation is the memory of one equation. A row is a point in each lane.
type equation struct {
	work         work
	lanes        [mostVerified]lane
	coefficients [mostVerified]number // modulo the order
	factors      inversion
	generator    number               // the multiple of the generator
	scalars      [mostVerified]number // of the keys

	// Keys have tables as the ladder's R, signatures have half as large ones: two of
	// them take the room of one.
	keyEntries [mostRows][tableSize]points
	sigEntries [mostRows][coefficientTable]points
	z, others  [2 * mostRows]elements // that each table was made with, and the product of all others
	keyLines   [mostRows][maxGroups * tableBytes]byte
	sigLines   [mostRows / 2][maxGroups * tableBytes]byte

	keySteps       [mostRows][pointWindows][2]step
	sigSteps       [mostRows][coefficientWindows][2]step
	generatorSteps [generatorWindows][2]step

	random *rand.ChaCha8
}

// lambda is the endomorphism's factor, in the entered form.
var lambda = order.enter(number{0xdf02967c1b23bd72, 0x122e22ea20816678, 0xa5261c028812645a, 0x5363ad4cc05c30e0})

func newEquation() *equation {
	q := new(equation)
	q.work.beta.fill(&beta)
	q.work.groups = maxGroups
	return q
}

// holds tells whether the equation of the signatures holds. They are at most
// mostVerified; used are the keys of theirs, and place is where each is in used.
func (q *equation) holds(sigs []Signature, keys [][64]byte, of, used, place []int32, random *rand.ChaCha8) bool {
	q.random = random
	for i := range sigs {
		l := &q.lanes[i]
		l.read(&sigs[i])
		if !l.valid {
			return false
		}
	}
	clear(q.scalars[:len(used)])
	q.generator = number{}
	sigRows, keyRows := rowsOf(len(sigs)), rowsOf(len(used))
	for row := range sigRows {
		if !q.addSignatures(row, len(sigs)) {
			return false
		}
	}
	q.combine(len(sigs), of, place)
	for row := range keyRows {
		if !q.addKeys(row, keys, used) {
			return false
		}
	}
	q.setGenerator()
	q.makeLines(keyRows, sigRows)
	q.ladder(keyRows, sigRows)
	return q.isZero()
}

func rowsOf(n int) int { return (n + inLockstep - 1) / inLockstep }

// addSignatures makes the tables of a row of signatures, and their coefficients. It
// returns false if one has no R. Lanes without a signature get the generator.
func (q *equation) addSignatures(row, count int) bool {
	w := &q.work
	first := row * inLockstep
	for i := range inLockstep {
		x := &generator.x
		if first+i < count {
			x = &q.lanes[first+i].r
		}
		w.x[i/8].set(i%8, x)
	}
	w.findRoots()
	w.sqr(&w.y, &w.root, 1)
	for i := range inLockstep {
		g, j := i/8, i%8
		odd := generator.y[0] & 1
		if first+i < count {
			odd = q.lanes[first+i].odd
		}
		if w.y[g].number(j) != w.rhs[g].number(j) {
			return false
		}
		y := w.root[g].number(j)
		if y[0]&1 != odd {
			y = field.negate(y)
		}
		w.y[g].set(j, &y)
		a := q.coefficient(row, i)
		if first+i < count {
			q.coefficients[first+i] = a
		} else {
			q.generator = order.sub(q.generator, a)
		}
	}
	w.makeEntries(q.sigEntries[row][:], &q.z[mostRows+row])
	return true
}

// coefficient draws a coefficient and writes its steps.
func (q *equation) coefficient(row, i int) number {
	e1, e2 := q.random.Uint64(), q.random.Uint64()
	g, j := i/8, i%8
	of := uint32(g*tableBytes + j*2*lineBytes)
	k1, k2 := [3]uint64{e1}, [3]uint64{e2}
	for window := range coefficientWindows {
		pair, at := &q.sigSteps[row][window], uint(window*coefficientBits)
		pair[0][g][j] = of + digit(&k1, at, coefficientBits, entryBytes)
		pair[1][g][j] = (of + lineBytes + digit(&k2, at, coefficientBits, entryBytes)) ^ negated
	}
	a, b := odd64(e1), odd64(e2)
	b = order.mul(&b, &lambda)
	return order.add(a, b)
}

// odd64 is 2e - (2^64 - 1) modulo the order.
func odd64(e uint64) number {
	return order.sub(number{e << 1, e >> 63}, number{^uint64(0)})
}

// combine adds up the multiples of the generator and the keys. The products lack a
// factor of 2^256, which comes in at the end.
func (q *equation) combine(count int, of, place []int32) {
	var sum number
	for from := 0; from < count; from += most {
		n := min(most, count-from)
		for i := range n {
			q.factors.values[i] = q.lanes[from+i].s
		}
		q.factors.invert(&order, n)
		for i := range n {
			l := &q.lanes[from+i]
			a := order.mul(&q.coefficients[from+i], &q.factors.values[i])
			sum = order.add(sum, order.mul(&a, &l.hash))
			scalar := &q.scalars[place[of[from+i]]]
			*scalar = order.add(*scalar, order.mul(&a, &l.r))
		}
	}
	q.generator = order.sub(q.generator, order.enter(sum))
}

// addKeys makes the tables and steps of a row of keys. It returns false if one is not
// on the curve. Lanes without a key get the generator, a random number of times.
func (q *equation) addKeys(row int, keys [][64]byte, used []int32) bool {
	w := &q.work
	first := row * inLockstep
	for i := range inLockstep {
		g, j := i/8, i%8
		x, y, k := generator.x, generator.y, number{}
		if first+i < len(used) {
			key := &keys[used[first+i]]
			x, y = parse((*[32]byte)(key[:32])), parse((*[32]byte)(key[32:]))
			if x != field.reduce(x) || y != field.reduce(y) {
				return false
			}
			k = order.negate(order.enter(q.scalars[first+i]))
		} else {
			k = q.scalar()
			q.generator = order.sub(q.generator, k)
		}
		w.x[g].set(j, &x)
		w.y[g].set(j, &y)
		q.setKeyDigits(row, g, j, &k)
	}
	w.curve(&w.rhs, &w.x)
	w.sqr(&w.root, &w.y, 1)
	for i := range inLockstep {
		if w.rhs[i/8].number(i%8) != w.root[i/8].number(i%8) {
			return false
		}
	}
	w.makeEntries(q.keyEntries[row][:], &q.z[row])
	return true
}

func (q *equation) setKeyDigits(row, g, j int, k *number) {
	k1, k2 := split(k)
	of := uint32(g*tableBytes + j*2*lineBytes)
	for window := range pointWindows {
		pair, at := &q.keySteps[row][window], uint(window*pointBits)
		pair[0][g][j] = of + digit(&k1, at, pointBits, entryBytes)
		pair[1][g][j] = (of + lineBytes + digit(&k2, at, pointBits, entryBytes)) ^ negated
	}
}

// scalar is a random number modulo the order.
func (q *equation) scalar() number {
	return order.reduce(number{q.random.Uint64(), q.random.Uint64(), q.random.Uint64(), q.random.Uint64()})
}

// setGenerator shares the multiple of the generator out to the lanes.
func (q *equation) setGenerator() {
	for i := inLockstep - 1; i >= 0; i-- {
		k := q.generator
		if i > 0 {
			k = q.scalar()
			q.generator = order.sub(q.generator, k)
		}
		g, j := i/8, i%8
		k1, k2 := generatorDigits(k)
		for window := range generatorWindows {
			pair, at := &q.generatorSteps[window], uint(window*generatorBits)
			pair[0][g][j] = digit(&k1, at, generatorBits, lineBytes)
			pair[1][g][j] = (generatorBytes + digit(&k2, at, generatorBits, lineBytes)) ^ negated
		}
	}
}

// makeEntries makes the entries of the points (x, y) and the product of their z.
func (w *work) makeEntries(entries []points, z *elements) {
	for g := range w.groups {
		w.points[g].x, w.points[g].y = w.x[g], w.y[g]
	}
	w.tableStart(&entries[0])
	for i := range len(entries) - 1 {
		w.tableNext(&entries[i])
	}
	for g := range w.groups {
		z[g] = entries[0][g].z
	}
	for i := 1; i < len(entries); i++ {
		for g := range w.groups {
			mul1(&z[g], &z[g], &entries[i][g].z)
		}
	}
}

// makeLines writes the lines of all tables with one Z for each lane, the product of
// the tables' own, so that points of all tables can be added up.
func (q *equation) makeLines(keyRows, sigRows int) {
	w := &q.work
	copy(q.z[keyRows:], q.z[mostRows:mostRows+sigRows])
	rows := keyRows + sigRows
	var product elements
	for g := range w.groups {
		product[g].fill(&number{1})
	}
	for i := range rows {
		q.others[i] = product
		w.mul(&product, &product, &q.z[i])
	}
	for g := range w.groups {
		product[g].fill(&number{1})
	}
	for i := rows - 1; i >= 0; i-- {
		w.mul(&w.common, &q.others[i], &product)
		w.mul(&product, &product, &q.z[i])
		entries, lines := q.keyEntries[min(i, keyRows-1)][:], q.linesOfKeys(min(i, keyRows-1))
		if i >= keyRows {
			entries, lines = q.sigEntries[i-keyRows][:], q.linesOfSigs(i-keyRows)
		}
		for k := len(entries) - 1; k >= 0; k-- {
			tableLines2(w, &entries[k], &w.beta, &lines[k*entryBytes])
		}
	}
	w.common = product
}

func (q *equation) linesOfKeys(row int) []byte { return q.keyLines[row][:] }

func (q *equation) linesOfSigs(row int) []byte {
	return q.sigLines[row/2][row%2*(tableBytes/2):]
}

// ladder computes the sums of the lanes. Additions come in pairs, as in the ladder of
// the recovery.
func (q *equation) ladder(keyRows, sigRows int) {
	w, lines := &q.work, generatorLines()
	behind, begun := 0, false
	double := func() {
		if behind > 0 {
			w.double(behind)
			behind = 0
		}
	}
	for at := halfBits - 1; at >= 0; at-- {
		if at%pointBits == 0 {
			double()
			for row := range keyRows {
				pair, base := &q.keySteps[row][at/pointBits], &q.linesOfKeys(row)[0]
				if begun {
					add2(w, base, &pair[0])
				} else {
					start2(w, base, &pair[0])
					begun = true
				}
				add2(w, base, &pair[1])
			}
		}
		if at%generatorBits == 0 {
			double()
			pair := &q.generatorSteps[at/generatorBits]
			w.addGenerator(&pair[0], lines)
			w.addGenerator(&pair[1], lines)
		}
		if at < 64 && at%coefficientBits == 0 {
			double()
			for row := range sigRows {
				pair, base := &q.sigSteps[row][at/coefficientBits], &q.linesOfSigs(row)[0]
				add2(w, base, &pair[0])
				add2(w, base, &pair[1])
			}
		}
		if begun {
			behind++
		}
	}
}

// isZero tells whether the lanes' sums add up to infinity, and none has met an
// exception.
func (q *equation) isZero() bool {
	w := &q.work
	for g := range w.groups {
		mul1(&w.points[g].z, &w.points[g].z, &w.common[g])
	}
	var sum sumOfLanes
	for i := range inLockstep {
		p := &w.points[i/8]
		l := sumOfLanes{
			field.enter(p.x.number(i % 8)), field.enter(p.y.number(i % 8)), field.enter(p.z.number(i % 8)),
		}
		switch {
		case l.z.isZero():
			return false
		case i == 0:
			sum = l
		case i == inLockstep-1:
			return sum.isOpposite(&l)
		case !sum.add(&l):
			return false
		}
	}
	return false
}

// sumOfLanes is a point in Jacobian coordinates, in the entered form, Z not zero.
type sumOfLanes struct{ x, y, z number }

// relative are the x and y of a and b brought to the same Z.
func (a *sumOfLanes) relative(b *sumOfLanes) (ax, ay, bx, by number) {
	az, bz := field.mul(&a.z, &a.z), field.mul(&b.z, &b.z)
	ax, bx = field.mul(&a.x, &bz), field.mul(&b.x, &az)
	az, bz = field.mul(&az, &a.z), field.mul(&bz, &b.z)
	return ax, field.mul(&a.y, &bz), bx, field.mul(&b.y, &az)
}

// isOpposite tells whether a + b is infinity.
func (a *sumOfLanes) isOpposite(b *sumOfLanes) bool {
	ax, ay, bx, by := a.relative(b)
	return ax == bx && ay == field.negate(by)
}

// add adds b to a, or returns false if they have the same x.
func (a *sumOfLanes) add(b *sumOfLanes) bool {
	ax, ay, bx, by := a.relative(b)
	if ax == bx {
		return false
	}
	h, r := field.sub(bx, ax), field.sub(by, ay)
	h2 := field.mul(&h, &h)
	h3, v := field.mul(&h2, &h), field.mul(&h2, &ax)
	x := field.sub(field.sub(field.mul(&r, &r), h3), field.add(v, v))
	run := field.sub(v, x)
	a.x, a.y = x, field.sub(field.mul(&r, &run), field.mul(&ay, &h3))
	z := field.mul(&a.z, &b.z)
	a.z = field.mul(&z, &h)
	return true
}
