package state

import "slices"

// history holds the undo layers of one table, indexed by key instead of by layer:
// a read at an old version costs one lookup and a binary search, however many
// layers are newer than it.
type history[K comparable, V any] struct {
	past map[K][]pastValue[V] // ascending by version
}

// pastValue is the value that version replaced.
type pastValue[V any] struct {
	version uint64
	value   V
}

func newHistory[K comparable, V any]() history[K, V] {
	return history[K, V]{past: make(map[K][]pastValue[V])}
}

// record notes the value before version and reports whether it was the first
// change of the key in that version; a later one is not a version's old value.
func (h *history[K, V]) record(key K, version uint64, before V) bool {
	values := h.past[key]
	if n := len(values); n > 0 && values[n-1].version == version {
		return false
	}
	h.past[key] = append(values, pastValue[V]{version, before})
	return true
}

// at returns the value as of version, or nil when no later version changed it and
// the table's value holds.
func (h *history[K, V]) at(key K, version uint64) *V {
	values, ok := h.past[key]
	if !ok {
		return nil
	}
	i, _ := slices.BinarySearchFunc(values, version+1, func(p pastValue[V], v uint64) int {
		switch {
		case p.version < v:
			return -1
		case p.version > v:
			return 1
		}
		return 0
	})
	if i == len(values) {
		return nil
	}
	return &values[i].value
}

// forget drops the key's oldest entry, which is that of version.
func (h *history[K, V]) forget(key K, version uint64) {
	values := h.past[key]
	if len(values) == 0 || values[0].version != version {
		panic("state: undo layer and history disagree")
	}
	if len(values) == 1 {
		delete(h.past, key)
		return
	}
	h.past[key] = values[1:]
}
