package state

import (
	"hash/maphash"
	"math/bits"
	"reflect"
	"sync"
)

// cache is a hash table of fixed size that forgets: a key has one set of cells to be
// in, and a value that comes into a full set takes the place of one that was not asked
// for since the clock hand of the set last passed it. Like a table it holds no
// pointers. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu      sync.Mutex
	seed    maphash.Seed
	sets    uint64
	tags    []uint8 // as in cells; a set is cacheWays in a row
	asked   []bool  // since the hand passed
	hands   []uint8 // of each set
	entries []tableEntry[K, V]
}

const cacheWays = 8

// init makes an empty cache of that many bytes, of one set at least.
func (c *cache[K, V]) init(size uint64) {
	perSet := cacheWays*(uint64(reflect.TypeFor[tableEntry[K, V]]().Size())+2) + 1
	c.seed, c.sets = maphash.MakeSeed(), max(size/perSet, 1)
	n := c.sets * cacheWays
	c.tags, c.asked, c.hands = make([]uint8, n), make([]bool, n), make([]uint8, c.sets)
	c.entries = make([]tableEntry[K, V], n)
}

// find returns the first cell of the key's set, its tag, and its cell or -1.
func (c *cache[K, V]) find(key *K) (set int, tag uint8, at int) {
	h := maphash.Comparable(c.seed, *key)
	n, _ := bits.Mul64(h, c.sets)
	set, tag = int(n)*cacheWays, tagUsed|uint8(h)
	for i := set; i < set+cacheWays; i++ {
		if c.tags[i] == tag && c.entries[i].key == *key {
			return set, tag, i
		}
	}
	return set, tag, -1
}

func (c *cache[K, V]) get(key *K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _, i := c.find(key)
	if i < 0 {
		return value, false
	}
	c.asked[i] = true
	return c.entries[i].value, true
}

func (c *cache[K, V]) put(key *K, value *V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set, tag, i := c.find(key)
	if i < 0 {
		i = c.place(set)
		c.tags[i], c.entries[i].key, c.asked[i] = tag, *key, false
	}
	c.entries[i].value = *value
}

// place returns a cell of the set for another value.
func (c *cache[K, V]) place(set int) int {
	for i := set; i < set+cacheWays; i++ {
		if c.tags[i] == tagFree {
			return i
		}
	}
	hand := &c.hands[set/cacheWays]
	for {
		i := set + int(*hand)
		*hand = (*hand + 1) % cacheWays
		if !c.asked[i] {
			return i
		}
		c.asked[i] = false
	}
}
