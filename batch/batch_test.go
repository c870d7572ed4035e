package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"reflect"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"
	"github.com/talaria-l2/talaria/chain"
)

func hashOf(n uint64) common.Hash {
	var h common.Hash
	binary.BigEndian.PutUint64(h[:], n*0x9e3779b97f4a7c15+1)
	return h
}

// randomBlocks makes n consecutive blocks from the seed, with noise as transactions.
func randomBlocks(seed int64, first uint64, n, maxTxs, maxTxBytes int) []Block {
	rng := rand.New(rand.NewSource(seed))
	origin, epoch := uint64(100+rng.Intn(50)), uint64(rng.Intn(3))
	now := chain.Micros(1_700_000_000_000_000)
	blocks := make([]Block, n)
	for i := range blocks {
		if rng.Intn(3) == 0 {
			origin += uint64(1 + rng.Intn(2))
		}
		now += chain.Micros(rng.Intn(1_500_000))
		b := Block{Number: first + uint64(i), Timestamp: now.Seconds(), Origin: chain.L1Origin{Number: origin, Hash: hashOf(origin)}}
		for range rng.Intn(maxTxs + 1) {
			tx := make([]byte, 1+rng.Intn(maxTxBytes))
			rng.Read(tx)
			tx[0] = 0x02
			b.Txs = append(b.Txs, tx)
		}
		left := uint64(len(b.Txs))
		b.MiniBlocks = []MiniBlock{{Timestamp: now, TxCount: 1 + uint64(rng.Intn(3)), Epoch: epoch}}
		for left > 0 {
			now += chain.Micros(rng.Intn(12_000))
			if rng.Intn(8) == 0 {
				epoch += uint64(1 + rng.Intn(3))
			}
			take := uint64(rng.Intn(int(left) + 1))
			b.MiniBlocks = append(b.MiniBlocks, MiniBlock{Timestamp: now, TxCount: take, Epoch: epoch})
			left -= take
		}
		blocks[i] = b
	}
	return blocks
}

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
		header, got, err := DecodeChannel(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, blocks) {
			t.Fatalf("seed %d: blocks differ", seed)
		}
		last := blocks[len(blocks)-1].Number
		if header != ch.Header || header.LastNumber() != last || header.ParentHash != hashOf(blocks[0].Number-1) || header.LastHash != hashOf(last) {
			t.Fatalf("seed %d: header %+v", seed, header)
		}
	}
}

func TestBuilderKeepsItsTarget(t *testing.T) {
	for _, target := range []int{2_000, 50_000, 400_000} {
		blocks := randomBlocks(int64(target), 1, 2_000, 6, 300)
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
			if _, got, err := DecodeChannel(ch.Data); err != nil || len(got) != n {
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

// frame compresses raw with the header's sizes taken from blocks.
func frame(t *testing.T, h ChannelHeader, raw []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll(raw, h.append(nil))
}

func TestChannelDecoderRefuses(t *testing.T) {
	blocks := randomBlocks(9, 3, 4, 5, 200)
	var raw []byte
	c := context{number: 3}
	for i := range blocks {
		next, err := appendBlock(raw, c, &blocks[i])
		if err != nil {
			t.Fatal(err)
		}
		raw, c = next, c.after(&blocks[i])
	}
	good := ChannelHeader{RawBytes: uint32(len(raw)), BlockCount: 4, FirstNumber: 3}
	if _, _, err := DecodeChannel(frame(t, good, raw)); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*ChannelHeader)) ChannelHeader { h := good; change(&h); return h }
	plain := frame(t, good, raw)
	bomb := make([]byte, MaxRawBytes+1)
	for name, data := range map[string][]byte{
		"nothing":              nil,
		"a header alone":       plain[:ChannelHeaderBytes],
		"another version":      append([]byte{2}, plain[1:]...),
		"too many raw bytes":   frame(t, with(func(h *ChannelHeader) { h.RawBytes = MaxRawBytes + 1 }), raw),
		"one raw byte less":    frame(t, with(func(h *ChannelHeader) { h.RawBytes-- }), raw),
		"one raw byte more":    frame(t, with(func(h *ChannelHeader) { h.RawBytes++ }), raw),
		"a block less":         frame(t, with(func(h *ChannelHeader) { h.BlockCount-- }), raw),
		"a block more":         frame(t, with(func(h *ChannelHeader) { h.BlockCount++ }), raw),
		"no blocks":            frame(t, with(func(h *ChannelHeader) { h.BlockCount = 0 }), raw),
		"genesis":              frame(t, with(func(h *ChannelHeader) { h.FirstNumber = 0 }), raw),
		"number overflow":      frame(t, with(func(h *ChannelHeader) { h.FirstNumber = ^uint64(0) }), raw),
		"a bomb":               frame(t, with(func(h *ChannelHeader) { h.RawBytes = MaxRawBytes }), bomb),
		"a lying bomb":         frame(t, good, bomb),
		"a wide window":        frame(t, with(func(h *ChannelHeader) { h.RawBytes = 64 << 20 }), bomb[:64<<20], zstd.WithWindowSize(64<<20)),
		"a wide segment":       frame(t, with(func(h *ChannelHeader) { h.RawBytes = 16 << 20 }), bomb[:16<<20], zstd.WithSingleSegment(true)),
		"bytes behind":         append(bytes.Clone(plain), 0),
		"two frames":           append(bytes.Clone(plain), plain[ChannelHeaderBytes:]...),
		"a skippable frame":    append(append(bytes.Clone(plain[:ChannelHeaderBytes]), 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0), plain[ChannelHeaderBytes:]...),
		"cut off":              plain[:len(plain)-1],
		"a wrong checksum":     append(bytes.Clone(plain[:len(plain)-1]), plain[len(plain)-1]^1),
		"bytes behind a block": frame(t, with(func(h *ChannelHeader) { h.RawBytes++ }), append(bytes.Clone(raw), 0)),
	} {
		if _, _, err := DecodeChannel(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStreamDecoderRefuses(t *testing.T) {
	origin := make([]byte, 32)
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, raw := range map[string][]byte{
		"unknown flags":            {0x04},
		"no origin first":          {0x00, 1, 1, 0, 1, 0},
		"a varint not minimal":     cat([]byte{0x01, 0x81, 0x00, 5}, origin, []byte{1, 0, 1, 0}),
		"a varint of 65 bits":      cat([]byte{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 5}, origin, []byte{1, 0, 1, 0}),
		"no mini-blocks":           cat([]byte{0x01, 1, 5}, origin, []byte{0, 0}),
		"more minis than bytes":    cat([]byte{0x01, 1, 5}, origin, []byte{0xff, 0x7f, 0, 0}),
		"no deposit":               cat([]byte{0x01, 1, 5}, origin, []byte{1, 0, 0, 0}),
		"an epoch flag unused":     cat([]byte{0x03, 1, 5}, origin, []byte{1, 0, 1, 0, 0}),
		"an epoch change of zero":  cat([]byte{0x03, 1, 5}, origin, []byte{1, 0, 1, 1, 0, 0, 0}),
		"an epoch change behind":   cat([]byte{0x03, 1, 5}, origin, []byte{1, 0, 1, 1, 1, 1, 0}),
		"two changes of one mini":  cat([]byte{0x03, 1, 5}, origin, []byte{1, 0, 1, 2, 0, 1, 0, 1, 0}),
		"an empty transaction":     cat([]byte{0x01, 1, 5}, origin, []byte{1, 0, 2, 1, 0}),
		"a deposit":                cat([]byte{0x01, 1, 5}, origin, []byte{1, 0, 2, 1, 1, chain.DepositTxType}),
		"a transaction cut off":    cat([]byte{0x01, 1, 5}, origin, []byte{1, 0, 2, 1, 9, 2}),
		"more transactions by far": cat([]byte{0x01, 1, 5}, origin, []byte{1, 0, 2, 0xff, 0xff, 0xff, 0x7f}),
		"the end":                  {0x01, 1, 5},
	} {
		if _, err := readBlock(&reader{buf: raw}, context{number: 1}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok := cat([]byte{0x03, 1, 5}, origin, []byte{1, 0, 2, 1, 0, 4, 1, 1, 0x02})
	b, err := readBlock(&reader{buf: ok}, context{number: 1})
	if err != nil || b.MiniBlocks[0].Epoch != 4 || len(b.Txs) != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	again := context{started: true, number: 2, timestamp: 1, origin: b.Origin, epoch: 4}
	same := cat([]byte{0x01, 0, 0}, origin, []byte{1, 0, 1, 0})
	if _, err := readBlock(&reader{buf: same}, again); !errors.Is(err, ErrMalformed) {
		t.Errorf("an origin that does not advance: %v", err)
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
		"a field element too large": func(b *Blob) { b[32*100] = 1 },
		"another blob version":      func(b *Blob) { b[1] = 2 },
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

func TestCodecStartsNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	ch := build(t, BuilderSettings{}, randomBlocks(4, 1, 300, 10, 500))
	if _, _, err := DecodeChannel(ch.Data); err != nil {
		t.Fatal(err)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("%d goroutines, %d before", after, before)
	}
}
