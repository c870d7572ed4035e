package evm

// Instructions by number, as the execution specification names them. PUSH0 to PUSH32,
// DUP1 to DUP16 and SWAP1 to SWAP16 follow their first one.
const (
	opSTOP       = 0x00
	opADD        = 0x01
	opMUL        = 0x02
	opSUB        = 0x03
	opDIV        = 0x04
	opSDIV       = 0x05
	opMOD        = 0x06
	opSMOD       = 0x07
	opADDMOD     = 0x08
	opMULMOD     = 0x09
	opEXP        = 0x0a
	opSIGNEXTEND = 0x0b

	opLT     = 0x10
	opGT     = 0x11
	opSLT    = 0x12
	opSGT    = 0x13
	opEQ     = 0x14
	opISZERO = 0x15
	opAND    = 0x16
	opOR     = 0x17
	opXOR    = 0x18
	opNOT    = 0x19
	opBYTE   = 0x1a
	opSHL    = 0x1b
	opSHR    = 0x1c
	opSAR    = 0x1d
	opCLZ    = 0x1e // EIP-7939

	opKECCAK256 = 0x20

	opADDRESS        = 0x30
	opBALANCE        = 0x31
	opORIGIN         = 0x32
	opCALLER         = 0x33
	opCALLVALUE      = 0x34
	opCALLDATALOAD   = 0x35
	opCALLDATASIZE   = 0x36
	opCALLDATACOPY   = 0x37
	opCODESIZE       = 0x38
	opCODECOPY       = 0x39
	opGASPRICE       = 0x3a
	opEXTCODESIZE    = 0x3b
	opEXTCODECOPY    = 0x3c
	opRETURNDATASIZE = 0x3d
	opRETURNDATACOPY = 0x3e
	opEXTCODEHASH    = 0x3f

	opBLOCKHASH   = 0x40
	opCOINBASE    = 0x41
	opTIMESTAMP   = 0x42
	opNUMBER      = 0x43
	opPREVRANDAO  = 0x44
	opGASLIMIT    = 0x45
	opCHAINID     = 0x46
	opSELFBALANCE = 0x47
	opBASEFEE     = 0x48
	opBLOBHASH    = 0x49 // EIP-4844
	opBLOBBASEFEE = 0x4a // EIP-7516

	opPOP      = 0x50
	opMLOAD    = 0x51
	opMSTORE   = 0x52
	opMSTORE8  = 0x53
	opSLOAD    = 0x54
	opSSTORE   = 0x55
	opJUMP     = 0x56
	opJUMPI    = 0x57
	opPC       = 0x58
	opMSIZE    = 0x59
	opGAS      = 0x5a
	opJUMPDEST = 0x5b
	opTLOAD    = 0x5c // EIP-1153
	opTSTORE   = 0x5d // EIP-1153
	opMCOPY    = 0x5e // EIP-5656
	opPUSH0    = 0x5f // EIP-3855
	opPUSH1    = 0x60
	opPUSH32   = 0x7f
	opDUP1     = 0x80
	opDUP16    = 0x8f
	opSWAP1    = 0x90
	opSWAP16   = 0x9f
	opLOG0     = 0xa0
	opLOG4     = 0xa4

	opCREATE       = 0xf0
	opCALL         = 0xf1
	opCALLCODE     = 0xf2
	opRETURN       = 0xf3
	opDELEGATECALL = 0xf4
	opCREATE2      = 0xf5
	opSTATICCALL   = 0xfa
	opREVERT       = 0xfd
	opINVALID      = 0xfe
	opSELFDESTRUCT = 0xff
)

// instruction is what holds for every execution of an instruction.
type instruction struct {
	gas     uint16 // least gas; what depends on operands and state comes on top
	pops    uint8
	pushes  uint8
	defined bool
}

// instructions are Osaka's. The fixed part of the gas is: the whole cost where it
// does not depend on anything; 100, the warm access (EIP-2929), for BALANCE, EXTCODE*,
// SLOAD and calls; the base part for KECCAK256, EXP, copies, logs and creations;
// nothing for SSTORE, RETURN and REVERT.
var instructions = withFamilies([256]instruction{
	opSTOP:       {0, 0, 0, true},
	opADD:        {3, 2, 1, true},
	opMUL:        {5, 2, 1, true},
	opSUB:        {3, 2, 1, true},
	opDIV:        {5, 2, 1, true},
	opSDIV:       {5, 2, 1, true},
	opMOD:        {5, 2, 1, true},
	opSMOD:       {5, 2, 1, true},
	opADDMOD:     {8, 3, 1, true},
	opMULMOD:     {8, 3, 1, true},
	opEXP:        {10, 2, 1, true},
	opSIGNEXTEND: {5, 2, 1, true},

	opLT:     {3, 2, 1, true},
	opGT:     {3, 2, 1, true},
	opSLT:    {3, 2, 1, true},
	opSGT:    {3, 2, 1, true},
	opEQ:     {3, 2, 1, true},
	opISZERO: {3, 1, 1, true},
	opAND:    {3, 2, 1, true},
	opOR:     {3, 2, 1, true},
	opXOR:    {3, 2, 1, true},
	opNOT:    {3, 1, 1, true},
	opBYTE:   {3, 2, 1, true},
	opSHL:    {3, 2, 1, true},
	opSHR:    {3, 2, 1, true},
	opSAR:    {3, 2, 1, true},
	opCLZ:    {5, 1, 1, true},

	opKECCAK256: {30, 2, 1, true},

	opADDRESS:        {2, 0, 1, true},
	opBALANCE:        {100, 1, 1, true},
	opORIGIN:         {2, 0, 1, true},
	opCALLER:         {2, 0, 1, true},
	opCALLVALUE:      {2, 0, 1, true},
	opCALLDATALOAD:   {3, 1, 1, true},
	opCALLDATASIZE:   {2, 0, 1, true},
	opCALLDATACOPY:   {3, 3, 0, true},
	opCODESIZE:       {2, 0, 1, true},
	opCODECOPY:       {3, 3, 0, true},
	opGASPRICE:       {2, 0, 1, true},
	opEXTCODESIZE:    {100, 1, 1, true},
	opEXTCODECOPY:    {100, 4, 0, true},
	opRETURNDATASIZE: {2, 0, 1, true},
	opRETURNDATACOPY: {3, 3, 0, true},
	opEXTCODEHASH:    {100, 1, 1, true},

	opBLOCKHASH:   {20, 1, 1, true},
	opCOINBASE:    {2, 0, 1, true},
	opTIMESTAMP:   {2, 0, 1, true},
	opNUMBER:      {2, 0, 1, true},
	opPREVRANDAO:  {2, 0, 1, true},
	opGASLIMIT:    {2, 0, 1, true},
	opCHAINID:     {2, 0, 1, true},
	opSELFBALANCE: {5, 0, 1, true},
	opBASEFEE:     {2, 0, 1, true},
	opBLOBHASH:    {3, 1, 1, true},
	opBLOBBASEFEE: {2, 0, 1, true},

	opPOP:      {2, 1, 0, true},
	opMLOAD:    {3, 1, 1, true},
	opMSTORE:   {3, 2, 0, true},
	opMSTORE8:  {3, 2, 0, true},
	opSLOAD:    {100, 1, 1, true},
	opSSTORE:   {0, 2, 0, true},
	opJUMP:     {8, 1, 0, true},
	opJUMPI:    {10, 2, 0, true},
	opPC:       {2, 0, 1, true},
	opMSIZE:    {2, 0, 1, true},
	opGAS:      {2, 0, 1, true},
	opJUMPDEST: {1, 0, 0, true},
	opTLOAD:    {100, 1, 1, true},
	opTSTORE:   {100, 2, 0, true},
	opMCOPY:    {3, 3, 0, true},
	opPUSH0:    {2, 0, 1, true},

	opCREATE:       {32_000, 3, 1, true},
	opCALL:         {100, 7, 1, true},
	opCALLCODE:     {100, 7, 1, true},
	opRETURN:       {0, 2, 0, true},
	opDELEGATECALL: {100, 6, 1, true},
	opCREATE2:      {32_000, 4, 1, true},
	opSTATICCALL:   {100, 6, 1, true},
	opREVERT:       {0, 2, 0, true},
	opSELFDESTRUCT: {5_000, 1, 0, true},
})

// withFamilies adds PUSH1 to PUSH32, DUP, SWAP and LOG to a table.
func withFamilies(table [256]instruction) [256]instruction {
	for i := range 32 {
		table[opPUSH1+i] = instruction{3, 0, 1, true}
	}
	for i := range 16 {
		table[opDUP1+i] = instruction{3, uint8(i + 1), uint8(i + 2), true}
		table[opSWAP1+i] = instruction{3, uint8(i + 2), uint8(i + 2), true}
	}
	for i := range 5 {
		table[opLOG0+i] = instruction{uint16(375 * (i + 1)), uint8(i + 2), 0, true}
	}
	return table
}
