package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

const (
	stackLimit = 1024 // words that a program may have on its stack
	stackSpare = 128  // slots past the limit, for the compiled engine's registers
	callDepth  = 1024 // deepest frame; the transaction's own is at 0

	// maxMemory is the largest memory whose gas can be computed in 64 bits; no block
	// has the gas for it.
	maxMemory = 0x1FFFFFFFE0
	// keepMemory bounds the memory that all frames keep from one transaction to the next.
	keepMemory = 8 << 20
	// mostRoom bounds the room that a memory gets beyond what it needs.
	mostRoom = 1 << 20
)

// Indexes of frame.words.
const (
	wordAddress = iota
	wordCaller
	wordCallValue
	wordCallDataSize
)

type stackRegion [stackLimit + stackSpare]uint256.Int

// frame is one execution of a code. A machine keeps one frame for every depth and uses
// it again and again: only setup gives it a meaning.
type frame struct {
	m     *Machine
	code  *code
	words [4]uint256.Int // ADDRESS, CALLER, CALLVALUE, CALLDATASIZE

	gas    uint64       // left
	pc     uint64       // next instruction
	height int          // words on the stack; slot 0 is the bottom
	stack  *stackRegion // never cleared
	depth  int          // 0 is the transaction's
	// coldLeft is how many more bytes of code the plain interpreter goes through before the
	// compiled engine takes over at a jump; at 0 it never does. coldGas was left at first.
	coldLeft int
	coldGas  uint64
	static   bool // changes of state are forbidden

	// mem is the active memory, a multiple of 32 bytes. What lies beyond its length is
	// not zero: grow clears it.
	mem   []byte
	input []byte // calldata
	// returned is RETURNDATA. It lies in the callee's memory, which is not used again
	// before the next call replaces it.
	returned []byte
	// output is the data of RETURN or REVERT. It lies in mem and is good until the
	// frame is used again.
	output []byte

	forwarded uint64      // of the call at hand, in gas
	step      tracedStep  // of the instruction at hand, for a tracer
	result    uint256.Int // of the call at hand, for the compiled engine

	address common.Address // whose storage and balance the code works on
	caller  common.Address
}

// frameAt returns the frame of a depth.
func (m *Machine) frameAt(depth int) *frame {
	for len(m.frames) <= depth {
		m.frames = append(m.frames, &frame{m: m, depth: len(m.frames), stack: new(stackRegion)})
	}
	return m.frames[depth]
}

// setup makes the frame ready to execute c from its beginning.
func (f *frame) setup(c *code, address, caller *common.Address, value *uint256.Int, input []byte, gas uint64, static bool) {
	f.code, f.address, f.caller = c, *address, *caller
	f.words[wordAddress].SetBytes20(address[:])
	f.words[wordCaller].SetBytes20(caller[:])
	f.words[wordCallValue] = *value
	f.words[wordCallDataSize].SetUint64(uint64(len(input)))
	f.input, f.gas, f.static = input, gas, static
	f.pc, f.height = 0, 0
	f.mem, f.returned, f.output = f.mem[:0], nil, nil
}

// span converts an area of memory: its offset, its size and its end. An area of size
// zero ends at zero whatever its offset. Not ok is an area that nobody can pay for.
func span(offset, size *uint256.Int) (off, n, end uint64, ok bool) {
	if size.IsZero() {
		return 0, 0, 0, true
	}
	if !size.IsUint64() || !offset.IsUint64() {
		return 0, 0, 0, false
	}
	off, n = offset[0], size[0]
	if off > maxMemory || n > maxMemory || off+n > maxMemory {
		return 0, 0, 0, false
	}
	return off, n, off + n, true
}

// memoryEnd is span's end with the reason why there is none, as go-ethereum words it.
func memoryEnd(offset, size *uint256.Int) (uint64, error) {
	if size.IsZero() {
		return 0, nil
	}
	if !size.IsUint64() || !offset.IsUint64() {
		return 0, ErrGasOverflow
	}
	end := offset[0] + size[0]
	switch {
	case end < offset[0] || end > ^uint64(31):
		return 0, ErrGasOverflow
	case end > maxMemory:
		return 0, errMemoryTooLarge
	}
	return end, nil
}

// wordCount is the number of words that hold n bytes.
func wordCount(n uint64) uint64 { return (n + 31) / 32 }

// memoryCost is the gas of growing the memory to hold end bytes, which are at most
// maxMemory; 0 if it does.
func (f *frame) memoryCost(end uint64) uint64 {
	if end <= uint64(len(f.mem)) {
		return 0
	}
	before, after := uint64(len(f.mem))/32, wordCount(end)
	return 3*(after-before) + after*after/512 - before*before/512
}

// grow extends the memory to hold end bytes, in whole words, with zeros.
func (f *frame) grow(end uint64) {
	before := len(f.mem)
	if end <= uint64(before) {
		return
	}
	size := int(wordCount(end) * 32)
	if size > cap(f.mem) {
		f.moveMemory(size)
	}
	f.mem = f.mem[:size]
	clear(f.mem[before:])
}

// moveMemory gives the memory room for size bytes and some more.
func (f *frame) moveMemory(size int) {
	room := max(4096, size, min(2*cap(f.mem), size+mostRoom))
	f.m.frameMemory += room - cap(f.mem)
	larger := make([]byte, len(f.mem), room)
	copy(larger, f.mem)
	f.mem = larger
}

// dropMemory gives back what a transaction with much memory left in the frames.
func (m *Machine) dropMemory() {
	for _, f := range m.frames {
		f.mem, f.returned, f.output = nil, nil, nil
	}
	m.frameMemory = 0
}
