package verify

import "slices"

// What a verifier keeps of a block's memory for the next one, by number, and in bytes what is
// bytes. What a larger block took is left to the collector.
const (
	keptNodes    = 1 << 16
	keptBranches = 1 << 16
	keptAccounts = 1 << 15
	keptValues   = 1 << 16 // slots, and lists of pointers and hashes
	keptBytes    = 16 << 20
)

// memory is what a block needs while it is checked, used again for the next one: a large
// block makes a million small things that all end together.
type memory struct {
	nodes    slab[node]
	branches slab[branch]
	accounts slab[account]
	slots    slab[slot]
	bytes    arena
}

// release forgets everything, and drops what is above what is kept.
func (m *memory) release() {
	m.nodes.trim(keptNodes)
	m.branches.trim(keptBranches)
	m.accounts.trim(keptAccounts)
	m.slots.trim(keptValues)
	m.nodes.release(0, func(n *node) { *n = node{} })
	m.branches.release(0, func(b *branch) { *b = branch{} })
	m.accounts.release(0, (*account).clear)
	m.slots.release(0, (*slot).clear)
	m.bytes.release()
}

// Without memory everything is made anew.

func (m *memory) node() *node {
	if m == nil {
		return new(node)
	}
	return m.nodes.take()
}

func (m *memory) branch() *branch {
	if m == nil {
		return new(branch)
	}
	return m.branches.take()
}

// room is an empty slice with that capacity.
func (m *memory) room(n int) []byte {
	if m == nil {
		return make([]byte, 0, n)
	}
	return m.bytes.room(n)
}

const slabSize = 512

// slab hands out values of one type.
type slab[T any] struct {
	chunks []*[slabSize]T
	used   int
}

func (s *slab[T]) take() *T {
	at := s.used
	if at == len(s.chunks)*slabSize {
		s.chunks = append(s.chunks, new([slabSize]T))
	}
	s.used++
	return &s.chunks[at/slabSize][at%slabSize]
}

// release takes back what was handed out since as many were in use.
func (s *slab[T]) release(used int, clear func(*T)) {
	for i := used; i < s.used; i++ {
		clear(&s.chunks[i/slabSize][i%slabSize])
	}
	s.used = used
}

// trim drops all but the first so many values, a multiple of slabSize. Nobody may use them.
func (s *slab[T]) trim(most int) {
	if most /= slabSize; len(s.chunks) > most {
		s.chunks = slices.Clone(s.chunks[:most])
		s.used = min(s.used, most*slabSize)
	}
}

const arenaSize = 1 << 18

// arena hands out bytes.
type arena struct {
	chunks [][]byte // all of arenaSize
	at     int      // in use, the last of them up to used
	used   int
}

// room is an empty slice with that capacity. What is larger than a chunk is made anew.
func (a *arena) room(n int) []byte {
	if n > arenaSize {
		return make([]byte, 0, n)
	}
	if a.at < len(a.chunks) && a.used+n > arenaSize {
		a.at, a.used = a.at+1, 0
	}
	if a.at == len(a.chunks) {
		a.chunks, a.used = append(a.chunks, make([]byte, arenaSize)), 0
	}
	out := a.chunks[a.at][a.used : a.used : a.used+n]
	a.used += n
	return out
}

// release takes back everything, and drops what is above keptBytes.
func (a *arena) release() {
	if most := keptBytes / arenaSize; len(a.chunks) > most {
		a.chunks = slices.Clone(a.chunks[:most])
	}
	a.at, a.used = 0, 0
}

// shrunk is the slice for the next block, without its memory if that is for more than most.
func shrunk[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}
