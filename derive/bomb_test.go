package derive

import (
	"fmt"
	"math/big"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/batch"
)

// bombs are channels of few bytes that expand to as much as they can, and of which nothing
// is left: all of them begin behind genesis and end with a block that breaks a rule.
func bombs(w *world, kind string, count int) (out []batch.Frame) {
	block := func(number uint64) batch.Block {
		at := w.start.Head.LastMicros
		return batch.Block{Number: number, Timestamp: at.Seconds(), Origin: w.start.Head.Origin, MiniBlocks: []batch.MiniBlock{{Timestamp: at, TxCount: 1}}}
	}
	var blocks []batch.Block
	switch kind {
	case "calldata", "noise", "large":
		for n := range uint64(3) {
			b := block(1 + n)
			size := 2<<20 - 200
			if kind == "large" {
				size = 3 << 20
			}
			for b.MiniBlocks[0].TxCount < 16 && int(b.MiniBlocks[0].TxCount)*size < 31<<20 {
				raw := make([]byte, size) // of no type: written whole
				raw[0] = 2
				if kind != "noise" {
					var err error
					to := common.Address{1}
					raw, err = types.NewTx(&types.DynamicFeeTx{ChainID: new(big.Int).SetUint64(w.cfg.ChainID), To: &to, Data: make([]byte, 4+size/32*32-128),
						Gas: 1, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Value: new(big.Int), V: big.NewInt(1), R: big.NewInt(1), S: big.NewInt(1)}).MarshalBinary()
					if err != nil {
						w.t.Fatal(err)
					}
				}
				b.Txs = append(b.Txs, raw)
				b.MiniBlocks[0].TxCount++
			}
			blocks = append(blocks, b)
		}
	case "mini-blocks":
		for n := range uint64(16) {
			b := block(1 + n)
			for len(b.MiniBlocks) < batch.MaxBlockMiniBlocks {
				b.MiniBlocks = append(b.MiniBlocks, batch.MiniBlock{Timestamp: b.MiniBlocks[0].Timestamp})
			}
			blocks = append(blocks, b)
		}
	case "one block":
		blocks = append(blocks, block(1))
	case "blocks":
		for n := range uint64(batch.MaxChannelBlocks) {
			blocks = append(blocks, block(1+n))
		}
	}
	last := &blocks[len(blocks)-1]
	last.Timestamp += 100 * MaxAhead
	for i := range last.MiniBlocks {
		last.MiniBlocks[i].Timestamp += 100 * MaxAhead * 1_000_000
	}
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{TargetBytes: batch.MaxChannelBytes})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range blocks {
		if err := b.Add(&blocks[i], l2Hash(blocks[i].Number-1), common.Hash{1}); err != nil && i > 0 {
			if err = b.Add(&blocks[i], common.Hash{1}, common.Hash{1}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	ch, err := b.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	for n := range count { // the claimed hash tells them apart
		data := append([]byte(nil), ch.Data...)
		copy(data[batch.ChannelHeaderBytes-8:], fmt.Sprintf("%08d", n))
		out = append(out, batch.Frame{Channel: batch.IDOf(data), Last: true, Data: data})
	}
	return out
}

// cpu is the processor time that the process has used.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBombsCostAnL1BlockLittle posts 21 blobs of channels that expand to about 100 MiB
// each, or to many mini-blocks or blocks: 2,700 of them. The work of an L1 block bounds
// what they take, in time and in memory, and who follows the batcher that did it is not
// held up.
func TestBombsCostAnL1BlockLittle(t *testing.T) {
	const blobs, mostTime, mostBytes = 21, 6 * time.Second, 3 << 30
	for _, kind := range []string{"calldata", "noise", "large", "mini-blocks", "blocks", "one block"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, 1)
			one := bombs(w, kind, 1)
			size := len(one[0].Data) + batch.FrameOverhead
			all := bombs(w, kind, blobs*batch.MaxBlobPayload/size)
			w.growL1(1)
			per := batch.MaxBlobPayload / size
			for i := 0; i < len(all); i += per {
				w.post(w.blob(all[i:min(i+per, len(all))]...))
			}
			p := New(w.cfg, w.start, Settings{})
			push(t, p, w.l1[p.NextL1()])
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := cpu(t)
			if got := push(t, p, w.l1[p.NextL1()]); len(got) != 0 {
				t.Fatalf("%d blocks", len(got))
			}
			took := cpu(t) - began
			runtime.ReadMemStats(&after)
			tried := len(p.TakeDrops())
			t.Logf("%d channels of %d bytes: %d looked at in %v, %d MiB allocated", len(all), size, tried, took, (after.TotalAlloc-before.TotalAlloc)>>20)
			if took > mostTime || after.TotalAlloc-before.TotalAlloc > mostBytes {
				t.Errorf("an L1 block took %v of the processor and %d bytes, allowed %v and %d", took, after.TotalAlloc-before.TotalAlloc, mostTime, mostBytes)
			}
			if kind != "large" && !p.spent {
				t.Error("there was work for all: these are no bombs")
			}

			w.batcher = common.Address{0xcc}
			w.update(0, w.batcher[:])
			w.sequence(3, 3)
			w.growL1(1)
			w.postChannel(w.batch)
			// The event is in the L1 block of the bombs, which was pushed without it.
			p = New(w.cfg, w.start, Settings{})
			equal(t, w, pushAll(t, p, w.l1), 0)
		})
	}
}

// TestWorkIsPutOff gives an L1 block more honest work than it may do: the rest is done with
// those that follow, in order.
func TestWorkIsPutOff(t *testing.T) {
	w := newWorld(t, 1)
	for range 9 {
		w.sequence(8, 3)
	}
	w.growL1(1)
	for i := range 9 {
		w.postChannel(w.batch[8*i : 8*i+8])
	}
	w.growL1(4)
	p := New(w.cfg, w.start, Settings{limits: limits{timeout: ChannelTimeout, bankBytes: MaxBankBytes, work: 17 * 64 << 10, fill: MaxFill}})
	var all []BlockInput
	for i, want := range []int{0, 16, 16, 16, 16, 8} {
		got := push(t, p, w.l1[p.NextL1()])
		if len(got) != want {
			t.Fatalf("L1 block %d gives %d blocks, want %d", 2+i, len(got), want)
		}
		all = append(all, got...)
	}
	equal(t, w, all, 0)
	if len(p.TakeDrops()) != 0 {
		t.Fatal("something was dropped")
	}
}
