package evm

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// load returns the 32 bytes at p as a word.
func load(d *uint256.Int, p unsafe.Pointer) {
	b := (*[32]byte)(p)
	d[3] = binary.BigEndian.Uint64(b[0:8])
	d[2] = binary.BigEndian.Uint64(b[8:16])
	d[1] = binary.BigEndian.Uint64(b[16:24])
	d[0] = binary.BigEndian.Uint64(b[24:32])
}

func store(p unsafe.Pointer, v *uint256.Int) {
	b := (*[32]byte)(p)
	binary.BigEndian.PutUint64(b[0:8], v[3])
	binary.BigEndian.PutUint64(b[8:16], v[2])
	binary.BigEndian.PutUint64(b[16:24], v[1])
	binary.BigEndian.PutUint64(b[24:32], v[0])
}

// expand charges for and makes memory up to end. It reports whether the gas sufficed.
func (f *frame) expand(end uint64) bool {
	cost := f.memoryCost(end)
	if cost > f.gas {
		return false
	}
	f.gas -= cost
	f.grow(end)
	return true
}

// touch makes the memory of a span and returns its offset and size.
func (f *frame) touch(offset, size *uint256.Int) (off, n uint64, ok bool) {
	off, n, end, ok := span(offset, size)
	if !ok || (end > uint64(len(f.mem)) && !f.expand(end)) {
		return 0, 0, false
	}
	return off, n, true
}

// charge takes gas; it reports whether there was enough.
func (f *frame) charge(gas uint64) bool {
	if gas > f.gas {
		return false
	}
	f.gas -= gas
	return true
}

// chargeWords takes gas for each word of n bytes.
func (f *frame) chargeWords(n, each uint64) bool { return f.charge((n + 31) / 32 * each) }

// copyOut is CALLDATACOPY, CODECOPY, EXTCODECOPY: source bytes from an offset that may
// lie behind the end, zeros where there are none.
func (f *frame) copyOut(to, size *uint256.Int, source []byte, from *uint256.Int) bool {
	off, n, ok := f.touch(to, size)
	if !ok || !f.chargeWords(n, 3) {
		return false
	}
	if n == 0 {
		return true
	}
	copyPadded(f.mem[off:off+n], source, from)
	return true
}

// runCompiled executes the frame from f.pc, which is 0 or a JUMPDEST. Gas is taken for whole
// segments ahead; an exceptional halt takes all gas of the frame in any case, so that
// it does not matter how far a segment got that cannot be paid.
func (f *frame) runCompiled() error {
	code := f.code
	table := code.table()
	var (
		b   *block
		to  = f.pc // where a block is missing
		at  bases
		gas = f.gas
		ip  unsafe.Pointer
	)
	bottom := uintptr(unsafe.Pointer(&f.stack[0]))
	at[baseStack] = unsafe.Pointer(&f.stack[f.height])
	at[baseSpare] = unsafe.Add(unsafe.Pointer(&f.stack[stackLimit]), -baseSpare)
	at[baseWords] = unsafe.Add(unsafe.Pointer(&f.words), -baseWords)

	if to != 0 {
		goto missing
	}
	if b = f.compiled(&code.start, 0); b == nil {
		f.cool(gas)
		return errPlain
	}

enter:
	if height := int(uintptr(at[baseStack]) - bottom); gas < b.gas || height < b.need || height+b.room > stackLimit*wordBytes {
		f.gas, f.pc, f.height, f.coldLeft = gas, b.entry, height/wordBytes, 0
		return errPlain // and stays there
	}
	if f.m.cancelled() {
		return ErrCancelled
	}
	gas -= b.gas
	at[baseConst] = b.consts
	ip = b.first

	for {
		s := (*step)(ip)
		ip = unsafe.Add(ip, stepBytes)
		switch s.op {
		case irMove:
			moveWord(at.at(s.d), at.at(s.a))
		case irMove2:
			moveWord(at.at(s.d), at.at(s.a))
			moveWord(at.at(s.c), at.at(s.b))
		case irSwap:
			x, y := at.at(s.a), at.at(s.b)
			x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
			moveWord(x, y)
			y[0], y[1], y[2], y[3] = x0, x1, x2, x3

		case opADD:
			at.at(s.d).Add(at.at(s.a), at.at(s.b))
		case irAddSmall:
			x, d := at.at(s.a), at.at(s.d)
			var c uint64
			d[0], c = bits.Add64(x[0], s.imm, 0)
			d[1], c = bits.Add64(x[1], 0, c)
			d[2], c = bits.Add64(x[2], 0, c)
			d[3], _ = bits.Add64(x[3], 0, c)
		case opSUB:
			at.at(s.d).Sub(at.at(s.a), at.at(s.b))
		case irSubSmall:
			x, d := at.at(s.a), at.at(s.d)
			var c uint64
			d[0], c = bits.Sub64(x[0], s.imm, 0)
			d[1], c = bits.Sub64(x[1], 0, c)
			d[2], c = bits.Sub64(x[2], 0, c)
			d[3], _ = bits.Sub64(x[3], 0, c)
		case opMUL:
			at.at(s.d).Mul(at.at(s.a), at.at(s.b))
		case opDIV:
			at.at(s.d).Div(at.at(s.a), at.at(s.b))
		case opSDIV:
			at.at(s.d).SDiv(at.at(s.a), at.at(s.b))
		case opMOD:
			at.at(s.d).Mod(at.at(s.a), at.at(s.b))
		case opSMOD:
			at.at(s.d).SMod(at.at(s.a), at.at(s.b))
		case opADDMOD:
			at.at(s.d).AddMod(at.at(s.a), at.at(s.b), at.at(s.c))
		case opMULMOD:
			at.at(s.d).MulMod(at.at(s.a), at.at(s.b), at.at(s.c))
		case opEXP:
			x, y := at.at(s.a), at.at(s.b)
			cost := uint64((y.BitLen()+7)/8) * gasExpByte
			if cost > gas {
				return ErrOutOfGas
			}
			gas -= cost
			at.at(s.d).Exp(x, y)
		case opSIGNEXTEND:
			at.at(s.d).ExtendSign(at.at(s.b), at.at(s.a))

		case opLT:
			setBool(at.at(s.d), at.at(s.a).Lt(at.at(s.b)))
		case irLessThan:
			x := at.at(s.a)
			setBool(at.at(s.d), x[0] < s.imm && x[1]|x[2]|x[3] == 0)
		case opGT:
			setBool(at.at(s.d), at.at(s.b).Lt(at.at(s.a)))
		case opSLT:
			setBool(at.at(s.d), at.at(s.a).Slt(at.at(s.b)))
		case opSGT:
			setBool(at.at(s.d), at.at(s.b).Slt(at.at(s.a)))
		case opEQ:
			setBool(at.at(s.d), at.at(s.a).Eq(at.at(s.b)))
		case irEqSmall:
			x := at.at(s.a)
			setBool(at.at(s.d), (x[0]^s.imm)|x[1]|x[2]|x[3] == 0)
		case opISZERO:
			setBool(at.at(s.d), at.at(s.a).IsZero())
		case opAND:
			at.at(s.d).And(at.at(s.a), at.at(s.b))
		case irAndMask:
			maskWord(at.at(s.d), at.at(s.a), s.imm)
		case opOR:
			at.at(s.d).Or(at.at(s.a), at.at(s.b))
		case opXOR:
			at.at(s.d).Xor(at.at(s.a), at.at(s.b))
		case opNOT:
			at.at(s.d).Not(at.at(s.a))
		case opBYTE:
			x, v, d := at.at(s.a), at.at(s.b), at.at(s.d)
			var r uint64
			if x[0] < 32 && x[1]|x[2]|x[3] == 0 {
				n := 31 - x[0]
				r = v[n/8&3] >> (n % 8 * 8) & 0xff
			}
			*d = uint256.Int{r}
		case opSHL:
			n, x, d := at.at(s.a), at.at(s.b), at.at(s.d)
			if n[0] < 256 && n[1]|n[2]|n[3] == 0 {
				shiftLeft(d, x, n[0])
			} else {
				*d = uint256.Int{}
			}
		case irShlBy:
			shiftLeft(at.at(s.d), at.at(s.a), s.imm)
		case opSHR:
			n, x, d := at.at(s.a), at.at(s.b), at.at(s.d)
			if n[0] < 256 && n[1]|n[2]|n[3] == 0 {
				shiftRight(d, x, n[0])
			} else {
				*d = uint256.Int{}
			}
		case irShrBy:
			shiftRight(at.at(s.d), at.at(s.a), s.imm)
		case opSAR:
			n := at.at(s.a)
			by := n[0]
			if by > 255 || n[1]|n[2]|n[3] != 0 {
				by = 255
			}
			shiftSigned(at.at(s.d), at.at(s.b), by)
		case opCLZ:
			x, d := at.at(s.a), at.at(s.d)
			*d = uint256.Int{uint64(256 - x.BitLen())}

		case opKECCAK256:
			f.gas = gas
			off, n, ok := f.touch(at.at(s.a), at.at(s.b))
			if !ok || !f.chargeWords(n, gasKeccakWord) {
				return ErrOutOfGas
			}
			gas = f.gas
			h := f.m.keccak256(f.mem[off : off+n])
			at.at(s.d).SetBytes32(h[:])

		case opBALANCE, opEXTCODESIZE, opEXTCODEHASH:
			cost := f.accountCost(at.at(s.a))
			if cost > gas {
				return ErrOutOfGas
			}
			gas -= cost
			switch s.op {
			case opBALANCE:
				f.balance(at.at(s.d), at.at(s.a))
			case opEXTCODESIZE:
				f.extCodeSize(at.at(s.d), at.at(s.a))
			default:
				f.extCodeHash(at.at(s.d), at.at(s.a))
			}
		case opEXTCODECOPY:
			cost := f.accountCost(at.at(s.a))
			if cost > gas {
				return ErrOutOfGas
			}
			f.gas = gas - cost
			off, n, ok := f.touch(at.at(s.b), at.at(place(s.e)))
			if !ok || !f.chargeWords(n, gasCopyWord) {
				return ErrOutOfGas
			}
			if source := f.extCode(at.at(s.a)); n > 0 {
				copyPadded(f.mem[off:off+n], source, at.at(s.c))
			}
			gas = f.gas
		case opCALLDATALOAD:
			x, d := at.at(s.a), at.at(s.d)
			if x[1]|x[2]|x[3] != 0 || x[0] >= uint64(len(f.input)) {
				*d = uint256.Int{}
			} else if rest := f.input[x[0]:]; len(rest) >= 32 {
				load(d, unsafe.Pointer(&rest[0]))
			} else {
				var padded [32]byte
				copy(padded[:], rest)
				load(d, unsafe.Pointer(&padded[0]))
			}
		case opCALLDATACOPY:
			f.gas = gas
			if !f.copyOut(at.at(s.a), at.at(s.c), f.input, at.at(s.b)) {
				return ErrOutOfGas
			}
			gas = f.gas
		case opCODECOPY:
			f.gas = gas
			if !f.copyOut(at.at(s.a), at.at(s.c), code.bytes[:code.size], at.at(s.b)) {
				return ErrOutOfGas
			}
			gas = f.gas
		case opRETURNDATASIZE:
			*at.at(s.d) = uint256.Int{uint64(len(f.returned))}
		case opRETURNDATACOPY:
			f.gas = gas
			if err := f.copyReturned(at.at(s.a), at.at(s.b), at.at(s.c)); err != nil {
				return err
			}
			gas = f.gas

		case opORIGIN:
			*at.at(s.d) = f.m.words.origin
		case opGASPRICE:
			*at.at(s.d) = f.m.words.gasPrice
		case opCOINBASE:
			*at.at(s.d) = f.m.words.coinbase
		case opTIMESTAMP:
			*at.at(s.d) = f.m.words.timestamp
		case opNUMBER:
			*at.at(s.d) = f.m.words.number
		case opPREVRANDAO:
			*at.at(s.d) = f.m.words.prevRandao
		case opGASLIMIT:
			*at.at(s.d) = f.m.words.gasLimit
		case opCHAINID:
			*at.at(s.d) = f.m.words.chainID
		case opBASEFEE:
			*at.at(s.d) = f.m.words.baseFee
		case opBLOBBASEFEE:
			*at.at(s.d) = f.m.words.blobBaseFee
		case opSELFBALANCE:
			f.selfBalance(at.at(s.d))
		case opBLOCKHASH:
			f.blockHash(at.at(s.d), at.at(s.a))
		case opBLOBHASH:
			f.blobHash(at.at(s.d), at.at(s.a))

		case irMLoadAt:
			end := s.imm + 32
			if end > uint64(len(f.mem)) {
				f.gas = gas
				if !f.expand(end) {
					return ErrOutOfGas
				}
				gas = f.gas
			}
			load(at.at(s.d), unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.mem)), s.imm))
		case opMLOAD:
			x := at.at(s.a)
			off := x[0]
			if x[1]|x[2]|x[3] != 0 || off >= uint64(len(f.mem)) || off+32 > uint64(len(f.mem)) {
				f.gas = gas
				if x[1]|x[2]|x[3] != 0 || off >= maxMemory || !f.expand(off+32) {
					return ErrOutOfGas
				}
				gas = f.gas
			}
			load(at.at(s.d), unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.mem)), off))
		case irMStoreAt:
			end := s.imm + 32
			if end > uint64(len(f.mem)) {
				f.gas = gas
				if !f.expand(end) {
					return ErrOutOfGas
				}
				gas = f.gas
			}
			store(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.mem)), s.imm), at.at(s.a))
		case opMSTORE:
			x := at.at(s.a)
			off := x[0]
			if x[1]|x[2]|x[3] != 0 || off >= uint64(len(f.mem)) || off+32 > uint64(len(f.mem)) {
				f.gas = gas
				if x[1]|x[2]|x[3] != 0 || off >= maxMemory || !f.expand(off+32) {
					return ErrOutOfGas
				}
				gas = f.gas
			}
			store(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.mem)), off), at.at(s.b))
		case opMSTORE8:
			x := at.at(s.a)
			off := x[0]
			if x[1]|x[2]|x[3] != 0 || off >= uint64(len(f.mem)) {
				f.gas = gas
				if x[1]|x[2]|x[3] != 0 || off >= maxMemory || !f.expand(off+1) {
					return ErrOutOfGas
				}
				gas = f.gas
			}
			f.mem[off] = byte(at.at(s.b)[0])
		case opMCOPY:
			f.gas = gas
			if !f.copyWithin(at.at(s.a), at.at(s.b), at.at(s.c)) {
				return ErrOutOfGas
			}
			gas = f.gas
		case opMSIZE:
			*at.at(s.d) = uint256.Int{uint64(len(f.mem))}

		case opSLOAD:
			cost := f.sloadCost(at.at(s.a))
			if cost > gas {
				return ErrOutOfGas
			}
			gas -= cost
			f.sload(at.at(s.d), at.at(s.a))
		case opSSTORE:
			key, v := at.at(s.a), at.at(s.b)
			cost, err := f.sstoreCost(key, v, gas+s.imm)
			if err != nil {
				return err
			}
			if cost > gas {
				return ErrOutOfGas
			}
			gas -= cost
			f.sstore(key, v)
		case opTLOAD:
			f.tload(at.at(s.d), at.at(s.a))
		case opTSTORE:
			if err := f.tstore(at.at(s.a), at.at(s.b)); err != nil {
				return err
			}
		case opGAS:
			*at.at(s.d) = uint256.Int{gas + s.imm}

		case opLOG0, opLOG0 + 1, opLOG0 + 2, opLOG0 + 3, opLOG4:
			f.gas = gas
			n := int(s.op - opLOG0)
			topics := [4]common.Hash{at.at(s.c).Bytes32(), at.at(s.d).Bytes32()}
			if n > 2 {
				more := (*step)(ip)
				ip = unsafe.Add(ip, stepBytes)
				topics[2], topics[3] = at.at(more.a).Bytes32(), at.at(more.b).Bytes32()
			}
			if err := f.logSpan(at.at(s.a), at.at(s.b), topics[:n]); err != nil {
				return err
			}
			gas = f.gas

		case opCALL, opCALLCODE, opDELEGATECALL, opSTATICCALL:
			more := (*step)(ip)
			ip = unsafe.Add(ip, stepBytes)
			args := callArgs{op: s.op, gas: at.at(s.a), addr: at.at(s.b)}
			if s.op == opCALL || s.op == opCALLCODE {
				args.value = at.at(s.c)
				args.inOff, args.inSize = at.at(place(s.e)), at.at(more.a)
				args.outOff, args.outSize = at.at(more.b), at.at(more.c)
			} else {
				args.inOff, args.inSize = at.at(s.c), at.at(place(s.e))
				args.outOff, args.outSize = at.at(more.a), at.at(more.b)
			}
			cost, forwarded, end, err := f.callCost(&args, gas+s.imm)
			if err != nil {
				return err
			}
			if cost > gas+s.imm {
				return ErrOutOfGas
			}
			f.gas = gas + s.imm - cost
			f.grow(end)
			f.call(&f.result, &args, forwarded)
			*at.at(s.d) = f.result
			if f.gas < s.imm {
				return ErrOutOfGas
			}
			gas = f.gas - s.imm
		case opCREATE, opCREATE2:
			ip = unsafe.Add(ip, stepBytes)
			var salt *uint256.Int
			if s.op == opCREATE2 {
				salt = at.at(place(s.e))
			}
			value, offset, size := at.at(s.a), at.at(s.b), at.at(s.c)
			cost, end, err := f.createCost(s.op, offset, size)
			if err != nil {
				return err
			}
			if f.gas = gas + s.imm; !f.charge(cost) {
				return ErrOutOfGas
			}
			f.grow(end)
			f.create(&f.result, value, offset, size, salt)
			*at.at(s.d) = f.result
			if f.gas < s.imm {
				return ErrOutOfGas
			}
			gas = f.gas - s.imm

		case irBranch:
			x := at.at(s.a)
			if x[0]|x[1]|x[2]|x[3] != 0 {
				goto taken
			}
			goto passed
		case irBranchZero:
			x := at.at(s.a)
			if x[0]|x[1]|x[2]|x[3] == 0 {
				goto taken
			}
			goto passed
		case irBranchLT:
			if at.at(s.a).Lt(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchGE:
			if !at.at(s.a).Lt(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchGT:
			if at.at(s.b).Lt(at.at(s.a)) {
				goto taken
			}
			goto passed
		case irBranchLE:
			if !at.at(s.b).Lt(at.at(s.a)) {
				goto taken
			}
			goto passed
		case irBranchEQ:
			if at.at(s.a).Eq(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchNE:
			if !at.at(s.a).Eq(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchSLT:
			if at.at(s.a).Slt(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchSGE:
			if !at.at(s.a).Slt(at.at(s.b)) {
				goto taken
			}
			goto passed
		case irBranchSGT:
			if at.at(s.b).Slt(at.at(s.a)) {
				goto taken
			}
			goto passed
		case irBranchSLE:
			if !at.at(s.b).Slt(at.at(s.a)) {
				goto taken
			}
			goto passed
		case irJump:
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			if b = table.at(s.imm); b == nil {
				to = s.imm
				goto missing
			}
			goto enter
		case irJumpCold:
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			to = s.imm
			if b = f.compiled(code.place(to), to); b == nil {
				goto plain
			}
			goto enter
		case irJumpTo:
			x := at.at(s.a)
			if x[1]|x[2]|x[3] != 0 {
				return errInvalidJump
			}
			to = x[0]
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			if b = table.at(to); b == nil {
				goto missing
			}
			goto enter
		case irNext:
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			goto next
		case irBranchTo:
			x, y := at.at(s.a), at.at(s.b)
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			if x.IsZero() {
				goto next
			}
			if !y.IsUint64() {
				return errInvalidJump
			}
			to = y[0]
			if b = table.at(to); b == nil {
				goto missing
			}
			goto enter

		case opSTOP:
			f.gas, f.output = gas, nil
			return nil
		case opRETURN, opREVERT:
			f.gas = gas
			off, n, ok := f.touch(at.at(s.a), at.at(s.b))
			if !ok {
				return ErrOutOfGas
			}
			f.output = f.mem[off : off+n]
			if s.op == opREVERT {
				return errReverted
			}
			return nil
		case opSELFDESTRUCT:
			cost, err := f.selfdestructCost(at.at(s.a), gas)
			if err != nil {
				return err
			}
			if cost > gas {
				return ErrOutOfGas
			}
			f.gas, f.output = gas-cost, nil
			f.selfdestruct(at.at(s.a))
			return nil
		case irBadJump:
			return errInvalidJump
		default:
			return invalidOpcode(byte(s.n))
		}
		continue

	passed:
		if gas < uint64(s.c) {
			return ErrOutOfGas
		}
		gas -= uint64(s.c)
		continue

	taken:
		if s.flag == branchDirect {
			at[baseStack] = unsafe.Add(at[baseStack], int(s.e))
			if b = table.at(s.imm); b == nil {
				to = s.imm
				goto missing
			}
			goto enter
		}
		ip = unsafe.Add(b.first, uintptr(s.n)*stepBytes)
		continue

	next:
		to = b.continuation
		if b = f.compiled(&b.next, to); b == nil {
			goto plain
		}
		goto enter
	}

missing:
	if !code.canJump(to) {
		return errInvalidJump
	}
	if b = f.compiled(&table[to], to); b != nil {
		goto enter
	}

plain:
	f.gas, f.pc, f.height = gas, to, int(uintptr(at[baseStack])-bottom)/wordBytes
	f.cool(gas)
	return errPlain
}

// moveWord copies limb by limb: words were mostly just written so, and a wider load
// would have to wait until the writes reach the cache.
func moveWord(d, x *uint256.Int) {
	d[0], d[1], d[2], d[3] = x[0], x[1], x[2], x[3]
}

func setBool(d *uint256.Int, v bool) {
	var n uint64
	if v {
		n = 1
	}
	*d = uint256.Int{n}
}
