package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// What instructions do beyond stack and memory. Operands come by pointer, and a
// destination may be one of the operands. A function named ...Cost returns the gas that
// comes on top of instructions[op].gas and charges nothing; it may warm addresses and
// slots and change the refund counter, which a failing frame takes back.

// Gas of EIP-2929, EIP-2200 and EIP-3529. What is cold costs the difference on top of
// the warm access, which is the instruction's own gas.
const (
	gasWarmAccess      = 100
	gasColdSlot        = 2_100
	gasColdAccount     = 2_600
	gasSentry          = 2_300 // SSTORE needs more than that (EIP-2200)
	gasSlotSet         = 20_000
	gasSlotReset       = 5_000 - gasColdSlot
	refundSlotCleared  = 4_800
	gasNewBeneficiary  = 25_000 // SELFDESTRUCT to an account that does not exist
	blockHashesVisible = 256
)

func addressOf(word *uint256.Int) common.Address { return common.Address(word.Bytes20()) }

// warm adds an address to the access list and reports whether it was there. Where
// precompiled contracts are moved, still the addresses of the fork are warm.
func (m *Machine) warm(addr common.Address) bool {
	return m.isPrecompileOfFork(addr) || m.journal.TouchAccount(addr)
}

// sloadCost warms the slot of SLOAD.
func (f *frame) sloadCost(key *uint256.Int) uint64 {
	if f.m.journal.TouchSlot(f.address, key.Bytes32()) {
		return 0
	}
	return gasColdSlot - gasWarmAccess
}

func (f *frame) sload(dst, key *uint256.Int) {
	value, _ := f.m.journal.Storage(f.address, key.Bytes32())
	dst.SetBytes32(value[:])
}

// sstoreCost is the whole gas of SSTORE when gas is left before it.
func (f *frame) sstoreCost(key, value *uint256.Int, gas uint64) (uint64, error) {
	if f.static {
		return 0, errStaticGas
	}
	if gas <= gasSentry {
		return 0, errSentry
	}
	var cost uint64
	j, slot := f.m.journal, common.Hash(key.Bytes32())
	if !j.TouchSlot(f.address, slot) {
		cost = gasColdSlot
	}
	next, none := common.Hash(value.Bytes32()), common.Hash{}
	current, original := j.Storage(f.address, slot)
	if current == next {
		return cost + gasWarmAccess, nil
	}
	if original == current {
		if original == none {
			return cost + gasSlotSet, nil
		}
		if next == none {
			j.AddRefund(refundSlotCleared)
		}
		return cost + gasSlotReset, nil
	}
	if original != none {
		if current == none {
			j.SubRefund(refundSlotCleared)
		} else if next == none {
			j.AddRefund(refundSlotCleared)
		}
	}
	if original == next {
		if original == none {
			j.AddRefund(gasSlotSet - gasWarmAccess)
		} else {
			j.AddRefund(gasSlotReset - gasWarmAccess)
		}
	}
	return cost + gasWarmAccess, nil
}

func (f *frame) sstore(key, value *uint256.Int) {
	slot, next := common.Hash(key.Bytes32()), common.Hash(value.Bytes32())
	before := f.m.journal.SetStorage(f.address, slot, next)
	if t := f.m.tracer; t != nil && t.OnStorageChange != nil && before != next {
		t.OnStorageChange(f.address, slot, before, next)
	}
}

func (f *frame) tload(dst, key *uint256.Int) {
	value := f.m.journal.Transient(f.address, key.Bytes32())
	dst.SetBytes32(value[:])
}

func (f *frame) tstore(key, value *uint256.Int) error {
	if f.static {
		return errWriteProtection
	}
	f.m.journal.SetTransient(f.address, key.Bytes32(), value.Bytes32())
	return nil
}

// accountCost warms the account of BALANCE, EXTCODESIZE, EXTCODECOPY or EXTCODEHASH.
func (f *frame) accountCost(addr *uint256.Int) uint64 {
	if f.m.warm(addressOf(addr)) {
		return 0
	}
	return gasColdAccount - gasWarmAccess
}

func (f *frame) balance(dst, addr *uint256.Int) { *dst = f.m.journal.Balance(addressOf(addr)) }

func (f *frame) selfBalance(dst *uint256.Int) { *dst = f.m.journal.Balance(f.address) }

func (f *frame) extCodeSize(dst, addr *uint256.Int) {
	dst.SetUint64(uint64(len(f.m.codeBytes(addressOf(addr)))))
}

func (f *frame) extCodeHash(dst, addr *uint256.Int) {
	account := addressOf(addr)
	if f.m.journal.Empty(account) {
		dst.Clear()
		return
	}
	hash := f.m.journal.CodeHash(account)
	dst.SetBytes32(hash[:])
}

// extCode is the code that EXTCODECOPY copies from.
func (f *frame) extCode(addr *uint256.Int) []byte { return f.m.codeBytes(addressOf(addr)) }

func (f *frame) blockHash(dst, number *uint256.Int) {
	m := f.m
	if !number.IsUint64() || number[0] >= m.number || m.number-number[0] > blockHashesVisible {
		dst.Clear()
		return
	}
	n := number[0]
	m.ancestors = max(m.ancestors, m.number-n)
	var hash common.Hash
	if m.blockHash != nil {
		hash = m.blockHash(n)
	}
	if t := m.tracer; t != nil && t.OnBlockHashRead != nil {
		t.OnBlockHashRead(n, hash)
	}
	dst.SetBytes32(hash[:])
}

func (f *frame) blobHash(dst, index *uint256.Int) {
	hashes := f.m.blobHashes
	if !index.IsUint64() || index[0] >= uint64(len(hashes)) {
		dst.Clear()
		return
	}
	dst.SetBytes32(hashes[index[0]][:])
}

// log records an event; it keeps neither topics nor data.
func (f *frame) log(topics []common.Hash, data []byte) error {
	if f.static {
		return errWriteProtection
	}
	l := f.m.journal.AppendLog(f.address, topics, data)
	l.TxHash, l.BlockNumber = f.m.txHash, f.m.number
	if l.Topics == nil {
		l.Topics = []common.Hash{} // JSON must not say null
	}
	if f.m.tracer != nil {
		f.m.traceLog(l)
	}
	return nil
}

// selfdestructCost warms the beneficiary; gas is left after the fixed part.
func (f *frame) selfdestructCost(beneficiary *uint256.Int, gas uint64) (uint64, error) {
	if f.static {
		return 0, errStaticGas
	}
	var cost uint64
	m, to := f.m, addressOf(beneficiary)
	if !m.warm(to) {
		cost = gasColdAccount
		if gas < cost {
			return 0, errCallGas
		}
	}
	if m.journal.Empty(to) {
		if balance := m.journal.Balance(f.address); !balance.IsZero() {
			cost += gasNewBeneficiary
		}
	}
	return cost, nil
}

// selfdestruct moves the balance, and removes the account if this transaction made it
// (EIP-6780): then a balance left to itself is burned.
func (f *frame) selfdestruct(beneficiary *uint256.Int) {
	m, to := f.m, addressOf(beneficiary)
	balance, created := m.journal.Balance(f.address), m.journal.CreatedContract(f.address)
	switch {
	case created && to != f.address:
		m.addBalance(to, &balance, tracing.BalanceIncreaseSelfdestruct)
		m.subBalance(f.address, &balance, tracing.BalanceDecreaseSelfdestruct)
	case created:
		m.subBalance(f.address, &balance, tracing.BalanceDecreaseSelfdestruct)
	case to != f.address:
		m.subBalance(f.address, &balance, tracing.BalanceDecreaseSelfdestruct)
		m.addBalance(to, &balance, tracing.BalanceIncreaseSelfdestruct)
	}
	if created {
		m.journal.SelfDestruct(f.address)
	}
	if t := m.tracer; t != nil {
		t.EmitEnter(f.depth+1, opSELFDESTRUCT, f.address, to, []byte{}, tracing.Gas{}, balance.ToBig())
		t.EmitExit(f.depth+1, []byte{}, tracing.Gas{}, tracing.Gas{}, nil, false)
	}
}

// codeBytes is the code of an account, without its analysis.
func (m *Machine) codeBytes(addr common.Address) []byte {
	hash := m.journal.UseCode(addr)
	if hash == types.EmptyCodeHash || hash == (common.Hash{}) {
		return nil
	}
	if c := m.localCodes.find(hash); c != nil {
		return c.bytes[:c.size]
	}
	return m.journal.Code(addr)
}

// codeOf is the analysed code of an account, nil without code.
func (m *Machine) codeOf(addr common.Address) *code {
	hash := m.journal.UseCode(addr)
	if hash == types.EmptyCodeHash || hash == (common.Hash{}) {
		return nil
	}
	if c := m.localCodes.find(hash); c != nil {
		return c
	}
	return m.localCodes.get(hash, m.journal.Code(addr))
}

// delegation is what a delegated account points to (EIP-7702).
func (m *Machine) delegation(addr common.Address) (target common.Address, ok bool) {
	if m.fork < prague {
		return target, false
	}
	return types.ParseDelegation(m.codeBytes(addr))
}
