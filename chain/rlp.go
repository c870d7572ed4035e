package chain

import (
	"encoding/binary"
	"math/bits"
)

// AppendListHead appends the head of an RLP list whose content has that many bytes.
func AppendListHead(out []byte, size uint64) []byte { return appendHead(out, 0xc0, size) }

// AppendStringHead appends the head of an RLP string of that many bytes, of which there
// must be more than one.
func AppendStringHead(out []byte, size uint64) []byte { return appendHead(out, 0x80, size) }

// AppendString appends an RLP string.
func AppendString(out, s []byte) []byte {
	if len(s) == 1 && s[0] < 0x80 {
		return append(out, s[0])
	}
	return append(appendHead(out, 0x80, uint64(len(s))), s...)
}

func appendHead(out []byte, kind byte, size uint64) []byte {
	if size < 56 {
		return append(out, kind+byte(size))
	}
	n := (bits.Len64(size) + 7) / 8
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], size)
	return append(append(out, kind+55+byte(n)), b[8-n:]...)
}

// headSize is the length of the head of so much content.
func headSize(size uint64) int {
	if size < 56 {
		return 1
	}
	return 1 + (bits.Len64(size)+7)/8
}
