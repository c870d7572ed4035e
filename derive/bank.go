package derive

import (
	"bytes"

	"github.com/talaria-l2/talaria/batch"
)

// bank collects frames into channels. Channels keep the order in which their first
// frame arrived; with the bank full the oldest makes room.
type bank struct {
	open []*openChannel // by age
	cost int            // of the frames, in bytes
}

// frameCost is charged for each frame besides its data, in bytes.
const frameCost = 64

// openChannel is one channel on its way.
type openChannel struct {
	id     batch.ChannelID
	opened uint64 // L1 block of the first frame
	frames map[uint16][]byte
	bytes  int // of frame data
	cost   int
	last   int // number of the last frame, -1 while unknown
	high   int // highest frame number seen

	// data is the whole channel once complete; its frames are gone then.
	data   []byte
	header batch.ChannelHeader
	order  uint64 // of completion
}

func (c *openChannel) complete() bool { return c.data != nil }

// find is a scan: the bank is small.
func (b *bank) find(id batch.ChannelID) *openChannel {
	for _, c := range b.open {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (b *bank) remove(c *openChannel) {
	for i, o := range b.open {
		if o == c {
			b.open = append(b.open[:i:i], b.open[i+1:]...)
			b.cost -= c.cost
			return
		}
	}
}

// expire removes and returns the channels that block l1 is too late for.
func (b *bank) expire(l1 uint64) []*openChannel {
	var old []*openChannel
	for len(b.open) > 0 && b.open[0].opened+ChannelTimeout < l1 {
		old = append(old, b.open[0])
		b.remove(b.open[0])
	}
	return old
}

// add takes a frame in. It returns the channel if the frame completed it, the
// channels evicted to make room, and why the frame was refused.
func (b *bank) add(f batch.Frame, l1 uint64) (done *openChannel, evicted []*openChannel, refused *dropError) {
	c := b.find(f.Channel)
	if c == nil {
		c = &openChannel{id: f.Channel, opened: l1, frames: make(map[uint16][]byte), last: -1, high: -1}
		b.open = append(b.open, c)
	}
	if refused = c.accepts(f); refused != nil {
		if len(c.frames) == 0 && !c.complete() {
			b.remove(c)
		}
		return nil, nil, refused
	}
	n := int(f.Number)
	if c.complete() || c.frames[f.Number] != nil {
		return nil, nil, nil // seen already: the first one counts
	}
	c.frames[f.Number] = bytes.Clone(f.Data) // else a tiny frame would hold its blob
	c.bytes += len(f.Data)
	c.cost += len(f.Data) + frameCost
	b.cost += len(f.Data) + frameCost
	c.high = max(c.high, n)
	if f.Last {
		c.last = n
	}
	for len(b.open) > MaxOpenChannels || b.cost > MaxBankBytes {
		oldest := b.open[0]
		b.remove(oldest)
		evicted = append(evicted, oldest)
		if oldest == c {
			return nil, evicted, nil
		}
	}
	if c.last < 0 || len(c.frames) != c.last+1 {
		return nil, evicted, nil
	}
	c.join()
	return c, evicted, nil
}

// accepts checks a frame against what the channel knows.
func (c *openChannel) accepts(f batch.Frame) *dropError {
	n := int(f.Number)
	switch {
	case c.complete():
		return nil
	case c.last >= 0 && n > c.last:
		return drop(DropFrame, "frame %d is behind the last, %d", n, c.last)
	case f.Last && c.last >= 0 && n != c.last:
		return drop(DropFrame, "frame %d is last, but so is %d", n, c.last)
	case f.Last && c.high > n:
		return drop(DropFrame, "frame %d is last, but there is %d", n, c.high)
	case c.frames[f.Number] == nil && c.bytes+len(f.Data) > batch.MaxChannelBytes:
		return drop(DropFrame, "frame %d makes the channel larger than %d bytes", n, batch.MaxChannelBytes)
	}
	return nil
}

// join puts the frames together; all are there.
func (c *openChannel) join() {
	data := make([]byte, 0, c.bytes)
	for n := 0; n <= c.last; n++ {
		data = append(data, c.frames[uint16(n)]...)
	}
	c.data, c.frames = data, nil
}
