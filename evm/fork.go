package evm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
)

// fork is a set of rules. The chain has Osaka's from its first block; public test cases
// need the two before.
type fork uint8

const (
	cancun fork = iota
	prague      // EIP-7702 and EIP-7623; precompiles 0x0b to 0x11
	osaka       // CLZ (EIP-7939), P256VERIFY (EIP-7951), prices of MODEXP (EIP-7883)
)

// setFork makes the machine follow the rules of f.
func (m *Machine) setFork(f fork) {
	m.fork, m.table, m.precompiles = f, &instructions, vm.PrecompiledContractsOsaka
	if f == osaka {
		return
	}
	before := instructions
	before[opCLZ] = instruction{}
	m.table, m.precompiles = &before, vm.PrecompiledContractsPrague
	if f == cancun {
		m.precompiles = vm.PrecompiledContractsCancun
	}
}

// isPrecompile reports whether a precompiled contract runs at addr.
func (m *Machine) isPrecompile(addr common.Address) bool {
	if m.moves != nil {
		return m.movedPrecompile(addr) != common.Address{}
	}
	return m.isPrecompileOfFork(addr)
}

// isPrecompileOfFork reports whether there is a precompiled contract at addr where
// nothing is moved: 0x01 to 0x11, before Prague to 0x0a, and from Osaka on P256VERIFY
// at 0x100.
func (m *Machine) isPrecompileOfFork(addr common.Address) bool {
	if binary.BigEndian.Uint64(addr[:])|binary.BigEndian.Uint64(addr[8:]) != 0 {
		return false
	}
	n, last := binary.BigEndian.Uint32(addr[16:]), uint32(0x11)
	if m.fork < prague {
		last = 0x0a
	}
	return n >= 1 && n <= last || n == 0x100 && m.fork >= osaka
}
