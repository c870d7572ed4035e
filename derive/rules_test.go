package derive

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

func TestInvalidBatchesAreDroppedAndTheNextOneCounts(t *testing.T) {
	second := chain.Micros(1_000_000)
	for _, test := range []struct {
		name   string
		reason Reason
		change func(w *world, blocks []batch.Block)
	}{
		{"timestamp before the parent's", DropTimestamp, func(w *world, b []batch.Block) {
			b[0].Timestamp, b[1].Timestamp = w.start.Head.Timestamp-1, w.start.Head.Timestamp-1
		}},
		{"timestamp far ahead of L1", DropTimestamp, func(w *world, b []batch.Block) {
			late := w.l1[len(w.l1)-1].Timestamp + MaxAhead + 1
			b[1].Timestamp, b[1].Origin = late, w.l1[3].ID()
			b[1].MiniBlocks = []batch.MiniBlock{{Timestamp: chain.Micros(late) * second, TxCount: uint64(1 + len(Deposits(&w.l1[3], w.cfg.Portal)))}}
		}},
		{"origin skipped", DropOrigin, func(w *world, b []batch.Block) { b[1].Origin = w.l1[4].ID() }},
		{"origin behind the parent's", DropOrigin, func(w *world, b []batch.Block) {
			b[0].Origin, b[1].Origin = w.l1[1].ID(), w.l1[1].ID()
		}},
		{"origin of another fork", DropOrigin, func(w *world, b []batch.Block) {
			b[0].Origin.Hash, b[1].Origin.Hash = common.Hash{1}, common.Hash{1}
		}},
		{"origin later than the block", DropTimestamp, func(w *world, b []batch.Block) {
			b[1].Origin = w.l1[3].ID()
			w.l1[3].Timestamp = b[1].Timestamp + 1
		}},
		{"deposits left out", DropMiniBlocks, func(w *world, b []batch.Block) {
			b[1].Origin = w.l1[3].ID()
			w.l1[3].Timestamp = b[1].Timestamp
		}},
		{"deposits invented", DropMiniBlocks, func(w *world, b []batch.Block) { b[1].MiniBlocks[0].TxCount++ }},
		{"deposits behind the first mini-block", DropMiniBlocks, func(w *world, b []batch.Block) {
			b[1].MiniBlocks = []batch.MiniBlock{{Timestamp: b[1].MiniBlocks[0].Timestamp}, {Timestamp: b[1].MiniBlocks[0].Timestamp, TxCount: uint64(1 + len(b[1].Txs))}}
		}},
		{"mini-block before the parent's last", DropMiniBlockTime, func(w *world, b []batch.Block) {
			b[1].Timestamp = b[0].Timestamp
			at := chain.Micros(b[0].Timestamp) * second
			b[0].MiniBlocks[len(b[0].MiniBlocks)-1].Timestamp += 5_000_000
			b[1].MiniBlocks = []batch.MiniBlock{{Timestamp: at, TxCount: uint64(1 + len(b[1].Txs))}}
		}},
		{"mini-block far ahead of L1", DropMiniBlockTime, func(w *world, b []batch.Block) {
			b[1].MiniBlocks[len(b[1].MiniBlocks)-1].Timestamp += (MaxAhead + 1_000) * second
		}},
		{"a transaction of another chain", DropTransaction, func(w *world, b []batch.Block) {
			b[1].Txs = append(b[1].Txs, w.txOf(w.cfg.ChainID+1))
			b[1].MiniBlocks[len(b[1].MiniBlocks)-1].TxCount++
		}},
		{"a transaction that is noise", DropTransaction, func(w *world, b []batch.Block) {
			b[1].Txs = append(b[1].Txs, []byte{0x02, 1, 2, 3})
			b[1].MiniBlocks[len(b[1].MiniBlocks)-1].TxCount++
		}},
		{"a value above 256 bits", DropTransaction, func(w *world, b []batch.Block) {
			raw, err := types.MustSignNewTx(w.key, types.NewPragueSigner(new(big.Int).SetUint64(w.cfg.ChainID)), &types.DynamicFeeTx{
				ChainID: new(big.Int).SetUint64(w.cfg.ChainID), Gas: 21_000, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Value: new(big.Int).Lsh(big.NewInt(1), 256),
			}).MarshalBinary()
			if err != nil {
				w.t.Fatal(err)
			}
			b[1].Txs = append(b[1].Txs, raw)
			b[1].MiniBlocks[len(b[1].MiniBlocks)-1].TxCount++
		}},
		{"a transaction above the gas cap", DropTransaction, func(w *world, b []batch.Block) {
			cfg := *w.cfg
			cfg.TxGasCap = 20_999
			w.cfg = &cfg
			b[1].Txs = append(b[1].Txs, w.txOf(cfg.ChainID))
			b[1].MiniBlocks[len(b[1].MiniBlocks)-1].TxCount++
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 11)
			w.growL1(1)
			for len(Deposits(&w.l1[3], w.cfg.Portal)) == 0 { // the next origin has a deposit
				w.l1[3].Logs = append(w.l1[3].Logs, w.depositLog(uint(len(w.l1[3].Logs))))
			}
			w.growL1(2)
			w.sequence(2, 3)
			for i := range w.batch { // nothing but the deposit: rules are what is tested
				w.batch[i].Txs = nil
				w.batch[i].MiniBlocks = w.batch[i].MiniBlocks[:1]
				w.made[i].Txs = nil
				w.made[i].MiniBlocks = w.made[i].MiniBlocks[:1]
			}
			bad := make([]batch.Block, len(w.batch))
			for i, b := range w.batch {
				b.MiniBlocks = append([]batch.MiniBlock(nil), b.MiniBlocks...)
				bad[i] = b
			}
			test.change(w, bad)
			w.postChannel(bad)
			w.growL1(1)
			p := New(w.cfg, w.start, Settings{})
			if got := pushAll(t, p, w.l1); len(got) != 0 {
				t.Fatalf("%d blocks derived", len(got))
			}
			drops := p.TakeDrops()
			if len(drops) != 1 || drops[0].Reason != test.reason || p.State() != w.start {
				t.Fatalf("drops %v, state %+v", drops, p.State())
			}
			w.postChannelNow(w.batch)
			equal(t, w, pushAll(t, p, w.l1), 0)
		})
	}
}

// txOf is a raw transaction of the chain.
func (w *world) txOf(chainID uint64) []byte {
	cfg := *w.cfg
	cfg.ChainID = chainID
	old := w.cfg
	w.cfg = &cfg
	defer func() { w.cfg = old }()
	return w.tx().Raw()
}

// postChannelNow posts in a new L1 block.
func (w *world) postChannelNow(blocks []batch.Block) {
	w.growL1(1)
	w.postChannel(blocks)
}

// A batch cannot use up the epochs that a sequencer needs to go back.
func TestEpochsGrowByABoundedStep(t *testing.T) {
	for _, test := range []struct {
		parent uint64
		epochs []uint64
		ok     bool
	}{
		{0, []uint64{0}, true},
		{0, []uint64{MaxEpochStep}, true},
		{0, []uint64{MaxEpochStep + 1}, false},
		{0, []uint64{math.MaxUint64}, false},
		{7, []uint64{7, 8, 7 + MaxEpochStep}, true},
		{7, []uint64{7, MaxEpochStep, 8 + MaxEpochStep}, false}, // of the parent, not of the mini-block before
		{7, []uint64{6}, false},
		{math.MaxUint64 - MaxEpochStep, []uint64{math.MaxUint64}, true},
		{math.MaxUint64 - 1, []uint64{0}, false},
	} {
		b := &batch.Block{Number: 1, Timestamp: 100}
		for _, epoch := range test.epochs {
			b.MiniBlocks = append(b.MiniBlocks, batch.MiniBlock{Timestamp: 100_000_000, Epoch: epoch})
		}
		b.MiniBlocks[0].TxCount = 1
		_, err := checkMiniBlocks(Head{Epoch: test.parent}, b, &L1Block{Timestamp: 100}, 0)
		if (err == nil) != test.ok || err != nil && (err.reason != DropMiniBlocks || !strings.Contains(err.detail, "of epoch")) {
			t.Errorf("epochs %d on %d: %v", test.epochs, test.parent, err)
		}
	}
}

func TestOriginMustNotLag(t *testing.T) {
	for _, late := range []uint64{0, 1} {
		w := newWorld(t, 1)
		w.growL1(1)
		at := w.l1[3].Timestamp + MaxOriginLag + late
		w.batch = []batch.Block{{Number: 1, Timestamp: at, Origin: w.l1[2].ID(), MiniBlocks: []batch.MiniBlock{{Timestamp: chain.Micros(at) * 1_000_000, TxCount: 1}}}}
		w.growL1(1)
		w.l1[4].Timestamp = at
		w.postChannel(w.batch)
		p := New(w.cfg, w.start, Settings{})
		got := pushAll(t, p, w.l1)
		if late == 0 && len(got) != 1 || late == 1 && (len(got) != 0 || reasons(p.TakeDrops())[DropOriginLag] != 1) {
			t.Fatalf("%d s too late: %d blocks", late, len(got))
		}
	}
}

// Whatever NextOrigin opens, checkOrigin accepts, once L1 has the next block.
func TestNextOriginOpensOnlyWhatIsAccepted(t *testing.T) {
	w := newWorld(t, 1)
	current, parent := &w.l1[2], w.head
	at := func(seconds uint64) *L1Block { // the block behind current
		return &L1Block{Number: 3, Hash: common.Hash{3}, ParentHash: current.Hash, Timestamp: current.Timestamp + seconds}
	}
	for _, seconds := range []uint64{1, 12, MaxOriginLag - 1, MaxOriginLag, MaxOriginLag + 1, 10 * MaxOriginLag} {
		real := at(seconds)
		for _, next := range []*L1Block{nil, real} {
			for _, after := range []uint64{0, 1, seconds - 1, seconds, MaxOriginLag - 1, MaxOriginLag, MaxOriginLag + 1,
				seconds + MaxOriginLag, seconds + MaxOriginLag + 1, 100 * MaxOriginLag} {
				name := fmt.Sprintf("next after %d s, known %t, block after %d s", seconds, next != nil, after)
				o, err := NextOrigin(w.cfg, parent, current, next, current.Timestamp+after)
				if lags := next == nil && after > MaxOriginLag; lags || err != nil {
					if !lags || !errors.Is(err, ErrOriginLag) {
						t.Fatalf("%s: %v", name, err)
					}
					continue
				}
				want := current
				if next != nil && after >= seconds {
					want = next
				}
				if o.Origin != want.ID() {
					t.Fatalf("%s: origin %d", name, o.Origin.Number)
				}
				b := batch.Block{Number: 1, Timestamp: current.Timestamp + after, Origin: o.Origin}
				origin, refused := checkOrigin(parent, &b, &L1Block{Number: 9}, func(n uint64) *L1Block {
					return map[uint64]*L1Block{2: current, 3: real}[n]
				})
				if refused != nil || origin != want || o.Attributes.SequenceNumber != map[bool]uint64{true: 1}[want == current] {
					t.Fatalf("%s: origin %v, attributes %+v, %v", name, origin, o.Attributes, refused)
				}
			}
		}
	}
	other := at(100)
	other.ParentHash = common.Hash{9}
	if _, err := NextOrigin(w.cfg, parent, current, other, current.Timestamp+50); !errors.Is(err, ErrL1Fork) {
		t.Fatalf("next of another fork, not yet to be adopted: %v", err)
	}
}

func TestALongStopIsCaughtUpOriginByOrigin(t *testing.T) {
	w := newWorld(t, 1)
	w.sequence(1, 3)
	w.growL1(20)
	w.l1[22].Timestamp += 100_000 // a day later
	now := w.l1[22].Timestamp
	for w.head.Origin.Number < 21 {
		o, err := NextOrigin(w.cfg, w.head, &w.l1[w.head.Origin.Number], &w.l1[w.head.Origin.Number+1], now)
		if err != nil {
			t.Fatal(err)
		}
		in := BlockInput{Number: w.head.Number + 1, Timestamp: now, Kind: FromBatch, L1Attributes: o.Attributes, Params: o.System.BlockParams, Deposits: o.Deposits,
			MiniBlocks: []MiniPlan{{TimestampMicros: chain.Micros(now) * 1_000_000, TxCount: uint64(1 + len(o.Deposits))}}}
		w.made, w.batch = append(w.made, in), append(w.batch, batchOf(in, o.Origin))
		w.head.Number, w.head.Origin, w.head.SequenceNumber, w.head.Timestamp, w.head.System = in.Number, o.Origin, 0, now, o.System
	}
	w.batch[0].MiniBlocks, w.made[0].MiniBlocks = w.batch[0].MiniBlocks[:1], w.made[0].MiniBlocks[:1]
	w.batch[0].Txs, w.made[0].Txs = nil, nil
	w.growL1(1)
	w.postChannel(w.batch)
	equal(t, w, pushAll(t, New(w.cfg, w.start, Settings{}), w.l1), 0)
}

func TestChannelsThatDoNotContinueTheChainAreDropped(t *testing.T) {
	w := newWorld(t, 2)
	w.sequence(4, 3)
	w.growL1(1)
	w.postChannel(w.batch[:2])
	w.postChannel(w.batch[1:3]) // overlaps
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(&w.batch[2], common.Hash{6}, l2Hash(3)); err != nil {
		t.Fatal(err)
	}
	ch, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	frames, err := ch.Frames(0)
	if err != nil {
		t.Fatal(err)
	}
	w.post(w.blob(frames...)) // on another parent
	w.postChannel(w.batch[2:])
	p := New(w.cfg, w.start, Settings{})
	equal(t, w, pushAll(t, p, w.l1), 0)
	if got := reasons(p.TakeDrops()); got[DropOld] != 1 || got[DropParent] != 1 || len(got) != 2 {
		t.Fatal(got)
	}
}

func TestWrongContentIsDropped(t *testing.T) {
	w := newWorld(t, 2)
	w.sequence(2, 3)
	ch := w.channel(w.batch)
	frames, err := ch.Frames(0)
	if err != nil {
		t.Fatal(err)
	}
	wrong := frames[0]
	wrong.Channel[0]++
	w.growL1(1)
	w.post(w.blob(wrong))
	short := []byte{9, 9, 9}
	w.post(w.blob(batch.Frame{Channel: batch.IDOf(short), Last: true, Data: short}))
	torn := bytes.Clone(ch.Data[:len(ch.Data)-5])
	torn = append(torn, 1, 2, 3, 4, 5)
	w.post(w.blob(batch.Frame{Channel: batch.IDOf(torn), Last: true, Data: torn}))
	w.postChannel(w.batch)
	p := New(w.cfg, w.start, Settings{})
	equal(t, w, pushAll(t, p, w.l1), 0)
	if got := reasons(p.TakeDrops()); got[DropChannel] != 3 || len(got) != 1 {
		t.Fatal(got)
	}
}

// FuzzPush feeds blobs made of arbitrary bytes: raw, as a frame, and as a channel.
func FuzzPush(f *testing.F) {
	w := newWorld(f, 1)
	w.sequence(2, 3)
	f.Add(w.channel(w.batch).Data, uint16(0), true)
	f.Add([]byte{1, 0, 0, 30}, uint16(3), false)
	f.Fuzz(func(t *testing.T, data []byte, number uint16, last bool) {
		if len(data) == 0 || len(data) > batch.MaxFrameData {
			return
		}
		w := newWorld(t, 1)
		w.sequence(2, 3)
		w.growL1(1)
		raw := new(batch.Blob)
		copy(raw[:], data)
		w.post(raw, w.blob(batch.Frame{Channel: batch.ChannelID{1}, Number: number, Last: last, Data: data}),
			w.blob(batch.Frame{Channel: batch.IDOf(data), Last: true, Data: data}))
		w.growL1(1)
		w.postChannel(w.batch)
		p := New(w.cfg, w.start, Settings{})
		got := pushAll(t, p, w.l1)
		if len(got) == 0 {
			t.Fatal("nothing derived: the pipeline is stuck")
		}
		for i, in := range got {
			if in.Number != uint64(i+1) {
				t.Fatalf("block %d at position %d", in.Number, i)
			}
		}
	})
}

// FuzzBatchBlocks pushes well-formed channels whose fields are arbitrary.
func FuzzBatchBlocks(f *testing.F) {
	f.Add(uint64(1_700_000_100), uint64(3), uint64(1_700_000_100_000_000), uint64(1), uint64(0), []byte{2})
	f.Fuzz(func(t *testing.T, timestamp, origin, micros, count, epoch uint64, tx []byte) {
		w := newWorld(t, 1)
		w.growL1(3)
		b := batch.Block{Number: 1, Timestamp: timestamp, Origin: chain.L1Origin{Number: origin},
			MiniBlocks: []batch.MiniBlock{{Timestamp: chain.Micros(micros), TxCount: count, Epoch: epoch}}}
		if origin < uint64(len(w.l1)) {
			b.Origin = w.l1[origin].ID()
		}
		if len(tx) > 0 {
			b.Txs = [][]byte{tx}
		}
		builder, err := batch.NewChannelBuilder(batch.BuilderSettings{})
		if err != nil {
			t.Fatal(err)
		}
		if err := builder.Add(&b, w.start.Head.Hash, common.Hash{1}); err != nil {
			if !errors.Is(err, batch.ErrInvalidBlock) {
				t.Fatal(err)
			}
			return
		}
		ch, err := builder.Close()
		if err != nil {
			t.Fatal(err)
		}
		w.post(w.blob(batch.Frame{Channel: ch.ID, Last: true, Data: ch.Data}))
		p := New(w.cfg, w.start, Settings{})
		got := pushAll(t, p, w.l1)
		if drops := p.TakeDrops(); len(got)+len(drops) != 1 {
			t.Fatalf("%d blocks, drops %v", len(got), drops)
		}
		if len(got) == 1 && (got[0].Timestamp < w.start.Head.Timestamp || got[0].L1Attributes.Number >= 5) {
			t.Fatalf("accepted %+v", got[0])
		}
	})
}
