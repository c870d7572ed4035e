package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// Account is the flat part of an account. It holds no pointers.
type Account struct {
	Nonce    uint64
	Balance  uint256.Int // wei
	CodeHash common.Hash // types.EmptyCodeHash without code
}

// EmptyAccount is what a View returns, with false, for an absent account.
var EmptyAccount = Account{CodeHash: types.EmptyCodeHash}

// IsEmpty reports emptiness as EIP-161 defines it; an empty account does not exist.
func (a *Account) IsEmpty() bool {
	return a.Nonce == 0 && a.Balance.IsZero() && a.CodeHash == types.EmptyCodeHash
}

// View reads one consistent version of the state. Implementations are safe for
// concurrent use unless they say otherwise.
type View interface {
	// Account returns the account, or EmptyAccount and false.
	Account(common.Address) (Account, bool)
	// Storage returns the slot's value, zero when it was never written.
	Storage(common.Address, common.Hash) common.Hash
	// Code returns the code with the hash; the caller must not change it.
	Code(common.Hash) []byte
	// HasStorage reports whether any slot of the account is not zero (EIP-7610).
	HasStorage(common.Address) bool
}

// CodeHash is the hash of an account's code, types.EmptyCodeHash also if there is no
// account. A view with a method CodeHash is asked nothing else: it may track what is
// read.
func CodeHash(view View, addr common.Address) common.Hash {
	if v, ok := view.(codeHasher); ok {
		return v.CodeHash(addr)
	}
	if a, ok := view.Account(addr); ok {
		return a.CodeHash
	}
	return types.EmptyCodeHash
}

type codeHasher interface {
	CodeHash(common.Address) common.Hash
}
