package derive

import (
	"errors"
	"math/big"
	"math/rand"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// shortWindow is an inclusion window that tests can wait for, in L1 blocks.
const shortWindow = 20

func newShortWorld(t testing.TB, seed int64) *world {
	w := newWorld(t, seed)
	w.cfg.InclusionWindow = shortWindow
	return w
}

// follow makes the world's sequencer go on from a derived head, behind the blocks that
// the next so many L1 blocks will force.
func (w *world) follow(p *Pipeline, ahead int) {
	w.head = p.State().Head
	w.made, w.batch = nil, nil
	for w.head.Origin.Number+shortWindow < uint64(len(w.l1)-1+ahead) {
		in, head := NextForced(w.cfg, w.head, &w.l1[w.head.Origin.Number+1])
		head.Hash = hashOf(&in)
		w.head = head
	}
}

func TestForcedBlocksAreKnownByTheirForm(t *testing.T) {
	w := newShortWorld(t, 1)
	w.growL1(1)
	in, _ := NextForced(w.cfg, w.head, &w.l1[3])
	block := func(change func(in *BlockInput)) *chain.Block {
		in := in
		in.MiniBlocks = append([]MiniPlan(nil), in.MiniBlocks...)
		change(&in)
		var minis []chain.MiniBlockHeader
		for _, m := range in.MiniBlocks {
			minis = append(minis, chain.MiniBlockHeader{TimestampMicros: m.TimestampMicros, Epoch: m.Epoch})
		}
		return chain.NewBlock(&types.Header{Number: new(big.Int).SetUint64(in.Number), Time: in.Timestamp}, in.AllTxs(), nil, minis)
	}
	for name, test := range map[string]struct {
		change func(in *BlockInput)
		want   bool
	}{
		"as derived":           {func(*BlockInput) {}, true},
		"with a transaction":   {func(in *BlockInput) { in.Txs = []*chain.Tx{w.tx()} }, false},
		"with two mini-blocks": {func(in *BlockInput) { in.MiniBlocks = append(in.MiniBlocks, in.MiniBlocks[0]) }, false},
		"a microsecond later":  {func(in *BlockInput) { in.MiniBlocks[0].TimestampMicros++ }, false},
		"a second later":       {func(in *BlockInput) { in.Timestamp++ }, false},
		"in another epoch":     {func(in *BlockInput) { in.MiniBlocks[0].Epoch++ }, false},
		"on the same origin":   {func(in *BlockInput) { in.L1Attributes.Number-- }, false},
	} {
		if got := IsForced(w.head, block(test.change)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// checkForced holds a forced block against what the rules say of it.
func checkForced(t *testing.T, w *world, parent Head, in *BlockInput, posted uint64) {
	t.Helper()
	origin := &w.l1[parent.Origin.Number+1]
	deposits := Deposits(origin, w.cfg.Portal)
	want := max(parent.Timestamp, origin.Timestamp)
	mini := MiniPlan{TimestampMicros: max(parent.LastMicros, chain.Micros(want)*1_000_000), TxCount: uint64(1 + len(deposits)), Epoch: parent.Epoch}
	switch {
	case in.Kind != Forced, in.Number != parent.Number+1, len(in.Txs) != 0, in.Timestamp != want:
		t.Fatalf("forced block %+v on %+v", in, parent)
	case in.L1Attributes.Hash != origin.Hash || in.L1Attributes.SequenceNumber != 0:
		t.Fatalf("block %d: L1 attributes %+v", in.Number, in.L1Attributes)
	case !reflect.DeepEqual(hashes(in.Deposits), hashes(deposits)):
		t.Fatalf("block %d: %d deposits, its origin has %d", in.Number, len(in.Deposits), len(deposits))
	case len(in.MiniBlocks) != 1 || in.MiniBlocks[0] != mini:
		t.Fatalf("block %d: mini-blocks %+v, want %+v", in.Number, in.MiniBlocks, mini)
	case in.PostedIn.Number != posted || posted != origin.Number+shortWindow:
		t.Fatalf("block %d of origin %d was forced by L1 block %d", in.Number, origin.Number, posted)
	}
}

func TestDepositsEnterTheChainWhenNothingIsPosted(t *testing.T) {
	w := newShortWorld(t, 1)
	w.growL1(100)
	p := New(w.cfg, w.start, Settings{})
	for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
		parent := p.State().Head
		out := push(t, p, w.l1[n])
		if want := n > w.start.Head.Origin.Number+shortWindow; (len(out) == 1) != want || len(out) > 1 {
			t.Fatalf("L1 block %d forces %d blocks", n, len(out))
		}
		for i := range out {
			checkForced(t, w, parent, &out[i], n)
		}
	}
	if got, want := p.State().Head.Origin.Number, uint64(len(w.l1)-1-shortWindow); got != want {
		t.Fatalf("origin %d, want %d", got, want)
	}
}

// A batch that comes with the last L1 block of the window counts; one L1 block later the
// deposits have been forced, and it conflicts.
func TestABatchAfterTheWindowIsDropped(t *testing.T) {
	for _, late := range []int{0, 1} {
		w := newShortWorld(t, 2)
		w.sequence(5, 3) // on the first origin, which leaves out what comes after it
		w.growL1(shortWindow + late)
		w.postChannel(w.batch)
		p := New(w.cfg, w.start, Settings{})
		got := pushAll(t, p, w.l1)
		if late == 0 {
			equal(t, w, got, 0)
			continue
		}
		if len(got) != 1 || got[0].Kind != Forced {
			t.Fatalf("%d blocks, the first %+v", len(got), got)
		}
		if drops := reasons(p.TakeDrops()); drops[DropOld] != 1 || len(drops) != 1 {
			t.Fatalf("drops %v", drops)
		}
	}
}

// A sequencer that adopts the forced blocks, and those that are about to be forced, goes
// on from them, however late its batch comes in.
func TestBatchesContinueForcedBlocks(t *testing.T) {
	const ahead = 6
	for seed := range int64(ahead) {
		w := newShortWorld(t, seed)
		w.growL1(shortWindow + 5)
		p := New(w.cfg, w.start, Settings{})
		forced := pushAll(t, p, w.l1)
		if len(forced) == 0 {
			t.Fatal("nothing was forced")
		}
		w.follow(p, ahead)
		parent := w.head.Hash
		w.sequence(60, uint64(len(w.l1)))
		w.growL1(1 + int(seed))
		w.batchOn(parent)
		w.growL1(ahead - 1 - int(seed))
		rest := pushAll(t, p, w.l1)
		for i := range rest[:ahead] {
			if rest[i].Kind != Forced {
				t.Fatalf("seed %d: block %d is of a %s", seed, rest[i].Number, rest[i].Kind)
			}
		}
		equal(t, w, rest[ahead:], 0)
		again := New(w.cfg, w.start, Settings{})
		if got := pushAll(t, again, w.l1); len(got) != len(forced)+len(rest) || again.State() != p.State() {
			t.Fatalf("%d blocks, state %+v, want %+v", len(got), again.State(), p.State())
		}
	}
}

// batchOn posts all blocks made, the first of them on the parent.
func (w *world) batchOn(parent common.Hash) {
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.batch {
		if i > 0 {
			parent = l2Hash(w.batch[i].Number - 1)
		}
		if err := b.Add(&w.batch[i], parent, l2Hash(w.batch[i].Number)); err != nil {
			w.t.Fatal(err)
		}
	}
	ch, err := b.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	frames, err := ch.Frames(0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.post(w.blob(frames...))
}

func TestABlockThatDoesNotExecuteIsReplacedByItsDeposits(t *testing.T) {
	w := newShortWorld(t, 3)
	w.growL1(3)
	w.sequence(8, uint64(len(w.l1)))
	w.growL1(1)
	w.postChannel(w.batch)
	const bad = 5
	run := func() (out []BlockInput, p *Pipeline) {
		p = New(w.cfg, w.start, Settings{})
		for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
			if err := p.Push(w.l1[n]); err != nil {
				t.Fatal(err)
			}
			for in := p.Next(); in != nil; in = p.Next() {
				if in != p.Next() {
					t.Fatal("another block before the first was answered")
				}
				if in.Number == bad && in.Kind == FromBatch {
					if err := p.Invalid(errors.New("nonce too low")); err != nil {
						t.Fatal(err)
					}
					continue
				}
				out = append(out, *in)
				p.Executed(hashOf(in))
			}
		}
		return out, p
	}
	out, p := run()
	if len(out) != bad {
		t.Fatalf("%d blocks, want %d: the rest of the channel is void", len(out), bad)
	}
	got, want := out[bad-1], w.made[bad-1]
	if got.Kind != Replaced || got.Timestamp != want.Timestamp || !reflect.DeepEqual(got.L1Attributes, want.L1Attributes) || len(got.Txs) != 0 ||
		len(got.MiniBlocks) != 1 || got.MiniBlocks[0].TxCount != uint64(1+len(got.Deposits)) {
		t.Fatalf("replaced by %+v, the batch had %+v", got, want)
	}
	if drops := reasons(p.TakeDrops()); drops[DropExecution] != 1 || len(drops) != 1 {
		t.Fatalf("drops %v", drops)
	}
	if p.State().Head.Hash != hashOf(&got) {
		t.Fatal("the replacement is not the head")
	}
	late := New(w.cfg, p.State(), Settings{})
	if rest := pushAll(t, late, w.l1); len(rest) != 0 || late.State() != p.State() {
		t.Fatalf("after a restart %d more blocks, state %+v", len(rest), late.State())
	}
	again, _ := run()
	if len(again) != len(out) || !reflect.DeepEqual(hashes(again[bad-1].Deposits), hashes(got.Deposits)) {
		t.Fatal("the second run differs")
	}
}

func TestABlockOfDepositsOnlyMustExecute(t *testing.T) {
	w := newShortWorld(t, 1)
	w.growL1(shortWindow + 1)
	p := New(w.cfg, w.start, Settings{})
	for p.Next() == nil {
		if err := p.Push(w.l1[p.NextL1()]); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Invalid(errors.New("no")); !errors.Is(err, ErrDeposits) {
		t.Fatal(err)
	}
}

func TestAFalseClaimIsToldAndTheBlockStands(t *testing.T) {
	w := newShortWorld(t, 1)
	w.sequence(3, 3)
	w.growL1(1)
	w.postChannel(w.batch)
	p := New(w.cfg, w.start, Settings{})
	for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
		if err := p.Push(w.l1[n]); err != nil {
			t.Fatal(err)
		}
		for in := p.Next(); in != nil; in = p.Next() {
			p.Executed(common.Hash{9, byte(in.Number)})
		}
	}
	if drops := reasons(p.TakeDrops()); drops[FalseClaim] != 1 || len(drops) != 1 {
		t.Fatalf("drops %v", drops)
	}
	if head := p.State().Head; head.Number != 3 || head.Hash != (common.Hash{9, 3}) {
		t.Fatalf("head %+v", head)
	}
}

// An adversary posts what it likes, some blocks do not execute, the sequencer goes away
// and comes back: every run from every state gives the same chain, and no deposit is
// lost, doubled or late.
func TestHostileWorlds(t *testing.T) {
	for seed := range int64(12) {
		w := newShortWorld(t, 1000+seed)
		rng := rand.New(rand.NewSource(seed))
		p := New(w.cfg, w.start, Settings{})
		var states []State
		var all []BlockInput
		var old []batch.Frame
		step := func() {
			for n := p.NextL1(); n < uint64(len(w.l1)); n = p.NextL1() {
				all = append(all, hostile(t, p, w.l1[n])...)
				states = append(states, p.State())
			}
		}
		for range 60 {
			w.growL1(1 + rng.Intn(6))
			step()
			if rng.Intn(6) == 0 {
				w.growL1(shortWindow + rng.Intn(10)) // nobody is there
				step()
			}
			w.follow(p, 1)
			parent := w.head.Hash
			w.sequence(1+rng.Intn(12), uint64(len(w.l1)))
			w.growL1(1)
			switch rng.Intn(8) {
			case 0: // another parent
				w.batchOn(common.Hash{byte(seed)})
			case 1: // a block is missing
				w.batch = w.batch[1:]
				if len(w.batch) > 0 {
					w.batchOn(l2Hash(w.batch[0].Number - 1))
				}
			case 2: // an origin of nowhere
				w.batch[len(w.batch)-1].Origin.Hash = common.Hash{7}
				if len(w.batch) == 1 {
					w.batchOn(parent)
				}
			case 3: // replayed
				if len(old) > 0 {
					w.post(w.blob(old...))
				}
			case 4: // noise
				noise := new(batch.Blob)
				rng.Read(noise[:rng.Intn(500)])
				w.post(noise)
				w.postData(SourceCalldata, make([]byte, rng.Intn(100)))
				w.postData(SourceAltDA, []byte{1})
			default:
				w.batchOn(parent)
			}
			for _, tx := range w.l1[len(w.l1)-1].Batches {
				old = append(old[:0], tx.frames(func(*dropError) {})...)
			}
		}
		w.growL1(shortWindow)
		step()
		kinds := make(map[Kind]int)
		for i := range all {
			kinds[all[i].Kind]++
		}
		if kinds[FromBatch] == 0 || kinds[Forced] == 0 || kinds[Replaced] == 0 {
			t.Fatalf("seed %d: %v", seed, kinds)
		}
		checkDeposits(t, w, all, p.State().Head.Origin.Number)
		for _, i := range []int{0, rng.Intn(len(states)), rng.Intn(len(states)), len(states) - 1} {
			late := New(w.cfg, states[i], Settings{})
			var rest []BlockInput
			for n := late.NextL1(); n < uint64(len(w.l1)); n = late.NextL1() {
				rest = append(rest, hostile(t, late, w.l1[n])...)
			}
			if late.State() != p.State() {
				t.Fatalf("seed %d: from state %+v: %+v, want %+v", seed, states[i], late.State(), p.State())
			}
			from := len(all) - len(rest)
			for k := range rest {
				if hashOf(&rest[k]) != hashOf(&all[from+k]) || rest[k].Timestamp != all[from+k].Timestamp {
					t.Fatalf("seed %d: block %d differs after a restart", seed, rest[k].Number)
				}
			}
		}
	}
}

// hostile pushes an L1 block; blocks whose number divides by seven do not execute.
func hostile(t *testing.T, p *Pipeline, b L1Block) (out []BlockInput) {
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
		out = append(out, *in)
		p.Executed(hashOf(in))
	}
	return out
}

// checkDeposits looks for every deposit of the L1 blocks up to origin, once, in order and
// in time.
func checkDeposits(t *testing.T, w *world, blocks []BlockInput, origin uint64) {
	t.Helper()
	next := w.start.Head.Origin.Number + 1
	for i := range blocks {
		in := &blocks[i]
		if in.L1Attributes.SequenceNumber != 0 {
			if len(in.Deposits) != 0 {
				t.Fatalf("block %d: deposits twice", in.Number)
			}
			continue
		}
		if in.L1Attributes.Number != next || !reflect.DeepEqual(hashes(in.Deposits), hashes(Deposits(&w.l1[next], w.cfg.Portal))) {
			t.Fatalf("block %d: origin %d, want %d with its deposits", in.Number, in.L1Attributes.Number, next)
		}
		if in.PostedIn.Number > next+shortWindow {
			t.Fatalf("deposits of L1 block %d came with L1 block %d", next, in.PostedIn.Number)
		}
		next++
	}
	if next != origin+1 || origin+shortWindow < uint64(len(w.l1)-1) {
		t.Fatalf("deposits up to L1 block %d, origin %d, L1 at %d", next-1, origin, len(w.l1)-1)
	}
}
