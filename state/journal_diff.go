package state

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Credit adds amount wei to an account without reading it, unless the transaction has
// read it already. It belongs to the end of a transaction: a credited account must
// not be read before FoldCredits, and Revert does not take credits back.
func (j *Journal) Credit(addr common.Address, amount *uint256.Int) {
	if i := j.accountIndex.find(&addr); i >= 0 && j.accounts[i].loaded {
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

// DiffInto is Diff and the credits that were not folded, in the memory of buf: they are
// good until buf is used again.
func (j *Journal) DiffInto(buf *DiffBuffer) (Diff, []Credit) {
	buf.credits = append(emptied(buf.credits, keepEntries), j.credits...)
	return j.diff(buf), buf.credits
}

// Diff is what the transaction changed: the end of it. Accounts that destroyed
// themselves become empty, and their new slots vanish. The result shares no memory
// with the journal except code.
func (j *Journal) Diff() Diff { return j.diff(new(DiffBuffer)) }

func (j *Journal) diff(buf *DiffBuffer) Diff {
	accounts, slots := emptied(j.changedAccounts, keepEntries), emptied(j.changedSlots, keepEntries)
	for i := range j.slots {
		if s := &j.slots[i]; s.loaded && !sameWord(j.finalSlot(int32(i)), &s.original) {
			slots = append(slots, int32(i))
			j.accounts[j.slotIndex.keys[i].account].slotsChanged = true
		}
	}
	for i := range j.accounts {
		a := &j.accounts[i]
		if a.slotsChanged || (a.loaded && !a.final().equals(&a.original)) {
			accounts = append(accounts, int32(i))
			a.slotsChanged = false
		}
	}
	j.changedAccounts, j.changedSlots = accounts, slots
	if len(accounts) == 0 {
		return nil
	}
	byAddress := func(x, y int32) int {
		return bytes.Compare(j.accountIndex.keys[x][:], j.accountIndex.keys[y][:])
	}
	slices.SortFunc(accounts, byAddress)
	if len(slots) > 1 {
		slices.SortFunc(slots, func(x, y int32) int {
			a, b := &j.slotIndex.keys[x], &j.slotIndex.keys[y]
			if a.account != b.account {
				return byAddress(a.account, b.account)
			}
			return bytes.Compare(a.slot[:], b.slot[:])
		})
	}
	return j.writeDiff(buf, accounts, slots)
}

// writeDiff writes the sorted accounts and slots to buf.
func (j *Journal) writeDiff(buf *DiffBuffer, accounts, slots []int32) Diff {
	buf.accounts = sized(buf.accounts, len(accounts), keepEntries)
	buf.finals = sized(buf.finals, len(accounts), keepEntries)
	buf.slots = sized(buf.slots, len(slots), keepEntries)
	next := 0
	for n, i := range accounts {
		a, d := &j.accounts[i], &buf.accounts[n]
		*d = AccountDiff{Address: j.accountIndex.keys[i]}
		if a.loaded {
			final := &buf.finals[n]
			*final = *a.final()
			if final.Nonce != a.original.Nonce {
				d.Nonce = &final.Nonce
			}
			if final.Balance != a.original.Balance {
				d.Balance = &final.Balance
			}
			if !sameWord(&final.CodeHash, &a.original.CodeHash) {
				d.CodeChanged = true
				if !a.destructed {
					d.Code, d.CodeHash = a.code, final.CodeHash
				}
			}
		}
		first := next
		for ; next < len(slots) && j.slotIndex.keys[slots[next]].account == i; next++ {
			s := slots[next]
			buf.slots[next] = SlotDiff{Slot: j.slotIndex.keys[s].slot, Value: *j.finalSlot(s)}
		}
		if next > first {
			d.Storage = buf.slots[first:next:next]
		}
	}
	return buf.accounts
}

func (a *journalAccount) final() *Account {
	if a.destructed {
		return &EmptyAccount
	}
	return &a.current
}

func (a *Account) equals(b *Account) bool {
	return a.Nonce == b.Nonce && a.Balance == b.Balance && sameWord(&a.CodeHash, &b.CodeHash)
}

func (j *Journal) finalSlot(i int32) *common.Hash {
	if j.accounts[j.slotIndex.keys[i].account].destructed {
		return new(common.Hash)
	}
	return &j.slots[i].current
}
