package evm

// coldSteps bounds how far fails looks.
const coldSteps = 64

// fails reports whether all there is to come at pc is a REVERT or an exceptional halt:
// what compilers put beside a check. It follows jumps to constants; a look that does not
// come to an end finds no failure.
func (k *compiler) fails(pc uint64) bool {
	c := k.code
	k.looked += coldSteps
	var known []int64 // words pushed since pc, -1 for those not known
	pop := func() int64 {
		if len(known) == 0 {
			return -1
		}
		v := known[len(known)-1]
		known = known[:len(known)-1]
		return v
	}
	for range coldSteps {
		op := c.bytes[pc]
		info := &instructions[op]
		switch {
		case !info.defined || op == opREVERT:
			return true
		case op == opJUMP:
			target := pop()
			if target < 0 || !c.canJump(uint64(target)) {
				return false
			}
			pc = uint64(target)
			continue
		case op == opJUMPI || op == opSTOP || op == opRETURN || op >= opLOG0 || op == opSSTORE:
			return false
		case op >= opPUSH0 && op <= opPUSH32:
			v, size := int64(0), uint64(op-opPUSH0)
			for _, b := range c.bytes[pc+1 : pc+1+size] {
				if v >= 1<<32 {
					v = -1
					break
				}
				v = v<<8 | int64(b)
			}
			known = append(known, v)
			pc += 1 + size
			continue
		case op >= opDUP1 && op <= opDUP16:
			v := int64(-1)
			if n := int(op-opDUP1) + 1; n <= len(known) {
				v = known[len(known)-n]
			}
			known = append(known, v)
		case op >= opSWAP1 && op <= opSWAP16:
			n := int(op-opSWAP1) + 2
			for len(known) < n {
				known = append([]int64{-1}, known...)
			}
			i, j := len(known)-1, len(known)-n
			known[i], known[j] = known[j], known[i]
		default:
			for range info.pops {
				pop()
			}
			for range info.pushes {
				known = append(known, -1)
			}
		}
		pc++
	}
	return false
}
