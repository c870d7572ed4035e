package state

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// AddRefund adds gas to the refund counter (EIP-3529).
func (j *Journal) AddRefund(gas uint64) {
	j.undos = append(j.undos, undo{kind: undoRefund, number: j.refund})
	j.refund += gas
}

// SubRefund takes gas from the refund counter; taking more than it holds is a
// programming error and panics.
func (j *Journal) SubRefund(gas uint64) {
	if gas > j.refund {
		panic(fmt.Sprintf("refund counter: take %d of %d", gas, j.refund))
	}
	j.undos = append(j.undos, undo{kind: undoRefund, number: j.refund})
	j.refund -= gas
}

// Refund is the refund counter in gas.
func (j *Journal) Refund() uint64 { return j.refund }

// CreateAccount makes the account exist.
func (j *Journal) CreateAccount(addr common.Address) { j.change(&addr) }

// CreateContract marks the account as a contract made by this transaction (EIP-6780).
func (j *Journal) CreateContract(addr common.Address) {
	a, i := j.change(&addr)
	if !a.created {
		a.created = true
		j.undos = append(j.undos, undo{kind: undoCreated, target: i})
	}
}

// CreatedContract reports whether this transaction made the account a contract.
func (j *Journal) CreatedContract(addr common.Address) bool {
	a, _ := j.load(&addr)
	return a.created
}

// SelfDestruct marks an existing account for removal at the end of the transaction.
// It stays visible until then.
func (j *Journal) SelfDestruct(addr common.Address) {
	a, i := j.load(&addr)
	if a.exists && !a.destructed {
		a.destructed = true
		j.undos = append(j.undos, undo{kind: undoDestructed, target: i})
	}
}

// SelfDestructed reports whether the account is marked for removal.
func (j *Journal) SelfDestructed(addr common.Address) bool {
	a, _ := j.load(&addr)
	return a.destructed
}

// IsWarm reports whether the address is in the access list (EIP-2929).
func (j *Journal) IsWarm(addr common.Address) bool {
	return j.accounts[j.find(&addr)].warm
}

// IsWarmSlot reports whether the address and its slot are in the access list.
func (j *Journal) IsWarmSlot(addr common.Address, slot common.Hash) (address, both bool) {
	account := j.find(&addr)
	i := j.findSlot(account, &slot)
	return j.accounts[account].warm, j.slots[i].warm
}

// Warm adds the address to the access list.
func (j *Journal) Warm(addr common.Address) { j.TouchAccount(addr) }

// WarmSlot adds the address and its slot to the access list.
func (j *Journal) WarmSlot(addr common.Address, slot common.Hash) {
	j.TouchAccount(addr)
	j.TouchSlot(addr, slot)
}

// TouchAccount adds the address to the access list and reports whether it was there
// already. What is asked of the same account next finds it without a search.
func (j *Journal) TouchAccount(addr common.Address) (wasWarm bool) {
	i := j.find(&addr)
	if j.accounts[i].warm {
		return true
	}
	j.accounts[i].warm = true
	j.undos = append(j.undos, undo{kind: undoWarmAccount, target: i})
	return false
}

// TouchSlot adds the slot to the access list, but not its address, and reports whether
// it was there already. Storage and SetStorage of the same slot next find it without a
// search.
func (j *Journal) TouchSlot(addr common.Address, slot common.Hash) (wasWarm bool) {
	i := j.findSlot(j.find(&addr), &slot)
	if j.slots[i].warm {
		return true
	}
	j.slots[i].warm = true
	j.undos = append(j.undos, undo{kind: undoWarmSlot, target: i})
	return false
}

// Snapshot names the present state for Revert.
func (j *Journal) Snapshot() int { return len(j.undos) }

// Revert takes back everything since the snapshot.
func (j *Journal) Revert(snapshot int) {
	for n := len(j.undos) - 1; n >= snapshot; n-- {
		j.revertOne(j.undos[n])
	}
	j.undos = j.undos[:snapshot]
}

func (j *Journal) revertOne(u undo) {
	switch u.kind {
	case undoBalance:
		top := len(j.balances) - 1
		j.accounts[u.target].current.Balance = j.balances[top]
		j.balances = j.balances[:top]
	case undoNonce:
		j.accounts[u.target].current.Nonce = u.number
	case undoCode:
		a, top := &j.accounts[u.target], len(j.codes)-1
		a.code, a.codeKnown = j.codes[top], true
		a.current.CodeHash = j.popWord()
		j.codes[top] = nil
		j.codes = j.codes[:top]
	case undoExists:
		j.accounts[u.target].exists = false
	case undoCreated:
		j.accounts[u.target].created = false
	case undoDestructed:
		j.accounts[u.target].destructed = false
	case undoStorage:
		j.slots[u.target].current = j.popWord()
	case undoTransient:
		j.transient[u.target] = j.popWord()
	case undoRefund:
		j.refund = u.number
	case undoLog:
		j.popLog()
	case undoWarmAccount:
		j.accounts[u.target].warm = false
	case undoWarmSlot:
		j.slots[u.target].warm = false
	}
}

func (j *Journal) popWord() common.Hash {
	top := len(j.words) - 1
	w := j.words[top]
	j.words = j.words[:top]
	return w
}
