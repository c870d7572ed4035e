package derive

import (
	"slices"

	"github.com/talaria-l2/talaria/batch"
)

// past tells whether the state has what an L1 block gives; it only fills the bank.
func (p *Pipeline) past(l1 *L1Block) bool { return l1.Number <= p.start.PostedIn.Number }

// candidate is the next channel to look at for the block behind the head, nil if there is
// none. A channel is looked at with the L1 block that completes it, or with the one that
// brings the chain to it.
func (p *Pipeline) candidate() *openChannel {
	if p.spent {
		return nil
	}
	if next := p.state.Head.Number + 1; p.number != next {
		p.line, p.number = p.bank.from(next), next
		p.line = slices.DeleteFunc(p.line, func(c *openChannel) bool { return !p.due(c) })
	}
	if len(p.line) == 0 {
		return nil
	}
	c := p.line[0]
	p.line = p.line[1:]
	return c
}

// due tells whether a channel has not been looked at yet: it got a frame, or was ahead of
// the chain when the L1 block began, or the work of the one before had been used up.
func (p *Pipeline) due(c *openChannel) bool {
	return c.header.FirstNumber > p.before+1 || !c.order.before(p.resume)
}

// take queues the blocks of a channel, all of them or none, if the work that it takes, and the
// gas that its blocks may, is left in this L1 block. If it is not, nothing more is looked at
// until the next.
func (p *Pipeline) take(l1 *L1Block, c *openChannel) *dropError {
	c.looked, c.known = l1.Number, true
	head := p.state.Head
	if head.Hash != c.header.ParentHash {
		return drop(DropParent, "block %d on %x, block %d is %x", c.header.FirstNumber, c.header.ParentHash, head.Number, head.Hash)
	}
	data := c.content(c.bytes)
	if id := batch.IDOf(data); id != c.id {
		return drop(DropChannel, "content has the id %s", id)
	}
	work, err := batch.ChannelWork(data)
	switch {
	case err != nil:
		return drop(DropChannel, "%v", err)
	case work > p.settings.limits.work:
		return drop(DropChannel, "work of %d bytes, limit %d", work, p.settings.limits.work)
	case work > p.left:
		p.spent, p.resume = true, c.order
		return nil
	}
	p.left -= work
	_, blocks, err := batch.DecodeChannel(data, int(p.cfg.MaxTxBytes))
	if err != nil {
		return drop(DropChannel, "%v", err)
	}
	queue, fill := make([]derived, len(blocks)), uint64(0)
	for i := range blocks {
		d, err := checkBlock(p.cfg, head, &blocks[i], l1, p.origin)
		if err != nil {
			return err
		}
		queue[i], head = d, d.head
		fill += fillOf(d.in.Txs, d.in.Params.GasLimit)
	}
	switch {
	case fill > p.settings.limits.fill:
		return drop(DropChannel, "blocks filled to %d millionths, limit %d", fill, p.settings.limits.fill)
	case fill > p.room:
		p.spent, p.resume = true, c.order
		return nil
	}
	p.room -= fill
	queue[len(queue)-1].in.ExpectHash = c.header.LastHash
	p.queue, p.channel = queue, c.id
	p.bank.take(c)
	return nil
}

// tellOld names the channels that the chain has passed by: those that it came to in this
// L1 block, and those of which frames came late.
func (p *Pipeline) tellOld(l1 *L1Block) {
	old := func(c *openChannel) {
		if c.count > 0 && c.looked != l1.Number && p.due(c) {
			c.looked, c.known = l1.Number, true
			p.drop(l1, c.id, drop(DropOld, "blocks %d..%d, the chain is at %d", c.header.FirstNumber, c.header.LastNumber(), p.state.Head.Number))
		}
	}
	for _, c := range p.bank.touched {
		if c.header.FirstNumber <= p.state.Head.Number {
			old(c)
		}
	}
	for n := p.before + 2; n <= p.state.Head.Number; n++ {
		for _, c := range p.bank.from(n) {
			old(c)
		}
	}
}
