package secp256k1

import (
	cryptorand "crypto/rand"
	"math/rand/v2"
	"slices"
)

// Verifier tells of many signatures together whether they are by the keys that are
// said to have made them, which costs less than to recover the keys. It holds about
// 1.7 MB, made at first use, and is for one goroutine.
type Verifier struct {
	random   *rand.ChaCha8
	equation *equation
	place    []int32                 // of each key among those of one equation
	used     []int32                 // the keys of one equation
	order    []int32                 // the signatures, those of one key behind each other
	some     [mostVerified]Signature // of one equation, in that order
	someOf   [mostVerified]int32
	out      []Recovered
}

// NewVerifier makes a verifier. Its seed is of the system's random numbers.
func NewVerifier() *Verifier {
	var seed [32]byte
	cryptorand.Read(seed[:]) // never fails (it ends the program)
	return newVerifier(seed)
}

func newVerifier(seed [32]byte) *Verifier {
	return &Verifier{random: rand.NewChaCha8(seed)}
}

// Pays tells whether Verify costs at least a tenth less than Recover for so many
// signatures of so many different keys. It never does where there are no vector
// instructions.
func Pays(sigs, keys int) bool {
	if !vectors || keys > sigs {
		return false
	}
	// Microseconds of one equation, as measured.
	const fixed, perSigs, perKeys, recovered = 35, 24, 22, 3.3
	equations := (sigs + mostVerified - 1) / mostVerified
	used := min(keys, mostVerified) // in each, at most
	if equations > 1 {
		used = min(keys/equations+2, mostVerified) // about: an equation cuts off a key at either end
	}
	cost := equations*(fixed+perKeys*((used+15)/16)) + perSigs*((sigs+15)/16)
	return float64(cost) < 0.9*recovered*float64(sigs)
}

// Verify tells whether Recover would find for each signature the key that is named for
// it: keys[of[i]], X and Y of 32 bytes, big-endian, for sigs[i]. Keys should differ from
// each other; equal ones cost time only.
//
// True is wrong with a probability of 2^-128 for each call, whatever the signatures and
// keys are, as long as nobody knows the random numbers. False may be wrong: for points
// that only somebody makes who wants it. It says nothing of any one signature: to know
// more, call Recover.
func (v *Verifier) Verify(sigs []Signature, keys [][64]byte, of []int32) bool {
	if !vectors {
		return v.recoverAll(sigs, keys, of)
	}
	if v.equation == nil {
		v.equation = newEquation()
	}
	for cap(v.place) < len(keys) {
		v.place = make([]int32, 2*len(keys))
	}
	if len(sigs) <= mostVerified {
		return len(sigs) == 0 || v.holds(sigs, keys, of)
	}
	// The fewer keys an equation has, the less it costs.
	v.sort(len(keys), of)
	for order := v.order; len(order) > 0; {
		n := min(len(order), mostVerified)
		for i, at := range order[:n] {
			v.some[i], v.someOf[i] = sigs[at], of[at]
		}
		if !v.holds(v.some[:n], keys, v.someOf[:n]) {
			return false
		}
		order = order[n:]
	}
	return true
}

// holds checks one equation.
func (v *Verifier) holds(sigs []Signature, keys [][64]byte, of []int32) bool {
	v.choose(len(keys), of)
	return v.equation.holds(sigs, keys, of, v.used, v.place, v.random)
}

// sort sets the order: that of the keys, and of the signatures where the key is the same.
func (v *Verifier) sort(keys int, of []int32) {
	next := v.place[:keys] // of each key, where its next signature goes
	clear(next)
	for _, k := range of {
		next[k]++
	}
	sum := int32(0)
	for k, n := range next {
		next[k] = sum
		sum += n
	}
	v.order = slices.Grow(v.order[:0], len(of))[:len(of)]
	for i, k := range of {
		v.order[next[k]] = int32(i)
		next[k]++
	}
}

// choose lists the keys that are named, and sets their places in the list.
func (v *Verifier) choose(keys int, of []int32) {
	v.place, v.used = v.place[:keys], v.used[:0]
	for _, k := range of {
		v.place[k] = -1
	}
	for _, k := range of {
		if v.place[k] < 0 {
			v.place[k] = int32(len(v.used))
			v.used = append(v.used, k)
		}
	}
}

// recoverAll does it with Recover.
func (v *Verifier) recoverAll(sigs []Signature, keys [][64]byte, of []int32) bool {
	if len(v.out) < len(sigs) {
		v.out = make([]Recovered, len(sigs))
	}
	Recover(sigs, v.out)
	for i := range sigs {
		if !v.out[i].OK || v.out[i].PublicKey != keys[of[i]] {
			return false
		}
	}
	return true
}
