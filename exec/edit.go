package exec

import (
	"github.com/talaria-l2/talaria/invariant"
	"github.com/talaria-l2/talaria/state"
)

// Edit makes the diff's values the newest version of the state, by no transaction: only
// a development chain does that. The open mini-block must be empty. What is edited is
// part of the next mini-block's diff, and so of its block's state root and history; no
// block need be open. It keeps the diff. The result is the version.
func (c *Chain) Edit(diff state.Diff) uint64 {
	if c.open != nil {
		invariant.Assert(c.MiniTxs() == 0, "an edit stands between mini-blocks")
		c.open.list.Add(0, diff)
	}
	c.edits = append(c.edits, diff)
	c.noteL1(diff)
	version := c.db.Apply(diff)
	c.forgetWrites()
	return version
}

// Edits is the number of edits since the last mini-block.
func (c *Chain) Edits() int { return len(c.edits) }

// Edited reports whether there is an edit that no mini-block holds yet.
func (c *Chain) Edited() bool { return len(c.edits) > 0 }

// Abandon undoes Open and what was applied since. The block must have no mini-block.
func (c *Chain) Abandon() {
	invariant.Assert(len(c.open.minis) == 0, "nothing of an abandoned block was cut")
	c.open = nil
	c.forgetWrites()
	c.repriced = true
}
