package keccak

import (
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Batch collects messages and hashes them together: eight at a time those that have
// the same number of blocks, or about. The zero Batch is empty. For one goroutine.
type Batch struct {
	buf      []byte // the messages, each padded to whole blocks
	messages []message
	order    []uint32 // messages by their number of blocks
	open     int      // start of the message that Room gave memory for
	states   [25][8]uint64
}

// message is a padded message in the buffer.
type message struct{ start, length uint32 }

func (m message) blocks() int { return int(m.length)/Rate + 1 }

// Messages of more blocks are hashed together only if they are of about equal length.
const maxVectorBlocks = 8

// Len returns the number of messages.
func (b *Batch) Len() int { return len(b.messages) }

// Add adds a message, which is copied.
func (b *Batch) Add(data []byte) {
	b.Room(len(data))
	b.buf = append(b.buf, data...)
	b.Added(0, len(data))
}

// Room returns an empty slice with a capacity of n bytes and more for the next
// message to be appended to; Added then adds it.
func (b *Batch) Room(n int) []byte {
	b.open = len(b.buf)
	if need := b.open + n + Rate; need > cap(b.buf) {
		grown := make([]byte, b.open, max(2*cap(b.buf), need, 1<<12))
		copy(grown, b.buf)
		b.buf = grown
	}
	return b.buf[b.open:b.open:cap(b.buf)]
}

// Added adds n bytes of the last Room, which begin skip bytes after its start. All
// that was written lies within the capacity asked for.
func (b *Batch) Added(skip, n int) {
	start := b.open + skip
	end := start + (n/Rate+1)*Rate
	if end > cap(b.buf) {
		panic("keccak: message is longer than its room")
	}
	b.buf = b.buf[:end]
	clear(b.buf[start+n:])
	pad((*[Rate]byte)(b.buf[end-Rate:]), n%Rate)
	b.messages = append(b.messages, message{uint32(start), uint32(n)})
}

// Sum appends the hashes of the messages, in the order they were added, to hashes,
// and empties the batch.
func (b *Batch) Sum(hashes []common.Hash) []common.Hash {
	n := len(hashes)
	hashes = slices.Grow(hashes, len(b.messages))[:n+len(b.messages)]
	out := hashes[n:]
	if vectors {
		b.sumVectors(out)
	} else {
		b.sumSingly(out)
	}
	b.buf, b.messages = b.buf[:0], b.messages[:0]
	return hashes
}

// Shrink drops the memory of a batch that is empty if it is for more than so many bytes.
func (b *Batch) Shrink(most int) {
	if len(b.messages) == 0 && cap(b.buf)+8*cap(b.messages)+4*cap(b.order) > most {
		b.buf, b.messages, b.order = nil, nil, nil
	}
}

func (b *Batch) sumSingly(out []common.Hash) {
	for i, m := range b.messages {
		out[i] = Sum256(b.buf[m.start : m.start+m.length])
	}
}

func (b *Batch) sumVectors(out []common.Hash) {
	var ends [maxVectorBlocks + 2]int // of the messages of so many blocks, in order
	for _, m := range b.messages {
		ends[min(m.blocks(), maxVectorBlocks+1)]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	starts := ends
	if cap(b.order) < len(out) {
		b.order = make([]uint32, len(out), 2*len(out))
	}
	b.order = b.order[:len(out)]
	for i := len(b.messages) - 1; i >= 0; i-- {
		n := min(b.messages[i].blocks(), maxVectorBlocks+1)
		starts[n]--
		b.order[starts[n]] = uint32(i)
	}
	short := b.order[:starts[maxVectorBlocks+1]]
	for len(short) >= 2 {
		n := min(len(short), 8)
		b.sum8(short[:n], out)
		short = short[n:]
	}
	if len(short) > 0 {
		b.sum1(short[0], out)
	}
	b.sumLong(b.order[starts[maxVectorBlocks+1]:], out)
}

func (b *Batch) sum1(i uint32, out []common.Hash) {
	m := b.messages[i]
	out[i] = Sum256(b.buf[m.start : m.start+m.length])
}

// sumLong hashes messages of many blocks, of about equal length together: eight at a time
// cost about as much as two or three of them one by one.
func (b *Batch) sumLong(long []uint32, out []common.Hash) {
	slices.SortFunc(long, func(i, k uint32) int { return int(b.messages[i].length) - int(b.messages[k].length) })
	for len(long) > 0 {
		n := min(len(long), 8)
		blocks := 0
		for _, i := range long[:n] {
			blocks += b.messages[i].blocks()
		}
		if blocks < 3*b.messages[long[n-1]].blocks() {
			b.sum1(long[0], out)
			long = long[1:]
			continue
		}
		b.sum8(long[:n], out)
		long = long[n:]
	}
}

// sum8 hashes two to eight messages, the shortest first.
func (b *Batch) sum8(which []uint32, out []common.Hash) {
	var blocks [8]*byte
	var left [8]int // blocks not yet absorbed
	for j := range blocks {
		m := b.messages[which[min(j, len(which)-1)]]
		blocks[j], left[j] = &b.buf[m.start], m.blocks()
	}
	b.states = [25][8]uint64{}
	for done := 0; done < len(which); {
		absorb8(&b.states, &blocks)
		for j := done; j < len(blocks); j++ {
			if left[j]--; left[j] > 0 {
				m := b.messages[which[min(j, len(which)-1)]]
				blocks[j] = &b.buf[int(m.start)+(m.blocks()-left[j])*Rate]
			} else if j < len(which) {
				b.digest(j, &out[which[j]])
				done++
			}
		}
	}
}

// digest takes the hash out of state j.
func (b *Batch) digest(j int, hash *common.Hash) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(hash[8*i:], b.states[i][j])
	}
}
