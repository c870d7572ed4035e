package node

import (
	"container/list"
	"sync"

	"github.com/talaria-l2/talaria/chain"
)

// maxCachedBytes bounds the block cache, by an estimate of what blocks take in memory.
const maxCachedBytes = 512 << 20

// weightOf estimates the memory of a decoded block in bytes.
func weightOf(b *chain.Block) int {
	const perBlock, perTx, perLog, perMini = 1000, 1000, 300, 250
	weight := perBlock + perMini*len(b.MiniBlocks)
	for i, tx := range b.Txs {
		weight += perTx + 2*len(tx.Raw())
		for _, l := range b.Receipts[i].Logs {
			weight += perLog + len(l.Data)
		}
	}
	return weight
}

// blockCache keeps sealed blocks in their decoded form, least recently used out
// first. Decoding a large block costs far more than answering about one transaction
// of it. The zero value is ready.
type blockCache struct {
	mu     sync.Mutex
	order  list.List // of *cachedBlock, most recently used first
	byNum  map[uint64]*list.Element
	weight int
	// rewinds counts forget: what was loaded before one is not kept after it.
	rewinds int
}

// get returns the cached block, or what load gives; nil is not kept.
func (c *blockCache) get(number uint64, load func() (*chain.Block, error)) (*chain.Block, error) {
	c.mu.Lock()
	if e, ok := c.byNum[number]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cachedBlock).block, nil
	}
	rewinds := c.rewinds
	c.mu.Unlock()
	b, err := load()
	if b != nil && err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rewinds == rewinds {
			c.put(b)
		}
	}
	return b, err
}

// add keeps a block that was just written.
func (c *blockCache) add(b *chain.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(b)
}

// put keeps a block unless it alone would take more than half of the cache.
func (c *blockCache) put(b *chain.Block) {
	weight := weightOf(b)
	if _, ok := c.byNum[b.Number()]; ok || weight > maxCachedBytes/2 {
		return
	}
	if c.byNum == nil {
		c.byNum = make(map[uint64]*list.Element)
	}
	c.byNum[b.Number()] = c.order.PushFront(&cachedBlock{b, weight})
	c.weight += weight
	for c.weight > maxCachedBytes {
		c.remove(c.order.Back())
	}
}

type cachedBlock struct {
	block  *chain.Block
	weight int
}

// forget drops every block after number.
func (c *blockCache) forget(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rewinds++
	for n, e := range c.byNum {
		if n > number {
			c.remove(e)
		}
	}
}

func (c *blockCache) remove(e *list.Element) {
	b := c.order.Remove(e).(*cachedBlock)
	delete(c.byNum, b.block.Number())
	c.weight -= b.weight
}
