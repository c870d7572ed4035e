package core

import (
	"math/big"

	"github.com/ethereum/go-ethereum/core/vm"
)

// assembler writes code.
type assembler struct{ code []byte }

func (a *assembler) op(ops ...vm.OpCode) *assembler {
	for _, op := range ops {
		a.code = append(a.code, byte(op))
	}
	return a
}

// push pushes v with the shortest opcode.
func (a *assembler) push(v uint64) *assembler {
	return a.pushBytes(new(big.Int).SetUint64(v).Bytes())
}

func (a *assembler) pushBytes(b []byte) *assembler {
	a.code = append(a.code, byte(vm.PUSH0)+byte(len(b)))
	a.code = append(a.code, b...)
	return a
}

// jump is PUSH2 and op to a place that is known.
func (a *assembler) jump(to int, op vm.OpCode) *assembler {
	return a.pushBytes([]byte{byte(to >> 8), byte(to)}).op(op)
}

// loop runs body n times, unroll times in each turn, on a word that starts as seed and
// that body finds on top of the stack and leaves there; then returns the word.
func loop(n, unroll int, body func(*assembler)) []byte {
	var a assembler
	a.pushBytes(constant(0)).push(uint64(n / unroll))
	start := len(a.code)
	a.op(vm.JUMPDEST, vm.SWAP1)
	for range unroll {
		body(&a)
	}
	a.op(vm.SWAP1).push(1).op(vm.SWAP1, vm.SUB, vm.DUP1)
	a.jump(start, vm.JUMPI).op(vm.POP)
	a.push(0).op(vm.MSTORE).push(32).push(0).op(vm.RETURN)
	return a.code
}
