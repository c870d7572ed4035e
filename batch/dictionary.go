package batch

// frequencies counts how often each of its slots was used, and codes a slot in as many
// bits as that says.
type frequencies struct {
	weights []uint32
	sums    []uint32 // Fenwick tree over weights, from index 1
	total   uint64
}

const (
	firstWeight = 3
	moreWeight  = 2
)

// grow adds a slot without weight and returns it.
func (f *frequencies) grow() int {
	f.weights = append(f.weights, 0)
	if n := len(f.weights); n >= len(f.sums) {
		f.sums = make([]uint32, max(16, 2*len(f.sums)))
		for i := 1; i < len(f.sums); i++ {
			if i <= n {
				f.sums[i] += f.weights[i-1]
			}
			if up := i + i&-i; up < len(f.sums) {
				f.sums[up] += f.sums[i]
			}
		}
	}
	return len(f.weights) - 1
}

// change adds to the weight of a slot; a negative number is its two's complement.
func (f *frequencies) change(slot int, by uint32) {
	f.weights[slot] += by
	f.total += uint64(int64(int32(by)))
	for i := slot + 1; i < len(f.sums); i += i & -i {
		f.sums[i] += by
	}
}

// before is the weight of all slots before slot.
func (f *frequencies) before(slot int) (sum uint64) {
	for i := slot; i > 0; i -= i & -i {
		sum += uint64(f.sums[i])
	}
	return sum
}

// at finds the slot that has the share, and the weight of those before it.
func (f *frequencies) at(share uint64) (slot int, before uint64) {
	for step := len(f.sums) / 2; step > 0; step /= 2 {
		if next := slot + step; next < len(f.sums) && before+uint64(f.sums[next]) <= share {
			slot, before = next, before+uint64(f.sums[next])
		}
	}
	return slot, before
}

// slot codes a slot, which must have weight.
func (c *column) slot(f *frequencies, slot int) int {
	if c.writing {
		c.share(f.before(slot), uint64(f.weights[slot]), f.total, nil)
		return slot
	}
	c.share(0, 0, f.total, func(share uint64) (uint64, uint64) {
		var before uint64
		slot, before = f.at(share)
		return before, uint64(f.weights[slot])
	})
	return slot
}

// room is how many entries the dictionaries of a channel may still take together.
type room int

// dictionary codes values that came before. A new value is coded otherwise by the
// caller, who then adds it.
type dictionary[K comparable] struct {
	known odds
	freq  frequencies
	keys  []K
	slots map[K]int // only when writing
}

// code returns the slot of the value, -1 if it is not in the dictionary.
func (d *dictionary[K]) code(c *column, key K) int {
	if len(d.keys) == 0 {
		return -1
	}
	slot, known := -1, uint(0)
	if c.writing {
		if at, ok := d.slots[key]; ok {
			slot, known = at, 1
		}
	}
	if c.bit(&d.known, known) == 0 {
		return -1
	}
	slot = c.slot(&d.freq, slot)
	d.freq.change(slot, moreWeight)
	return slot
}

// add takes a value in if there is room and the dictionary has less than most; it
// returns the slot, or -1.
func (d *dictionary[K]) add(c *column, r *room, most int, key K) int {
	if *r == 0 || len(d.keys) >= most {
		return -1
	}
	*r--
	if c.writing {
		if d.slots == nil {
			d.slots = make(map[K]int)
		}
		d.slots[key] = len(d.keys)
	}
	d.keys = append(d.keys, key)
	slot := d.freq.grow()
	d.freq.change(slot, firstWeight)
	return slot
}
