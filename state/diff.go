package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/keccak"
)

// Diff is the final value of everything that one step changed: accounts ascending
// by address, each at most once. A value equal to the one before is not listed.
type Diff []AccountDiff

// AccountDiff is what changed in one account. An account whose nonce, balance and
// code are all zero or empty after the change ceases to exist (EIP-161).
type AccountDiff struct {
	Address common.Address
	Nonce   *uint64      // nil: unchanged
	Balance *uint256.Int // nil: unchanged
	Code    []byte       // meaningful if CodeChanged
	// CodeChanged tells a change to empty code from no change.
	CodeChanged bool
	// CodeHash is the hash of Code for who knows it, so that it is computed once; zero
	// is not known.
	CodeHash common.Hash
	Storage  []SlotDiff // ascending by slot, each at most once
}

// NewCodeHash is the hash of Code, types.EmptyCodeHash without code. It has a meaning if
// CodeChanged.
func (a *AccountDiff) NewCodeHash() common.Hash {
	switch {
	case len(a.Code) == 0:
		return types.EmptyCodeHash
	case a.CodeHash != common.Hash{}:
		return a.CodeHash
	}
	return keccak.Sum256(a.Code)
}

// SlotDiff is the new value of one storage slot; zero deletes it.
type SlotDiff struct {
	Slot  common.Hash
	Value common.Hash
}

// Credit raises a balance whatever it is: credits commute, so that transactions which
// pay the same account do not depend on each other.
type Credit struct {
	Address common.Address
	Amount  uint256.Int // wei, not zero
}

// DiffBuffer is memory for a Diff, its credits and logs, to be used again and again. It
// keeps that of a usual transaction.
type DiffBuffer struct {
	accounts []AccountDiff
	finals   []Account // what the pointers of accounts point to
	slots    []SlotDiff
	credits  []Credit
	logs     []*types.Log // memory up to its capacity holds logs to use again
}
