package evm

import (
	"math/bits"

	"github.com/holiman/uint256"
)

// translate follows the code from the entry to the end of the trace.
func (k *compiler) translate() {
	k.gasOwner = -1
	pc := k.entry
	for n := 0; ; n++ {
		k.instructions = n
		op := k.code.bytes[pc]
		info := &instructions[op]
		if !info.defined {
			k.finish(step{op: irInvalid, n: uint16(op)})
			break
		}
		// A trace that reads below any stack ends, and fails at its entry.
		tooLong := n >= maxTrace || k.carried >= maxCarried || k.height-int(info.pops) < lowestPosition
		if op == opJUMPDEST {
			if n > 0 && (tooLong || k.tight) {
				k.leave(pc)
				break
			}
			k.visited = append(k.visited, pc)
			k.gas += uint64(info.gas)
			pc++
			continue
		}
		if tooLong && n > 0 {
			k.leaveNext(pc)
			break
		}
		k.gas += uint64(info.gas)
		if op >= opPUSH1 && op <= opPUSH32 {
			size := uint64(op - opPUSH1 + 1)
			var v uint256.Int
			v.SetBytes(k.code.bytes[pc+1 : pc+1+size])
			k.pushValue(k.constant(&v))
			pc += 1 + size
			continue
		}
		next, more := k.instruction(op, pc)
		if !more {
			break
		}
		pc = next
	}
	k.emitExits()
}

// instruction translates one instruction other than PUSH and JUMPDEST; it returns
// where the trace goes on, or false at its end.
func (k *compiler) instruction(op byte, pc uint64) (next uint64, more bool) {
	switch {
	case op >= opDUP1 && op <= opDUP16:
		n := int(op - opDUP1 + 1)
		k.reach(n)
		k.pushValue(k.stack[len(k.stack)-n])
		return pc + 1, true
	case op >= opSWAP1 && op <= opSWAP16:
		n := int(op - opSWAP1 + 2)
		k.reach(n)
		i, j := len(k.stack)-1, len(k.stack)-n
		k.stack[i], k.stack[j] = k.stack[j], k.stack[i]
		return pc + 1, true
	}

	switch op {
	case opPOP:
		k.discard()
	case opPUSH0:
		k.pushValue(k.constant(new(uint256.Int)))
	case opPC:
		k.pushValue(k.constant(uint256.NewInt(pc)))
	case opCODESIZE:
		k.pushValue(k.constant(uint256.NewInt(uint64(k.code.size))))
	case opADDRESS:
		k.pushValue(value{wordPlace(wordAddress), -1})
	case opCALLER:
		k.pushValue(value{wordPlace(wordCaller), -1})
	case opCALLVALUE:
		k.pushValue(value{wordPlace(wordCallValue), -1})
	case opCALLDATASIZE:
		k.pushValue(value{wordPlace(wordCallDataSize), -1})

	case opJUMP:
		return k.jump()
	case opJUMPI:
		return k.branch(pc)
	case opSTOP:
		k.finish(step{op: opSTOP})
		return 0, false
	case opRETURN, opREVERT:
		a, b := k.pop(), k.pop()
		k.finish(step{op: op, a: a, b: b})
		return 0, false
	case opSELFDESTRUCT:
		k.finish(step{op: op, a: k.pop()})
		return 0, false

	case opCALL, opCALLCODE, opDELEGATECALL, opSTATICCALL, opCREATE, opCREATE2:
		k.call(op)
	case opLOG0, opLOG0 + 1, opLOG0 + 2, opLOG0 + 3, opLOG4:
		k.logStep(op)
	case opEXTCODECOPY:
		a, b, c := k.pop(), k.pop(), k.pop()
		k.emit(step{op: op, a: a, b: b, c: c, e: int32(k.pop())})
	case opSSTORE:
		a, b := k.pop(), k.pop()
		k.wantsRest(k.emit(step{op: op, a: a, b: b}))
	case opGAS:
		if want := k.wanted(); want {
			k.wantsRest(k.emit(step{op: op, d: k.result()}))
		} else {
			k.result()
		}
	default:
		k.plain(op)
	}
	return pc + 1, true
}

// plain translates an instruction that reads up to three words and writes at most one.
func (k *compiler) plain(op byte) {
	s := step{op: op}
	operands := [3]*place{&s.a, &s.b, &s.c}
	for i := range int(instructions[op].pops) {
		*operands[i] = k.pop()
	}
	if k.fold(&s) || k.simplify(&s) {
		return
	}
	k.specialise(&s)
	if instructions[op].pushes > 0 {
		unwanted := !k.wanted() && withoutEffect(op)
		if s.d = k.result(); unwanted {
			return
		}
	}
	k.emit(s)
}

// withoutEffect reports whether an instruction does nothing but make a word, for a gas
// that does not depend on anything.
func withoutEffect(op byte) bool {
	switch {
	case op == opEXP:
		return false
	case op <= opCLZ, op >= opADDRESS && op != opBALANCE && op <= opCALLDATASIZE, op == opGASPRICE, op == opRETURNDATASIZE:
		return true
	case op >= opCOINBASE && op <= opBLOBBASEFEE, op == opMSIZE, op == opTLOAD:
		return true
	}
	return false
}

// simplify takes back a NOT that another one undoes, and the ISZERO of a truth value that
// another one undoes.
func (k *compiler) simplify(s *step) bool {
	n := len(k.steps)
	if (s.op != opNOT && s.op != opISZERO) || n == 0 || n-1 <= k.gasOwner {
		return false
	}
	last := k.steps[n-1]
	if last.op != s.op || last.d != s.a || !k.unused(s.a) {
		return false
	}
	if s.op == opISZERO {
		if n < 2 || n-2 <= k.gasOwner || k.steps[n-2].d != last.a || !isTruth[k.steps[n-2].op] {
			return false
		}
	}
	k.steps = k.steps[:n-1]
	// The result has a number as in the other pass, whatever that pass could simplify.
	k.results++
	k.found = append(k.found, fate{at: noPlace, used: true})
	k.pushValue(value{last.a, -1})
	return true
}

// isTruth are the steps that make 0 or 1.
var isTruth = [256]bool{
	opLT: true, opGT: true, opSLT: true, opSGT: true, opEQ: true, opISZERO: true, irLessThan: true, irEqSmall: true,
}

// fold computes what depends on constants alone.
func (k *compiler) fold(s *step) bool {
	var v uint256.Int
	switch s.op {
	case opNOT, opISZERO:
		a := k.constantOf(s.a)
		if a == nil {
			return false
		}
		if s.op == opNOT {
			v.Not(a)
		} else {
			setBool(&v, a.IsZero())
		}
	case opADD, opSUB, opMUL, opDIV, opAND, opOR, opXOR, opEQ, opLT, opGT, opSHL, opSHR:
		a, b := k.constantOf(s.a), k.constantOf(s.b)
		if a == nil || b == nil {
			return false
		}
		foldBinary(s.op, &v, a, b)
	default:
		return false
	}
	k.pushValue(k.constant(&v))
	return true
}

func foldBinary(op uint8, v, a, b *uint256.Int) {
	switch op {
	case opADD:
		v.Add(a, b)
	case opSUB:
		v.Sub(a, b)
	case opMUL:
		v.Mul(a, b)
	case opDIV:
		v.Div(a, b)
	case opAND:
		v.And(a, b)
	case opOR:
		v.Or(a, b)
	case opXOR:
		v.Xor(a, b)
	case opEQ:
		setBool(v, a.Eq(b))
	case opLT:
		setBool(v, a.Lt(b))
	case opGT:
		setBool(v, a.Gt(b))
	case opSHL:
		if a.LtUint64(256) {
			shiftLeft(v, b, a[0])
		}
	case opSHR:
		if a.LtUint64(256) {
			shiftRight(v, b, a[0])
		}
	}
}

// specialise takes the form with a constant inside the step where there is one.
func (k *compiler) specialise(s *step) {
	a, b := k.constantOf(s.a), k.constantOf(s.b)
	small := func(v *uint256.Int, limit uint64) bool { return v != nil && v.IsUint64() && v[0] <= limit }
	const any64 = ^uint64(0)
	switch s.op {
	case opADD:
		k.commute(s, irAddSmall, a, b)
	case opEQ:
		k.commute(s, irEqSmall, a, b)
	case opSUB:
		if small(b, any64) {
			s.op, s.imm = irSubSmall, b[0]
		}
	case opLT:
		if small(b, any64) {
			s.op, s.imm = irLessThan, b[0]
		}
	case opGT:
		if small(a, any64) { // a > b is b < a
			s.op, s.a, s.imm = irLessThan, s.b, a[0]
		}
	case opSHL:
		if small(a, 255) {
			s.op, s.a, s.imm = irShlBy, s.b, a[0]
		}
	case opSHR:
		if small(a, 255) {
			s.op, s.a, s.imm = irShrBy, s.b, a[0]
		}
	case opAND:
		if n, ok := maskWidth(a); ok {
			s.op, s.a, s.imm = irAndMask, s.b, n
		} else if n, ok := maskWidth(b); ok {
			s.op, s.imm = irAndMask, n
		}
	case opMLOAD:
		if small(a, 1<<32) {
			s.op, s.imm = irMLoadAt, a[0]
		}
	case opMSTORE:
		if small(a, 1<<32) {
			s.op, s.a, s.imm = irMStoreAt, s.b, a[0]
		}
	}
}

// commute takes the form with a constant for either operand.
func (k *compiler) commute(s *step, op uint8, a, b *uint256.Int) {
	switch {
	case a != nil && a.IsUint64():
		s.op, s.a, s.imm = op, s.b, a[0]
	case b != nil && b.IsUint64():
		s.op, s.imm = op, b[0]
	}
}

// maskWidth returns n of 2^n - 1.
func maskWidth(v *uint256.Int) (uint64, bool) {
	if v == nil || v.IsZero() {
		return 0, false
	}
	ones := 0
	for _, limb := range v {
		ones += bits.OnesCount64(limb)
	}
	return uint64(ones), ones == v.BitLen()
}

// jump translates JUMP; a jump to a constant that the trace has not been at goes on.
func (k *compiler) jump() (next uint64, more bool) {
	to := k.pop()
	v := k.constantOf(to)
	if v == nil {
		k.leaveTo(to)
		return 0, false
	}
	if !v.IsUint64() || !k.code.canJump(v.Uint64()) {
		k.finish(step{op: irBadJump})
		return 0, false
	}
	target := v.Uint64()
	if !k.mayFollow(target) {
		k.leave(target)
		return 0, false
	}
	return target, true
}

// maxVisits is how often a trace goes through the same JUMPDEST: functions are called
// more than once, and short loops unroll.
const maxVisits = 4

// mayFollow reports whether the trace goes on at a JUMPDEST. A jump to its entry closes
// the loop that it is.
func (k *compiler) mayFollow(target uint64) bool {
	if k.tight || target == k.entry {
		return false
	}
	visits := 0
	for _, v := range k.visited {
		if v == target {
			visits++
		}
	}
	return visits < maxVisits
}

// branch translates JUMPI: the trace goes on where it is not taken, unless that way
// ends in a failure.
func (k *compiler) branch(pc uint64) (next uint64, more bool) {
	to, condition := k.pop(), k.pop()
	v := k.constantOf(to)
	if v == nil {
		k.remember()
		k.closeSegment()
		k.emit(step{op: irMove2, d: sparePlace(keepFirst), a: condition, c: sparePlace(keepSecond), b: to})
		k.emitMoves(k.moves())
		k.continuation = pc + 1
		k.emit(step{op: irBranchTo, a: sparePlace(keepFirst), b: sparePlace(keepSecond), e: int32(k.height * wordBytes)})
		return 0, false
	}
	s := k.condition(condition)
	valid := v.IsUint64() && k.code.canJump(v.Uint64())
	exit := sideExit{delta: k.height * wordBytes, way: irJump, target: v.Uint64()}
	next = pc + 1
	switch {
	case !valid:
		exit.way = irBadJump
	case k.mayFollow(exit.target) && k.fails(next):
		s.op = opposite(s.op)
		exit.way, exit.target, next = irJumpCold, next, exit.target
	case exit.target <= pc:
		k.remember()
		k.hinted = true
	}
	if valid {
		exit.moves = k.moves()
		k.carried += len(exit.moves)
	}
	k.closeSegment()
	k.gasOwner = k.emit(s)
	exit.step = k.gasOwner
	k.exits = append(k.exits, exit)
	return next, true
}

// opposite is the branch that is taken when the other is not; they stand in pairs.
func opposite(branch uint8) uint8 { return irBranch + (branch - irBranch) ^ 1 }

// branchOn are the branches that compare by themselves: if the comparison holds, and
// if it does not.
var branchOn = [256][2]uint8{
	opLT: {irBranchLT, irBranchGE}, opGT: {irBranchGT, irBranchLE}, opEQ: {irBranchEQ, irBranchNE},
	opSLT: {irBranchSLT, irBranchSGE}, opSGT: {irBranchSGT, irBranchSLE},
}

// condition returns the branch for a condition and takes the comparison that made it
// into the branch, if nothing else uses it.
func (k *compiler) condition(at place) step {
	negated := 0
	for {
		last := k.lastComparison(at)
		if last == nil || last.op != opISZERO {
			break
		}
		at, negated = last.a, 1-negated
		k.steps = k.steps[:len(k.steps)-1]
	}
	if last := k.lastComparison(at); last != nil && branchOn[last.op][0] != 0 {
		s := step{op: branchOn[last.op][negated], a: last.a, b: last.b}
		k.steps = k.steps[:len(k.steps)-1]
		return s
	}
	return step{op: irBranch + uint8(negated), a: at}
}

// lastComparison returns the last step if it made the word at a place that nothing
// uses any more.
func (k *compiler) lastComparison(at place) *step {
	n := len(k.steps)
	if n == 0 || n-1 <= k.gasOwner {
		return nil
	}
	s := &k.steps[n-1]
	if (s.op == opISZERO || branchOn[s.op][0] != 0) && s.d == at && k.unused(at) {
		return s
	}
	return nil
}

// call translates what runs other code. Its further operands follow in a step of their own.
func (k *compiler) call(op byte) {
	var p [7]place
	for i := range int(instructions[op].pops) {
		p[i] = k.pop()
	}
	s := k.emit(step{op: op, a: p[0], b: p[1], c: p[2], e: int32(p[3])})
	k.wantsRest(s)
	k.emit(step{a: p[4], b: p[5], c: p[6]})
	k.steps[s].d = k.result()
}

// logStep translates LOG0 to LOG4; topics past the second follow in a step of their own.
func (k *compiler) logStep(op byte) {
	var p [6]place
	for i := range int(instructions[op].pops) {
		p[i] = k.pop()
	}
	k.emit(step{op: op, a: p[0], b: p[1], c: p[2], d: p[3]})
	if op > opLOG0+2 {
		k.emit(step{a: p[4], b: p[5]})
	}
}
