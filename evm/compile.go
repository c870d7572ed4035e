package evm

import (
	"math"
	"unsafe"

	"github.com/holiman/uint256"
)

const (
	// maxTrace bounds the instructions of a block.
	maxTrace = 1_200
	// maxCarried bounds the words that its exits move.
	maxCarried = 4_000
	// spareRegisters is what of the spare slots holds values; the last three are for
	// moves and for what is read after them.
	spareRegisters = stackSpare - 3
	keepFirst      = stackSpare - 3
	keepSecond     = stackSpare - 2
	scratch        = stackSpare - 1
	// traceBudget bounds the steps that a code may have, in multiples of its size,
	// before traces stop to run through JUMPDESTs and jumps.
	traceBudget = 4

	// nearConstants is how many of the last constants are looked through for an equal.
	nearConstants = 16

	lowestPosition = -stackLimit
)

// value is one word of the stack during compilation.
type value struct {
	at place
	id int32 // number of the result, in order; -1 for what no step made
}

// fate is what becomes of a result.
type fate struct {
	at   place // where it stands on the stack at the end, noPlace if nowhere
	used bool  // something reads it
}

// compiler translates one trace. It is used twice for each block: the first pass finds
// where results end up, so that the second can make them there.
type compiler struct {
	code  *code
	entry uint64
	tight bool // end at JUMPDESTs and jumps

	steps  []step
	consts []uint256.Int

	stack  []value // stack[0] is at position low
	low    int     // lowest position that the trace has seen, <= 0
	high   int     // greatest height
	height int     // position of the next word to push

	used      [stackLimit + 2*maxTrace]uint16 // by position - lowestPosition: values that live there
	spareUsed [spareRegisters]uint16
	spareFree int // no register below it is free

	results int32
	hints   []fate // by result, from the first pass; nil during it
	found   []fate
	hinted  bool // found is that of a jump back, which counts more than the trace's end

	instructions int // of the trace so far
	carried      int // words that exits move
	looked       int // words and instructions looked at for exits

	writer [2*stackLimit + 2*maxTrace]int32 // by position - lowestPosition: see emitMoves

	gas      uint64 // of the open segment
	gasOwner int    // branch that the segment follows, -1 for the entry
	blockGas uint64
	pending  []pendingGas
	exits    []sideExit
	visited  []uint64

	continuation uint64
}

// pendingGas is a step that wants to know the gas of its segment that comes after it.
type pendingGas struct {
	step int
	gas  uint64 // of the segment so far, itself included
}

// sideExit is the way out of a taken branch.
type sideExit struct {
	step   int
	way    uint8 // irJump, irJumpCold or irBadJump
	target uint64
	moves  []move
	delta  int
}

type move struct{ to, from place }

// compile translates the trace that begins at pc. The effort is in steps: what it takes
// to make one.
func compile(c *code, pc uint64) (b *block, effort int) {
	first := compiler{code: c, entry: pc, tight: c.overspent()}
	first.translate()
	k := compiler{code: c, entry: pc, tight: first.tight, hints: first.found}
	k.translate()
	c.spent.Add(int64(len(k.steps)))
	codes.grow(c, wordBytes*(len(k.steps)+len(k.consts))) // as large as a word is a step
	for len(k.consts) < 2 {
		k.consts = append(k.consts, uint256.Int{})
	}
	if len(k.steps) > math.MaxUint16 {
		panic("evm: trace too long for its exits") // maxTrace and maxCarried prevent it
	}
	k.emit(step{}) // the next instruction of the last step must be inside, too
	b = &block{
		gas: k.blockGas, need: -k.low * wordBytes, room: k.high * wordBytes, entry: pc,
		continuation: k.continuation, steps: k.steps, pool: k.consts,
	}
	b.first = unsafe.Pointer(&b.steps[0])
	// Constant 0 is not used: the base is set back by one byte and must stay inside.
	b.consts = unsafe.Add(unsafe.Pointer(&b.pool[1]), -baseConst)
	return b, len(k.steps) + k.instructions + k.looked/8
}

func (k *compiler) emit(s step) int {
	k.steps = append(k.steps, s)
	return len(k.steps) - 1
}

// constant returns the value of a constant.
func (k *compiler) constant(v *uint256.Int) value {
	if len(k.consts) == 0 {
		k.consts = append(k.consts, uint256.Int{})
	}
	for i := max(1, len(k.consts)-nearConstants); i < len(k.consts); i++ {
		if k.consts[i] == *v {
			return value{constPlace(i - 1), -1}
		}
	}
	k.consts = append(k.consts, *v)
	return value{constPlace(len(k.consts) - 2), -1}
}

// constantOf returns the constant at a place, or nil.
func (k *compiler) constantOf(p place) *uint256.Int {
	if p&3 != baseConst {
		return nil
	}
	return &k.consts[int(p)/wordBytes+1]
}

// hold counts one more value at the place, drop one less.
func (k *compiler) hold(p place) {
	switch p & 3 {
	case baseStack:
		k.used[int(p)/wordBytes-lowestPosition]++
	case baseSpare:
		k.spareUsed[int(p)/wordBytes]++
	}
}

func (k *compiler) drop(p place) {
	switch p & 3 {
	case baseStack:
		k.used[int(p)/wordBytes-lowestPosition]--
	case baseSpare:
		n := int(p) / wordBytes
		if k.spareUsed[n]--; k.spareUsed[n] == 0 && n < k.spareFree {
			k.spareFree = n
		}
	}
}

// unused reports whether no value is at a place that held a result.
func (k *compiler) unused(p place) bool {
	switch p & 3 {
	case baseStack:
		return k.used[int(p)/wordBytes-lowestPosition] == 0
	case baseSpare:
		return k.spareUsed[int(p)/wordBytes] == 0
	}
	return false
}

// reach makes the n top words known to the trace.
func (k *compiler) reach(n int) {
	missing := n - len(k.stack)
	if missing <= 0 {
		return
	}
	known := make([]value, missing, missing+len(k.stack)+32)
	k.low -= missing
	for i := range known {
		known[i] = value{stackPlace(k.low + i), -1}
		k.hold(known[i].at)
	}
	k.stack = append(known, k.stack...)
}

func (k *compiler) pushValue(v value) {
	k.hold(v.at)
	k.stack = append(k.stack, v)
	k.height++
	k.high = max(k.high, k.height)
}

// pop takes the top word to read it; its place may be given to the next result.
func (k *compiler) pop() place {
	k.reach(1)
	k.use(k.stack[len(k.stack)-1])
	return k.discard()
}

// discard takes the top word away.
func (k *compiler) discard() place {
	k.reach(1)
	v := k.stack[len(k.stack)-1]
	k.stack = k.stack[:len(k.stack)-1]
	k.height--
	k.drop(v.at)
	return v.at
}

func (k *compiler) use(v value) {
	if v.id >= 0 {
		k.found[v.id].used = true
	}
}

// wanted reports whether anything reads the next result.
func (k *compiler) wanted() bool {
	return k.hints == nil || int(k.results) >= len(k.hints) || k.hints[k.results].used
}

// result finds a place for a new word on top of the stack and pushes it.
func (k *compiler) result() place {
	id := k.results
	k.results++
	k.found = append(k.found, fate{at: noPlace})
	p := noPlace
	if int(id) < len(k.hints) && k.hints[id].at != noPlace && k.free(k.hints[id].at) {
		p = k.hints[id].at
	}
	for n := k.spareFree; p == noPlace && n < spareRegisters; n++ {
		if k.spareUsed[n] == 0 {
			p, k.spareFree = sparePlace(n), n+1
		}
	}
	if p == noPlace {
		position := k.height
		for k.used[position-lowestPosition] > 0 {
			position++
		}
		k.high = max(k.high, position+1)
		p = stackPlace(position)
	}
	k.pushValue(value{p, id})
	return p
}

// free reports whether no value of the trace is at a place of the stack.
func (k *compiler) free(p place) bool {
	position := int(p) / wordBytes
	return position >= k.low && k.used[position-lowestPosition] == 0
}

// remember notes where each result stands on the stack, for the second pass.
func (k *compiler) remember() {
	if k.hinted {
		return
	}
	for i, v := range k.stack {
		if v.id >= 0 {
			k.found[v.id].at = stackPlace(k.low + i)
		}
	}
}

// moves lists what brings the stack to where it belongs; what lies below it was never
// touched.
func (k *compiler) moves() []move {
	var list []move
	k.looked += len(k.stack)
	for i, v := range k.stack {
		k.use(v)
		if to := stackPlace(k.low + i); v.at != to {
			list = append(list, move{to, v.at})
		}
	}
	return list
}

// emitMoves makes the moves as if all at once. It takes time in proportion to them.
func (k *compiler) emitMoves(list []move) {
	k.looked += 4 * len(list)
	open := step{op: irMove, d: noPlace} // a single move, to be paired
	flush := func() {
		if open.d != noPlace {
			k.emit(open)
			open = step{op: irMove, d: noPlace}
		}
	}
	put := func(to, from place) {
		if open.d == noPlace {
			open.d, open.a = to, from
			return
		}
		open.op, open.c, open.b = irMove2, to, from
		flush()
	}

	for i, m := range list {
		*k.writerOf(m.to) = int32(i + 1)
	}
	// A move may be made when no other has yet to read what it writes.
	readers := make([]int32, len(list))
	for _, m := range list {
		if w := k.writerOf(m.from); w != nil && *w > 0 {
			readers[*w-1]++
		}
	}
	ready := make([]int32, 0, len(list))
	for i := range list {
		if readers[i] == 0 {
			ready = append(ready, int32(i))
		}
	}
	made := make([]bool, len(list))
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready, made[i] = ready[:len(ready)-1], true
		put(list[i].to, list[i].from)
		if w := k.writerOf(list[i].from); w != nil && *w > 0 {
			if readers[*w-1]--; readers[*w-1] == 0 {
				ready = append(ready, *w-1)
			}
		}
	}
	// What is left are cycles, of which each place is read once.
	for i, m := range list {
		if made[i] {
			continue
		}
		if next := *k.writerOf(m.from) - 1; list[next].from == m.to {
			flush()
			k.emit(step{op: irSwap, a: m.to, b: m.from})
			made[i], made[next] = true, true
			continue
		}
		put(sparePlace(scratch), m.to)
		for at := int32(i); !made[at]; at = *k.writerOf(list[at].from) - 1 {
			made[at] = true
			from := list[at].from
			if from == m.to {
				put(list[at].to, sparePlace(scratch))
				break
			}
			put(list[at].to, from)
		}
	}
	flush()
	for _, m := range list {
		*k.writerOf(m.to) = 0
	}
}

// writerOf is where emitMoves keeps the number of the move that writes a place of the
// stack, nil for other places, which moves only read.
func (k *compiler) writerOf(p place) *int32 {
	if p&3 != baseStack {
		return nil
	}
	return &k.writer[int(p)/wordBytes-lowestPosition]
}

// moveTo returns the index of the move that writes p, or -1.
func moveTo(list []move, p place) int {
	for i, m := range list {
		if m.to == p {
			return i
		}
	}
	return -1
}

// closeSegment ends the segment: its owner is told the gas of the whole, and steps
// inside it the gas of what comes after them.
func (k *compiler) closeSegment() {
	if k.gasOwner < 0 {
		k.blockGas = k.gas
	} else {
		k.steps[k.gasOwner].c = place(k.gas)
	}
	for _, p := range k.pending {
		k.steps[p.step].imm = k.gas - p.gas
	}
	k.pending, k.gas = k.pending[:0], 0
}

// wantsRest marks a step that needs the gas of the segment's rest in imm.
func (k *compiler) wantsRest(s int) { k.pending = append(k.pending, pendingGas{s, k.gas}) }

// leave ends the block with a jump to a JUMPDEST.
func (k *compiler) leave(target uint64) {
	k.remember()
	k.closeSegment()
	k.emitMoves(k.moves())
	k.emit(step{op: irJump, imm: target, e: int32(k.height * wordBytes)})
}

// leaveTo ends the block with a jump to a word.
func (k *compiler) leaveTo(target place) {
	k.remember()
	k.closeSegment()
	list := k.moves()
	if moveTo(list, target) >= 0 {
		k.emit(step{op: irMove, d: sparePlace(keepFirst), a: target})
		target = sparePlace(keepFirst)
	}
	k.emitMoves(list)
	k.emit(step{op: irJumpTo, a: target, e: int32(k.height * wordBytes)})
}

// leaveNext ends the block at pc, which need not be a JUMPDEST.
func (k *compiler) leaveNext(pc uint64) {
	k.remember()
	k.closeSegment()
	k.emitMoves(k.moves())
	k.continuation = pc
	k.emit(step{op: irNext, e: int32(k.height * wordBytes)})
}

// finish ends the block with a step that leaves the frame.
func (k *compiler) finish(s step) {
	k.closeSegment()
	k.emit(s)
}

// emitExits writes the ways out of branches behind the trace.
func (k *compiler) emitExits() {
	for _, x := range k.exits {
		if x.way == irJump && len(x.moves) == 0 {
			s := &k.steps[x.step]
			s.flag, s.e, s.imm = branchDirect, int32(x.delta), x.target
			continue
		}
		k.steps[x.step].n = uint16(len(k.steps))
		k.emitMoves(x.moves)
		k.emit(step{op: x.way, imm: x.target, e: int32(x.delta)})
	}
}
