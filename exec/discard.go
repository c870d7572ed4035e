package exec

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/invariant"
	"github.com/talaria-l2/talaria/state"
)

// Discard undoes Open and everything since, mini-blocks included, of which nothing may
// have been published. before is the state when the block was opened: the values that
// it has become the newest version. The work is that of what the block changed.
func (c *Chain) Discard(before *state.Snapshot) {
	invariant.Assert(len(c.edits) == 0, "edits are no part of a block that is discarded")
	b := c.open
	if len(b.minis) > 0 {
		first := &b.minis[0]
		c.nextMini, c.lastMiniHash = first.Number, first.ParentHash
		c.db.Apply(inverse(b.changes.Final(), before))
	}
	c.epoch, c.open = b.epoch, nil
	c.repriced = true // L1Block may hold other prices again
	c.forgetWrites()
}

// inverse gives everything that diff changed the value that it had before.
func inverse(diff state.Diff, before *state.Snapshot) state.Diff {
	undo := make(state.Diff, len(diff))
	for i := range diff {
		d, u := &diff[i], &undo[i]
		a, _ := before.Account(d.Address)
		u.Address = d.Address
		if d.Nonce != nil {
			u.Nonce = &a.Nonce
		}
		if d.Balance != nil {
			u.Balance = &a.Balance
		}
		if u.CodeChanged = d.CodeChanged; u.CodeChanged && a.CodeHash != (common.Hash{}) {
			u.Code, u.CodeHash = before.Code(a.CodeHash), a.CodeHash
		}
		u.Storage = make([]state.SlotDiff, len(d.Storage))
		for k, s := range d.Storage {
			u.Storage[k] = state.SlotDiff{Slot: s.Slot, Value: before.Storage(d.Address, s.Slot)}
		}
	}
	return undo
}
