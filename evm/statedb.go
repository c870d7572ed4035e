package evm

import (
	"github.com/ethereum/go-ethereum/common"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/types/bal"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// stateDB lets the interpreter work on a journal.
type stateDB struct {
	j *state.Journal

	// lent holds balances that GetBalance pointed to. The interpreter reads such
	// a pointer before it asks for a handful more.
	lent     [8]uint256.Int
	lentNext int

	// creating follows the interpreter into a contract creation, see GetCodeHash.
	creating creationStep
	target   common.Address
}

type creationStep uint8

const (
	notCreating creationStep = iota
	creatorBumped
	targetWarmed
)

var _ vm.StateDB = (*stateDB)(nil)

func (s *stateDB) CreateAccount(addr common.Address)  { s.j.CreateAccount(addr) }
func (s *stateDB) CreateContract(addr common.Address) { s.j.CreateContract(addr) }

func (s *stateDB) SubBalance(addr common.Address, v *uint256.Int, _ tracing.BalanceChangeReason) uint256.Int {
	return s.j.SubBalance(addr, v)
}

func (s *stateDB) AddBalance(addr common.Address, v *uint256.Int, _ tracing.BalanceChangeReason) uint256.Int {
	return s.j.AddBalance(addr, v)
}

func (s *stateDB) GetBalance(addr common.Address) *uint256.Int {
	s.lentNext = (s.lentNext + 1) % len(s.lent)
	b := &s.lent[s.lentNext]
	*b = s.j.Balance(addr)
	return b
}

func (s *stateDB) GetNonce(addr common.Address) uint64 { return s.j.Nonce(addr) }

func (s *stateDB) SetNonce(addr common.Address, nonce uint64, reason tracing.NonceChangeReason) {
	if reason == tracing.NonceChangeContractCreator {
		s.creating = creatorBumped
	}
	s.j.SetNonce(addr, nonce)
}

// occupied stands for the code hash of an account whose storage alone forbids a
// creation at its address.
var occupied = crypto.Keccak256Hash([]byte("account with storage"))

// GetCodeHash also makes the interpreter obey EIP-7610, whose check for storage it
// lacks: on a creation it bumps the creator's nonce, warms the new address and asks
// for its code hash, in this order and with nothing in between.
func (s *stateDB) GetCodeHash(addr common.Address) common.Hash {
	hash := s.j.CodeHash(addr)
	if s.creating == targetWarmed {
		s.creating = notCreating
		if addr == s.target && s.j.HasStorage(addr) && (hash == types.EmptyCodeHash || hash == common.Hash{}) {
			return occupied
		}
	}
	return hash
}

func (s *stateDB) GetCode(addr common.Address) []byte { return s.j.Code(addr) }

func (s *stateDB) SetCode(addr common.Address, code []byte, _ tracing.CodeChangeReason) []byte {
	return s.j.SetCode(addr, code)
}

func (s *stateDB) GetCodeSize(addr common.Address) int { return len(s.j.Code(addr)) }

func (s *stateDB) AddRefund(gas uint64) { s.j.AddRefund(gas) }
func (s *stateDB) SubRefund(gas uint64) { s.j.SubRefund(gas) }
func (s *stateDB) GetRefund() uint64    { return s.j.Refund() }

func (s *stateDB) GetStateAndCommittedState(addr common.Address, slot common.Hash) (common.Hash, common.Hash) {
	return s.j.Storage(addr, slot)
}

func (s *stateDB) GetState(addr common.Address, slot common.Hash) common.Hash {
	v, _ := s.j.Storage(addr, slot)
	return v
}

func (s *stateDB) SetState(addr common.Address, slot, value common.Hash) common.Hash {
	return s.j.SetStorage(addr, slot, value)
}

func (s *stateDB) GetTransientState(addr common.Address, slot common.Hash) common.Hash {
	return s.j.Transient(addr, slot)
}

func (s *stateDB) SetTransientState(addr common.Address, slot, value common.Hash) {
	s.j.SetTransient(addr, slot, value)
}

func (s *stateDB) SelfDestruct(addr common.Address)           { s.j.SelfDestruct(addr) }
func (s *stateDB) HasSelfDestructed(addr common.Address) bool { return s.j.SelfDestructed(addr) }
func (s *stateDB) IsNewContract(addr common.Address) bool     { return s.j.CreatedContract(addr) }
func (s *stateDB) Exist(addr common.Address) bool             { return s.j.Exists(addr) }
func (s *stateDB) Empty(addr common.Address) bool             { return s.j.Empty(addr) }
func (s *stateDB) Touch(common.Address)                       {}

func (s *stateDB) AddressInAccessList(addr common.Address) bool {
	return isPrecompile(addr) || s.j.IsWarm(addr)
}

func (s *stateDB) SlotInAccessList(addr common.Address, slot common.Hash) (address, both bool) {
	address, both = s.j.IsWarmSlot(addr, slot)
	return address || isPrecompile(addr), both
}

func (s *stateDB) AddAddressToAccessList(addr common.Address) {
	if s.creating == creatorBumped {
		s.creating, s.target = targetWarmed, addr
	}
	s.j.Warm(addr)
}

func (s *stateDB) AddSlotToAccessList(addr common.Address, slot common.Hash) {
	s.j.WarmSlot(addr, slot)
}

// Prepare fills the access list of a transaction (EIP-2929, EIP-2930, EIP-3651).
// Precompiles are always warm and need no entry.
func (s *stateDB) Prepare(_ params.Rules, sender, coinbase common.Address, to *common.Address, _ []common.Address, list types.AccessList) {
	s.j.Warm(sender)
	if to != nil {
		s.j.Warm(*to)
	}
	s.j.Warm(coinbase)
	for i := range list {
		s.j.Warm(list[i].Address)
		for _, slot := range list[i].StorageKeys {
			s.j.WarmSlot(list[i].Address, slot)
		}
	}
}

func (s *stateDB) RevertToSnapshot(id int) { s.j.Revert(id) }
func (s *stateDB) Snapshot() int           { return s.j.Snapshot() }
func (s *stateDB) AddLog(l *types.Log)     { s.j.AddLog(l) }

func (s *stateDB) AddPreimage(common.Hash, []byte)                                 {}
func (s *stateDB) Witness() *stateless.Witness                                     { return nil }
func (s *stateDB) AccessEvents() *gethstate.AccessEvents                           { return nil }
func (s *stateDB) Finalise(params.Rules) *bal.ConstructionBlockAccessList          { return nil }
func (s *stateDB) SetTxContext(thash common.Hash, ti int, blockAccessIndex uint32) {}

// isPrecompile reports whether Osaka has a precompiled contract at addr: 0x01 to
// 0x11 and P256VERIFY at 0x100 (EIP-7951).
func isPrecompile(addr common.Address) bool {
	for _, b := range addr[:18] {
		if b != 0 {
			return false
		}
	}
	n := uint16(addr[18])<<8 | uint16(addr[19])
	return n >= 1 && n <= 0x11 || n == 0x100
}
