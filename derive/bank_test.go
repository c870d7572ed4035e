package derive

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"github.com/talaria-l2/talaria/batch"
)

// arrived is a frame with its place, for the definition below.
type arrived struct {
	at Position
	f  batch.Frame
}

// defined says what a bank must hold at L1 block l1, straight from the specification: the
// longest end of the stream that is young and small enough; of every number of a channel
// the newest frame; complete is who has all up to the first that is the last.
func defined(stream []arrived, l limits, l1 uint64) map[batch.ChannelID]string {
	cost, first := 0, len(stream)
	for first > 0 {
		a := &stream[first-1]
		cost += len(a.f.Data) + 512
		if cost > l.bankBytes || a.at.Block+l.timeout < l1 {
			break
		}
		first--
	}
	newest := make(map[batch.ChannelID]map[int]arrived)
	for _, a := range stream[first:] {
		if newest[a.f.Channel] == nil {
			newest[a.f.Channel] = make(map[int]arrived)
		}
		newest[a.f.Channel][int(a.f.Number)] = a
	}
	out := make(map[batch.ChannelID]string)
	for id, frames := range newest {
		var content []byte
		var order Position
		for n := 0; ; n++ {
			a, ok := frames[n]
			if !ok {
				break
			}
			content = append(content, a.f.Data...)
			if order.before(a.at) {
				order = a.at
			}
			if a.f.Last {
				if h, err := batch.DecodeChannelHeader(content); err == nil {
					out[id] = fmt.Sprintf("%d %v %x", h.FirstNumber, order, content)
				}
				break
			}
		}
	}
	return out
}

// held is what a bank holds, in the same words.
func (b *bank) held() map[batch.ChannelID]string {
	out := make(map[batch.ChannelID]string)
	for number, channels := range b.complete {
		for c := range channels {
			out[c.id] = fmt.Sprintf("%d %v %x", number, c.order, c.content(c.bytes))
		}
	}
	return out
}

// TestBankHoldsTheEndOfTheStream compares a bank, frame by frame, with its definition.
func TestBankHoldsTheEndOfTheStream(t *testing.T) {
	w := newWorld(t, 1)
	w.sequence(60, 3)
	var frames []batch.Frame
	for i := range 12 {
		fs, err := w.channel(w.batch[5*i : 5*i+5]).Frames(100 + 50*i)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, fs...)
	}
	complete := 0
	for seed := range int64(30) {
		rng := rand.New(rand.NewSource(seed))
		l := limits{timeout: uint64(1 + rng.Intn(20)), bankBytes: 2_000 + rng.Intn(40_000)}
		b := newBank(l)
		var stream []arrived
		for l1 := range uint64(80) {
			b.next(l1)
			for i := range rng.Intn(2 * len(frames) / 10) {
				f := frames[rng.Intn(len(frames))]
				switch rng.Intn(12) {
				case 0:
					f.Data = f.Data[:1+rng.Intn(len(f.Data))]
				case 1:
					f.Last = !f.Last
				case 2:
					f.Number += uint16(rng.Intn(3))
				case 3:
					f.Data = make([]byte, 1+rng.Intn(4_000))
				case 4:
					f.Number = uint16(rng.Intn(1 << 16))
				}
				at := Position{l1, uint64(i)}
				b.add(f, at)
				stream = append(stream, arrived{at, f})
				if b.cost > l.bankBytes {
					t.Fatalf("bank holds %d bytes, limit %d", b.cost, l.bankBytes)
				}
			}
			b.settle(func(*openChannel, *dropError) {})
			want, got := defined(stream, l, l1), b.held()
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, L1 block %d: %d channels are complete, want %d", seed, l1, len(got), len(want))
			}
			complete += len(want)
			pieces, bytes := 0, 0
			for _, c := range b.channels {
				pieces += len(c.pieces)
				for _, p := range c.pieces {
					bytes += len(p.data)
				}
			}
			if pieces > len(b.stream) || bytes+pieces*512 > b.cost {
				t.Fatalf("%d frames of %d bytes, the stream has %d of %d", pieces, bytes, len(b.stream), b.cost)
			}
		}
		b.next(1_000)
		if len(b.channels)+len(b.complete)+len(b.stream)+b.cost != 0 {
			t.Fatal("something is left of an old stream")
		}
	}
	if complete < 1_000 {
		t.Fatalf("only %d complete channels were compared", complete)
	}
}

func TestAFrameCountsForAsLongAsTheTimeout(t *testing.T) {
	for _, late := range []uint64{0, 1} {
		b := newBank(limits{timeout: 300, bankBytes: MaxBankBytes})
		b.add(batch.Frame{Data: make([]byte, 50)}, Position{Block: 7})
		b.next(307 + late)
		b.add(batch.Frame{Number: 1, Last: true, Data: make([]byte, 50)}, Position{Block: 307 + late})
		if got := len(b.channels[batch.ChannelID{}].pieces); got != 2-int(late) {
			t.Fatalf("%d late: %d frames", late, got)
		}
	}
}

func TestTheChannelThatCompletedFirstComesFirst(t *testing.T) {
	w := newWorld(t, 4)
	w.sequence(3, 3)
	b := newBank(limits{timeout: 300, bankBytes: MaxBankBytes})
	var ids []batch.ChannelID
	for n := range uint64(3) {
		ch := w.channel(w.batch[:n+1])
		frames, err := ch.Frames(120)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ch.ID)
		for i, f := range slices.Backward(frames) {
			at := Position{1 + n, uint64(i)}
			if n == 1 && i == 0 {
				at.Block = 9 // later than the third one
			}
			b.add(f, at)
		}
	}
	b.settle(func(c *openChannel, why *dropError) { t.Fatal(why) })
	var got []batch.ChannelID
	for _, c := range b.from(1) {
		got = append(got, c.id)
	}
	if !slices.Equal(got, []batch.ChannelID{ids[0], ids[2], ids[1]}) {
		t.Fatalf("%v of %v", got, ids)
	}
}
