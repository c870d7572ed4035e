package evm

import (
	"sync/atomic"
	"unsafe"

	"github.com/holiman/uint256"
)

// Compiled code is a set of blocks, each made when execution first comes to its entry.
// A block is a trace: it goes through JUMPDESTs, through jumps to constants and past
// JUMPIs that are not taken, and ends where the next place is not known, or when it is
// long enough. Inside a block there is no stack: every value has a place, and a step
// names the places that it reads and writes, so that PUSH, DUP, SWAP and POP vanish. At
// each way out of the block the values are moved to where the stack has them.

// place says where a word is: the byte offset from one of four bases, whose number
// is in the low two bits.
type place int32

const (
	baseStack = 0 // first free slot of the stack at the block's entry
	baseConst = 1 // constants of the block
	baseSpare = 2 // registers: the slots past the stack's limit
	baseWords = 3 // frame.words

	wordBytes = 32
	noPlace   = place(-1) << 20
)

func stackPlace(position int) place { return place(position * wordBytes) }
func constPlace(n int) place        { return place(n*wordBytes + baseConst) }
func sparePlace(n int) place        { return place(n*wordBytes + baseSpare) }
func wordPlace(n int) place         { return place(n*wordBytes + baseWords) }

// bases are the four base addresses, each set back by its number, so that a place is
// added as it is.
type bases [4]unsafe.Pointer

func (b *bases) at(p place) *uint256.Int {
	return (*uint256.Int)(unsafe.Add(b[p&3], int(p)))
}

// step is one instruction of a block. Its op is the EVM's where it does the same, and
// one of the numbers below otherwise.
type step struct {
	op   uint8
	flag uint8
	n    uint16
	d    place // result
	a    place // operands, the top of the stack first
	b    place
	c    place
	e    int32  // change of the stack's height in bytes, or a fourth operand
	imm  uint64 // gas, program counter or constant, see each op
}

const stepBytes = unsafe.Sizeof(step{})

// Ops of steps that the EVM does not have; they take the numbers of PUSH, DUP and SWAP.
const (
	irMove       = 0x60 + iota // d = a
	irMove2                    // d = a, then c = b
	irSwap                     // a and b change places
	irJump                     // to imm; the height changes by e
	irJumpTo                   // to the word a; the height changes by e
	irNext                     // to the block's continuation; the height changes by e
	irBranch                   // branches: if a != 0
	irBranchZero               // if a == 0
	irBranchLT                 // if a < b, and so on
	irBranchGE
	irBranchGT
	irBranchLE
	irBranchEQ
	irBranchNE
	irBranchSLT
	irBranchSGE
	irBranchSGT
	irBranchSLE
	irBranchTo // to the word b if a != 0, else to the continuation; e as above
	irBadJump
	irJumpCold // to imm, which need not be a JUMPDEST; the height changes by e
	irInvalid  // n is the EVM's op
	irMLoadAt  // d = memory at imm
	irMStoreAt // memory at imm = a
	irAddSmall // d = a + imm
	irSubSmall // d = a - imm
	irShlBy    // d = a << imm
	irShrBy    // d = a >> imm
	irAndMask  // d = a & (2^imm - 1)
	irLessThan // d = a < imm
	irEqSmall  // d = a == imm
)

// branchDirect, in the flag of a branch, goes straight to the block at imm with the
// height changed by e; without it the way out begins at step n of the block. In both
// cases c is the gas of what follows when the branch is not taken.
const branchDirect = 1

// block is a compiled trace. It is immutable but for next.
type block struct {
	first  unsafe.Pointer // *step
	consts unsafe.Pointer
	gas    uint64 // of the first segment
	need   int    // bytes of stack that must be there at entry
	room   int    // bytes of stack that must be free at entry
	entry  uint64 // program counter

	continuation uint64 // program counter of irNext and irBranchTo
	next         atomic.Pointer[block]

	steps []step
	pool  []uint256.Int
}
