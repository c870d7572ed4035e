package rpc

// slab hands out the memory of the sends of one message: a batch of a hundred takes a few
// allocations, not hundreds. What is kept of one transaction keeps its piece of raw bytes,
// of rawSlab at most, and so the memory of some others with it.
type slab struct {
	more    int // sends that may follow, this one among them
	futures []future
	raw     []byte
}

const (
	maxSlab = 128     // futures made at once
	rawSlab = 2 << 10 // bytes
)

// future makes the next one.
func (s *slab) future() *future {
	if len(s.futures) == 0 {
		s.futures = make([]future, max(1, s.more))
	}
	f := &s.futures[0]
	s.futures = s.futures[1:]
	s.more--
	return f
}

// bytes gives n bytes, all zero.
func (s *slab) bytes(n int) []byte {
	if n > len(s.raw) {
		if n > rawSlab/4 || s.more < 2 {
			return make([]byte, n)
		}
		s.raw = make([]byte, min(rawSlab, n*s.more))
	}
	b := s.raw[:n:n]
	s.raw = s.raw[n:]
	return b
}
