package batch

import "github.com/ethereum/go-ethereum/common"

// senderModels predict nonces. A transaction that contains its sender's address names
// the sender, and the nonce follows from the sender's last one in the channel. All
// others are anonymous: their nonces are predicted together, by how many accounts are
// known to stand at which nonce. That costs as much as naming one of the accounts at
// most, and less the more of them have the same nonce.
type senderModels struct {
	// Named ones.
	names  numbered
	next   map[uint32]uint64 // expected nonce by number
	right  odds
	nonces numbers

	// Anonymous ones.
	expected odds
	freq     frequencies
	at       []uint64 // nonce of each slot
	slots    map[uint64]int
	fresh    numbers
}

// nonce codes the nonce, and names the sender if need be.
func (s *columns) nonce(r *record, t *template, sender common.Address) (self uint32, named bool) {
	c, m := &s.col[colSenders], &s.sender
	name := uint(0)
	if s.writing() && sender != (common.Address{}) && r.mentions(sender) {
		name = 1
	}
	if c.bit(&t.named, name) == 0 {
		r.nonce = s.anonymous(r.nonce)
		return 0, false
	}
	self = c.address(&s.addresses, &m.names, &s.room, sender)
	if want, ok := m.next[self]; ok {
		right := uint(0)
		if want == r.nonce {
			right = 1
		}
		if c.bit(&m.right, right) == 1 {
			r.nonce = want
		} else {
			r.nonce = c.number(&m.nonces, r.nonce)
		}
	} else {
		r.nonce = c.number(&m.nonces, r.nonce)
	}
	if m.next == nil {
		m.next = make(map[uint32]uint64)
	}
	m.next[self] = r.nonce + 1
	return self, true
}

// mentions tells whether a word of the calldata is the address.
func (r *record) mentions(a common.Address) bool {
	if r.create || len(r.data) < selectorBytes || (len(r.data)-selectorBytes)%wordBytes != 0 {
		return false
	}
	for rest := r.data[selectorBytes:]; len(rest) > 0; rest = rest[wordBytes:] {
		if common.Address(rest[12:wordBytes]) == a && [12]byte(rest) == [12]byte{} {
			return true
		}
	}
	return false
}

func (s *columns) anonymous(nonce uint64) uint64 {
	c, m := &s.col[colSenders], &s.sender
	slot, known := -1, uint(0)
	if s.writing() {
		if at, ok := m.slots[nonce]; ok && m.freq.weights[at] > 0 {
			slot, known = at, 1
		}
	}
	if m.freq.total > 0 && c.bit(&m.expected, known) == 1 {
		slot = c.slot(&m.freq, slot)
		nonce = m.at[slot]
		m.freq.change(slot, ^uint32(0))
	} else {
		nonce = c.number(&m.fresh, nonce)
	}
	after, ok := m.slots[nonce+1]
	if !ok {
		if s.room == 0 || len(m.at) == mostNonces {
			return nonce
		}
		s.room--
		if m.slots == nil {
			m.slots = make(map[uint64]int)
		}
		after = m.freq.grow()
		m.at = append(m.at, nonce+1)
		m.slots[nonce+1] = after
	}
	m.freq.change(after, 1)
	return nonce
}
