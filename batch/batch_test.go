package batch

import (
	"bytes"
	"errors"
	"math/rand"
	"reflect"
	"runtime"
	"testing"

	"github.com/talaria-l2/talaria/chain"
)

func build(t testing.TB, s BuilderSettings, blocks []Block) *Channel {
	t.Helper()
	b, err := NewChannelBuilder(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range blocks {
		if err := b.Add(&blocks[i], hashOf(blocks[i].Number-1), hashOf(blocks[i].Number)); err != nil {
			t.Fatal(err)
		}
	}
	bound := b.Bound()
	ch, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	if len(ch.Data) > bound {
		t.Fatalf("channel of %d bytes, bound said %d", len(ch.Data), bound)
	}
	return ch
}

func TestBlocksSurviveTheWayThroughBlobs(t *testing.T) {
	for seed := range int64(30) {
		blocks := randomBlocks(seed, 1+uint64(seed)*7, 1+int(seed)*2, int(seed), 40_000/(1+int(seed)))
		ch := build(t, BuilderSettings{TargetBytes: MaxChannelBytes}, blocks)
		maxBlobs := 1 + int(seed)%DefaultBlobsPerTx
		txs, err := ch.Txs(maxBlobs)
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		number := 0
		for i, tx := range txs {
			if len(tx) > maxBlobs || len(tx) == 0 {
				t.Fatalf("seed %d: transaction with %d blobs, limit %d", seed, len(tx), maxBlobs)
			}
			for j, blob := range tx {
				frames, err := DecodeBlob(blob)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range frames {
					last := i == len(txs)-1 && j == len(tx)-1
					if f.Channel != ch.ID || int(f.Number) != number || f.Last != last {
						t.Fatalf("seed %d: frame %d is %d of %s, last %v", seed, number, f.Number, f.Channel, f.Last)
					}
					data, number = append(data, f.Data...), number+1
				}
			}
		}
		if IDOf(data) != ch.ID {
			t.Fatalf("seed %d: joined frames have another id", seed)
		}
		header, got, err := DecodeChannel(data, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, bare(blocks)) {
			t.Fatalf("seed %d: blocks differ", seed)
		}
		last := blocks[len(blocks)-1].Number
		if header != ch.Header || header.LastNumber() != last || header.ParentHash != hashOf(blocks[0].Number-1) || header.LastHash != hashOf(last) {
			t.Fatalf("seed %d: header %+v", seed, header)
		}
	}
}

func TestBuilderKeepsItsTarget(t *testing.T) {
	for target, n := range map[int]int{4_000: 200, 50_000: 600, 400_000: 2_000} {
		blocks := randomBlocks(int64(target), 1, n, 6, 300)
		var sizes []int
		for rest := blocks; len(rest) > 0; {
			b, err := NewChannelBuilder(BuilderSettings{TargetBytes: target})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for n < len(rest) {
				err := b.Add(&rest[n], hashOf(rest[n].Number-1), hashOf(rest[n].Number))
				if errors.Is(err, ErrFull) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			ch, err := b.Close()
			if err != nil {
				t.Fatal(err)
			}
			if len(ch.Data) > target && n > 1 {
				t.Fatalf("target %d: channel of %d bytes with %d blocks", target, len(ch.Data), n)
			}
			if _, got, err := DecodeChannel(ch.Data, 0); err != nil || len(got) != n {
				t.Fatalf("target %d: %d blocks, %v", target, len(got), err)
			}
			sizes, rest = append(sizes, len(ch.Data)), rest[n:]
		}
		for _, size := range sizes[:len(sizes)-1] {
			if size < target-target/10-2_000 {
				t.Errorf("target %d: a full channel has only %d bytes", target, size)
			}
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	blocks := randomBlocks(1, 5, 3, 3, 100)
	fresh := func(s BuilderSettings) *ChannelBuilder {
		b, err := NewChannelBuilder(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	add := func(b *ChannelBuilder, block Block) error {
		return b.Add(&block, hashOf(block.Number-1), hashOf(block.Number))
	}
	t.Run("an empty channel", func(t *testing.T) {
		if _, err := fresh(BuilderSettings{}).Close(); !errors.Is(err, ErrEmpty) {
			t.Fatal(err)
		}
	})
	t.Run("more blocks than set", func(t *testing.T) {
		b := fresh(BuilderSettings{MaxBlocks: 1})
		if err := add(b, blocks[0]); err != nil {
			t.Fatal(err)
		}
		if err := add(b, blocks[1]); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	})
	t.Run("a gap", func(t *testing.T) {
		b := fresh(BuilderSettings{})
		if err := add(b, blocks[0]); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(&blocks[2], hashOf(5), hashOf(7)); !errors.Is(err, ErrInvalidBlock) {
			t.Fatal(err)
		}
		if err := b.Add(&blocks[1], hashOf(77), hashOf(6)); !errors.Is(err, ErrInvalidBlock) {
			t.Fatal(err)
		}
		if next, ok := b.Next(); next != 6 || !ok || b.Blocks() != 1 {
			t.Fatalf("next %d, %d blocks", next, b.Blocks())
		}
	})
	t.Run("blocks that the format cannot carry", func(t *testing.T) {
		for name, change := range map[string]func(*Block){
			"genesis":               func(b *Block) { b.Number = 0 },
			"no mini-blocks":        func(b *Block) { b.MiniBlocks = nil },
			"a deposit":             func(b *Block) { b.Txs = [][]byte{{chain.DepositTxType}} },
			"an empty transaction":  func(b *Block) { b.Txs = [][]byte{{}} },
			"too few counted":       func(b *Block) { b.MiniBlocks = b.MiniBlocks[:1]; b.MiniBlocks[0].TxCount = 0 },
			"an early mini-block":   func(b *Block) { b.MiniBlocks[0].Timestamp = 5 },
			"a late timestamp":      func(b *Block) { b.Timestamp = MaxTimestamp + 1 },
			"a large mini-block":    func(b *Block) { b.MiniBlocks[0].TxCount = chain.MaxMiniBlockTxs + 1 },
			"oversized block":       func(b *Block) { b.Txs = [][]byte{bytes.Repeat([]byte{2}, MaxBlockTxBytes+1)} },
			"mini-blocks backwards": func(b *Block) { b.MiniBlocks = append(b.MiniBlocks, b.MiniBlocks[0]); b.MiniBlocks[0].Timestamp++ },
		} {
			bad := randomBlocks(1, 5, 1, 0, 1)[0]
			change(&bad)
			if err := add(fresh(BuilderSettings{}), bad); !errors.Is(err, ErrInvalidBlock) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("settings out of range", func(t *testing.T) {
		for _, s := range []BuilderSettings{{TargetBytes: 10}, {TargetBytes: MaxChannelBytes + 1}, {MaxBlocks: -1}, {MaxBlocks: MaxChannelBlocks + 1}} {
			if _, err := NewChannelBuilder(s); err == nil {
				t.Errorf("%+v accepted", s)
			}
		}
	})
}

func TestOneBlockAboveTheTargetFitsAlone(t *testing.T) {
	block := randomBlocks(3, 1, 1, 0, 1)[0]
	noise := make([]byte, 2<<20)
	rand.New(rand.NewSource(1)).Read(noise)
	block.Txs, block.MiniBlocks[0].TxCount = [][]byte{append([]byte{2}, noise...)}, 2
	ch := build(t, BuilderSettings{}, []Block{block})
	txs, err := ch.Txs(0)
	if err != nil || len(txs) != 3 || len(txs[0]) != DefaultBlobsPerTx {
		t.Fatalf("%d transactions, %v", len(txs), err)
	}
}

func TestBlobDecoderRefuses(t *testing.T) {
	good, err := EncodeBlob([]Frame{{Number: 1, Data: []byte("hello")}, {Number: 2, Data: []byte("world"), Last: true}})
	if err != nil {
		t.Fatal(err)
	}
	if frames, err := DecodeBlob(good); err != nil || len(frames) != 2 || string(frames[1].Data) != "world" || !frames[1].Last || frames[0].Last {
		t.Fatalf("%v, %v", frames, err)
	}
	for name, change := range map[string]func(*Blob){
		"a field element too large": func(b *Blob) { b[32*100] = 64 },
		"padding in six bits":       func(b *Blob) { b[32*100] = 1 },
		"another blob version":      func(b *Blob) { b[1] = 1 },
		"no payload":                func(b *Blob) { b[4] = 0 },
		"a payload beyond the blob": func(b *Blob) { b[2], b[3], b[4] = 0xff, 0xff, 0xff },
		"padding":                   func(b *Blob) { b[BlobBytes-1] = 1 },
		"a frame cut off":           func(b *Blob) { b[4]-- },
		"another frame version":     func(b *Blob) { b[5] = 9 },
		"an empty frame":            func(b *Blob) { b[5+1+16+2+3] = 0 },
		"zeros":                     func(b *Blob) { *b = Blob{} },
	} {
		bad := *good
		change(&bad)
		if _, err := DecodeBlob(&bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodeBlob([]Frame{{Data: make([]byte, MaxFrameData+1)}}); err == nil {
		t.Error("an oversized frame is encoded")
	}
	if blob, err := EncodeBlob([]Frame{{Data: bytes.Repeat([]byte{0xff}, MaxFrameData)}}); err != nil {
		t.Error(err)
	} else if frames, err := DecodeBlob(blob); err != nil || len(frames[0].Data) != MaxFrameData {
		t.Errorf("full blob: %v", err)
	}
}

func TestCalldataDecoderRefuses(t *testing.T) {
	frames := []Frame{{Number: 1, Data: []byte("hello")}, {Number: 2, Data: []byte("world"), Last: true}}
	good, err := EncodeCalldata(frames)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeCalldata(good); err != nil || !reflect.DeepEqual(got, frames) {
		t.Fatalf("%v, %v", got, err)
	}
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"no frames":      {CalldataFrames},
		"another kind":   append([]byte{1}, good[1:]...),
		"a frame cut":    good[:len(good)-1],
		"bytes behind":   append(bytes.Clone(good), 0),
		"too many bytes": make([]byte, MaxCalldataBytes+1),
	} {
		if _, err := DecodeCalldata(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodeCalldata([]Frame{{Data: make([]byte, MaxCalldataFrameData+1)}}); err == nil {
		t.Error("an oversized frame is encoded")
	}
	if _, err := EncodeCalldata([]Frame{{Data: make([]byte, MaxCalldataFrameData)}}); err != nil {
		t.Error(err)
	}
	if _, err := EncodeCalldata(nil); err == nil {
		t.Error("no frames are encoded")
	}
}

func TestCodecStartsNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	ch := build(t, BuilderSettings{}, randomBlocks(4, 1, 300, 10, 500))
	if _, _, err := DecodeChannel(ch.Data, 0); err != nil {
		t.Fatal(err)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("%d goroutines, %d before", after, before)
	}
}
