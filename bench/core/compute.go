package core

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
)

// constant is the n-th of a list of odd 256-bit words without a pattern.
func constant(n int) []byte {
	word := crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("constant"), uint64(n)))
	word[0] |= 0x80
	word[31] |= 1
	return word
}

// calleeAddr holds the callee of workloads that call.
var calleeAddr = common.HexToAddress("0x00000000000000000000000000000000000ca11e")

// solidityWorkloads are compiled programs; each is called once with its size.
func (s *suite) solidityWorkloads() []*Workload {
	list := []*Workload{}
	for _, p := range []struct {
		name, contract string
		group          Group
		size           uint64
		want           uint64 // what it returns, where arithmetic tells; 0 elsewhere
	}{
		{"fibonacci loop", "Fibonacci", Compute, 400_000, 0},
		{"fibonacci recursion", "Recursion", Compute, 25, 75_025},
		{"prime sieve", "Sieve", Compute, 60_000, 6_057},
		{"bubble sort", "BubbleSort", Compute, 350, 0},
		{"quicksort", "QuickSort", Compute, 5_000, 0},
		{"matrix product", "Matrix", Compute, 40, 0},
		{"add-rotate-xor", "Mixer", Compute, 40_000, 0},
		{"interest", "Interest", Compute, 50_000, 0},
		{"strings and encoding", "Strings", Compute, 2_000, 0},
		{"calls from Solidity", "Caller", Compute, 30_000, 0},
		{"hash chain in Solidity", "HashChain", Keccak, 60_000, 0},
		{"mapping and array", "Ledger", Storage, 20_000, 0},
	} {
		w := s.single(p.name, p.group, program(p.contract).Runtime, calldata(selector("run(uint256)"), word(p.size)), nil)
		w.Alloc[calleeAddr] = types.Account{Code: program("Callee").Runtime, Nonce: 1}
		if p.want != 0 {
			w.Check = returns(word(p.want))
		}
		list = append(list, w)
	}
	return list
}

const blockContext = "block and call context"

// loopWorkloads are loops of a few opcodes.
func (s *suite) loopWorkloads() []*Workload {
	table := make(map[common.Hash]common.Hash, 64)
	for i := range uint64(64) {
		table[word(i)] = common.BytesToHash(constant(int(i)))
	}
	adder := new(assembler).push(0).op(vm.CALLDATALOAD).pushBytes(constant(9)).
		op(vm.ADD).push(0).op(vm.MSTORE).push(32).push(0).op(vm.RETURN).code

	list := []*Workload{}
	for _, l := range []struct {
		name   string
		group  Group
		turns  int
		unroll int
		body   func(*assembler)
	}{
		{"ADD SUB", Compute, 800_000, 16, func(a *assembler) {
			a.pushBytes(constant(1)).op(vm.ADD).pushBytes(constant(2)).op(vm.SUB)
		}},
		{"MUL", Compute, 800_000, 16, func(a *assembler) { a.pushBytes(constant(1)).op(vm.MUL).push(7).op(vm.ADD) }},
		{"DIV MOD", Compute, 400_000, 8, func(a *assembler) {
			a.op(vm.DUP1).push(96).op(vm.SHR).pushBytes(constant(3)).op(vm.DIV)
			a.op(vm.DUP2).pushBytes(constant(4)[:20]).op(vm.SWAP1, vm.MOD, vm.XOR, vm.XOR)
		}},
		{"SDIV SMOD", Compute, 400_000, 8, func(a *assembler) {
			a.op(vm.DUP1).push(120).op(vm.SAR).pushBytes(constant(5)).op(vm.SDIV)
			a.op(vm.DUP2).pushBytes(constant(6)[:24]).op(vm.SWAP1, vm.SMOD, vm.XOR, vm.XOR)
		}},
		{"ADDMOD MULMOD", Compute, 400_000, 8, func(a *assembler) {
			a.pushBytes(constant(1)).pushBytes(constant(2)).op(vm.DUP3, vm.MULMOD)
			a.pushBytes(constant(3)).op(vm.SWAP1).pushBytes(constant(4)).op(vm.ADDMOD, vm.XOR)
		}},
		{"EXP", Compute, 20_000, 4, func(a *assembler) {
			a.pushBytes(constant(1)[:8]).op(vm.SWAP1, vm.EXP).push(3).op(vm.OR)
		}},
		{"shifts and xor", Compute, 600_000, 8, func(a *assembler) {
			a.op(vm.DUP1).push(13).op(vm.SHL, vm.XOR, vm.DUP1).push(7).op(vm.SHR, vm.XOR, vm.DUP1).push(17).op(vm.SHL, vm.XOR)
		}},
		{"comparisons", Compute, 600_000, 8, func(a *assembler) {
			a.op(vm.DUP1).pushBytes(constant(7)).op(vm.LT, vm.DUP2).pushBytes(constant(8)).op(vm.SGT, vm.ADD, vm.ISZERO)
			a.op(vm.DUP2, vm.DUP2, vm.EQ, vm.XOR, vm.ADD, vm.NOT)
		}},
		{"DUP SWAP POP", Compute, 400_000, 4, func(a *assembler) {
			a.op(vm.DUP1).push(5).op(vm.ADD, vm.DUP2).push(9).op(vm.XOR, vm.SWAP2, vm.DUP3, vm.SWAP1, vm.POP)
			a.op(vm.SWAP1, vm.DUP2, vm.ADD, vm.SWAP2, vm.POP, vm.XOR)
		}},
		{"JUMP", Compute, 400_000, 8, func(a *assembler) {
			a.jump(len(a.code)+5, vm.JUMP).op(vm.INVALID, vm.JUMPDEST, vm.DUP1)
			a.jump(len(a.code)+5, vm.JUMPI).op(vm.INVALID, vm.JUMPDEST).push(1).op(vm.ADD)
		}},
		{"MLOAD MSTORE", Compute, 400_000, 8, func(a *assembler) {
			a.op(vm.DUP1, vm.DUP1).push(0x3fff).op(vm.AND, vm.MSTORE)
			a.op(vm.DUP1).push(0x3fe0).op(vm.AND, vm.MLOAD, vm.ADD).push(33).op(vm.ADD)
		}},
		{"MCOPY 1 KB", Compute, 60_000, 4, func(a *assembler) {
			a.op(vm.DUP1).push(0).op(vm.MSTORE)
			a.push(1024).push(0).push(1024).op(vm.MCOPY).push(1024).op(vm.MLOAD, vm.ADD)
		}},
		{blockContext, Compute, 200_000, 4, func(a *assembler) {
			a.op(vm.CALLER, vm.ADD, vm.TIMESTAMP, vm.XOR, vm.NUMBER, vm.ADD, vm.GAS, vm.POP, vm.CALLVALUE, vm.XOR)
			a.op(vm.BASEFEE, vm.ADD, vm.CALLDATASIZE, vm.XOR, vm.PC, vm.POP, vm.CHAINID, vm.ADD)
		}},
		{"STATICCALL", Compute, 40_000, 4, func(a *assembler) {
			a.push(0).op(vm.MSTORE).push(32).push(0).push(32).push(0).pushBytes(calleeAddr[:]).op(vm.GAS, vm.STATICCALL)
			a.push(0).op(vm.MLOAD, vm.ADD)
		}},
		{"KECCAK256 of 32 bytes", Keccak, 100_000, 4, func(a *assembler) {
			a.push(0).op(vm.MSTORE).push(32).push(0).op(vm.KECCAK256)
		}},
		{"KECCAK256 of 1 KB", Keccak, 15_000, 4, func(a *assembler) {
			a.push(0).op(vm.MSTORE).push(1024).push(0).op(vm.KECCAK256)
		}},
		{"SLOAD warm", Storage, 100_000, 8, func(a *assembler) {
			a.op(vm.DUP1).push(63).op(vm.AND, vm.SLOAD, vm.ADD)
		}},
		{"SSTORE warm", Storage, 100_000, 8, func(a *assembler) {
			a.op(vm.DUP1, vm.DUP1).push(63).op(vm.AND, vm.SSTORE).push(77).op(vm.ADD)
		}},
		{"SLOAD cold", Storage, 8_000, 1, func(a *assembler) {
			a.op(vm.DUP1, vm.SLOAD, vm.ADD).push(1).op(vm.ADD)
		}},
		{"SSTORE new", Storage, 1_000, 1, func(a *assembler) {
			a.op(vm.DUP1, vm.DUP1, vm.SSTORE).push(1).op(vm.ADD)
		}},
		{"TLOAD TSTORE", Storage, 100_000, 8, func(a *assembler) {
			a.op(vm.DUP1, vm.DUP1).push(63).op(vm.AND, vm.TSTORE)
			a.op(vm.DUP1).push(62).op(vm.AND, vm.TLOAD, vm.ADD).push(77).op(vm.ADD)
		}},
		{"LOG2", Storage, 8_000, 4, func(a *assembler) {
			a.op(vm.DUP1).push(5).push(64).push(0).op(vm.LOG2).push(1).op(vm.ADD)
		}},
	} {
		w := s.single(l.name, l.group, loop(l.turns, l.unroll, l.body), nil, table)
		w.Alloc[calleeAddr] = types.Account{Code: adder, Nonce: 1}
		if l.name == blockContext {
			w.Call = nil // the answer depends on the block
		}
		list = append(list, w)
	}
	return list
}
