package store

import (
	"encoding/binary"
	"hash/crc32"
)

// Format of a segment: a header of 64 bytes, then records of whole 8-byte words,
// then zeros up to the segment's size. All integers are little-endian.
//
//	segment header            record
//	 0 magic      8 bytes      0 length    u32  header and payload, ≥ 32; 0 ends the segment
//	 8 log id     u64          4 kind      u8
//	16 index      u64          5 zero      3 bytes
//	24 size       u64          8 seq       u64  from 1, gapless over all segments
//	32 zero      28 bytes     16 synced    u64  highest seq known durable when this was written
//	60 crc32c     u32         24 crc32c    u32  of everything else in the record
//	                          28 tag       u32  low half of the log id
//	                          32 payload, then zeros to a whole word
//
// The high half of the log id seeds a record's crc. The id is random and secret,
// so that no payload can contain bytes that pass for a record.
const (
	segmentMagic     = "TALAWAL\x01"
	segmentHeaderLen = 64
	recordHeaderLen  = 32
	wordLen          = 8

	// MaxPayload bounds the payload of one record, in bytes.
	MaxPayload = 1 << 30

	maxSegmentSize = segmentHeaderLen + recordHeaderLen + MaxPayload
)

// logID distinguishes one log from every other.
type logID uint64

func (id logID) tag() uint32  { return uint32(id) }
func (id logID) seed() uint32 { return uint32(id >> 32) }

func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the library's own instance

// segmentHeader is durable before the segment gets its name.
type segmentHeader struct {
	id    logID
	index uint64
	size  int64
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, segmentHeaderLen)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint64(b[8:], uint64(h.id))
	binary.LittleEndian.PutUint64(b[16:], h.index)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.size))
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crcTable()))
	return b
}

func decodeSegmentHeader(b []byte) (segmentHeader, bool) {
	if len(b) < segmentHeaderLen || string(b[:8]) != segmentMagic ||
		binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], crcTable()) {
		return segmentHeader{}, false
	}
	h := segmentHeader{
		id:    logID(binary.LittleEndian.Uint64(b[8:])),
		index: binary.LittleEndian.Uint64(b[16:]),
		size:  int64(binary.LittleEndian.Uint64(b[24:])),
	}
	return h, h.size >= segmentHeaderLen && h.size <= maxSegmentSize && h.size%wordLen == 0
}

// record is a decoded record; payload aliases the segment's bytes.
type record struct {
	kind    byte
	seq     uint64
	synced  uint64
	payload []byte
}

// recordLen is the space that a payload of n bytes takes in a segment.
func recordLen(n int) int { return (recordHeaderLen + n + wordLen - 1) &^ (wordLen - 1) }

// appendRecord appends a record without synced, crc and tag, which seal sets.
func appendRecord(dst []byte, kind byte, seq uint64, payload []byte) []byte {
	var h [recordHeaderLen]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(recordHeaderLen+len(payload)))
	h[4] = kind
	binary.LittleEndian.PutUint64(h[8:], seq)
	dst = append(dst, h[:]...)
	dst = append(dst, payload...)
	var pad [wordLen]byte
	return append(dst, pad[:recordLen(len(payload))-recordHeaderLen-len(payload)]...)
}

// paddedLen is the space of the record that starts at b.
func paddedLen(b []byte) int {
	return recordLen(int(binary.LittleEndian.Uint32(b)) - recordHeaderLen)
}

// seal completes the record that fills b.
func seal(b []byte, id logID, synced uint64) {
	binary.LittleEndian.PutUint64(b[16:], synced)
	binary.LittleEndian.PutUint32(b[28:], id.tag())
	binary.LittleEndian.PutUint32(b[24:], recordCRC(b, id))
}

func recordCRC(b []byte, id logID) uint32 {
	crc := crc32.Update(id.seed(), crcTable(), b[:24])
	return crc32.Update(crc, crcTable(), b[28:])
}

// decodeRecord reads the record at the start of b. It returns the space the record
// takes, or 0 when there is no valid record.
func decodeRecord(b []byte, id logID) (record, int) {
	if len(b) < recordHeaderLen || binary.LittleEndian.Uint32(b[28:]) != id.tag() {
		return record{}, 0
	}
	length := uint64(binary.LittleEndian.Uint32(b))
	if length < recordHeaderLen || length > recordHeaderLen+MaxPayload {
		return record{}, 0
	}
	n := recordLen(int(length) - recordHeaderLen)
	if n > len(b) || recordCRC(b[:n], id) != binary.LittleEndian.Uint32(b[24:]) {
		return record{}, 0
	}
	r := record{
		kind:    b[4],
		seq:     binary.LittleEndian.Uint64(b[8:]),
		synced:  binary.LittleEndian.Uint64(b[16:]),
		payload: b[recordHeaderLen:length],
	}
	if b[5]|b[6]|b[7] != 0 || r.seq == 0 || r.synced >= r.seq || !isZero(b[length:n]) {
		return record{}, 0
	}
	return r, n
}

// walkRecords calls visit for each whole record of a segment's bytes from offset
// 64 on, as long as the sequence numbers follow next (0: any first number). It
// returns the offset behind the last one and the number expected there. It is the
// caller's to look at what stands behind (see scanTail).
func walkRecords(data []byte, id logID, next uint64, visit func(record) error) (end int, after uint64, err error) {
	end = min(segmentHeaderLen, len(data))
	for {
		r, n := decodeRecord(data[end:], id)
		if n == 0 || next != 0 && r.seq != next {
			return end, next, nil
		}
		if visit != nil {
			if err := visit(r); err != nil {
				return end, next, err
			}
		}
		end += n
		next = r.seq + 1
	}
}

// tail describes bytes in which no record was expected.
type tail struct {
	bytes   int64  // from the start to the last byte that is not zero
	records int    // whole records found
	proof   uint64 // highest sequence number that one of them knew to be durable
}

// scanTail looks for records at every word of data.
func scanTail(data []byte, id logID) tail {
	var t tail
	for i := 0; i < len(data); {
		if len(data)-i >= wordLen && binary.LittleEndian.Uint64(data[i:]) == 0 {
			i += wordLen
			continue
		}
		r, n := decodeRecord(data[i:], id)
		if n > 0 {
			t.records++
			t.proof = max(t.proof, r.synced)
			t.bytes = int64(i + n)
			i += n
			continue
		}
		word := data[i:min(i+wordLen, len(data))]
		if !isZero(word) {
			t.bytes = int64(i + len(word))
		}
		i += len(word)
	}
	return t
}

func isZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
