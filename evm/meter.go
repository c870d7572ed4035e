package evm

import "github.com/holiman/uint256"

// How an instruction's gas depends on operands and state.
const (
	unmetered    = iota // not at all
	meteredExtra        // a part comes on top of instructions[op].gas
	meteredWhole        // meter gives the whole, as go-ethereum reports it in one
)

var metered = [256]uint8{
	opEXP: meteredWhole, opSLOAD: meteredWhole, opSSTORE: meteredWhole,
	opLOG0: meteredWhole, opLOG0 + 1: meteredWhole, opLOG0 + 2: meteredWhole, opLOG0 + 3: meteredWhole, opLOG4: meteredWhole,

	opKECCAK256: meteredExtra, opBALANCE: meteredExtra, opEXTCODESIZE: meteredExtra, opEXTCODEHASH: meteredExtra,
	opCALLDATACOPY: meteredExtra, opCODECOPY: meteredExtra, opEXTCODECOPY: meteredExtra, opRETURNDATACOPY: meteredExtra,
	opMLOAD: meteredExtra, opMSTORE: meteredExtra, opMSTORE8: meteredExtra, opMCOPY: meteredExtra,
	opCREATE: meteredExtra, opCREATE2: meteredExtra, opRETURN: meteredExtra, opREVERT: meteredExtra, opSELFDESTRUCT: meteredExtra,
	opCALL: meteredExtra, opCALLCODE: meteredExtra, opDELEGATECALL: meteredExtra, opSTATICCALL: meteredExtra,
}

const (
	gasExpByte  = 50 // EIP-160
	gasCopyWord = 3
	gasLogByte  = 8
)

// meter returns the gas of an instruction that depends on operands and state, and the
// end of the memory that it needs; gas is left after the fixed part. For a call it also
// notes what is forwarded.
func (f *frame) meter(op byte, gas uint64, height int) (cost, end uint64, err error) {
	s := f.stack[:height]
	top := &s[height-1]
	switch op {
	case opMLOAD, opMSTORE:
		return f.meterFixed(top, 32)
	case opMSTORE8:
		return f.meterFixed(top, 1)
	case opKECCAK256:
		return f.meterArea(top, &s[height-2], gasKeccakWord)
	case opRETURN, opREVERT:
		return f.meterArea(top, &s[height-2], 0)
	case opCALLDATACOPY, opCODECOPY, opRETURNDATACOPY:
		return f.meterArea(top, &s[height-3], gasCopyWord)
	case opMCOPY:
		farther := top
		if s[height-2].Gt(top) {
			farther = &s[height-2]
		}
		return f.meterArea(farther, &s[height-3], gasCopyWord)
	case opEXTCODECOPY:
		if cost, end, err = f.meterArea(&s[height-2], &s[height-4], gasCopyWord); err == nil {
			cost += f.accountCost(top)
		}
		return cost, end, err
	case opLOG0, opLOG0 + 1, opLOG0 + 2, opLOG0 + 3, opLOG4:
		size := &s[height-2]
		if cost, end, err = f.meterArea(top, size, 0); err == nil {
			cost += uint64(instructions[op].gas) + gasLogByte*size[0]
		}
		return cost, end, err
	case opEXP:
		return uint64(instructions[op].gas) + gasExpByte*uint64(s[height-2].ByteLen()), 0, nil
	case opSLOAD:
		return gasWarmAccess + f.sloadCost(top), 0, nil
	case opSSTORE:
		cost, err = f.sstoreCost(top, &s[height-2], gas)
		return cost, 0, err
	case opBALANCE, opEXTCODESIZE, opEXTCODEHASH:
		return f.accountCost(top), 0, nil
	case opCREATE, opCREATE2:
		return f.createCost(op, &s[height-2], &s[height-3])
	case opSELFDESTRUCT:
		cost, err = f.selfdestructCost(top, gas)
		return cost, 0, err
	default: // a call
		args := f.callOperands(op, height)
		cost, f.forwarded, end, err = f.callCost(&args, gas)
		return cost, end, err
	}
}

// meterFixed is the cost of memory of a fixed size.
func (f *frame) meterFixed(offset *uint256.Int, size uint64) (cost, end uint64, err error) {
	if offset.IsUint64() && offset[0] < uint64(len(f.mem)) && offset[0]+size <= uint64(len(f.mem)) {
		return 0, 0, nil
	}
	var n uint256.Int
	n.SetUint64(size)
	return f.meterArea(offset, &n, 0)
}

// meterArea is the cost of an area of memory, and of its words.
func (f *frame) meterArea(offset, size *uint256.Int, eachWord uint64) (cost, end uint64, err error) {
	if end, err = memoryEnd(offset, size); err != nil {
		return 0, 0, err
	}
	return f.memoryCost(end) + eachWord*wordCount(size[0]), end, nil
}
