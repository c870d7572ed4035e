package evm

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// codePadding zero bytes follow every code: an instruction past its end is STOP, and
// the operand of a PUSH at its end is padded with zeros.
const codePadding = 64

// code is a code that can run: its bytes and where its jumps may go.
type code struct {
	bytes []byte   // with codePadding zero bytes behind the code
	size  int      // of the code itself
	jumps []uint64 // bit n: byte n is a JUMPDEST instruction, not data of a PUSH
}

// newCode analyses a code, which it copies.
func newCode(b []byte) *code {
	c := &code{bytes: make([]byte, len(b)+codePadding), size: len(b), jumps: make([]uint64, len(b)/64+1)}
	copy(c.bytes, b)
	for pc := 0; pc < len(b); pc++ {
		switch op := b[pc]; {
		case op == opJUMPDEST:
			c.jumps[pc/64] |= 1 << (pc % 64)
		case op >= opPUSH1 && op <= opPUSH32:
			pc += int(op - opPUSH1 + 1)
		}
	}
	return c
}

// canJump reports whether pc is the place of a JUMPDEST.
func (c *code) canJump(pc uint64) bool {
	return pc < uint64(c.size) && c.jumps[pc/64]&(1<<(pc%64)) != 0
}

// codeCacheBytes bounds each of the two generations of a codeCache.
const codeCacheBytes = 64 << 20

// codeCache keeps analysed codes by hash for all machines of the process. It holds
// two generations: when the young one is full it becomes the old one, and what is
// still used moves back.
type codeCache struct {
	mu         sync.Mutex
	young, old map[common.Hash]*code
	youngBytes int
}

var codes = &codeCache{young: make(map[common.Hash]*code)}

// get returns the analysed form of the code with the hash.
func (c *codeCache) get(hash common.Hash, b []byte) *code {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[hash]; found != nil {
		return found
	}
	found := c.old[hash]
	if found == nil {
		found = newCode(b)
	}
	const overhead = 256
	c.young[hash] = found
	c.youngBytes += 4*len(b) + overhead
	if c.youngBytes > codeCacheBytes {
		c.old, c.young, c.youngBytes = c.young, map[common.Hash]*code{hash: found}, 0
	}
	return found
}

// localCodes is the part of a machine's codes that it used last, found without a lock.
type localCodes [256]struct {
	hash common.Hash
	code *code
}

// get returns the analysed form of the code with the hash.
func (l *localCodes) get(hash common.Hash, b []byte) *code {
	e := &l[hash[0]]
	if e.code == nil || e.hash != hash {
		e.hash, e.code = hash, codes.get(hash, b)
	}
	return e.code
}
