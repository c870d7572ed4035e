package state

import "hash/maphash"

// table is a hash table for keys and values without pointers, so that the garbage
// collector never scans it: open addressing with linear probing, and deletion that
// shifts later entries back instead of leaving tombstones.
//
// Growth is incremental. A full table becomes old and every change moves a few of
// its cells into the new one, so no single change pays for the whole table. The
// hash is seeded per table: nobody outside can choose keys that collide, and the
// order of each must therefore never reach an output.
//
// The zero table is empty. Reads may run concurrently with reads only.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	live   cells[K, V]
	old    cells[K, V] // entries not moved yet; no cells when nothing is to move
	cursor int         // cells of old below it hold nothing
	count  int
}

// cells is one power-of-two array of cells. tags[i] is tagFree, tagMoved or the
// top bits of the hash of entries[i] with tagUsed set.
type cells[K comparable, V any] struct {
	tags    []uint8
	entries []tableEntry[K, V]
}

type tableEntry[K comparable, V any] struct {
	key   K
	value V
}

const (
	tagFree  = 0
	tagMoved = 1 // only in old: taken away, but probes must pass
	tagUsed  = 0x80

	tableMinCells = 16
	// A table doubles at 3/4 full. It then takes 3/4 of the old size in insertions
	// before it may double again, so moving two cells per change would suffice.
	tableMovesPerChange = 8
)

func tableTag(hash uint64) uint8 { return tagUsed | uint8(hash>>57) }

func newCells[K comparable, V any](size int) cells[K, V] {
	return cells[K, V]{tags: make([]uint8, size), entries: make([]tableEntry[K, V], size)}
}

// find returns the index of the key's cell, or -1.
func (c *cells[K, V]) find(hash uint64, key *K) int {
	if len(c.tags) == 0 {
		return -1
	}
	mask := len(c.tags) - 1
	tag := tableTag(hash)
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		switch c.tags[i] {
		case tagFree:
			return -1
		case tag:
			if c.entries[i].key == *key {
				return i
			}
		}
	}
}

// insert stores a key that is not present; there is a free cell.
func (c *cells[K, V]) insert(hash uint64, key *K, value *V) {
	mask := len(c.tags) - 1
	i := int(hash) & mask
	for c.tags[i] != tagFree {
		i = (i + 1) & mask
	}
	c.tags[i] = tableTag(hash)
	c.entries[i].key, c.entries[i].value = *key, *value
}

func (t *table[K, V]) hash(key *K) uint64 { return maphash.Comparable(t.seed, *key) }

func (t *table[K, V]) len() int { return t.count }

// at returns the key's value, or nil. The pointer is good until the next change.
func (t *table[K, V]) at(key *K) *V {
	if t.count == 0 {
		return nil
	}
	h := t.hash(key)
	if i := t.live.find(h, key); i >= 0 {
		return &t.live.entries[i].value
	}
	if i := t.old.find(h, key); i >= 0 {
		return &t.old.entries[i].value
	}
	return nil
}

// put sets the key's value.
func (t *table[K, V]) put(key *K, value *V) {
	if len(t.live.tags) == 0 {
		t.reserve(tableMinCells / 2)
	}
	t.move(tableMovesPerChange)
	h := t.hash(key)
	if i := t.live.find(h, key); i >= 0 {
		t.live.entries[i].value = *value
		return
	}
	if i := t.old.find(h, key); i >= 0 {
		t.old.entries[i].value = *value
		return
	}
	if t.count+1 > len(t.live.tags)/4*3 {
		t.move(len(t.old.tags))
		t.old, t.cursor = t.live, 0
		t.live = newCells[K, V](2 * len(t.old.tags))
	}
	t.live.insert(h, key, value)
	t.count++
}

// remove deletes the key if it is present.
func (t *table[K, V]) remove(key *K) {
	if t.count == 0 {
		return
	}
	t.move(tableMovesPerChange)
	h := t.hash(key)
	if i := t.live.find(h, key); i >= 0 {
		t.shiftBack(i)
		t.count--
		return
	}
	if i := t.old.find(h, key); i >= 0 {
		t.old.tags[i] = tagMoved
		t.count--
	}
}

// shiftBack empties cell i of live: every later entry of the run that may stand
// there without preceding its home cell moves up.
func (t *table[K, V]) shiftBack(i int) {
	c := &t.live
	mask := len(c.tags) - 1
	for j := (i + 1) & mask; c.tags[j] != tagFree; j = (j + 1) & mask {
		home := int(t.hash(&c.entries[j].key)) & mask
		if (j-home)&mask >= (j-i)&mask {
			c.tags[i], c.entries[i] = c.tags[j], c.entries[j]
			i = j
		}
	}
	c.tags[i] = tagFree
	c.entries[i] = tableEntry[K, V]{}
}

// move takes up to n cells from old to live.
func (t *table[K, V]) move(n int) {
	if len(t.old.tags) == 0 {
		return
	}
	end := min(t.cursor+n, len(t.old.tags))
	for ; t.cursor < end; t.cursor++ {
		if t.old.tags[t.cursor]&tagUsed == 0 {
			continue
		}
		e := &t.old.entries[t.cursor]
		t.live.insert(t.hash(&e.key), &e.key, &e.value)
		t.old.tags[t.cursor] = tagMoved
	}
	if t.cursor == len(t.old.tags) {
		t.old, t.cursor = cells[K, V]{}, 0
	}
}

// reserve makes room for n entries in an empty table; otherwise it does nothing.
func (t *table[K, V]) reserve(n int) {
	if t.count != 0 {
		return
	}
	size := tableMinCells
	for size/4*3 < n {
		size *= 2
	}
	if size > len(t.live.tags) {
		*t = table[K, V]{seed: maphash.MakeSeed(), live: newCells[K, V](size)}
	}
}

// each calls f for every entry, in an order that differs from run to run.
func (t *table[K, V]) each(f func(*K, *V)) {
	for _, c := range []*cells[K, V]{&t.live, &t.old} {
		for i, tag := range c.tags {
			if tag&tagUsed != 0 {
				f(&c.entries[i].key, &c.entries[i].value)
			}
		}
	}
}
