package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// runPlain executes the frame from its present program counter and stack to its end,
// one instruction after another. It returns nil at STOP, RETURN and SELFDESTRUCT, and
// errReverted at REVERT; any other error takes all the gas of the frame.
func (f *frame) runPlain() error {
	err := f.interpret()
	if err != nil && f.m.tracer != nil {
		f.traceFailure(err)
	}
	return err
}

// tracedStep is the instruction at hand as a tracer sees it.
type tracedStep struct {
	gas, cost uint64 // before it; and its own
	op        byte
	told      bool // the tracer has seen it
}

func (f *frame) interpret() error {
	m, table, code, stack := f.m, f.m.table, f.code.bytes, f.stack
	pc, gas, height, traced := f.pc, f.gas, f.height, f.m.tracer != nil
	landed := pc   // of the last jump
	var end uint64 // of the memory that an instruction needs
	for {
		op := code[pc]
		info, extra := &table[op], metered[op]
		static := uint64(info.gas)
		if extra == meteredWhole {
			static = 0
		}
		if traced {
			f.pc, f.height = pc, height
			f.step = tracedStep{gas: gas, cost: static, op: op}
		}
		if height < int(info.pops) {
			return &stackError{height: height, limit: int(info.pops)}
		}
		if limit := stackLimit + int(info.pops) - int(info.pushes); height > limit {
			return &stackError{height: height, limit: limit, overflow: true}
		}
		if gas < static {
			return ErrOutOfGas
		}
		gas -= static
		if extra != unmetered {
			var cost uint64
			var err error
			cost, end, err = f.meter(op, gas, height)
			if err != nil {
				return err
			}
			f.step.cost += cost
			if gas < cost {
				return ErrOutOfGas
			}
			gas -= cost
		}
		if traced {
			f.traceOpcode()
		}
		if extra != unmetered && end > uint64(len(f.mem)) {
			f.grow(end)
		}
		if !info.defined {
			return invalidOpcode(op)
		}
		switch op {
		case opSTOP:
			f.gas = gas
			return nil
		case opADD:
			height--
			y := &stack[height-1]
			y.Add(&stack[height], y)
		case opMUL:
			height--
			y := &stack[height-1]
			y.Mul(&stack[height], y)
		case opSUB:
			height--
			y := &stack[height-1]
			y.Sub(&stack[height], y)
		case opDIV:
			height--
			y := &stack[height-1]
			y.Div(&stack[height], y)
		case opSDIV:
			height--
			y := &stack[height-1]
			y.SDiv(&stack[height], y)
		case opMOD:
			height--
			y := &stack[height-1]
			y.Mod(&stack[height], y)
		case opSMOD:
			height--
			y := &stack[height-1]
			y.SMod(&stack[height], y)
		case opADDMOD:
			height -= 2
			z := &stack[height-1]
			z.AddMod(&stack[height+1], &stack[height], z)
		case opMULMOD:
			height -= 2
			z := &stack[height-1]
			z.MulMod(&stack[height+1], &stack[height], z)
		case opEXP:
			height--
			y := &stack[height-1]
			y.Exp(&stack[height], y)
		case opSIGNEXTEND:
			height--
			y := &stack[height-1]
			y.ExtendSign(y, &stack[height])
		case opLT:
			height--
			setBool(&stack[height-1], stack[height].Lt(&stack[height-1]))
		case opGT:
			height--
			setBool(&stack[height-1], stack[height].Gt(&stack[height-1]))
		case opSLT:
			height--
			setBool(&stack[height-1], stack[height].Slt(&stack[height-1]))
		case opSGT:
			height--
			setBool(&stack[height-1], stack[height].Sgt(&stack[height-1]))
		case opEQ:
			height--
			setBool(&stack[height-1], stack[height].Eq(&stack[height-1]))
		case opISZERO:
			setBool(&stack[height-1], stack[height-1].IsZero())
		case opAND:
			height--
			y := &stack[height-1]
			y.And(&stack[height], y)
		case opOR:
			height--
			y := &stack[height-1]
			y.Or(&stack[height], y)
		case opXOR:
			height--
			y := &stack[height-1]
			y.Xor(&stack[height], y)
		case opNOT:
			x := &stack[height-1]
			x.Not(x)
		case opBYTE:
			height--
			stack[height-1].Byte(&stack[height])
		case opSHL, opSHR, opSAR:
			height--
			shift(op, &stack[height-1], &stack[height])
		case opCLZ:
			x := &stack[height-1]
			x.SetUint64(256 - uint64(x.BitLen()))

		case opKECCAK256:
			height--
			size := &stack[height-1]
			hash := m.keccak256(f.area(&stack[height], size))
			size.SetBytes32(hash[:])

		case opADDRESS:
			stack[height] = f.words[wordAddress]
			height++
		case opCALLER:
			stack[height] = f.words[wordCaller]
			height++
		case opCALLVALUE:
			stack[height] = f.words[wordCallValue]
			height++
		case opCALLDATASIZE:
			stack[height] = f.words[wordCallDataSize]
			height++
		case opCALLDATALOAD:
			loadPadded(&stack[height-1], f.input)
		case opCALLDATACOPY:
			height -= 3
			copyPadded(f.area(&stack[height+2], &stack[height]), f.input, &stack[height+1])
		case opCODESIZE:
			stack[height].SetUint64(uint64(f.code.size))
			height++
		case opCODECOPY:
			height -= 3
			copyPadded(f.area(&stack[height+2], &stack[height]), code[:f.code.size], &stack[height+1])
		case opRETURNDATASIZE:
			stack[height].SetUint64(uint64(len(f.returned)))
			height++
		case opRETURNDATACOPY:
			height -= 3
			from, size := &stack[height+1], &stack[height]
			var last uint256.Int
			if _, overflow := last.AddOverflow(from, size); overflow || !last.IsUint64() || last[0] > uint64(len(f.returned)) {
				f.height = height
				return errReturnDataBounds
			}
			copy(f.area(&stack[height+2], size), f.returned[from[0]:])

		case opBALANCE:
			f.balance(&stack[height-1], &stack[height-1])
		case opEXTCODESIZE:
			f.extCodeSize(&stack[height-1], &stack[height-1])
		case opEXTCODEHASH:
			f.extCodeHash(&stack[height-1], &stack[height-1])
		case opEXTCODECOPY:
			height -= 4
			copyPadded(f.area(&stack[height+2], &stack[height]), f.extCode(&stack[height+3]), &stack[height+1])
		case opSELFBALANCE:
			f.selfBalance(&stack[height])
			height++
		case opBLOCKHASH:
			f.blockHash(&stack[height-1], &stack[height-1])
		case opBLOBHASH:
			f.blobHash(&stack[height-1], &stack[height-1])
		case opORIGIN, opGASPRICE, opCOINBASE, opTIMESTAMP, opNUMBER, opPREVRANDAO, opGASLIMIT, opCHAINID, opBASEFEE, opBLOBBASEFEE:
			stack[height] = *m.words.of(op)
			height++

		case opPOP:
			height--
		case opMLOAD:
			x := &stack[height-1]
			x.SetBytes32(f.mem[x[0]:])
		case opMSTORE:
			height -= 2
			stack[height].PutUint256(f.mem[stack[height+1][0]:])
		case opMSTORE8:
			height -= 2
			f.mem[stack[height+1][0]] = byte(stack[height][0])
		case opMCOPY:
			height -= 3
			size := &stack[height]
			copy(f.area(&stack[height+2], size), f.area(&stack[height+1], size))
		case opSLOAD:
			f.sload(&stack[height-1], &stack[height-1])
		case opSSTORE:
			height -= 2
			f.sstore(&stack[height+1], &stack[height])
		case opTLOAD:
			f.tload(&stack[height-1], &stack[height-1])
		case opTSTORE:
			if err := f.tstore(&stack[height-1], &stack[height-2]); err != nil {
				return err
			}
			height -= 2
		case opJUMP, opJUMPI:
			target := &stack[height-1]
			height -= int(info.pops)
			if m.cancelled() {
				return ErrCancelled
			}
			if op == opJUMPI && stack[height].IsZero() {
				break
			}
			if !target.IsUint64() || !f.code.canJump(target[0]) {
				f.height = height
				return errInvalidJump
			}
			from := pc + 1
			pc = target[0]
			if f.coldLeft > 0 {
				if f.coldLeft -= int(from - landed); f.coldLeft <= 0 {
					f.pc, f.height, f.gas = pc, height, gas
					m.earnEarly(f.coldGas - gas)
					return errCompiled
				}
				landed = pc
			}
			continue
		case opPC:
			stack[height].SetUint64(pc)
			height++
		case opMSIZE:
			stack[height].SetUint64(uint64(len(f.mem)))
			height++
		case opGAS:
			stack[height].SetUint64(gas)
			height++
		case opJUMPDEST:
		case opPUSH0:
			stack[height].Clear()
			height++
		case opPUSH1:
			pc++
			stack[height] = uint256.Int{uint64(code[pc])}
			height++

		case opCREATE, opCREATE2:
			value, offset, size := &stack[height-1], &stack[height-2], &stack[height-3]
			var salt *uint256.Int
			if op == opCREATE2 {
				salt = &stack[height-4]
			}
			height -= int(info.pops)
			f.gas = gas
			f.create(&stack[height], value, offset, size, salt)
			gas = f.gas
			height++
		case opCALL, opCALLCODE, opDELEGATECALL, opSTATICCALL:
			args := f.callOperands(op, height)
			height -= int(info.pops)
			f.gas = gas
			f.call(&stack[height], &args, f.forwarded)
			gas = f.gas
			height++
		case opRETURN, opREVERT:
			height -= 2
			f.output = f.area(&stack[height+1], &stack[height])
			f.gas, f.height = gas, height
			if op == opREVERT {
				return errReverted
			}
			return nil
		case opSELFDESTRUCT:
			f.gas = gas
			f.selfdestruct(&stack[height-1])
			return nil

		default:
			switch {
			case op >= opPUSH1 && op <= opPUSH32:
				n := uint64(op - opPUSH1 + 1)
				stack[height].SetBytes(code[pc+1 : pc+1+n])
				height++
				pc += n
			case op >= opDUP1 && op <= opDUP16:
				// Word by word: the last write may have been so, and a wider read waits for it.
				x, y := &stack[height-int(op-opDUP1)-1], &stack[height]
				y[0], y[1], y[2], y[3] = x[0], x[1], x[2], x[3]
				height++
			case op >= opSWAP1 && op <= opSWAP16:
				x, y := &stack[height-1], &stack[height-int(op-opSWAP1)-2]
				x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3] = y[0], y[1], y[2], y[3], x[0], x[1], x[2], x[3]
			default: // LOG0 to LOG4
				var topics [4]common.Hash
				n := int(op - opLOG0)
				for i := range n {
					topics[i] = stack[height-3-i].Bytes32()
				}
				if err := f.log(topics[:n], f.area(&stack[height-1], &stack[height-2])); err != nil {
					return err
				}
				height -= n + 2
			}
		}
		pc++
	}
}

// area is a part of the memory that was made before.
func (f *frame) area(offset, size *uint256.Int) []byte {
	if size.IsZero() {
		return nil
	}
	return f.mem[offset[0] : offset[0]+size[0]]
}

// shift is SHL, SHR or SAR of x by n bits (EIP-145).
func shift(op byte, x, n *uint256.Int) {
	switch inside := n.LtUint64(256); {
	case inside && op == opSHL:
		x.Lsh(x, uint(n[0]))
	case inside && op == opSHR:
		x.Rsh(x, uint(n[0]))
	case inside:
		x.SRsh(x, uint(n[0]))
	case op == opSAR && x.Sign() < 0:
		x.SetAllOne()
	default:
		x.Clear()
	}
}

// loadPadded replaces an offset by the 32 bytes of data there; what lies outside is zero.
func loadPadded(x *uint256.Int, data []byte) {
	size := uint64(len(data))
	switch {
	case !x.IsUint64() || x[0] >= size:
		x.Clear()
	case size-x[0] >= 32:
		x.SetBytes32(data[x[0]:])
	default:
		var word [32]byte
		copy(word[:], data[x[0]:])
		x.SetBytes32(word[:])
	}
}

// copyPadded fills dst with data from the offset on, and with zeros behind its end.
func copyPadded(dst, data []byte, offset *uint256.Int) {
	n := 0
	if offset.IsUint64() && offset[0] < uint64(len(data)) {
		n = copy(dst, data[offset[0]:])
	}
	clear(dst[n:])
}

// callOperands are the operands of a call instruction on the stack.
func (f *frame) callOperands(op byte, height int) callArgs {
	s := f.stack[height-int(instructions[op].pops) : height]
	n := len(s)
	a := callArgs{
		op: op, gas: &s[n-1], addr: &s[n-2],
		outSize: &s[0], outOff: &s[1], inSize: &s[2], inOff: &s[3],
	}
	if op == opCALL || op == opCALLCODE {
		a.value = &s[n-3]
	}
	return a
}
