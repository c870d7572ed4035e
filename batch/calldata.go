package batch

import (
	"bytes"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// mostPositions words of a template's calldata have models of their own; the last one's
// are those of all words behind it too.
const mostPositions = 16

// What a word of calldata is.
const (
	wordZero    = iota
	wordSame    // as the word at this place before
	wordAddress // 12 zeros and an address
	wordSelf    // the named sender's address
	wordAmount  // a number
	wordTime    // seconds, not long after the block's
	wordLeft    // bytes, then zeros
	wordFull    // 32 bytes
)

// wordModels are the models of the word at one place of a template.
type wordModels struct {
	kind    [8]odds
	last    [wordBytes]byte
	number  uint32 // reading: of the address in last
	address bool   // last is one
	to      numbered
	amounts amounts
	later   numbers
	left    [32]odds
}

// wordContext is what the words of a transaction may refer to.
type wordContext struct {
	self      uint32 // number of the named sender
	named     bool
	timestamp uint64
}

// calldata codes what follows the selector, or bytes.
func (s *columns) calldata(r *record, t *template, kind int, at wordContext) {
	c := &s.col[colCalldata]
	switch kind {
	case dataNone:
		return
	case dataBytes:
		n := c.number(&t.length, uint64(len(r.data)))
		if !s.writing() && (n == 0 || n > s.leftApart()) {
			c.bad = true
			return
		}
		r.data = s.run(n, r.data)
		return
	}
	words := c.number(&t.length, uint64(len(r.data)-selectorBytes)/wordBytes)
	if !s.writing() {
		if words > s.leftApart()/wordBytes {
			c.bad = true
			return
		}
	}
	var w [wordBytes]byte
	for i := range int(words) {
		p := min(i, mostPositions-1)
		if t.words[p] == nil {
			t.words[p] = new(wordModels)
		}
		if s.writing() {
			w = [wordBytes]byte(r.data[selectorBytes+wordBytes*i:])
		}
		number, address := s.word(t.words[p], &w, at)
		if !s.writing() {
			if c.bad || s.col[0].bad {
				return
			}
			if address {
				r.words = append(r.words, wordOf{uint32(i), number})
			}
			r.data = append(r.data, w[:]...)
		}
	}
	if !s.writing() {
		s.words = r.data
	}
}

// word codes a word. Reading, an address is zero for the time being.
func (s *columns) word(m *wordModels, w *[wordBytes]byte, at wordContext) (number uint32, address bool) {
	c := &s.col[colCalldata]
	kind := uint(0)
	if s.writing() {
		kind = s.kindOf(m, w, at)
	}
	switch kind = c.tree(m.kind[:], 3, kind); kind {
	case wordZero:
		*w = [wordBytes]byte{}
	case wordSame:
		*w, number, address = m.last, m.number, m.address
		if address && s.writing() {
			s.addresses.gaps = append(s.addresses.gaps, gap{uint32(len(s.senders) - 1), number})
		}
	case wordAddress:
		number, address = s.number(colCalldata, &m.to, common.Address(w[12:])), true
		s.blank(w)
	case wordSelf:
		if !at.named {
			c.bad = true
			return 0, false
		}
		number, address = at.self, true
		if s.writing() {
			s.addresses.gaps = append(s.addresses.gaps, gap{uint32(len(s.senders) - 1), number})
		}
		s.blank(w)
	case wordAmount:
		v := new(uint256.Int).SetBytes32(w[:])
		c.amount(&m.amounts, &s.room, v)
		*w = v.Bytes32()
	case wordTime:
		later := c.number(&m.later, binary.BigEndian.Uint64(w[24:])-at.timestamp)
		*w = [wordBytes]byte{}
		binary.BigEndian.PutUint64(w[24:], at.timestamp+later)
	case wordLeft:
		n := c.tree(m.left[:], 5, uint(len(bytes.TrimRight(w[:], "\x00"))))
		b := s.run(uint64(n), w[:n])
		*w = [wordBytes]byte{}
		copy(w[:], b)
	case wordFull:
		copy(w[:], s.run(wordBytes, w[:]))
	}
	m.last, m.number, m.address = *w, number, address
	return number, address
}

// blank leaves a gap when reading.
func (s *columns) blank(w *[wordBytes]byte) {
	if !s.writing() {
		*w = [wordBytes]byte{}
	}
}

// latest is how much later than the block a word may be to count as a time, in seconds.
const latest = 1 << 20

// kindOf chooses how to write a word.
func (s *columns) kindOf(m *wordModels, w *[wordBytes]byte, at wordContext) uint {
	leading := leadingZeros(w)
	switch {
	case leading == wordBytes:
		return wordZero
	case leading >= 12 && leading < 24 && at.named && s.addresses.list[at.self] == common.Address(w[12:]):
		return wordSelf
	case *w == m.last:
		return wordSame
	case leading >= 24:
		if t := binary.BigEndian.Uint64(w[24:]); t >= at.timestamp && t-at.timestamp < latest {
			return wordTime
		}
		return wordAmount
	case leading >= 12:
		if _, known := s.addresses.index[common.Address(w[12:])]; known || leading < 16 {
			return wordAddress
		}
		return wordAmount
	}
	if _, known := m.amounts.seen.slots[*new(uint256.Int).SetBytes32(w[:])]; known || *w == allOnes {
		return wordAmount
	}
	if w[wordBytes-1] == 0 && w[wordBytes-2] == 0 {
		return wordLeft
	}
	return wordFull
}

var allOnes = [wordBytes]byte(bytes.Repeat([]byte{0xff}, wordBytes))

func leadingZeros(w *[wordBytes]byte) int {
	for i, b := range w {
		if b != 0 {
			return i
		}
	}
	return wordBytes
}
