package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"
)

// source makes choices from bytes; when they run out every choice is the first.
type source struct{ bytes []byte }

func (s *source) next() byte {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return b
}

func (s *source) below(n int) int { return int(s.next()) % n }

func (s *source) one(in ...uint64) uint64 { return in[s.below(len(in))] }

const worldContracts = 6

// world is a small set of accounts that programs and transactions pick from, so
// that they meet.
type world struct {
	contracts [worldContracts]common.Address
	others    []common.Address // absent, precompiled, the coinbase
	senders   []common.Address
}

func newWorld(coinbase common.Address, senders []common.Address) *world {
	w := &world{senders: senders, others: []common.Address{coinbase,
		common.HexToAddress("0xabcd"), common.HexToAddress("0x01"), common.HexToAddress("0x02"),
		common.HexToAddress("0x04"), common.HexToAddress("0x05"), common.HexToAddress("0x0100")}}
	for i := range w.contracts {
		w.contracts[i] = common.BytesToAddress([]byte{0xc0, 0xde, byte(i)})
	}
	return w
}

func (w *world) address(s *source) common.Address {
	switch s.below(4) {
	case 0:
		return w.others[s.below(len(w.others))]
	case 1:
		return w.senders[s.below(len(w.senders))]
	}
	return w.contracts[s.below(worldContracts)]
}

// alloc is a state in which contracts hold random programs.
func (w *world) alloc(s *source) types.GenesisAlloc {
	alloc := make(types.GenesisAlloc)
	for _, addr := range w.senders {
		alloc[addr] = types.Account{Balance: new(big.Int).Mul(ether, big.NewInt(10)), Nonce: uint64(s.below(3))}
	}
	for i, addr := range w.contracts {
		a := types.Account{Balance: big.NewInt(int64(s.below(3) * 1000)), Nonce: 1}
		a.Code = w.program(s, 30)
		if i == worldContracts-1 { // a delegation
			a.Code = types.AddressToDelegation(w.contracts[s.below(worldContracts)])
		}
		a.Storage = map[common.Hash]common.Hash{{31: 1}: {31: 1}, {31: 2}: {31: 7}}
		alloc[addr] = a
	}
	return alloc
}

// program writes up to n statements that keep the stack in order, mostly.
func (w *world) program(s *source, n int) []byte {
	var p assembler
	pure := s.below(4) == 0
	for range s.below(n) + 1 {
		if pure {
			w.compute(s, &p, 0)
		} else {
			w.statement(s, &p)
		}
	}
	w.show(s, &p)
	return s.mutate(p.code)
}

func (w *world) statement(s *source, p *assembler) { w.statementAt(s, p, 0) }

// statementAt writes a statement inside of depth others.
func (w *world) statementAt(s *source, p *assembler, depth int) {
	if depth > 4 {
		return
	}
	switch s.below(36) {
	case 0, 1, 2:
		p.push(s.one(0, 0, 1, 2, 3)).push(s.one(0, 1, 2, 3)).op(vm.SSTORE)
	case 3:
		p.push(s.one(0, 1, 2, 3)).op(vm.SLOAD).push(9).op(vm.SSTORE)
	case 4:
		p.push(s.one(0, 1)).push(s.one(0, 1)).op(vm.TSTORE)
	case 5:
		p.push(s.one(0, 1)).op(vm.TLOAD).push(10).op(vm.SSTORE)
	case 6, 7, 8:
		w.call(s, p)
	case 9, 10:
		w.create(s, p)
	case 11:
		addr := w.address(s)
		p.pushBytes(addr[:]).op(vm.SELFDESTRUCT)
	case 12:
		topics := s.below(5)
		for range topics {
			p.push(uint64(s.next()))
		}
		p.push(s.one(0, 32, 64)).push(s.one(0, 31)).op(vm.LOG0 + vm.OpCode(topics))
	case 13:
		p.push(s.one(0, 32, 4)).push(0).op(vm.OpCode(s.one(uint64(vm.RETURN), uint64(vm.REVERT), uint64(vm.STOP), uint64(vm.INVALID))))
	case 14:
		addr := w.address(s)
		p.pushBytes(addr[:]).op(vm.OpCode(s.one(uint64(vm.BALANCE), uint64(vm.EXTCODESIZE), uint64(vm.EXTCODEHASH)))).push(11).op(vm.SSTORE)
	case 15:
		p.op(vm.OpCode(s.one(uint64(vm.GAS), uint64(vm.NUMBER), uint64(vm.PREVRANDAO), uint64(vm.BASEFEE), uint64(vm.BLOBBASEFEE),
			uint64(vm.COINBASE), uint64(vm.ORIGIN), uint64(vm.CALLER), uint64(vm.SELFBALANCE), uint64(vm.CHAINID), uint64(vm.GASPRICE),
			uint64(vm.TIMESTAMP), uint64(vm.GASLIMIT), uint64(vm.RETURNDATASIZE), uint64(vm.CALLVALUE)))).push(12).op(vm.SSTORE)
	case 16: // skip what follows, if a slot is set
		p.push(s.one(0, 1, 2)).op(vm.SLOAD)
		inner := assembler{base: p.base + len(p.code) + 4}
		w.statementAt(s, &inner, depth+1)
		p.skipIf(inner.code)
	case 17:
		if s.below(4) == 0 {
			p.op(vm.OpCode(s.next()))
		}
	default:
		w.compute(s, p, depth)
	}
}

func (w *world) call(s *source, p *assembler) {
	op := vm.OpCode(s.one(uint64(vm.CALL), uint64(vm.CALL), uint64(vm.CALLCODE), uint64(vm.DELEGATECALL), uint64(vm.STATICCALL)))
	p.push(s.one(0, 32)).push(0).push(s.one(0, 32, 96)).push(0) // out, in
	if op == vm.CALL || op == vm.CALLCODE {
		p.push(s.one(0, 0, 1, 500, 5000))
	}
	addr := w.address(s)
	p.pushBytes(addr[:])
	if s.below(3) == 0 {
		p.push(s.one(0, 700, 2300, 30_000, 100_000))
	} else {
		p.op(vm.GAS)
	}
	p.op(op).push(13).op(vm.SSTORE)
}

func (w *world) create(s *source, p *assembler) {
	var init assembler
	switch s.below(5) {
	case 0: // deploy a little code, which may begin with 0xEF
		init.push(s.one(uint64(vm.CALLER)<<8|uint64(vm.SELFDESTRUCT), 0x5f5f, 0xef00)).push(0).op(vm.MSTORE).push(2).push(30).op(vm.RETURN)
	case 1:
		init.op(vm.CALLER).op(vm.SELFDESTRUCT)
	case 2:
		init.push(4).push(0).op(vm.REVERT)
	case 3:
		init.push(1).push(1).op(vm.SSTORE).op(vm.ADDRESS).op(vm.SELFDESTRUCT)
	case 4:
		init.code = []byte{s.next(), s.next(), s.next()}
	}
	p.pushBytes(common.RightPadBytes(init.code, 32)).push(0).op(vm.MSTORE)
	kind := vm.OpCode(s.one(uint64(vm.CREATE), uint64(vm.CREATE2)))
	if kind == vm.CREATE2 {
		p.push(s.one(0, 1))
	}
	p.push(uint64(len(init.code))).push(0).push(s.one(0, 0, 1, 9)).op(kind)
	p.op(vm.DUP1).push(14).op(vm.SSTORE)
	// Call what was created.
	p.push(0).op(vm.DUP1).op(vm.DUP1).op(vm.DUP1).push(s.one(0, 3)).op(vm.DUP6).op(vm.GAS).op(vm.CALL).op(vm.POP).op(vm.POP)
}

// assembler writes code that will stand at base.
type assembler struct {
	code []byte
	base int
}

func (a *assembler) op(op vm.OpCode) *assembler {
	a.code = append(a.code, byte(op))
	return a
}

func (a *assembler) push(v uint64) *assembler {
	return a.pushBytes(new(big.Int).SetUint64(v).Bytes())
}

func (a *assembler) pushBytes(b []byte) *assembler {
	a.code = append(a.code, byte(vm.PUSH0)+byte(len(b)))
	a.code = append(a.code, b...)
	return a
}

// push2 pushes v in three bytes.
func (a *assembler) push2(v int) *assembler {
	a.code = append(a.code, byte(vm.PUSH2), byte(v>>8), byte(v))
	return a
}

// skipIf jumps over inner if the top of the stack is not zero.
func (a *assembler) skipIf(inner []byte) *assembler {
	a.push2(a.base + len(a.code) + 4 + len(inner)).op(vm.JUMPI)
	a.code = append(a.code, inner...)
	return a.op(vm.JUMPDEST)
}

// authorizations are signed by the world's senders, some of them in vain.
func (w *world) authorizations(s *source, signers []signer, chainID uint64) []types.SetCodeAuthorization {
	var list []types.SetCodeAuthorization
	for range s.below(3) + 1 {
		key := signers[s.below(len(signers))]
		a := types.SetCodeAuthorization{Address: w.address(s), Nonce: s.one(0, 1, 2, 3)}
		a.ChainID = *uint256.NewInt(s.one(0, chainID, chainID+1))
		if s.below(4) == 0 {
			a.Address = common.Address{}
		}
		signed, err := types.SignSetCode(key.key, a)
		if err != nil {
			panic(err)
		}
		if s.below(8) == 0 {
			signed.R = *uint256.NewInt(0)
		}
		list = append(list, signed)
	}
	return list
}

func (w *world) accessList(s *source) types.AccessList {
	var list types.AccessList
	for range s.below(3) {
		list = append(list, types.AccessTuple{Address: w.address(s), StorageKeys: []common.Hash{{31: s.next() % 4}}})
	}
	return list
}
