package gethevm

import (
	"encoding/binary"
	"math/big"

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

// journalDB lets the interpreter work on a journal.
type journalDB struct {
	j           *state.Journal
	precompiles precompiles
	hooks       *tracing.Hooks // nil: none

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

var _ vm.StateDB = (*journalDB)(nil)

func (s *journalDB) CreateAccount(addr common.Address)  { s.j.CreateAccount(addr) }
func (s *journalDB) CreateContract(addr common.Address) { s.j.CreateContract(addr) }

func (s *journalDB) SubBalance(addr common.Address, v *uint256.Int, _ tracing.BalanceChangeReason) uint256.Int {
	return s.j.SubBalance(addr, v)
}

func (s *journalDB) AddBalance(addr common.Address, v *uint256.Int, _ tracing.BalanceChangeReason) uint256.Int {
	return s.j.AddBalance(addr, v)
}

func (s *journalDB) GetBalance(addr common.Address) *uint256.Int {
	s.lentNext = (s.lentNext + 1) % len(s.lent)
	b := &s.lent[s.lentNext]
	*b = s.j.Balance(addr)
	return b
}

func (s *journalDB) GetNonce(addr common.Address) uint64 { return s.j.Nonce(addr) }

func (s *journalDB) SetNonce(addr common.Address, nonce uint64, reason tracing.NonceChangeReason) {
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
func (s *journalDB) GetCodeHash(addr common.Address) common.Hash {
	hash := s.j.CodeHash(addr)
	if s.creating == targetWarmed {
		s.creating = notCreating
		if addr == s.target && s.j.HasStorage(addr) && (hash == types.EmptyCodeHash || hash == common.Hash{}) {
			return occupied
		}
	}
	return hash
}

func (s *journalDB) GetCode(addr common.Address) []byte { return s.j.Code(addr) }

func (s *journalDB) SetCode(addr common.Address, code []byte, _ tracing.CodeChangeReason) []byte {
	return s.j.SetCode(addr, code)
}

func (s *journalDB) GetCodeSize(addr common.Address) int { return len(s.j.Code(addr)) }

func (s *journalDB) AddRefund(gas uint64) { s.j.AddRefund(gas) }
func (s *journalDB) SubRefund(gas uint64) { s.j.SubRefund(gas) }
func (s *journalDB) GetRefund() uint64    { return s.j.Refund() }

func (s *journalDB) GetStateAndCommittedState(addr common.Address, slot common.Hash) (common.Hash, common.Hash) {
	return s.j.Storage(addr, slot)
}

func (s *journalDB) GetState(addr common.Address, slot common.Hash) common.Hash {
	v, _ := s.j.Storage(addr, slot)
	return v
}

func (s *journalDB) SetState(addr common.Address, slot, value common.Hash) common.Hash {
	return s.j.SetStorage(addr, slot, value)
}

func (s *journalDB) GetTransientState(addr common.Address, slot common.Hash) common.Hash {
	return s.j.Transient(addr, slot)
}

func (s *journalDB) SetTransientState(addr common.Address, slot, value common.Hash) {
	s.j.SetTransient(addr, slot, value)
}

func (s *journalDB) SelfDestruct(addr common.Address)           { s.j.SelfDestruct(addr) }
func (s *journalDB) HasSelfDestructed(addr common.Address) bool { return s.j.SelfDestructed(addr) }
func (s *journalDB) IsNewContract(addr common.Address) bool     { return s.j.CreatedContract(addr) }
func (s *journalDB) Exist(addr common.Address) bool             { return s.j.Exists(addr) }
func (s *journalDB) Empty(addr common.Address) bool             { return s.j.Empty(addr) }
func (s *journalDB) Touch(common.Address)                       {}

func (s *journalDB) AddressInAccessList(addr common.Address) bool {
	return s.precompiles.has(&addr) || s.j.IsWarm(addr)
}

func (s *journalDB) SlotInAccessList(addr common.Address, slot common.Hash) (address, both bool) {
	address, both = s.j.IsWarmSlot(addr, slot)
	return address || s.precompiles.has(&addr), both
}

func (s *journalDB) AddAddressToAccessList(addr common.Address) {
	if s.creating == creatorBumped {
		s.creating, s.target = targetWarmed, addr
	}
	s.j.Warm(addr)
}

func (s *journalDB) AddSlotToAccessList(addr common.Address, slot common.Hash) {
	s.j.WarmSlot(addr, slot)
}

// Prepare fills the access list of a transaction (EIP-2929, EIP-2930, EIP-3651).
// Precompiles are always warm and need no entry.
func (s *journalDB) Prepare(_ params.Rules, sender, coinbase common.Address, to *common.Address, _ []common.Address, list types.AccessList) {
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

func (s *journalDB) RevertToSnapshot(id int) { s.j.Revert(id) }
func (s *journalDB) Snapshot() int           { return s.j.Snapshot() }

func (s *journalDB) AddLog(l *types.Log) {
	s.j.AddLog(l)
	if s.hooks != nil && s.hooks.OnLog != nil {
		s.hooks.OnLog(l)
	}
}

func (s *journalDB) AddPreimage(common.Hash, []byte)                        {}
func (s *journalDB) Witness() *stateless.Witness                            { return nil }
func (s *journalDB) AccessEvents() *gethstate.AccessEvents                  { return nil }
func (s *journalDB) Finalise(params.Rules) *bal.ConstructionBlockAccessList { return nil }
func (s *journalDB) SetTxContext(common.Hash, int, uint32)                  {}

// precompiles are by the last two bytes of their addresses, which start with zeros.
type precompiles [0x101]bool

func newPrecompiles(cfg *params.ChainConfig) (set precompiles) {
	for _, addr := range vm.ActivePrecompiles(cfg.Rules(new(big.Int), true, 0)) {
		set[binary.BigEndian.Uint16(addr[18:])] = true
	}
	return set
}

func (p *precompiles) has(addr *common.Address) bool {
	if binary.LittleEndian.Uint64(addr[:]) != 0 || binary.LittleEndian.Uint64(addr[8:]) != 0 || addr[16]|addr[17] != 0 {
		return false
	}
	n := int(addr[18])<<8 | int(addr[19])
	return n < len(p) && p[n]
}
