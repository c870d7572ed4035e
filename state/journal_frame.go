package state

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
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

// AddLog appends a log and takes ownership of it.
func (j *Journal) AddLog(l *types.Log) {
	j.undos = append(j.undos, undo{kind: undoLog})
	j.logs = append(j.logs, l)
}

// AppendLog appends a log of addr and copies topics and data.
func (j *Journal) AppendLog(addr common.Address, topics []common.Hash, data []byte) {
	j.AddLog(&types.Log{Address: addr, Topics: slices.Clone(topics), Data: bytes.Clone(data)})
}

// LogsInto are the logs in order, in the memory of buf.
func (j *Journal) LogsInto(buf *DiffBuffer) []*types.Log {
	buf.logs = append(buf.logs[:0], j.logs...)
	return buf.logs
}

// Logs are the logs in order. They stay valid after Reset.
func (j *Journal) Logs() []*types.Log { return j.logs }

// CreateAccount makes the account exist.
func (j *Journal) CreateAccount(addr common.Address) { j.change(addr) }

// CreateContract marks the account as a contract made by this transaction (EIP-6780).
func (j *Journal) CreateContract(addr common.Address) {
	a, i := j.change(addr)
	if !a.created {
		a.created = true
		j.undos = append(j.undos, undo{kind: undoCreated, target: i})
	}
}

// CreatedContract reports whether this transaction made the account a contract.
func (j *Journal) CreatedContract(addr common.Address) bool {
	a, _ := j.load(addr)
	return a.created
}

// SelfDestruct marks an existing account for removal at the end of the transaction.
// It stays visible until then.
func (j *Journal) SelfDestruct(addr common.Address) {
	a, i := j.load(addr)
	if a.exists && !a.destructed {
		a.destructed = true
		j.undos = append(j.undos, undo{kind: undoDestructed, target: i})
	}
}

// SelfDestructed reports whether the account is marked for removal.
func (j *Journal) SelfDestructed(addr common.Address) bool {
	a, _ := j.load(addr)
	return a.destructed
}

// IsWarm reports whether the address is in the access list (EIP-2929).
func (j *Journal) IsWarm(addr common.Address) bool {
	return j.accounts[j.find(addr)].warm
}

// IsWarmSlot reports whether the address and its slot are in the access list.
func (j *Journal) IsWarmSlot(addr common.Address, slot common.Hash) (address, both bool) {
	account := j.find(addr)
	i, ok := j.slotIndex[slotKey{account, slot}]
	return j.accounts[account].warm, ok && j.slots[i].warm
}

// Warm adds the address to the access list.
func (j *Journal) Warm(addr common.Address) {
	i := j.find(addr)
	if !j.accounts[i].warm {
		j.accounts[i].warm = true
		j.undos = append(j.undos, undo{kind: undoWarmAccount, target: i})
	}
}

// WarmSlot adds the address and its slot to the access list.
func (j *Journal) WarmSlot(addr common.Address, slot common.Hash) {
	j.Warm(addr)
	i := j.findSlot(j.find(addr), slot)
	if !j.slots[i].warm {
		j.slots[i].warm = true
		j.undos = append(j.undos, undo{kind: undoWarmSlot, target: i})
	}
}

// TouchAccount adds the address to the access list and reports whether it was there
// already.
func (j *Journal) TouchAccount(addr common.Address) (wasWarm bool) {
	i := j.find(addr)
	if j.accounts[i].warm {
		return true
	}
	j.accounts[i].warm = true
	j.undos = append(j.undos, undo{kind: undoWarmAccount, target: i})
	return false
}

// TouchSlot adds the slot to the access list, but not its address, and reports whether
// it was there already.
func (j *Journal) TouchSlot(addr common.Address, slot common.Hash) (wasWarm bool) {
	i := j.findSlot(j.find(addr), slot)
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
		before := j.popWord()
		j.transient[slotKey{u.target, j.popWord()}] = before
	case undoRefund:
		j.refund = u.number
	case undoLog:
		j.logs = j.logs[:len(j.logs)-1]
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

// Credit adds amount wei to an account without reading it, unless the transaction has
// read it already. It belongs to the end of a transaction: a credited account must
// not be read before FoldCredits, and Revert does not take credits back.
func (j *Journal) Credit(addr common.Address, amount *uint256.Int) {
	if i, ok := j.index[addr]; ok && j.accounts[i].loaded {
		j.AddBalance(addr, amount)
		return
	}
	if !amount.IsZero() {
		j.credits = append(j.credits, Credit{addr, *amount})
	}
}

// FoldCredits turns credits into plain changes of balance.
func (j *Journal) FoldCredits() {
	for i := range j.credits {
		j.AddBalance(j.credits[i].Address, &j.credits[i].Amount)
	}
	j.credits = j.credits[:0]
}

// DiffInto is Diff and the credits that were not folded, in the memory of buf.
func (j *Journal) DiffInto(buf *DiffBuffer) (Diff, []Credit) {
	buf.credits = append(buf.credits[:0], j.credits...)
	return j.Diff(), buf.credits
}

// Diff is what the transaction changed: the end of it. Accounts that destroyed
// themselves become empty, and their new slots vanish. The result shares no memory
// with the journal except code.
func (j *Journal) Diff() Diff {
	accounts, slots := j.changedAccounts[:0], j.changedSlots[:0]
	for i := range j.slots {
		s := &j.slots[i]
		if s.loaded && j.finalSlot(s) != s.original {
			slots = append(slots, int32(i))
			j.accounts[s.account].slotsChanged = true
		}
	}
	for i := range j.accounts {
		a := &j.accounts[i]
		if a.slotsChanged || (a.loaded && j.finalAccount(a) != a.original) {
			accounts = append(accounts, int32(i))
			a.slotsChanged = false
		}
	}
	j.changedAccounts, j.changedSlots = accounts, slots
	if len(accounts) == 0 {
		return nil
	}
	byAddress := func(x, y int32) int {
		return bytes.Compare(j.accounts[x].address[:], j.accounts[y].address[:])
	}
	slices.SortFunc(accounts, byAddress)
	slices.SortFunc(slots, func(x, y int32) int {
		a, b := &j.slots[x], &j.slots[y]
		if c := byAddress(a.account, b.account); c != 0 {
			return c
		}
		return bytes.Compare(a.slot[:], b.slot[:])
	})
	return j.buildDiff(accounts, slots)
}

// buildDiff writes the sorted accounts and slots; few large allocations back all
// pointers and lists.
func (j *Journal) buildDiff(accounts, slots []int32) Diff {
	diff := make(Diff, len(accounts))
	finals := make([]Account, len(accounts))
	values := make([]SlotDiff, len(slots))
	next := 0
	for n, i := range accounts {
		a, d, final := &j.accounts[i], &diff[n], &finals[n]
		*final = j.finalAccount(a)
		d.Address = a.address
		if a.loaded {
			if final.Nonce != a.original.Nonce {
				d.Nonce = &final.Nonce
			}
			if final.Balance != a.original.Balance {
				d.Balance = &final.Balance
			}
			if final.CodeHash != a.original.CodeHash {
				d.CodeChanged = true
				if !a.destructed {
					d.Code = a.code
				}
			}
		}
		first := next
		for ; next < len(slots) && j.slots[slots[next]].account == i; next++ {
			s := &j.slots[slots[next]]
			values[next] = SlotDiff{Slot: s.slot, Value: j.finalSlot(s)}
		}
		if next > first {
			d.Storage = values[first:next:next]
		}
	}
	return diff
}

func (j *Journal) finalAccount(a *journalAccount) Account {
	if a.destructed {
		return EmptyAccount
	}
	return a.current
}

func (j *Journal) finalSlot(s *journalSlot) common.Hash {
	if j.accounts[s.account].destructed {
		return common.Hash{}
	}
	return s.current
}
