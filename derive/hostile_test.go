package derive

import (
	"bytes"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
)

// spoil changes a frame, or makes one up.
func spoil(pick *tape, f batch.Frame) batch.Frame {
	f.Data = bytes.Clone(f.Data)
	switch pick.intn(9) {
	case 0: // again
	case 1: // torn
		f.Data = f.Data[:1+pick.intn(len(f.Data))]
	case 2: // longer
		f.Data = append(f.Data, byte(pick.intn(256)))
	case 3: // a bit
		f.Data[pick.intn(len(f.Data))] ^= 1 << pick.intn(8)
	case 4:
		f.Last = !f.Last
	case 5:
		f.Number = uint16(pick.intn(1 << 16))
	case 6:
		f.Number += uint16(pick.intn(3))
	case 7: // of another channel
		f.Channel[pick.intn(len(f.Channel))] ^= 1 << pick.intn(8)
	case 8: // noise
		f.Data = make([]byte, 1+pick.intn(256))
		for i := range f.Data {
			f.Data[i] = byte(pick.intn(256))
		}
	}
	return f
}

// spoilBytes changes encoded frames: all of them are void then, or other ones.
func spoilBytes(pick *tape, data []byte) []byte {
	switch pick.intn(3) {
	case 0:
		return data[:pick.intn(len(data))]
	case 1:
		data[pick.intn(len(data))] ^= 1 << pick.intn(8)
	case 2:
		data = append(data, byte(pick.intn(256)))
	}
	return data
}

// others are those of the frames that are not of the channel.
func others(frames []batch.Frame, id batch.ChannelID) []batch.Frame {
	var out []batch.Frame
	for _, f := range frames {
		if f.Channel != id {
			out = append(out, f)
		}
	}
	return out
}

func (w *world) encode(frames []batch.Frame) []byte {
	data, err := batch.EncodeFrames(frames)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// TestAMillionSpoiltFrames has whoever holds the batcher's key post a million frames that
// are spoilt, torn, repeated, interleaved or noise around those of an honest batcher, in
// the same L1 blocks too. As long as the frames of a channel come last once, which a
// batcher reaches by posting them again, exactly its blocks are derived, with the same L1
// block as without all this.
func TestAMillionSpoiltFrames(t *testing.T) {
	const rounds, total = 40, 1_000_000
	build := func(hostile bool) ([]BlockInput, *world, map[Reason]int) {
		w, pick := newWorld(t, 1), &tape{rng: rand.New(rand.NewSource(2))}
		p := New(w.cfg, w.start, Settings{})
		var known []batch.Frame
		var got []BlockInput
		for round := range rounds {
			from := len(w.batch)
			w.sequence(4, uint64(len(w.l1)))
			frames, err := w.channel(w.batch[from:]).Frames(60 + 9*round)
			if err != nil {
				t.Fatal(err)
			}
			w.growL1(1)
			known = append(known, frames...)
			noise := func(of []batch.Frame, count int) {
				for count > 0 && len(of) > 0 && hostile {
					n := min(count, 1+pick.intn(500))
					var some []batch.Frame
					for range n {
						some = append(some, spoil(pick, of[pick.intn(len(of))]))
					}
					data := w.encode(some)
					if pick.intn(4) == 0 {
						data = spoilBytes(pick, data)
					}
					w.postData(SourceCalldata, data)
					count -= n
				}
			}
			noise(known, total/rounds/2)
			if round%3 == 0 { // torn when the L1 block ends: it takes all of them again
				if hostile {
					torn := frames[pick.intn(len(frames))]
					torn.Data = append(bytes.Clone(torn.Data), 1)
					w.postData(SourceCalldata, w.encode(append(slices.Clone(frames), torn)))
				}
				w.growL1(1)
			}
			for i, f := range frames { // interleaved with the others'
				w.postData(SourceCalldata, w.encode(frames[i:i+1]))
				noise(others(known, f.Channel), 3)
			}
			if hostile {
				w.postData(SourceCalldata, w.encode(frames)) // twice
			}
			noise(others(known, frames[0].Channel), total/rounds/2)
			got = append(got, push(t, p, pushOnly(t, p, w))...)
		}
		equal(t, w, got, 0)
		return got, w, reasons(p.TakeDrops())
	}
	want, _, _ := build(false)
	got, _, drops := build(true)
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%d blocks, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Number != want[i].Number || got[i].ParentHash != want[i].ParentHash || got[i].PostedIn.Number != want[i].PostedIn.Number ||
			!reflect.DeepEqual(hashes(got[i].AllTxs()), hashes(want[i].AllTxs())) {
			t.Fatalf("block %d differs", want[i].Number)
		}
	}
	if drops[DropData] == 0 || drops[DropChannel] == 0 {
		t.Fatalf("drops %v", drops)
	}
}

// pushOnly pushes all L1 blocks but the newest, which it returns, and expects nothing of them.
func pushOnly(t testing.TB, p *Pipeline, w *world) L1Block {
	t.Helper()
	for n := p.NextL1(); n < uint64(len(w.l1))-1; n = p.NextL1() {
		if got := push(t, p, w.l1[n]); len(got) != 0 {
			t.Fatalf("%d blocks", len(got))
		}
	}
	return w.l1[len(w.l1)-1]
}

// FuzzSpoiltFrames lets a fuzzer spoil the frames of a channel before and after the right
// ones come, and post whatever bytes beside them.
func FuzzSpoiltFrames(f *testing.F) {
	f.Add([]byte{0, 1, 1, 5, 2, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []byte{1, 0}, uint8(9))
	f.Fuzz(func(t *testing.T, choices, raw []byte, size uint8) {
		if len(choices) > 2_000 || len(raw) > 4_000 {
			return
		}
		w, pick := newWorld(t, 1), &tape{bytes: choices}
		w.sequence(3, 3)
		frames, err := w.channel(w.batch).Frames(20 + int(size))
		if err != nil {
			t.Fatal(err)
		}
		some := func() {
			for len(pick.bytes) > len(choices)/2 {
				w.postData(SourceCalldata, w.encode([]batch.Frame{spoil(pick, frames[pick.intn(len(frames))])}))
			}
		}
		w.growL1(1)
		some()
		w.postData(SourceCalldata, raw)
		blob := new(batch.Blob)
		copy(blob[:], raw)
		w.post(blob)
		if len(raw) > 0 {
			w.postData(SourceCalldata, w.encode([]batch.Frame{{Channel: batch.IDOf(raw), Last: true, Data: raw}}))
		}
		w.growL1(1)
		w.postData(SourceCalldata, w.encode(frames))
		choices = nil
		w.growL1(1)
		some()
		p := New(w.cfg, w.start, Settings{})
		equal(t, w, pushAll(t, p, w.l1), 0)
		if p.State().Head.Hash == (common.Hash{}) {
			t.Fatal("no head")
		}
	})
}
