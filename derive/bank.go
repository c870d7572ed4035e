package derive

import (
	"slices"

	"github.com/talaria-l2/talaria/batch"
)

// Position is the place of a frame in the stream of all frames that count.
type Position struct {
	Block uint64 `json:"block"` // L1 block
	Frame uint64 `json:"frame"` // in the L1 block, from 0
}

func (p Position) before(q Position) bool {
	return p.Block < q.Block || p.Block == q.Block && p.Frame < q.Frame
}

// bank holds the end of the stream of frames: those of the newest ChannelTimeout + 1 L1
// blocks, of these the newest MaxBankBytes. So what is in it follows from these L1 blocks
// alone, whatever else was read, derived or dropped: a pipeline that begins so many L1
// blocks earlier has the same one.
type bank struct {
	limits limits
	stream []arrival // oldest first
	cost   int       // of the stream, in bytes

	channels map[batch.ChannelID]*openChannel
	complete map[uint64]map[*openChannel]bool // by the number of their first block
	touched  []*openChannel                   // got frames from the L1 block being read
}

// frameCost is charged for each frame besides its data, in bytes: what keeping it takes.
const frameCost = 512

// arrival is a frame in the stream.
type arrival struct {
	at     Position
	id     batch.ChannelID
	number uint16
	cost   int
}

// piece is the newest frame of its number in a channel.
type piece struct {
	at   Position
	data []byte
	last bool
}

// openChannel is the frames of one channel in the bank.
type openChannel struct {
	id      batch.ChannelID
	pieces  map[uint16]piece
	touched bool   // is in bank.touched
	looked  uint64 // L1 block in which it was looked at last
	known   bool   // was looked at, or is told to be lost

	// Of a complete channel: frames 0..count-1 are there, the last of them says so, and
	// they begin with a header. That they hash to the id is not known yet.
	count  int
	bytes  int // of data
	order  Position
	header batch.ChannelHeader

	// taken says that blocks were made of it. What comes for it has no effect any more:
	// its content, of which there is one, is behind the head.
	taken bool
}

func newBank(l limits) bank {
	return bank{limits: l, channels: make(map[batch.ChannelID]*openChannel), complete: make(map[uint64]map[*openChannel]bool)}
}

// add puts a frame at the end of the stream. It returns the channels that lost frames to
// make room, each once.
func (b *bank) add(f batch.Frame, at Position) (lost []*openChannel) {
	c := b.channels[f.Channel]
	if c == nil {
		c = &openChannel{id: f.Channel, pieces: make(map[uint16]piece)}
		b.channels[f.Channel] = c
	}
	if !c.touched {
		c.touched = true
		b.touched = append(b.touched, c)
	}
	kept := piece{at: at, last: f.Last}
	if !c.taken {
		kept.data = append(kept.data, f.Data...) // a copy: else a tiny frame would hold its blob
	}
	c.pieces[f.Number] = kept
	cost := len(f.Data) + frameCost
	b.stream = append(b.stream, arrival{at, f.Channel, f.Number, cost})
	b.cost += cost
	for b.cost > b.limits.bankBytes {
		lost = b.shift(lost)
	}
	return lost
}

// next begins an L1 block: it returns the channels that lost frames to age.
func (b *bank) next(l1 uint64) (lost []*openChannel) {
	for _, c := range b.touched {
		c.touched = false
	}
	b.touched = nil
	for len(b.stream) > 0 && b.stream[0].at.Block+b.limits.timeout < l1 {
		lost = b.shift(lost)
	}
	return lost
}

// shift drops the oldest frame, and adds its channel to lost unless that is known.
func (b *bank) shift(lost []*openChannel) []*openChannel {
	a := b.stream[0]
	b.stream, b.cost = b.stream[1:], b.cost-a.cost
	c := b.channels[a.id]
	if c == nil || c.pieces[a.number].at != a.at {
		return lost // there is a newer one
	}
	delete(c.pieces, a.number)
	if int(a.number) < c.count {
		b.incomplete(c)
	}
	if len(c.pieces) == 0 {
		delete(b.channels, a.id)
	}
	if !c.known {
		c.known = true
		lost = append(lost, c)
	}
	return lost
}

// incomplete notes that c is not complete.
func (b *bank) incomplete(c *openChannel) {
	if c.count == 0 {
		return
	}
	c.count = 0
	same := b.complete[c.header.FirstNumber]
	if delete(same, c); len(same) == 0 {
		delete(b.complete, c.header.FirstNumber)
	}
}

// settle finds the channels that are complete with the frames of an L1 block, calling bad
// for those whose content begins with no header.
func (b *bank) settle(bad func(*openChannel, *dropError)) {
	for _, c := range b.touched {
		b.incomplete(c)
		if c.taken || b.channels[c.id] != c || !c.join() {
			continue
		}
		if why := c.open(); why != nil {
			c.count, c.known = 0, true
			bad(c, why)
			continue
		}
		same := b.complete[c.header.FirstNumber]
		if same == nil {
			same = make(map[*openChannel]bool)
			b.complete[c.header.FirstNumber] = same
		}
		same[c] = true
	}
}

// join counts the frames up to the first that is the last; false if one is missing.
func (c *openChannel) join() bool {
	c.bytes, c.order = 0, Position{}
	for n := range batch.MaxFrames {
		p, ok := c.pieces[uint16(n)]
		if !ok {
			return false
		}
		c.bytes += len(p.data)
		if c.order.before(p.at) {
			c.order = p.at
		}
		if p.last {
			c.count = n + 1
			return true
		}
	}
	return false
}

// open reads the header of a channel whose frames are there.
func (c *openChannel) open() (why *dropError) {
	if c.bytes > batch.MaxChannelBytes {
		return drop(DropChannel, "%d bytes, limit %d", c.bytes, batch.MaxChannelBytes)
	}
	var err error
	if c.header, err = batch.DecodeChannelHeader(c.content(batch.ChannelHeaderBytes + 1)); err != nil {
		return drop(DropChannel, "%v", err)
	}
	return nil
}

// content is the data of the frames, or so many bytes of it at least, if they are there.
func (c *openChannel) content(atLeast int) []byte {
	data := make([]byte, 0, min(c.bytes, atLeast))
	for n := 0; n < c.count && len(data) < atLeast; n++ {
		data = append(data, c.pieces[uint16(n)].data...)
	}
	return data
}

// from gives the complete channels whose first block has the number, in the order in which
// they became complete.
func (b *bank) from(number uint64) []*openChannel {
	var all []*openChannel
	for c := range b.complete[number] {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *openChannel) int {
		if x.order.before(y.order) {
			return -1
		}
		return 1
	})
	return all
}

// take notes that blocks were made of a channel; its data is not needed any more.
func (b *bank) take(c *openChannel) {
	b.incomplete(c)
	c.taken = true
	for n, p := range c.pieces {
		p.data = nil
		c.pieces[n] = p
	}
}
