package exec

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// A transaction pays the L1 data fee at the prices that L1Block holds when it begins. They
// change with the first deposit of a block, and otherwise only where a development chain
// edits them: so they are read when something has written there, and not by every
// transaction, for which they would be reads that conflict.

// noteL1 notes whether the diff, which is the newest, changes L1Block.
func (c *Chain) noteL1(diff state.Diff) {
	for i := range diff {
		if d := &diff[i]; len(d.Storage) > 0 && d.Address == chain.L1BlockAddr {
			c.repriced = true
		}
	}
}

// priceL1 gives the open block's environment the prices of the next transaction. Nobody
// may be executing.
func (c *Chain) priceL1() {
	if c.repriced {
		c.repriced = false
		p := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash {
			if c.rec.on {
				c.rec.reads.Price(c.cfg, slot)
			}
			return c.newest.Storage(chain.L1BlockAddr, slot)
		})
		if p != *c.l1Fees.Params() {
			c.l1Fees = chain.NewL1FeeSchedule(p)
		}
	}
	c.open.env.L1Fees = c.l1Fees
}
