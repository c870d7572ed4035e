package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
)

// word is a number that finds edges: small ones, powers of two and their neighbours,
// all ones, noise.
func (s *source) word() []byte {
	v := new(big.Int)
	switch s.below(8) {
	case 0, 1, 2:
		v.SetUint64(uint64(s.next()))
	case 3, 4:
		v.Lsh(big.NewInt(1), uint(s.next()))
		v.Add(v, big.NewInt(int64(s.below(3)-1)))
	case 5:
		v.Sub(v.Lsh(big.NewInt(1), 256), big.NewInt(int64(s.below(3)+1)))
	case 6:
		b := make([]byte, s.below(32)+1)
		for i := range b {
			b[i] = s.next()
		}
		v.SetBytes(b)
	}
	return v.Bytes()
}

// place is an offset or a size: nearly always one that can be paid.
func (s *source) place() []byte {
	if s.below(24) == 23 {
		return s.word()
	}
	return new(big.Int).SetUint64(s.one(0, 0, 1, 4, 31, 32, 33, 64, 96, 255, 1000, 5000)).Bytes()
}

var (
	binaryOps = []vm.OpCode{vm.ADD, vm.MUL, vm.SUB, vm.DIV, vm.SDIV, vm.MOD, vm.SMOD, vm.EXP, vm.SIGNEXTEND, vm.LT, vm.GT,
		vm.SLT, vm.SGT, vm.EQ, vm.AND, vm.OR, vm.XOR, vm.BYTE, vm.SHL, vm.SHR, vm.SAR}
	unaryOps = []vm.OpCode{vm.ISZERO, vm.NOT, vm.CLZ, vm.CALLDATALOAD, vm.BLOCKHASH, vm.BLOBHASH, vm.MLOAD, vm.SLOAD, vm.TLOAD,
		vm.BALANCE, vm.EXTCODESIZE, vm.EXTCODEHASH}
	pushingOps = []vm.OpCode{vm.ADDRESS, vm.ORIGIN, vm.CALLER, vm.CALLVALUE, vm.CALLDATASIZE, vm.CODESIZE, vm.GASPRICE,
		vm.RETURNDATASIZE, vm.COINBASE, vm.TIMESTAMP, vm.NUMBER, vm.PREVRANDAO, vm.GASLIMIT, vm.CHAINID, vm.SELFBALANCE,
		vm.BASEFEE, vm.BLOBBASEFEE, vm.PC, vm.MSIZE, vm.GAS, vm.PUSH0}
	copyOps = []vm.OpCode{vm.CALLDATACOPY, vm.CODECOPY, vm.MCOPY, vm.RETURNDATACOPY, vm.EXTCODECOPY}
)

func pick[T any](s *source, list []T) T { return list[s.below(len(list))] }

// kinds is how many kinds of statements compute knows.
const kinds = 16

// compute writes a statement of words, memory and jumps.
func (w *world) compute(s *source, p *assembler, depth int) {
	switch s.below(kinds) {
	case 0, 1, 2:
		for range s.below(4) + 1 {
			w.opaque(s, p, s.word())
			w.opaque(s, p, s.word())
			p.op(pick(s, binaryOps))
			w.consume(s, p)
		}
	case 3:
		w.opaque(s, p, s.word())
		w.opaque(s, p, s.word())
		w.opaque(s, p, s.word())
		p.op(pick(s, []vm.OpCode{vm.ADDMOD, vm.MULMOD}))
		w.consume(s, p)
	case 4:
		w.opaque(s, p, s.place())
		p.op(pick(s, unaryOps))
		w.consume(s, p)
	case 5:
		p.op(pick(s, pushingOps))
		w.consume(s, p)
	case 6:
		w.opaque(s, p, s.word())
		w.opaque(s, p, s.place())
		p.op(pick(s, []vm.OpCode{vm.MSTORE, vm.MSTORE8}))
	case 7:
		w.opaque(s, p, s.place())
		w.opaque(s, p, s.place())
		w.opaque(s, p, s.place())
		if op := pick(s, copyOps); op == vm.EXTCODECOPY {
			addr := w.address(s)
			p.pushBytes(addr[:]).op(op)
		} else {
			p.op(op)
		}
	case 8:
		w.opaque(s, p, s.place())
		w.opaque(s, p, s.place())
		p.op(vm.KECCAK256)
		w.consume(s, p)
	case 9:
		w.loop(s, p, depth)
	case 10:
		w.jump(s, p)
	case 11: // what happens depends on the gas
		p.push(s.one(2, 3, 7, 64, 1000)).op(vm.GAS).op(vm.MOD)
		inner := assembler{base: p.base + len(p.code) + 4}
		w.statementAt(s, &inner, depth+1)
		p.skipIf(inner.code)
	case 12:
		n := byte(s.below(16))
		for range s.below(18) {
			p.op(pick(s, pushingOps))
		}
		p.op(pick(s, []vm.OpCode{vm.DUP1, vm.SWAP1}) + vm.OpCode(n))
	case 13: // itself, deeper and deeper
		if s.below(3) == 0 {
			p.push(0).op(vm.DUP1).op(vm.DUP1).op(vm.DUP1)
			op := pick(s, []vm.OpCode{vm.CALL, vm.DELEGATECALL, vm.STATICCALL, vm.CALLCODE})
			if op == vm.CALL || op == vm.CALLCODE {
				p.push(0)
			}
			p.op(vm.ADDRESS).op(vm.GAS).op(op)
			w.consume(s, p)
		}
	case 14:
		w.precompile(s, p)
	default:
		if s.below(6) == 0 { // byte soup
			for range s.below(12) {
				p.op(vm.OpCode(s.next()))
			}
			return
		}
		p.push(uint64(s.next())).op(vm.CALLDATALOAD).push(s.one(0, 1, 2, 3)).op(vm.SSTORE)
	}
}

// opaque pushes a word, half the time in a way that no compiler can know it.
func (w *world) opaque(s *source, p *assembler, word []byte) {
	p.pushBytes(word)
	if s.below(2) == 0 {
		p.op(vm.CALLVALUE).op(vm.XOR)
	}
}

// show ends a program, most often with what it left in memory.
func (w *world) show(s *source, p *assembler) {
	if s.below(5) != 0 {
		p.push(256).push(0).op(pick(s, []vm.OpCode{vm.RETURN, vm.RETURN, vm.RETURN, vm.REVERT}))
	}
}

// consume does something with the word on the top.
func (w *world) consume(s *source, p *assembler) {
	switch s.below(6) {
	case 0: // stays
	case 1:
		p.push(s.one(0, 1, 2)).op(vm.SSTORE)
	case 2:
		p.push(s.one(0, 1)).op(vm.TSTORE)
	case 3, 4:
		p.push(s.one(0, 32, 64, 96, 128, 160, 192, 224, 7)).op(vm.MSTORE)
	default:
		p.op(vm.POP)
	}
}

func (w *world) loop(s *source, p *assembler, depth int) {
	if s.below(20) == 19 { // until the stack is full
		at := p.base + len(p.code)
		p.op(vm.JUMPDEST).op(vm.PC).push2(at).op(vm.JUMP)
		return
	}
	p.push(s.one(1, 2, 3, 10, 40, 200))
	at := p.base + len(p.code)
	p.op(vm.JUMPDEST)
	inner := assembler{base: p.base + len(p.code)}
	for range s.below(3) + 1 {
		if depth < 2 {
			w.compute(s, &inner, depth+1)
		}
	}
	p.code = append(p.code, inner.code...)
	p.push(1).op(vm.SWAP1).op(vm.SUB).op(vm.DUP1).push2(at).op(vm.JUMPI).op(vm.POP)
}

// jump goes forward over some bytes, to a place that is known, computed, or wrong.
func (w *world) jump(s *source, p *assembler) {
	var over assembler
	for range s.below(6) {
		over.op(vm.OpCode(s.next()))
	}
	over.code = append(over.code, make([]byte, 1)...) // STOP
	conditional := s.below(2)
	if conditional == 1 {
		w.opaque(s, p, s.word())
	}
	size := 3 + 1 // PUSH2, JUMP
	computed := s.below(2) == 1
	if computed {
		size += 2 + 1 // PUSH1, ADD
	}
	dest := p.base + len(p.code) + size + len(over.code)
	switch s.below(12) {
	case 10:
		dest -= int(s.below(8))
	case 11:
		dest += 1 << s.below(16)
	}
	if computed {
		delta := s.below(64)
		p.push2(dest - delta).op(vm.PUSH1).op(vm.OpCode(delta)).op(vm.ADD)
	} else {
		p.push2(dest)
	}
	p.op(vm.JUMP + vm.OpCode(conditional))
	p.code = append(p.code, over.code...)
	p.op(vm.JUMPDEST)
}

func (w *world) precompile(s *source, p *assembler) {
	n := s.one(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0x100)
	for i := range s.below(4) {
		w.opaque(s, p, s.word())
		p.push(uint64(32 * i)).op(vm.MSTORE)
	}
	op := pick(s, []vm.OpCode{vm.CALL, vm.STATICCALL, vm.DELEGATECALL, vm.CALLCODE})
	p.push(s.one(0, 32, 64)).push(s.one(0, 64)).push(s.one(0, 32, 96, 128, 160, 192, 213, 256, 384)).push(0)
	if op == vm.CALL || op == vm.CALLCODE {
		p.push(s.one(0, 0, 0, 1))
	}
	p.push(n)
	if s.below(3) == 0 {
		p.push(s.one(0, 15, 100, 3000, 6900, 50_000))
	} else {
		p.op(vm.GAS)
	}
	p.op(op)
	w.consume(s, p)
	p.op(vm.RETURNDATASIZE).push(0).push(0).op(vm.RETURNDATACOPY)
}

// mutate changes a program in a few places, now and then.
func (s *source) mutate(code []byte) []byte {
	if len(code) == 0 || s.below(8) != 7 {
		return code
	}
	for range s.below(4) + 1 {
		at := (s.below(256) | s.below(256)<<8) % len(code)
		switch s.below(3) {
		case 0:
			code[at] = s.next()
		case 1:
			code = append(code[:at], code[at+1:]...)
		default:
			code = code[:at]
		}
		if len(code) == 0 {
			break
		}
	}
	return code
}

// extremes adds what is rare in a state: balances that are the highest or nothing,
// accounts of storage alone. It reports whether there is one of these.
func (w *world) extremes(s *source, alloc types.GenesisAlloc) (orphans bool) {
	if s.below(4) == 0 {
		a := alloc[w.contracts[1]]
		a.Balance = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
		alloc[w.contracts[1]] = a
	}
	if s.below(4) != 0 {
		return false
	}
	// Where the next creations of a sender and of a contract will go.
	slots := map[common.Hash]common.Hash{{31: 1}: {31: 9}}
	for _, addr := range []common.Address{w.senders[0], w.contracts[0], w.contracts[2]} {
		at := createdBy(addr, alloc[addr].Nonce)
		if _, taken := alloc[at]; !taken {
			alloc[at] = types.Account{Balance: big.NewInt(int64(s.below(2)) + 1), Storage: slots}
		}
	}
	return true
}
