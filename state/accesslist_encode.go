package state

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Encode returns the RLP encoding, a list of
//
//	[address, [[slot, [[index, value]…]]…], [], [[index, balance]…], [[index, nonce]…], [[index, code]…]]
//
// ascending by address, slot and index, slots and values as integers.
func (l *AccessList) Encode() []byte {
	l.sort()
	l.encoded = sized(l.encoded, l.encodedBound(), keepEncodedBytes)
	w := rlpWriter{l.encoded, len(l.encoded)}
	for i := len(l.accounts) - 1; i >= 0; i-- {
		w.account(&l.accounts[i])
	}
	w.list(len(w.buf))
	return bytes.Clone(w.buf[w.at:])
}

const (
	keepEncodedBytes = 4 << 20

	maxHeader = 9 // of a list or a string
	maxIndex  = 5
	maxWord   = 33
	maxUint64 = 9
)

// encodedBound is not less than the length of the encoding.
func (l *AccessList) encodedBound() int {
	n := maxHeader
	for i := range l.accounts {
		c := &l.accounts[i]
		n += 7*maxHeader + 1 + common.AddressLength
		n += len(c.balance)*(maxHeader+maxIndex+maxWord) + len(c.nonce)*(maxHeader+maxIndex+maxUint64)
		for j := range c.code {
			n += 2*maxHeader + maxIndex + len(c.code[j].value)
		}
		for j := range c.storage {
			n += 2*maxHeader + maxWord + len(c.storage[j].values)*(maxHeader+maxIndex+maxWord)
		}
	}
	return n
}

// rlpWriter writes RLP from the end to the beginning, so that the length of a list is
// known when its header is written. Its buffer must have room.
type rlpWriter struct {
	buf []byte
	at  int // what is written begins here
}

func (w *rlpWriter) account(c *accountChanges) {
	end := w.at
	writeChanges(w, c.code, (*rlpWriter).code)
	writeChanges(w, c.nonce, (*rlpWriter).number)
	writeChanges(w, c.balance, (*rlpWriter).wei)
	w.list(w.at) // storage reads
	slots := w.at
	for i := len(c.storage) - 1; i >= 0; i-- {
		slot := w.at
		writeChanges(w, c.storage[i].values, (*rlpWriter).word)
		w.word(&c.storage[i].slot)
		w.list(slot)
	}
	w.list(slots)
	w.at -= common.AddressLength
	copy(w.buf[w.at:], c.address[:])
	w.header(0x80, common.AddressLength)
	w.list(end)
}

func writeChanges[V any](w *rlpWriter, changes []change[V], write func(*rlpWriter, *V)) {
	end := w.at
	for i := len(changes) - 1; i >= 0; i-- {
		pair := w.at
		write(w, &changes[i].value)
		w.uint64(uint64(changes[i].index))
		w.list(pair)
	}
	w.list(end)
}

// list writes the header of a list of what is written before end.
func (w *rlpWriter) list(end int) { w.header(0xc0, end-w.at) }

// header writes that of a list or string with n bytes of content.
func (w *rlpWriter) header(kind byte, n int) {
	if n < 56 {
		w.at--
		w.buf[w.at] = kind + byte(n)
		return
	}
	digits := w.integer(uint64(n))
	w.at--
	w.buf[w.at] = kind + 55 + byte(digits)
}

// integer writes the digits of v and returns their number.
func (w *rlpWriter) integer(v uint64) int {
	n := (bits.Len64(v) + 7) / 8
	w.at -= n
	for i := n - 1; i >= 0; i-- {
		w.buf[w.at+i] = byte(v)
		v >>= 8
	}
	return n
}

func (w *rlpWriter) uint64(v uint64) {
	if n := w.integer(v); n != 1 || v >= 0x80 {
		w.header(0x80, n)
	}
}

func (w *rlpWriter) number(v *uint64) { w.uint64(*v) }

func (w *rlpWriter) wei(v *uint256.Int) {
	if v.IsUint64() {
		w.uint64(v[0])
		return
	}
	word := v.Bytes32()
	w.string(word[32-v.ByteLen():])
}

// word writes a 32-byte word as the integer that it is.
func (w *rlpWriter) word(v *common.Hash) {
	zeros := 0
	for zeros < 32 && binary.LittleEndian.Uint64(v[zeros:zeros+8]) == 0 {
		zeros += 8
	}
	for zeros < 32 && v[zeros] == 0 {
		zeros++
	}
	w.string(v[zeros:])
}

func (w *rlpWriter) code(v *[]byte) { w.string(*v) }

func (w *rlpWriter) string(b []byte) {
	w.at -= len(b)
	copy(w.buf[w.at:], b)
	if len(b) != 1 || b[0] >= 0x80 {
		w.header(0x80, len(b))
	}
}
