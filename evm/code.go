package evm

import (
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// codePadding zero bytes follow every code: an instruction past its end is STOP, and
// the operand of a PUSH at its end is padded with zeros.
const codePadding = 64

// code is a code that can run: its bytes and where its jumps may go.
type code struct {
	bytes []byte // with codePadding zero bytes behind the code
	size  int    // of the code itself
	jumps atomic.Pointer[jumps]

	start  atomic.Pointer[block] // compiled at 0
	blocks atomic.Pointer[blocks]
	cold   sync.Map     // *atomic.Pointer[block] by program counter, for ways seldom taken
	spent  atomic.Int64 // steps compiled so far
	kept   bool         // in the cache; initcode is not
	grown  int          // bytes that blocks take; guarded by the cache's lock
	runs   atomic.Int32 // executions so far, as far as they matter
}

// blocks are the compiled blocks by program counter of the JUMPDEST at their entry.
type blocks []atomic.Pointer[block]

const (
	// coldRuns is how often a code is interpreted before it is worth compiling.
	coldRuns = 2
	// coldCode is how many bytes of code one execution goes through before it is, and
	// coldInitcode for initcode, which runs once.
	coldCode     = 4_096
	coldInitcode = 256 * 1024
)

// warm reports whether the code has run often enough to be compiled.
func (c *code) warm() bool {
	return c.runs.Load() >= coldRuns || c.runs.Add(1) > coldRuns
}

// table returns the place for the code's blocks.
func (c *code) table() blocks {
	if t := c.blocks.Load(); t != nil {
		return *t
	}
	t := make(blocks, c.size)
	codes.grow(c, 8*c.size)
	c.blocks.CompareAndSwap(nil, &t)
	return *c.blocks.Load()
}

// overspent reports whether the code has used up what traces may copy of it.
func (c *code) overspent() bool {
	return c.spent.Load() > int64(traceBudget*c.size)+4*maxTrace
}

// at returns the block that begins at the JUMPDEST pc, or nil if none is compiled.
func (t blocks) at(pc uint64) *block {
	if pc < uint64(len(t)) {
		return t[pc].Load()
	}
	return nil
}

// fill compiles the block that begins at pc into its place. If several goroutines come
// at once, one block stays.
func (c *code) fill(p *atomic.Pointer[block], pc uint64) (b *block, effort int) {
	made, effort := compile(c, pc)
	p.CompareAndSwap(nil, made)
	return p.Load(), effort
}

// newCode makes a code of bytes, which it copies.
func newCode(b []byte) *code {
	c := &code{bytes: make([]byte, len(b)+codePadding), size: len(b)}
	copy(c.bytes, b)
	return c
}

// jumps says where a code has JUMPDESTs: bit n, that byte n is one and not data of a PUSH.
type jumps []uint64

// canJump reports whether pc is the place of a JUMPDEST. The first question analyses the
// code.
func (c *code) canJump(pc uint64) bool {
	known := c.jumps.Load()
	if known == nil {
		found := findJumps(c.bytes[:c.size])
		known = &found
		c.jumps.Store(known)
	}
	return pc < uint64(c.size) && (*known)[pc/64]&(1<<(pc%64)) != 0
}

func findJumps(b []byte) jumps {
	found := make(jumps, len(b)/64+1)
	for pc := 0; pc < len(b); pc++ {
		switch op := b[pc]; {
		case op == opJUMPDEST:
			found[pc/64] |= 1 << (pc % 64)
		case op >= opPUSH1 && op <= opPUSH32:
			pc += int(op - opPUSH1 + 1)
		}
	}
	return found
}

// codeCacheBytes bounds each of the two generations of a codeCache.
const codeCacheBytes = 128 << 20

// codeCache keeps analysed codes by hash for all machines of the process. It holds
// two generations: when the young one is full it becomes the old one, and what is
// still used moves back.
type codeCache struct {
	mu         sync.Mutex
	young, old map[common.Hash]*code
	youngBytes int
	generation atomic.Uint64 // how often the young one became old
}

var codes = &codeCache{young: make(map[common.Hash]*code)}

// get returns the analysed form of the code with the hash.
func (c *codeCache) get(hash common.Hash, b []byte) *code {
	if found := c.find(hash); found != nil {
		return found
	}
	return c.add(hash, newCode(b)) // a large one takes a while, without the lock
}

func (c *codeCache) find(hash common.Hash) *code {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[hash]; found != nil {
		return found
	}
	if found := c.old[hash]; found != nil {
		c.insert(hash, found)
		return found
	}
	return nil
}

// add keeps a code and returns it, or the one that was first.
func (c *codeCache) add(hash common.Hash, made *code) *code {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[hash]; found != nil {
		return found
	}
	c.insert(hash, made)
	return made
}

func (c *codeCache) insert(hash common.Hash, made *code) {
	const overhead = 256
	if !made.kept { // nobody else has it yet
		made.kept = true
	}
	c.young[hash] = made
	c.count(2*made.size + made.grown + overhead)
}

// grow counts memory that blocks of a code take.
func (c *codeCache) grow(grown *code, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if grown.kept {
		grown.grown += bytes
		c.count(bytes)
	}
}

// count adds to what the young generation takes, and makes it the old one if that is
// too much.
func (c *codeCache) count(bytes int) {
	c.youngBytes += bytes
	if c.youngBytes > codeCacheBytes {
		c.old, c.young, c.youngBytes = c.young, make(map[common.Hash]*code), 0
		c.generation.Add(1)
	}
}

// place returns where the block for a way seldom taken is kept.
func (c *code) place(pc uint64) *atomic.Pointer[block] {
	p, ok := c.cold.Load(pc)
	if !ok {
		p, _ = c.cold.LoadOrStore(pc, new(atomic.Pointer[block]))
	}
	return p.(*atomic.Pointer[block])
}

// localCodes is the part of a machine's codes that it used last, found without a lock. It
// is forgotten with every generation, so that it does not hold what the cache dropped.
type localCodes struct {
	generation uint64
	entries    [256]struct {
		hash common.Hash
		code *code
	}
}

// find returns the code with the hash if the machine used it lately.
func (l *localCodes) find(hash common.Hash) *code {
	if now := codes.generation.Load(); now != l.generation {
		clear(l.entries[:])
		l.generation = now
	}
	if e := &l.entries[hash[0]]; e.hash == hash {
		return e.code
	}
	return nil
}

// get returns the analysed form of the code with the hash.
func (l *localCodes) get(hash common.Hash, b []byte) *code {
	if found := l.find(hash); found != nil {
		return found
	}
	e := &l.entries[hash[0]]
	e.hash, e.code = hash, codes.get(hash, b)
	return e.code
}
