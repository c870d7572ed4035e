package derive

import (
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
)

// tight are limits that a short test runs into: frames of a few L1 blocks, a bank of some
// channels, the work of some blocks.
var tight = Settings{limits: limits{timeout: 4, bankBytes: 24_000, work: 7 * 64 << 10, fill: MaxFill}}

// tape gives choices: random ones, or those that a fuzzer writes.
type tape struct {
	rng   *rand.Rand
	bytes []byte
}

func (c *tape) intn(n int) int {
	if c.rng != nil {
		return c.rng.Intn(n)
	}
	if len(c.bytes) == 0 {
		return 0
	}
	v := int(c.bytes[0])
	c.bytes = c.bytes[1:]
	return v % n
}

// adversary is a batcher that works against its own chain.
type adversary struct {
	w     *world
	pick  *tape
	known []batch.Frame // of all that was ever made
	queue []batch.Frame // to come
}

// round posts into a new L1 block.
func (a *adversary) round(p *Pipeline) {
	w := a.w
	for range 1 + a.pick.intn(5) {
		switch a.pick.intn(9) {
		case 0, 1, 2: // what continues the chain, or leaves a gap
			w.follow(p, 1)
			parent := w.head.Hash
			w.sequence(1+a.pick.intn(7), uint64(len(w.l1)-1))
			if skip := a.pick.intn(3); skip == 2 && len(w.batch) > 2 {
				a.make(w.batch[:1], parent)
				w.batch, parent = w.batch[1:], l2Hash(w.batch[0].Number)
			}
			a.make(w.batch, parent)
		case 3: // on another parent
			w.follow(p, 1)
			w.sequence(1+a.pick.intn(3), uint64(len(w.l1)-1))
			a.make(w.batch, common.Hash{7})
		case 4: // a rule is broken by the last block: the work is done for nothing
			w.follow(p, 1)
			parent := w.head.Hash
			w.sequence(1+a.pick.intn(9), uint64(len(w.l1)-1))
			w.batch[len(w.batch)-1].Timestamp += MaxAhead + 100_000
			for i := range w.batch[len(w.batch)-1].MiniBlocks {
				w.batch[len(w.batch)-1].MiniBlocks[i].Timestamp += (MaxAhead + 100_000) * 1_000_000
			}
			a.make(w.batch, parent)
		case 5: // what fills the bank
			for range a.pick.intn(8) {
				a.queue = append(a.queue, batch.Frame{Channel: batch.ChannelID{byte(a.pick.intn(6))}, Number: uint16(a.pick.intn(3)),
					Last: a.pick.intn(2) == 0, Data: make([]byte, 1+17*a.pick.intn(256))})
			}
		case 6, 7: // again, whole or torn
			for range a.pick.intn(12) {
				if len(a.known) == 0 {
					break
				}
				f := a.known[a.pick.intn(len(a.known))]
				switch a.pick.intn(8) {
				case 0:
					f.Data = f.Data[:1+a.pick.intn(len(f.Data))]
				case 1:
					f.Last = !f.Last
				case 2:
					f.Number++
				}
				a.queue = append(a.queue, f)
			}
		case 8: // nothing
		}
	}
	if a.pick.intn(15) == 14 {
		w.growL1(1)
		w.batcher = common.Address{0xba, byte(a.pick.intn(3))}
		w.update(0, w.batcher[:])
	}
	w.growL1(1)
	if a.pick.intn(20) == 19 {
		w.growL1(shortWindow)
	}
	for len(a.queue) > 0 && a.pick.intn(60) > 0 {
		i := a.pick.intn(min(3, len(a.queue)))
		w.postData(SourceCalldata, w.encode(a.queue[i:i+1]))
		a.queue = append(a.queue[:i], a.queue[i+1:]...)
	}
}

func (a *adversary) make(blocks []batch.Block, parent common.Hash) {
	w := a.w
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range blocks {
		if i > 0 {
			parent = l2Hash(blocks[i].Number - 1)
		}
		if err := b.Add(&blocks[i], parent, l2Hash(blocks[i].Number)); err != nil {
			return // a rule of the format stands against it
		}
	}
	ch, err := b.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	frames, err := ch.Frames(150 + 40*a.pick.intn(10))
	if err != nil {
		w.t.Fatal(err)
	}
	a.known, a.queue = append(a.known, frames...), append(a.queue, frames...)
}

// told is what an L1 block gave.
type told struct {
	block  string
	states State
}

// follows pushes an L1 block; blocks whose number divides by seven do not execute.
func follows(t testing.TB, p *Pipeline, b L1Block) (out []told) {
	t.Helper()
	if err := p.Push(b); err != nil {
		t.Fatal(err)
	}
	for in := p.Next(); in != nil; in = p.Next() {
		if in.Kind == FromBatch && in.Number%7 == 0 {
			if err := p.Invalid(errors.New("no")); err != nil {
				t.Fatal(err)
			}
			continue
		}
		hash := hashOf(in)
		out = append(out, told{block: fmt.Sprintf("%d %x %s %d %d %v", in.Number, in.ParentHash, in.Kind, in.Timestamp, in.PostedIn.Number, hashes(in.AllTxs()))})
		p.Executed(hash)
	}
	return append(out, told{states: p.State()})
}

// checkRestarts lets an adversary work against derivation for so many L1 blocks, and then
// begins from the state of every L1 block, or of so many of them [all]: what follows, for longer than anything posted
// counts, must be the same, and so must be the bank once the restart has caught up.
func checkRestarts(t testing.TB, seed int64, pick *tape, rounds, restarts int) map[Reason]int {
	w := newShortWorld(t, seed)
	a := &adversary{w: w, pick: pick}
	p := New(w.cfg, w.start, tight)
	type point struct {
		state State
		bank  map[batch.ChannelID]string
		cost  int
	}
	points := []point{{state: w.start}}
	var gave [][]told // by L1 block, from the first on
	step := func() {
		for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
			gave = append(gave, follows(t, p, w.l1[n]))
			points = append(points, point{p.State(), p.bank.held(), p.bank.cost})
		}
	}
	step()
	for range rounds {
		a.round(p)
		step()
	}
	first := w.start.From
	every := 1
	if restarts > 0 {
		every += len(points) / restarts
	}
	for i, from := range points {
		if i%every != 0 {
			continue
		}
		late := New(w.cfg, from.state, tight)
		end := min(uint64(len(w.l1)), first+uint64(i)+4*tight.limits.timeout)
		for n := late.NextL1(); n < end; n = late.NextL1() {
			got := follows(t, late, w.l1[n])
			if n > from.state.PostedIn.Number && !reflect.DeepEqual(got, gave[n-first]) {
				t.Fatalf("seed %d: begun behind L1 block %d, L1 block %d gives\n%v\nwant\n%v", seed, first+uint64(i)-1, n, got, gave[n-first])
			}
			// What was taken before the restart is kept with its data, so compare what can
			// still be taken.
			if at := points[n-first+1]; n >= from.state.PostedIn.Number && n > first {
				if late.bank.cost != at.cost || !reflect.DeepEqual(alive(late), aliveOf(at.bank, late)) {
					t.Fatalf("seed %d: begun behind L1 block %d, the bank of L1 block %d differs", seed, first+uint64(i)-1, n)
				}
			}
		}
	}
	all := reasons(p.TakeDrops())
	for _, at := range points[1:] {
		if at.state.PostedIn.Number > first && at.state.Resume != (Position{Block: at.state.PostedIn.Number + 1}) {
			all[waits]++
		}
	}
	return all
}

// waits counts, beside what was dropped, the states that leave work for the next L1 block.
const waits Reason = "work is left"

// alive are the complete channels ahead of the head.
func alive(p *Pipeline) map[batch.ChannelID]string { return aliveOf(p.bank.held(), p) }

func aliveOf(held map[batch.ChannelID]string, p *Pipeline) map[batch.ChannelID]string {
	out := make(map[batch.ChannelID]string)
	for id, what := range held {
		var number uint64
		fmt.Sscan(what, &number)
		if number > p.State().Head.Number {
			out[id] = what
		}
	}
	return out
}

func TestRestartAtEveryL1BlockGivesTheSame(t *testing.T) {
	seeds, all := int64(12), make(map[Reason]int)
	for seed := range seeds {
		for reason, n := range checkRestarts(t, seed, &tape{rng: rand.New(rand.NewSource(seed))}, 40, 0) {
			all[reason] += n
		}
	}
	for _, reason := range []Reason{DropEvicted, DropTimeout, DropChannel, DropOld, DropParent, DropTimestamp, DropExecution, waits} {
		if all[reason] == 0 {
			t.Errorf("never: %s", reason)
		}
	}
	t.Log(all)
}

// FuzzRestart lets a fuzzer choose what the adversary posts.
func FuzzRestart(f *testing.F) {
	f.Add(int64(1), []byte{1, 0, 3, 0, 1, 9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 7, 1, 1, 200, 5, 7, 2, 0, 255, 6, 11, 1, 2, 3})
	f.Fuzz(func(t *testing.T, seed int64, choices []byte) {
		if len(choices) > 300 {
			return
		}
		checkRestarts(t, seed%16, &tape{bytes: choices}, 8, 12)
	})
}
