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
	// Fewer signatures cost less one by one, also as the rest of many.
	fewest = 3
)

// batch is the memory of one call.
type batch struct {
	work    work
	lanes   [most]lane
	hashes  []common.Hash
	keccak  keccak.Batch
	factors inversion
}

// lane is a signature on its way.
type lane struct {
	r, s, hash number
	odd        uint64 // parity of y
	valid      bool   // else something valid has taken its place
	x, y, z    number // of the negative of the public key, Jacobian
}

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
		if n%8 < fewest {
			n -= n % 8
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
	}
	for i := range lanes {
		if b.factors.values[i] = lanes[i].z; lanes[i].z.isZero() {
			b.factors.values[i] = number{1}
		}
	}
	b.factors.invert(&field, n)
	b.keys(sigs, out)
}

// read takes a signature, or if no key can have made it, one that some key has.
func (l *lane) read(sig *Signature) {
	l.r, l.s, l.hash = parse(&sig.R), parse(&sig.S), order.reduce(parse(&sig.Hash))
	l.odd = uint64(sig.V)
	_, smallR := l.r.minus(&order.m)
	_, smallS := l.s.minus(&order.m)
	l.valid = sig.V <= 1 && smallR&smallS != 0 && !l.r.isZero() && !l.s.isZero()
	if !l.valid {
		l.r, l.s, l.odd = generator.x, number{1}, 0
	}
}

// recover sets x, y and z of 8 or 16 lanes. The inverses of their r are in the
// entered form.
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
		l.y = y
	}
	for i := range lanes {
		l := &lanes[i]
		w.y[i/8].set(i%8, &l.y)
		u1, u2 := order.mul(&l.hash, &inverses[i]), order.mul(&l.s, &inverses[i])
		u1 = order.negate(u1)
		w.setDigits(i/8, i%8, &u1, &u2)
	}
	w.makeTables()
	w.ladder()
	for i := range lanes {
		l, g, j := &lanes[i], i/8, i%8
		l.x, l.y, l.z = w.points[g].x.number(j), w.points[g].y.number(j), w.root[g].number(j)
	}
}

// keys writes the results. The inverses of z are in the factors.
func (b *batch) keys(sigs []Signature, out []Recovered) {
	for i := range sigs {
		l, r, inverse := &b.lanes[i], &out[i], &b.factors.values[i]
		*r = Recovered{}
		square := field.mul(inverse, inverse)
		cube := field.mul(&square, inverse)
		x, y := field.mul(&l.x, &square), field.mul(&l.y, &cube)
		y = field.negate(y)
		x.put(r.PublicKey[:32])
		y.put(r.PublicKey[32:])
		b.keccak.Add(r.PublicKey[:])
	}
	b.hashes = b.keccak.Sum(b.hashes[:0])
	for i := range sigs {
		switch l, r := &b.lanes[i], &out[i]; {
		case !l.valid:
			*r = Recovered{}
		case l.z.isZero():
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
	inverse := m.invert(m.enter(product))
	for i := n - 1; i > 0; i-- {
		value := v.values[i]
		v.values[i] = m.mul(&inverse, &v.products[i])
		inverse = m.mul(&inverse, &value)
	}
	v.values[0] = inverse
}
