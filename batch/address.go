package batch

import (
	"cmp"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// Limits of addresses in a channel.
const (
	// MaxChannelAddresses bounds the different addresses that a channel numbers.
	MaxChannelAddresses = 1 << 20
	// MaxSignedAddresses bounds those of them that stand for the sender of a
	// transaction: so many signatures at most are recovered to decode a channel.
	MaxSignedAddresses = 1 << 16
	// maxLevel bounds how many recoveries in a row one address may need.
	maxLevel = 16
	// maxSourceBytes bounds a transaction whose sender gives an address.
	maxSourceBytes = 4096
)

// addresses numbers the addresses of a channel in the order of appearance. What each
// number stands for is said at the end of the channel: 20 bytes, or that it is who
// signed a transaction. Until then a reader leaves gaps in the transactions.
type addresses struct {
	fresh odds
	count int

	index map[common.Address]uint32 // writing: the number of an address
	list  []common.Address          // writing
	gaps  []gap
}

// gap is where an address belongs: reading, at an offset in the transactions; writing,
// somewhere in the transaction with the index.
type gap struct{ at, number uint32 }

// numbered is a context in which addresses appear.
type numbered struct{ seen dictionary[uint32] }

// mostNumbered bounds the addresses that one context remembers.
const mostNumbered = 1 << 16

// address codes the number of an address.
func (c *column) address(all *addresses, m *numbered, r *room, a common.Address) uint32 {
	number, known := uint32(0), true
	if c.writing {
		if number, known = all.index[a]; !known {
			number = uint32(all.count)
		}
	}
	if slot := m.seen.code(c, number); slot >= 0 {
		return m.seen.keys[slot]
	}
	fresh := uint(0)
	if !known {
		fresh = 1
	}
	if all.count == 0 || c.bit(&all.fresh, fresh) == 1 {
		if all.count == MaxChannelAddresses {
			c.bad = true // a writer makes sure of it
			return 0
		}
		number = uint32(all.count)
		all.count++
		if c.writing {
			if all.index == nil {
				all.index = make(map[common.Address]uint32)
			}
			all.index[a] = number
			all.list = append(all.list, a)
		}
	} else {
		number = uint32(c.uniform(uint64(all.count), uint64(number)))
	}
	m.seen.add(c, r, mostNumbered, number)
	return number
}

// definitions is the model of what the numbers stand for.
type definitions struct {
	signed odds
	level  [maxLevel]odds
}

// definition is of one address: literal at level 0, else the sender of the transaction
// with the index, which contains addresses of lower levels only.
type definition struct {
	level  uint8
	source uint32
}

// code writes or reads the definition of one of txs transactions' addresses.
func (m *definitions) code(c *column, d definition, txs int) definition {
	signed := uint(0)
	if d.level > 0 {
		signed = 1
	}
	if txs == 0 || c.bit(&m.signed, signed) == 0 {
		return definition{}
	}
	d.level = 1 + uint8(c.tree(m.level[:], 4, uint(d.level-1)))
	d.source = uint32(c.uniform(uint64(txs), uint64(d.source)))
	return d
}

// define chooses the definitions of addresses: as few literal ones as it finds.
// senders[i] is who signed transaction i, zero if it cannot be a source.
func (a *addresses) define(senders []common.Address) []definition {
	s := newSearch(a, senders)
	for n := range s.defs {
		if !s.signs[n] {
			s.settle(uint32(n), 0)
		}
	}
	s.follow()
	for n := range s.defs { // who is left waits for each other, or for itself
		if !s.done[n] {
			s.settle(uint32(n), 0)
			s.follow()
		}
	}
	return s.defs
}

// search finds an order in which senders can be recovered: a transaction whose
// addresses are all settled settles its sender.
type search struct {
	senders []int64 // number of each transaction's sender, -1 without one
	defs    []definition
	done    []bool
	signs   []bool // whether a transaction could be the source

	uses  []uint32 // transactions in which a number stands: those from first[n] to first[n+1]
	first []uint32
	left  []uint32 // addresses of a transaction that are not settled
	level []uint8  // the highest of a transaction's addresses
	ready []uint32 // transactions with nothing left
	count int      // addresses with a source
}

func newSearch(a *addresses, senders []common.Address) *search {
	s := &search{
		senders: make([]int64, len(senders)),
		defs:    make([]definition, a.count), done: make([]bool, a.count), signs: make([]bool, a.count),
		uses: make([]uint32, len(a.gaps)), first: make([]uint32, a.count+1),
		left: make([]uint32, len(senders)), level: make([]uint8, len(senders)),
	}
	for tx, from := range senders {
		s.senders[tx] = -1
		if n, ok := a.index[from]; ok && from != (common.Address{}) {
			s.senders[tx], s.signs[n] = int64(n), true
		}
	}
	for _, g := range a.gaps {
		s.left[g.at]++
		s.first[g.number+1]++
	}
	for i := range a.count {
		s.first[i+1] += s.first[i]
	}
	next := slices.Clone(s.first)
	for _, g := range a.gaps {
		s.uses[next[g.number]] = g.at
		next[g.number]++
	}
	for tx, n := range s.left {
		if n == 0 {
			s.ready = append(s.ready, uint32(tx))
		}
	}
	return s
}

func (s *search) settle(number uint32, level uint8) {
	s.done[number], s.defs[number].level = true, level
	for _, tx := range s.uses[s.first[number]:s.first[number+1]] {
		s.level[tx] = max(s.level[tx], level)
		if s.left[tx]--; s.left[tx] == 0 {
			s.ready = append(s.ready, tx)
		}
	}
}

// follow settles the senders of transactions that are ready.
func (s *search) follow() {
	for ; len(s.ready) > 0; s.ready = s.ready[1:] {
		tx := s.ready[0]
		n := s.senders[tx]
		if n < 0 || s.done[n] || s.level[tx] == maxLevel || s.count == MaxSignedAddresses {
			continue
		}
		s.count++
		s.defs[n].source = tx
		s.settle(uint32(n), s.level[tx]+1)
	}
}

// resolve finds the addresses: literal ones are given, in order. txs are the
// transactions with gaps, ends where each ends. It fills all gaps; false if a
// definition is not right.
func (a *addresses) resolve(defs []definition, literal []byte, txs []byte, ends []uint32, chainID uint64) bool {
	found := make([]common.Address, len(defs))
	var signed []uint32
	used := make([]bool, len(ends))
	for n, d := range defs {
		if d.level == 0 {
			found[n], literal = common.Address(literal[:20]), literal[20:]
			continue
		}
		if used[d.source] {
			return false
		}
		used[d.source] = true
		signed = append(signed, uint32(n))
	}
	slices.SortFunc(signed, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(defs[x].level, defs[y].level), cmp.Compare(x, y))
	})
	cfg := &chain.Config{ChainID: chainID, MaxTxBytes: maxSourceBytes}
	decoder := chain.NewDecoder(cfg)
	const most = 512 // decoded together
	var raws [][]byte
	made, errs := make([]*chain.Tx, most), make([]error, most)
	for len(signed) > 0 {
		n := 1
		for n < min(most, len(signed)) && defs[signed[n]].level == defs[signed[0]].level {
			n++
		}
		raws = raws[:0]
		for _, number := range signed[:n] {
			raw, ok := a.fill(defs, number, found, txs, ends)
			if !ok || len(raw) > maxSourceBytes {
				return false
			}
			raws = append(raws, raw)
		}
		decoder.Decode(raws, made[:n], errs[:n])
		for i, number := range signed[:n] {
			if errs[i] != nil {
				return false
			}
			found[number] = made[i].From()
		}
		signed = signed[n:]
	}
	for _, g := range a.gaps {
		copy(txs[g.at:], found[g.number][:])
	}
	return true
}

// fill puts the addresses into the source of a number, and returns it; false if one of
// them is not of a lower level.
func (a *addresses) fill(defs []definition, number uint32, found []common.Address, txs []byte, ends []uint32) ([]byte, bool) {
	d := defs[number]
	start, end := uint32(0), ends[d.source]
	if d.source > 0 {
		start = ends[d.source-1]
	}
	i, _ := slices.BinarySearchFunc(a.gaps, start, func(g gap, at uint32) int { return cmp.Compare(g.at, at) })
	for ; i < len(a.gaps) && a.gaps[i].at < end; i++ {
		g := a.gaps[i]
		if defs[g.number].level >= d.level {
			return nil, false
		}
		copy(txs[g.at:], found[g.number][:])
	}
	return txs[start:end:end], true
}
