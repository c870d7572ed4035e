//go:build amd64 && !purego

package secp256k1

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/keccak"
)

const (
	// Up to so many signatures share their inversions.
	most = 64
	// One signature alone costs less by libsecp256k1. As the first of the second group of
	// a pair it does not.
	fewest = 2
)

// batch is the memory of one call.
type batch struct {
	work    work
	lanes   [most]lane
	keys    [most / 8]jacobian
	hashes  []common.Hash
	keccak  keccak.Batch
	factors inversion
}

// lane is a signature on its way.
type lane struct {
	r, s, hash number
	odd        uint64 // parity of y
	valid      bool   // else something valid has taken its place
	infinite   bool   // z is zero
}

// jacobian are the negatives of eight public keys, with the product of z and of those
// before it.
type jacobian struct{ x, y, z, product lanes }

var batches = sync.Pool{New: func() any {
	b := new(batch)
	b.work.beta.fill(&beta)
	return b
}}

// recoverLockstep recovers signatures from the first on and returns those that are left.
func recoverLockstep(sigs []Signature, out []Recovered) ([]Signature, []Recovered) {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for len(sigs) >= fewest {
		n := min(len(sigs), most)
		if n%(8*maxGroups) < fewest {
			n -= n % (8 * maxGroups)
		}
		b.recover(sigs[:n], out[:n])
		sigs, out = sigs[n:], out[n:]
	}
	return sigs, out
}

func (b *batch) recover(sigs []Signature, out []Recovered) {
	n := (len(sigs) + 7) &^ 7
	lanes := b.lanes[:n]
	for i := range lanes {
		lanes[i].read(&sigs[min(i, len(sigs)-1)])
		b.factors.values[i] = lanes[i].r
	}
	b.factors.invert(&order, n)
	for at, end := 0, 0; at < n; at = end {
		end = min(at+8*maxGroups, n)
		b.work.recover(lanes[at:end], b.factors.values[at:end])
		for i := at; i < end; i += 8 {
			points, k := &b.work.points[(i-at)/8], &b.keys[i/8]
			k.x, k.y = points.x, points.y
			mul1(&k.z, &points.z, &b.work.common[(i-at)/8])
		}
	}
	b.normalize(b.keys[:n/8])
	b.write(sigs, out)
}

// normalize divides x and y of the keys by the powers of z.
func (b *batch) normalize(keys []jacobian) {
	keys[0].product = keys[0].z
	for i := 1; i < len(keys); i++ {
		mul1(&keys[i].product, &keys[i-1].product, &keys[i].z)
	}
	last := len(keys) - 1
	for j := range 8 {
		if b.factors.values[j] = keys[last].product.number(j); b.factors.values[j].isZero() {
			b.replaceZeros(keys)
			b.normalize(keys)
			return
		}
	}
	b.factors.invert(&field, 8)
	var inverse, one, power lanes
	for j := range 8 {
		plain := field.leave(b.factors.values[j])
		inverse.set(j, &plain)
	}
	for i := last; i >= 0; i-- {
		k := &keys[i]
		one = inverse
		if i > 0 {
			mul1(&one, &inverse, &keys[i-1].product)
			mul1(&inverse, &inverse, &k.z)
		}
		mul1(&power, &one, &one)
		mul1(&k.x, &k.x, &power)
		mul1(&power, &power, &one)
		mul1(&k.y, &k.y, &power)
	}
}

// replaceZeros makes one of every z that is zero, and remembers where.
func (b *batch) replaceZeros(keys []jacobian) {
	for i := range 8 * len(keys) {
		if z := keys[i/8].z.number(i % 8); z.isZero() {
			keys[i/8].z.set(i%8, &number{1})
			b.lanes[i].infinite = true
		}
	}
}

// read takes a signature, or if no key can have made it, one that some key has.
func (l *lane) read(sig *Signature) {
	l.r, l.s, l.hash = parse(&sig.R), parse(&sig.S), order.reduce(parse(&sig.Hash))
	l.odd, l.infinite = uint64(sig.V), false
	_, smallR := l.r.minus(&order.m)
	_, smallS := l.s.minus(&order.m)
	l.valid = sig.V <= 1 && smallR&smallS != 0 && !l.r.isZero() && !l.s.isZero()
	if !l.valid {
		l.r, l.s, l.odd = generator.x, number{1}, 0
	}
}

// recover sets the points of the work space to the keys' negatives, relative to the common
// Z, for 8 or 16 lanes. The inverses of their r are in the entered form. A lane becomes
// invalid if its r is no x coordinate.
func (w *work) recover(lanes []lane, inverses []number) {
	w.groups = len(lanes) / 8
	for i := range lanes {
		w.x[i/8].set(i%8, &lanes[i].r)
	}
	w.findRoots()
	w.sqr(&w.y, &w.root, 1)
	for i := range lanes {
		l, g, j := &lanes[i], i/8, i%8
		if w.y[g].number(j) != w.rhs[g].number(j) {
			l.valid = false
		}
		y := w.root[g].number(j)
		if y[0]&1 != l.odd {
			y = field.negate(y)
		}
		w.y[g].set(j, &y)
		u1, u2 := order.mul(&l.hash, &inverses[i]), order.mul(&l.s, &inverses[i])
		u1 = order.negate(u1)
		w.setDigits(g, j, &u1, &u2)
	}
	w.makeTables()
	w.ladder()
}

// write makes the results.
func (b *batch) write(sigs []Signature, out []Recovered) {
	for i := range sigs {
		k, r := &b.keys[i/8], &out[i]
		x, y := k.x.number(i%8), field.negate(k.y.number(i%8))
		x.put(r.PublicKey[:32])
		y.put(r.PublicKey[32:])
		b.keccak.Add(r.PublicKey[:])
	}
	b.hashes = b.keccak.Sum(b.hashes[:0])
	for i := range sigs {
		switch l, r := &b.lanes[i], &out[i]; {
		case !l.valid:
			*r = Recovered{}
		case l.infinite:
			recoverOne(&sigs[i], r)
		default:
			r.Address, r.OK = common.Address(b.hashes[i][12:]), true
		}
	}
}

// inversion inverts many numbers with one inversion (Montgomery's trick).
type inversion struct {
	values, products [most]number
}

// invert replaces the first n values, none of them zero, by their inverses in the entered
// form.
func (v *inversion) invert(m *modulus, n int) {
	product := v.values[0]
	for i := 1; i < n; i++ {
		v.products[i] = product
		product = m.mul(&product, &v.values[i])
	}
	inverse := m.enter(m.invert(product))
	for i := n - 1; i > 0; i-- {
		value := v.values[i]
		v.values[i] = m.mul(&inverse, &v.products[i])
		inverse = m.mul(&inverse, &value)
	}
	v.values[0] = inverse
}
