package evm

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// StateOverrides replace parts of accounts for one call.
type StateOverrides map[common.Address]AccountOverride

// AccountOverride is what one account is to look like; nil fields stay as they are.
type AccountOverride struct {
	Nonce   *uint64
	Balance *uint256.Int // wei
	Code    *[]byte
	// State replaces all storage; StateDiff replaces single slots. Not both.
	State     map[common.Hash]common.Hash
	StateDiff map[common.Hash]common.Hash
	// MoveTo is where the precompiled contract of the account runs instead.
	MoveTo *common.Address
}

// BlockOverrides replace parts of the environment for one call; nil fields stay as
// they are.
type BlockOverrides struct {
	Number     *uint64
	Time       *uint64 // seconds
	GasLimit   *uint64
	Coinbase   *common.Address
	PrevRandao *common.Hash
	BaseFee    *big.Int // wei per gas
	// BlobBaseFee is the price of blob gas in wei.
	BlobBaseFee *big.Int
}

func (o *BlockOverrides) apply(env *Env) *Env {
	if o == nil {
		return env
	}
	changed := *env
	if o.Number != nil {
		changed.Number = *o.Number
	}
	if o.Time != nil {
		changed.Timestamp = *o.Time
	}
	if o.GasLimit != nil {
		changed.GasLimit = *o.GasLimit
	}
	if o.Coinbase != nil {
		changed.Coinbase = *o.Coinbase
	}
	if o.PrevRandao != nil {
		changed.PrevRandao = *o.PrevRandao
	}
	if o.BaseFee != nil {
		changed.BaseFee = o.BaseFee
	}
	if o.BlobBaseFee != nil {
		changed.BlobBaseFee = o.BlobBaseFee
	}
	return &changed
}

// Reasons why overrides cannot be applied.
var (
	ErrMoveToItself = errors.New("a precompile cannot be moved to its own address")
	ErrMoveTwice    = errors.New("two precompiles cannot be moved to the same address")
)

// PrecompileMoves says, for addresses where that differs from the fork, whose
// precompiled contract runs there; zero is that none does.
type PrecompileMoves map[common.Address]common.Address

// movedPrecompile is the address under which the fork knows the precompiled contract
// that runs at addr, zero if none does.
func (m *Machine) movedPrecompile(addr common.Address) common.Address {
	if source, ok := m.moves[addr]; ok {
		return source
	}
	if m.isPrecompileOfFork(addr) {
		return addr
	}
	return common.Address{}
}

// Over returns the view with the overrides, and what they do to the precompiled
// contracts of m's fork: an override of any part of one removes it, and MoveTo lets it
// run elsewhere, where it hides what is there (geth's eth_simulateV1).
func (o StateOverrides) Over(view state.View, m *Machine) (state.View, PrecompileMoves, error) {
	if len(o) == 0 {
		return view, nil, nil
	}
	codes := make(map[common.Hash][]byte)
	for _, addr := range slices.SortedFunc(maps.Keys(o), common.Address.Cmp) {
		a := o[addr]
		if a.State != nil && a.StateDiff != nil {
			return nil, nil, fmt.Errorf("account %s has both 'state' and 'stateDiff'", addr.Hex())
		}
		if a.Code != nil && len(*a.Code) > 0 {
			codes[crypto.Keccak256Hash(*a.Code)] = *a.Code
		}
	}
	moves, err := o.moves(m)
	return &overriddenView{base: view, accounts: o, codes: codes}, moves, err
}

func (o StateOverrides) moves(m *Machine) (PrecompileMoves, error) {
	var moves PrecompileMoves
	taken := make(map[common.Address]bool)
	for _, addr := range slices.SortedFunc(maps.Keys(o), common.Address.Cmp) {
		to := o[addr].MoveTo
		if to == nil && !m.isPrecompileOfFork(addr) {
			continue
		}
		if moves == nil {
			moves = make(PrecompileMoves)
		}
		if m.isPrecompileOfFork(addr) {
			moves[addr] = common.Address{}
		}
		if to == nil {
			continue
		}
		_, overridden := o[*to]
		switch {
		case !m.isPrecompileOfFork(addr):
			return nil, fmt.Errorf("account %s is not a precompile", addr.Hex())
		case *to == addr:
			return nil, fmt.Errorf("%w: %s", ErrMoveToItself, addr.Hex())
		case taken[*to]:
			return nil, fmt.Errorf("%w: %s", ErrMoveTwice, to.Hex())
		case overridden:
			return nil, fmt.Errorf("account %s is already overridden", to.Hex())
		}
		taken[*to] = true
		moves[*to] = addr
	}
	return moves, nil
}

// overriddenView shows the accounts of base with overrides.
type overriddenView struct {
	base     state.View
	accounts StateOverrides
	codes    map[common.Hash][]byte
}

func (v *overriddenView) Account(addr common.Address) (state.Account, bool) {
	acct, ok := v.base.Account(addr)
	o, overridden := v.accounts[addr]
	if !overridden {
		return acct, ok
	}
	if !ok {
		acct = state.EmptyAccount
	}
	if o.Nonce != nil {
		acct.Nonce = *o.Nonce
	}
	if o.Balance != nil {
		acct.Balance = *o.Balance
	}
	if o.Code != nil {
		acct.CodeHash = types.EmptyCodeHash
		if len(*o.Code) > 0 {
			acct.CodeHash = crypto.Keccak256Hash(*o.Code)
		}
	}
	return acct, true
}

func (v *overriddenView) Storage(addr common.Address, slot common.Hash) common.Hash {
	o, ok := v.accounts[addr]
	if ok && o.State != nil {
		return o.State[slot]
	}
	if value, found := o.StateDiff[slot]; found {
		return value
	}
	return v.base.Storage(addr, slot)
}

func (v *overriddenView) Code(hash common.Hash) []byte {
	if code, ok := v.codes[hash]; ok {
		return code
	}
	return v.base.Code(hash)
}

func (v *overriddenView) HasStorage(addr common.Address) bool {
	o, ok := v.accounts[addr]
	if !ok || o.State == nil && o.StateDiff == nil {
		return v.base.HasStorage(addr)
	}
	for _, slots := range []map[common.Hash]common.Hash{o.State, o.StateDiff} {
		for _, value := range slots {
			if value != (common.Hash{}) {
				return true
			}
		}
	}
	return o.State == nil && v.base.HasStorage(addr)
}
