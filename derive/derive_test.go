package derive

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// pushAll pushes the world's L1 from the pipeline's next block on.
func pushAll(t testing.TB, p *Pipeline, l1 []L1Block) []BlockInput {
	t.Helper()
	var out []BlockInput
	for n := p.NextL1(); n < uint64(len(l1)); n = p.NextL1() {
		out = append(out, push(t, p, l1[n])...)
	}
	return out
}

// push pushes one L1 block and executes what it makes derivable.
func push(t testing.TB, p *Pipeline, b L1Block) (out []BlockInput) {
	t.Helper()
	if err := p.Push(b); err != nil {
		t.Fatal(err)
	}
	for in := p.Next(); in != nil; in = p.Next() {
		out = append(out, *in)
		p.Executed(hashOf(in))
	}
	return out
}

// hashOf is the hash of an executed block.
func hashOf(in *BlockInput) common.Hash {
	if in.Kind == FromBatch {
		return l2Hash(in.Number)
	}
	return crypto.Keccak256Hash([]byte(in.Kind), l2Hash(in.Number).Bytes(), in.L1Attributes.Hash[:])
}

// equal compares what was derived with what was sequenced.
func equal(t testing.TB, w *world, got []BlockInput, from int) {
	t.Helper()
	want := w.made[from:]
	for i := 1; i < len(got); i++ {
		if got[i].ParentHash != hashOf(&got[i-1]) {
			t.Fatalf("block %d is on %x", got[i].Number, got[i].ParentHash)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("derived %d blocks, sequenced %d", len(got), len(want))
	}
	for i := range got {
		g := got[i]
		if g.ExpectHash != (common.Hash{}) && g.ExpectHash != l2Hash(g.Number) {
			t.Fatalf("block %d: hash %x", g.Number, g.ExpectHash)
		}
		if g.PostedIn.Number <= g.L1Attributes.Number {
			t.Fatalf("block %d: origin %d, posted in %d", g.Number, g.L1Attributes.Number, g.PostedIn.Number)
		}
		g.ParentHash, g.ExpectHash, g.PostedIn = common.Hash{}, common.Hash{}, chain.L1Origin{}
		same := reflect.DeepEqual(hashes(g.Txs), hashes(want[i].Txs)) && reflect.DeepEqual(hashes(g.Deposits), hashes(want[i].Deposits))
		w := want[i] // decoded transactions remember when they were first seen: compared by hash
		g.Txs, g.Deposits, w.Txs, w.Deposits = nil, nil, nil, nil
		if !same || !reflect.DeepEqual(g, w) {
			t.Fatalf("block %d:\nderived   %+v\nsequenced %+v", g.Number, g, want[i])
		}
	}
}

func hashes(txs []*chain.Tx) []common.Hash {
	var out []common.Hash
	for _, tx := range txs {
		out = append(out, tx.Hash())
	}
	return out
}

func reasons(drops []Drop) map[Reason]int {
	out := make(map[Reason]int)
	for _, d := range drops {
		out[d.Reason]++
	}
	return out
}

// busyWorld sequences and posts for a while, with frames shuffled, duplicated,
// lost and posted again, and garbage in between.
func busyWorld(t testing.TB, seed int64, rounds int) *world {
	w := newWorld(t, seed)
	var queue []batch.Frame // to post, in any order
	posted := 0             // blocks in channels
	for round := range rounds {
		w.growL1(1 + w.rng.Intn(2))
		w.sequence(1+w.rng.Intn(6), uint64(len(w.l1)))
		if w.rng.Intn(2) == 0 || round == rounds-1 {
			ch := w.channel(w.batch[posted:])
			posted = len(w.batch)
			frames, err := ch.Frames(100 + w.rng.Intn(400))
			if err != nil {
				t.Fatal(err)
			}
			queue = append(queue, frames...)
		}
		w.growL1(1)
		w.rng.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		var later []batch.Frame
		for _, f := range queue {
			switch {
			case w.rng.Intn(5) == 0: // lost: the batcher tries again
				later = append(later, f)
				continue
			case w.rng.Intn(5) == 0: // twice
				later = append(later, f)
			}
			w.post(w.blob(f))
			if w.rng.Intn(4) == 0 {
				garbage := new(batch.Blob)
				w.rng.Read(garbage[:w.rng.Intn(300)])
				w.post(garbage)
			}
			if w.rng.Intn(6) == 0 {
				w.post(w.blob(batch.Frame{Channel: batch.ChannelID{byte(w.rng.Intn(4))}, Number: uint16(w.rng.Intn(4)), Data: []byte{1}, Last: w.rng.Intn(2) == 0}))
			}
		}
		queue = later
	}
	w.growL1(1)
	for _, f := range queue {
		w.post(w.blob(f))
	}
	return w
}

func TestDerivedEqualsSequenced(t *testing.T) {
	for seed := range int64(40) {
		w := busyWorld(t, seed, 25)
		p := New(w.cfg, w.start, Settings{})
		equal(t, w, pushAll(t, p, w.l1), 0)
		if p.State().Head != w.head {
			t.Fatalf("seed %d: head %+v, sequenced %+v", seed, p.State().Head, w.head)
		}
	}
}

func TestEveryDepositIsIncludedOnce(t *testing.T) {
	w := busyWorld(t, 7, 60)
	seen := make(map[common.Hash]bool)
	for _, in := range pushAll(t, New(w.cfg, w.start, Settings{}), w.l1) {
		for _, d := range in.Deposits {
			if seen[d.Hash()] {
				t.Fatalf("deposit %v twice", d.Hash())
			}
			seen[d.Hash()] = true
		}
	}
	want := 0
	for n := w.start.Head.Origin.Number + 1; n <= w.head.Origin.Number; n++ {
		for _, d := range Deposits(&w.l1[n], w.cfg.Portal) {
			want++
			if !seen[d.Hash()] {
				t.Fatalf("deposit %v of L1 block %d is missing", d.Hash(), n)
			}
		}
	}
	if want == 0 || len(seen) != want {
		t.Fatalf("%d deposits included, %d made", len(seen), want)
	}
}

func TestStartFromAnyStateGivesTheSameRest(t *testing.T) {
	for seed := range int64(5) {
		w := busyWorld(t, 100+seed, 30)
		p := New(w.cfg, w.start, Settings{})
		done := 0
		for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
			in := push(t, p, w.l1[n])
			if done += len(in); len(in) == 0 {
				continue
			}
			late := New(w.cfg, p.State(), Settings{})
			equal(t, w, pushAll(t, late, w.l1), done)
		}
	}
}

func TestReorgIsNamedAndSurvived(t *testing.T) {
	for seed := range int64(20) {
		w := busyWorld(t, 200+seed, 20)
		p, states := New(w.cfg, w.start, Settings{}), []State{w.start}
		for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
			if len(push(t, p, w.l1[n])) > 0 {
				states = append(states, p.State())
			}
		}

		// The last blocks of L1 are replaced; the sequencer goes on from what the
		// shared part still holds.
		shared := uint64(len(w.l1)) - 1 - uint64(1+seed)
		old := w.l1
		w.l1 = append([]L1Block(nil), w.l1[:shared+1]...)
		w.fork++
		w.growL1(21)
		err := p.Push(w.l1[p.NextL1()])
		var reorg *ReorgError
		if !errors.As(err, &reorg) || !errors.Is(err, ErrReorg) || reorg.Number != uint64(len(old))-1 || reorg.Known != old[len(old)-1].Hash {
			t.Fatalf("seed %d: %v", seed, err)
		}
		i := len(states) - 1
		for states[i].PostedIn != w.l1[states[i].PostedIn.Number].ID() {
			i--
		}
		state := states[i]
		if state.PostedIn.Number > shared || i+1 < len(states) && states[i+1].PostedIn.Number <= shared {
			t.Fatalf("seed %d: shared block %d, the newest state there is of block %d", seed, shared, state.PostedIn.Number)
		}
		p.Reset(state)
		// What is still on L1 is derived again; then the sequencer builds on it.
		again := pushAll(t, p, w.l1)
		kept := int(p.State().Head.Number)
		if int(state.Head.Number)+len(again) != kept {
			t.Fatalf("seed %d: %d blocks on %d give %d", seed, len(again), state.Head.Number, kept)
		}
		w.made, w.batch, w.head = w.made[:kept], w.batch[:kept], p.State().Head
		w.sequence(10, uint64(len(w.l1)))
		w.growL1(1)
		w.postChannel(w.batch[kept:])
		equal(t, w, pushAll(t, p, w.l1), kept)

		full := New(w.cfg, w.start, Settings{})
		equal(t, w, pushAll(t, full, w.l1), 0)
	}
}

func TestStateOfAnotherForkIsRefused(t *testing.T) {
	w := busyWorld(t, 5, 10)
	p := New(w.cfg, w.start, Settings{})
	pushAll(t, p, w.l1)
	state := p.State()
	state.Head.Origin.Hash = common.Hash{1}
	p.Reset(state)
	var err error
	for err == nil {
		if err = p.Push(w.l1[p.NextL1()]); err == nil && p.Next() != nil {
			t.Fatal("a block of the past")
		}
	}
	if !errors.Is(err, ErrOrigin) || !errors.Is(err, ErrReorg) {
		t.Fatal(err)
	}
}

func TestPushRefusesWhatIsNotNext(t *testing.T) {
	w := newWorld(t, 1)
	w.growL1(5)
	p := New(w.cfg, w.start, Settings{})
	if err := p.Push(w.l1[3]); !errors.Is(err, ErrSequence) {
		t.Fatal(err)
	}
	for n := range uint64(3) {
		push(t, p, w.l1[2+n])
	}
	if err := p.Push(w.l1[4]); !errors.Is(err, ErrSequence) {
		t.Fatal(err)
	}
	if err := p.Push(w.l1[5]); err != nil {
		t.Fatal(err)
	}
	if err := p.Push(w.l1[6]); !errors.Is(err, ErrUnfinished) {
		t.Fatal(err)
	}
}

func TestSequencerSeesAForkOfL1(t *testing.T) {
	w := newWorld(t, 1)
	w.growL1(2)
	other := w.l1[3]
	other.ParentHash = common.Hash{9}
	if _, err := NextOrigin(w.cfg, w.head, &w.l1[2], &other, other.Timestamp); !errors.Is(err, ErrL1Fork) {
		t.Fatal(err)
	}
	if _, err := NextOrigin(w.cfg, w.head, &w.l1[1], &w.l1[2], other.Timestamp); !errors.Is(err, ErrL1Fork) {
		t.Fatal(err)
	}
	if _, err := NextOrigin(w.cfg, w.head, &w.l1[2], nil, w.l1[2].Timestamp-1); !errors.Is(err, ErrTimestamp) {
		t.Fatal(err)
	}
	early, err := NextOrigin(w.cfg, w.head, &w.l1[2], &w.l1[3], w.l1[3].Timestamp-1)
	if err != nil || early.Origin != w.l1[2].ID() || early.Attributes.SequenceNumber != 1 || early.Deposits != nil {
		t.Fatalf("%+v, %v", early, err)
	}
}

func TestBatchesWaitForTheirParent(t *testing.T) {
	w := newWorld(t, 3)
	w.sequence(9, 3)
	w.growL1(1)
	w.postChannel(w.batch[6:9])
	w.growL1(1)
	w.postChannel(w.batch[3:6])
	w.growL1(1)
	w.postChannel(w.batch[0:3])
	p := New(w.cfg, w.start, Settings{})
	got := pushAll(t, p, w.l1)
	equal(t, w, got, 0)
	for _, in := range got {
		if in.PostedIn != w.l1[len(w.l1)-1].ID() {
			t.Fatalf("block %d posted in %d", in.Number, in.PostedIn.Number)
		}
	}
}

func TestChannelsTimeOut(t *testing.T) {
	for _, late := range []int{0, 1} {
		w := newWorld(t, 3)
		w.sequence(3, 3)
		frames, err := w.channel(w.batch).Frames(120)
		if err != nil {
			t.Fatal(err)
		}
		w.growL1(1)
		w.post(w.blob(frames[0]))
		w.growL1(ChannelTimeout + late)
		w.post(w.blob(frames[1:]...))
		p := New(w.cfg, w.start, Settings{})
		got := pushAll(t, p, w.l1)
		if late == 0 {
			equal(t, w, got, 0)
		} else if len(got) != 0 || reasons(p.TakeDrops())[DropTimeout] != 1 {
			t.Fatalf("%d blocks of a channel that timed out", len(got))
		}
	}
}
