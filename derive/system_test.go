package derive

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// postData posts batch data that is not in blobs.
func (w *world) postData(source DataSource, data []byte) {
	b := &w.l1[len(w.l1)-1]
	b.Batches = append(b.Batches, BatchTx{From: w.batcher, Source: source, Data: data})
}

func (w *world) payload() []byte {
	frames, err := w.channel(w.batch).Frames(0)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := batch.EncodeFrames(frames)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

func TestFramesComeFromEverySourceThatTheModeAllows(t *testing.T) {
	for _, test := range []struct {
		name   string
		source DataSource
		mode   chain.DAMode
		reason Reason // "" if it counts
	}{
		{"calldata", SourceCalldata, chain.DABlobs, ""},
		{"calldata in place of an alt-DA server", SourceCalldata, chain.DAAlt, ""},
		{"an alt-DA server", SourceAltDA, chain.DAAlt, ""},
		{"the committee", SourceCommittee, chain.DACommittee, ""},
		{"an alt-DA server that nobody asked for", SourceAltDA, chain.DABlobs, DropSource},
		{"a committee that nobody asked for", SourceCommittee, chain.DAAlt, DropSource},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.cfg.DAMode = test.mode
			w.start = GenesisState(&chain.Genesis{Config: *w.cfg, Timestamp: w.start.Head.Timestamp, L1Origin: w.start.PostedIn}, l2Hash(0))
			w.head = w.start.Head
			w.sequence(3, 3)
			w.growL1(1)
			w.postData(test.source, w.payload())
			p := New(w.cfg, w.start, Settings{})
			got := pushAll(t, p, w.l1)
			if test.reason == "" {
				equal(t, w, got, 0)
			} else if drops := reasons(p.TakeDrops()); len(got) != 0 || drops[test.reason] != 1 {
				t.Fatalf("%d blocks, drops %v", len(got), drops)
			}
		})
	}
}

func TestBadDataIsDropped(t *testing.T) {
	w := newWorld(t, 1)
	w.sequence(3, 3)
	w.growL1(1)
	w.postData(SourceCalldata, nil)
	w.postData(SourceCalldata, w.payload()[:50])
	w.postData(SourceCalldata, make([]byte, batch.MaxPayloadBytes+1))
	b := &w.l1[len(w.l1)-1]
	b.Batches = append(b.Batches, BatchTx{From: w.batcher, Source: SourceCalldata, Data: w.payload(), Bad: "another hash"},
		BatchTx{From: common.Address{1}, Source: SourceCalldata, Data: w.payload()})
	p := New(w.cfg, w.start, Settings{})
	if got := pushAll(t, p, w.l1); len(got) != 0 || reasons(p.TakeDrops())[DropData] != 4 {
		t.Fatalf("%d blocks", len(got))
	}
}

// A new batcher counts from the L1 block behind the event, the old one up to it.
func TestTheBatcherChangesBehindTheEvent(t *testing.T) {
	next := common.Address{0xbd}
	for _, test := range []struct {
		name  string
		after int // L1 blocks from the event to the batch
		from  common.Address
		want  bool
	}{
		{"the old one in the block of the event", 0, common.Address{0xba}, true},
		{"the new one in the block of the event", 0, next, false},
		{"the old one behind it", 1, common.Address{0xba}, false},
		{"the new one behind it", 1, next, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 4)
			w.sequence(3, 3)
			w.growL1(1)
			w.update(0, next[:])
			w.growL1(test.after)
			w.batcher = test.from
			w.postChannel(w.batch)
			p := New(w.cfg, w.start, Settings{})
			if got := pushAll(t, p, w.l1); (len(got) == 3) != test.want {
				t.Fatalf("%d blocks", len(got))
			}
			if p.System().Batcher != next {
				t.Fatalf("batcher %s", p.System().Batcher)
			}
		})
	}
}

// What an L1 block changes applies to the L2 blocks with that origin and later ones, in
// batches, in forced blocks and after a restart.
func TestTheConfigurationFollowsTheOrigin(t *testing.T) {
	w := newShortWorld(t, 5)
	w.growL1(2)
	scalar := make([]byte, 32)
	scalar[0], scalar[27], scalar[31] = 1, 7, 9
	w.update(1, nil, scalar)
	w.update(2, []byte{0x77, 0x35, 0x94, 0x00}) // 2,000,000,000
	w.update(4, []byte{100, 0, 0, 0, 3})
	w.update(6, []byte{5})
	w.update(3, []byte{0xaa})
	w.update(0x80, []byte{0})
	w.update(2, []byte{1}) // below what a transaction may take
	changed := w.l1[len(w.l1)-1].Number
	w.growL1(5)
	w.sequence(30, uint64(len(w.l1)))
	w.growL1(1)
	w.postChannel(w.batch)
	w.growL1(shortWindow + 3)
	p := New(w.cfg, w.start, Settings{})
	got := pushAll(t, p, w.l1)
	equal(t, w, got[:len(w.made)], 0)
	if len(got) == len(w.made) {
		t.Fatal("nothing was forced")
	}
	seen := make(map[bool]bool)
	for _, in := range got {
		want, scalars := w.cfg.BlockParams(), [2]uint32{}
		after := in.L1Attributes.Number >= changed
		seen[after] = true
		if after {
			want, scalars = chain.BlockParams{GasLimit: 2_000_000_000, Denominator: 100, Elasticity: 3, MinBaseFee: 5}, [2]uint32{9, 7}
		}
		if in.Params != want || [2]uint32{in.L1Attributes.BaseFeeScalar, in.L1Attributes.BlobBaseFeeScalar} != scalars {
			t.Fatalf("block %d, origin %d: %+v, %+v", in.Number, in.L1Attributes.Number, in.Params, in.L1Attributes)
		}
	}
	if !seen[true] || !seen[false] {
		t.Fatal("the change is not in the middle")
	}
	if reasons(p.TakeDrops())[DropUpdate] != 1 {
		t.Fatal("an update out of range was not told")
	}
	late := New(w.cfg, p.State(), Settings{})
	pushAll(t, late, w.l1)
	if late.State() != p.State() || late.System() != p.System() || late.System().Sequencer != (common.Address{19: 0xaa}) {
		t.Fatalf("after a restart %+v, want %+v", late.State(), p.State())
	}
}

// The rate of a token is part of what follows the origin, with its end; a block says all of
// it to the next one.
func TestTheRateOfATokenFollowsTheOrigin(t *testing.T) {
	w := newShortWorld(t, 6)
	first, next := chain.TokenRate{Rate: 5, Until: 1 << 40, Then: 10}, chain.TokenRate{Rate: 6, Until: 1, Then: 12}
	w.cfg.GasToken = chain.GasToken{Token: common.Address{1}, Bridge: common.Address{2}, L2Ether: common.Address{3}, Name: "Token", Symbol: "TOK", Rate: first}
	w.start = GenesisState(&chain.Genesis{Config: *w.cfg, Timestamp: w.start.Head.Timestamp, L1Origin: w.start.PostedIn}, l2Hash(0))
	w.head = w.start.Head
	w.growL1(2)
	word := next.Word()
	w.update(0x81, word[8:])
	w.update(0x81, []byte{1}) // no rate, and only what comes then
	changed := w.l1[len(w.l1)-1].Number
	w.growL1(5)
	w.sequence(30, uint64(len(w.l1)))
	w.growL1(1)
	w.postChannel(w.batch)
	w.growL1(shortWindow + 3)
	p := New(w.cfg, w.start, Settings{})
	got := pushAll(t, p, w.l1)
	equal(t, w, got[:len(w.made)], 0)
	seen := make(map[bool]bool)
	for _, in := range got {
		after := in.L1Attributes.Number >= changed
		seen[after] = true
		want, counts := first, uint64(5)
		if after {
			want, counts = next, 12 // stale when it came
		}
		if a := in.L1Attributes; a.GasTokenRate != want || a.FeeParams().Rate != counts {
			t.Fatalf("block %d, origin %d: rate %+v, of which %d counts", in.Number, a.Number, a.GasTokenRate, a.FeeParams().Rate)
		}
		if a, err := chain.ParseL1Attributes(in.L1Attributes.Tx()); err != nil || a.GasTokenRate != want {
			t.Fatalf("block %d: its deposit says %+v, %v", in.Number, a.GasTokenRate, err)
		}
	}
	if !seen[true] || !seen[false] || reasons(p.TakeDrops())[DropUpdate] != 1 {
		t.Fatal("the change is not in the middle, or what is no rate was not told")
	}
	late := New(w.cfg, p.State(), Settings{})
	pushAll(t, late, w.l1)
	if late.State() != p.State() || late.System().GasTokenRate != next {
		t.Fatalf("after a restart %+v, want %+v", late.System(), p.System())
	}
}
