package exec

import (
	"hash/maphash"
	"runtime"
	"sync/atomic"
)

// index is a hash table from keys of the state to chains of versions. Any number of
// goroutines look keys up without a lock; changes take the lock of one of its shards.
// A reader that runs beside a writer sees the chain before or after the change.
//
// The hash is seeded: nobody outside can choose keys that collide, and the order of
// cells must never reach an output.
type index[K comparable, V any] struct {
	seed   maphash.Seed
	shards [indexShards]indexShard[K, V]
}

const (
	indexShards = 64
	shardBits   = 6
	// minShardCells is the smallest size of a shard's table, a power of two.
	minShardCells = 16
	// keepShardCells bounds the table that a shard keeps from one use to the next.
	keepShardCells = 4096
)

type indexShard[K comparable, V any] struct {
	lock  spinLock
	table atomic.Pointer[[]cell[K, V]] // length is a power of two
	used  []uint32                     // positions of the cells in use
	_     [64]byte                     // keeps the locks of two shards apart
}

// cell is a key and the chain of its versions, latest transaction first. The key does
// not change while tag is set.
type cell[K comparable, V any] struct {
	tag   atomic.Uint64 // hash of the key with the lowest bit set; 0 for a free cell
	head  atomic.Pointer[version[V]]
	owner atomic.Bool // of an account: slots of it were written
	key   K
}

// version is the value of a key after the transaction at a position. Only next
// changes while others can see it.
type version[V any] struct {
	next   atomic.Pointer[version[V]] // of an earlier transaction
	at     int64                      // position of the transaction
	pass   uint32                     // execution of the transaction that wrote it
	credit bool                       // value is an amount to add to what is below
	value  V
}

// spinLock guards sections of a few instructions.
type spinLock struct{ state atomic.Uint32 }

func (l *spinLock) tryLock() bool { return l.state.CompareAndSwap(0, 1) }

func (l *spinLock) lock() {
	for spins := 0; !l.tryLock(); spins++ {
		if spins > 100 { // whoever holds it may not be running
			runtime.Gosched()
		}
	}
}

func (l *spinLock) unlock() { l.state.Store(0) }

func newIndex[K comparable, V any]() *index[K, V] {
	x := &index[K, V]{seed: maphash.MakeSeed()}
	for i := range x.shards {
		x.shards[i].allocate(minShardCells)
	}
	return x
}

func (s *indexShard[K, V]) allocate(size int) {
	cells := make([]cell[K, V], size)
	s.table.Store(&cells)
	s.used = s.used[:0]
}

func (x *index[K, V]) hash(key *K) uint64 { return maphash.Comparable(x.seed, *key) }

func (x *index[K, V]) shard(hash uint64) *indexShard[K, V] { return &x.shards[hash>>(64-shardBits)] }

// find returns the key's cell, or nil.
func (x *index[K, V]) find(hash uint64, key *K) *cell[K, V] {
	return x.shard(hash).find(hash, key)
}

func (s *indexShard[K, V]) find(hash uint64, key *K) *cell[K, V] {
	cells := *s.table.Load()
	tag, mask := hash|1, uint64(len(cells)-1)
	for i := hash >> 1 & mask; ; i = (i + 1) & mask {
		c := &cells[i]
		switch c.tag.Load() {
		case 0:
			return nil
		case tag:
			if c.key == *key {
				return c
			}
		}
	}
}

// insert returns the key's cell, a new one if there is none. The shard is locked.
func (s *indexShard[K, V]) insert(hash uint64, key *K) *cell[K, V] {
	if c := s.find(hash, key); c != nil {
		return c
	}
	cells := *s.table.Load()
	if 4*(len(s.used)+1) > 3*len(cells) {
		s.grow(cells)
		cells = *s.table.Load()
	}
	i := s.free(cells, hash)
	c := &cells[i]
	c.key = *key
	c.tag.Store(hash | 1)
	s.used = append(s.used, uint32(i))
	return c
}

func (s *indexShard[K, V]) free(cells []cell[K, V], hash uint64) uint64 {
	mask := uint64(len(cells) - 1)
	i := hash >> 1 & mask
	for cells[i].tag.Load() != 0 {
		i = (i + 1) & mask
	}
	return i
}

// grow moves the cells into a table of twice the size. Readers of the old one miss
// what is linked from now on, as if they had come a little earlier.
func (s *indexShard[K, V]) grow(cells []cell[K, V]) {
	used := s.used
	s.used = make([]uint32, 0, 2*len(used)+1)
	larger := make([]cell[K, V], 2*len(cells))
	for _, at := range used {
		from := &cells[at]
		tag := from.tag.Load()
		// The lowest bit of the hash is lost, which find never uses.
		i := s.free(larger, tag)
		to := &larger[i]
		to.key = from.key
		to.head.Store(from.head.Load())
		to.owner.Store(from.owner.Load())
		to.tag.Store(tag)
		s.used = append(s.used, uint32(i))
	}
	s.table.Store(&larger)
}

// link puts v into the key's chain, in the place of a version of the same transaction.
func (x *index[K, V]) link(hash uint64, key *K, v *version[V]) {
	s := x.shard(hash)
	s.lock.lock()
	at := &s.insert(hash, key).head
	n := at.Load()
	for n != nil && n.at > v.at {
		at = &n.next
		n = at.Load()
	}
	if n != nil && n.at == v.at {
		n = n.next.Load()
	}
	v.next.Store(n)
	at.Store(v)
	s.lock.unlock()
}

// put makes v, of the latest transaction, the only version of the key. Nobody else may
// use the index meanwhile.
func (x *index[K, V]) put(hash uint64, key *K, v *version[V]) {
	v.next.Store(nil)
	x.shard(hash).insert(hash, key).head.Store(v)
}

// unlink removes the version of the transaction at a position from the key's chain,
// unless a later execution than pass wrote it.
func (x *index[K, V]) unlink(hash uint64, key *K, position int64, pass uint32) {
	s := x.shard(hash)
	s.lock.lock()
	if c := s.find(hash, key); c != nil {
		at := &c.head
		n := at.Load()
		for n != nil && n.at > position {
			at = &n.next
			n = at.Load()
		}
		if n != nil && n.at == position && n.pass <= pass {
			at.Store(n.next.Load())
		}
	}
	s.lock.unlock()
}

// each calls f for every cell, in no order that may be seen, under the locks of the
// shards.
func (x *index[K, V]) each(f func(*cell[K, V])) {
	for i := range x.shards {
		s := &x.shards[i]
		s.lock.lock()
		cells := *s.table.Load()
		for _, at := range s.used {
			f(&cells[at])
		}
		s.lock.unlock()
	}
}

// reset empties the index. Nobody else may use it meanwhile.
func (x *index[K, V]) reset() {
	for i := range x.shards {
		s := &x.shards[i]
		cells := *s.table.Load()
		if len(cells) > keepShardCells {
			s.used = nil
			s.allocate(minShardCells)
			continue
		}
		for _, at := range s.used {
			c := &cells[at]
			c.tag.Store(0)
			c.head.Store(nil)
			c.owner.Store(false)
		}
		s.used = s.used[:0]
	}
}

// versions hands out versions from large allocations that it uses again after reset.
// It belongs to one goroutine at a time.
type versions[V any] struct {
	chunks [][]version[V]
	next   int // versions handed out
}

const (
	versionChunk = 256
	keepChunks   = 64
)

func (p *versions[V]) new(at int64, pass uint32) *version[V] {
	chunk, i := p.next/versionChunk, p.next%versionChunk
	if chunk == len(p.chunks) {
		p.chunks = append(p.chunks, make([]version[V], versionChunk))
	}
	p.next++
	v := &p.chunks[chunk][i]
	v.at, v.pass, v.credit = at, pass, false
	return v
}

func (p *versions[V]) reset() {
	if len(p.chunks) > keepChunks {
		clear(p.chunks[keepChunks:])
		p.chunks = p.chunks[:keepChunks]
	}
	p.next = 0
}
