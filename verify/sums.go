package verify

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// sums are long messages whose hashes headers of mini-blocks claim. They are hashed eight at
// a time, and compared in the order in which they came.
type sums struct {
	batch  keccak.Batch
	claims []summed
	hashes []common.Hash
	bytes  int
}

// summed is what a header claims.
type summed struct {
	kind Kind
	hash common.Hash
	mini int
}

const (
	// summedTogether messages of each kind wait for each other: those of one kind are of
	// about equal length.
	summedTogether = 8
	summedBytes    = 4 << 20
)

// full tells whether it is time to hash.
func (s *sums) full() bool { return len(s.claims) >= 2*summedTogether || s.bytes >= summedBytes }

func (s *sums) add(message []byte, claim summed) {
	s.batch.Add(message)
	s.claims, s.bytes = append(s.claims, claim), s.bytes+len(message)
}

// addList adds the RLP list of strings.
func (s *sums) addList(items [][]byte, claim summed) {
	size := uint64(0)
	for _, item := range items {
		size += rlp.BytesSize(item)
	}
	out := s.batch.Room(int(rlp.ListSize(size)))
	out = chain.AppendListHead(out, size)
	for _, item := range items {
		out = appendString(out, item)
	}
	s.batch.Added(0, len(out))
	s.claims, s.bytes = append(s.claims, claim), s.bytes+len(out)
}

// release forgets what waits, and drops much memory.
func (s *sums) release() {
	s.drop()
	s.batch.Shrink(keptBytes)
}

// drop forgets what waits.
func (s *sums) drop() {
	if len(s.claims) > 0 {
		s.hashes = s.batch.Sum(s.hashes[:0])
	}
	s.claims, s.bytes = s.claims[:0], 0
}

// checkSums compares what waits with what the headers claim.
func (w *work) checkSums() *Fault {
	s := &w.v.sums
	claims := s.claims
	s.drop()
	for i, c := range claims {
		if s.hashes[i] != c.hash {
			return fault(c.kind, s.hashes[i], c.hash, "%s", placeOf(c.mini, w.in.Header.Number.Uint64()))
		}
	}
	return nil
}

// earlier is the fault of what waits, if there is one, else f.
func (w *work) earlier(f *Fault) *Fault {
	if first := w.checkSums(); first != nil {
		return first
	}
	return f
}
