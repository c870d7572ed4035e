package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
)

// jumpCacheBytes bounds each of the two generations of a jumpCache.
const jumpCacheBytes = 4 << 20

// jumpCache remembers which bytes of a code are instructions, by code hash. It
// holds two generations: when the young one is full it becomes the old one, and
// what is still used moves back. It is used by one goroutine.
type jumpCache struct {
	young, old map[common.Hash]vm.BitVec
	youngBytes int
}

func newJumpCache() *jumpCache {
	return &jumpCache{young: make(map[common.Hash]vm.BitVec)}
}

// Load returns the analysis of a code.
func (c *jumpCache) Load(code common.Hash) (vm.BitVec, bool) {
	if vec, ok := c.young[code]; ok {
		return vec, true
	}
	vec, ok := c.old[code]
	if ok {
		c.Store(code, vec)
	}
	return vec, ok
}

// Store keeps the analysis of a code.
func (c *jumpCache) Store(code common.Hash, vec vm.BitVec) {
	const entryOverhead = 64
	c.young[code] = vec
	c.youngBytes += len(vec) + entryOverhead
	if c.youngBytes > jumpCacheBytes {
		c.old, c.young, c.youngBytes = c.young, make(map[common.Hash]vm.BitVec), 0
	}
}
