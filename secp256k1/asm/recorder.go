package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A recording is the code of one operation before it is written down. The head computes
// a product, with much that can be done at once; the tail reduces it, one thing after
// the other. Written one after the other, tails would fill the processor's window and
// keep the next head out, so each tail is mixed into the head that follows.
type recording struct {
	head, tail    []func()
	reads, writes map[place]bool // of the head, of the tail
}

// place is where a slot is.
type place struct {
	base   reg.Register
	offset int
}

// A recorder takes instructions while an operation is recorded and mixes operations.
type recorder struct {
	current *recording
	inTail  bool
	pending recording // a tail not yet written
}

// tape is what the instruction functions below write to.
var tape recorder

// operation records one and writes it down, but for its tail.
func (r *recorder) operation(body func()) {
	op := &recording{reads: map[place]bool{}, writes: map[place]bool{}}
	r.current, r.inTail = op, false
	body()
	r.current = nil
	for p := range op.reads {
		if r.pending.writes[p] {
			r.flush()
			break
		}
	}
	if len(op.head) == 0 { // nothing to mix
		op.tail = append(r.pending.tail, op.tail...)
		for p := range r.pending.writes {
			op.writes[p] = true
		}
	} else {
		mix(op.head, r.pending.tail)
	}
	r.pending = recording{tail: op.tail, writes: op.writes}
}

// flush writes the tail that is left.
func (r *recorder) flush() {
	mix(nil, r.pending.tail)
	r.pending = recording{}
}

// mix writes both lists, each in its order, evenly.
func mix(a, b []func()) {
	j := 0
	for i, f := range a {
		for ; j*len(a) < i*len(b); j++ {
			b[j]()
		}
		f()
	}
	for ; j < len(b); j++ {
		b[j]()
	}
}

// tailBegins ends the head.
func (r *recorder) tailBegins() { r.inTail = true }

func (r *recorder) read(s slot) {
	if r.current != nil && !r.inTail {
		r.current.reads[place{s.base, s.offset}] = true
	}
}

func (r *recorder) write(s slot) {
	if r.current != nil {
		r.current.writes[place{s.base, s.offset}] = true
	}
}

func (r *recorder) instruction(f func()) {
	switch {
	case r.current == nil:
		f()
	case r.inTail:
		r.current.tail = append(r.current.tail, f)
	default:
		r.current.head = append(r.current.head, f)
	}
}

func vpaddq(ops ...Op)               { tape.instruction(func() { VPADDQ(ops...) }) }
func vpsubq(ops ...Op)               { tape.instruction(func() { VPSUBQ(ops...) }) }
func vpsrlq(ops ...Op)               { tape.instruction(func() { VPSRLQ(ops...) }) }
func vpsllq(ops ...Op)               { tape.instruction(func() { VPSLLQ(ops...) }) }
func vpandq(ops ...Op)               { tape.instruction(func() { VPANDQ(ops...) }) }
func vporq(ops ...Op)                { tape.instruction(func() { VPORQ(ops...) }) }
func vpmadd52luq(ops ...Op)          { tape.instruction(func() { VPMADD52LUQ(ops...) }) }
func vpmadd52huq(ops ...Op)          { tape.instruction(func() { VPMADD52HUQ(ops...) }) }
func vmovdqu64(ops ...Op)            { tape.instruction(func() { VMOVDQU64(ops...) }) }
func vmovdqa64(ops ...Op)            { tape.instruction(func() { VMOVDQA64(ops...) }) }
func vpbroadcastq(ops ...Op)         { tape.instruction(func() { VPBROADCASTQ(ops...) }) }
func vpunpcklqdq(ops ...Op)          { tape.instruction(func() { VPUNPCKLQDQ(ops...) }) }
func vpunpckhqdq(ops ...Op)          { tape.instruction(func() { VPUNPCKHQDQ(ops...) }) }
func vshufi64x2(ops ...Op)           { tape.instruction(func() { VSHUFI64X2(ops...) }) }
func vpandqBroadcast(ops ...Op)      { tape.instruction(func() { VPANDQ_BCST(ops...) }) }
func vpmadd52luqBroadcast(ops ...Op) { tape.instruction(func() { VPMADD52LUQ_BCST(ops...) }) }
func vpmadd52huqBroadcast(ops ...Op) { tape.instruction(func() { VPMADD52HUQ_BCST(ops...) }) }
func movl(from, to Op)               { tape.instruction(func() { MOVL(from, to) }) }
func movq(from, to Op)               { tape.instruction(func() { MOVQ(from, to) }) }
