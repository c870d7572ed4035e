package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"reflect"
	"runtime"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"

	"github.com/talaria-l2/talaria/chain"
)

// forged makes a channel of hand-made parts.
func forged(h ChannelHeader, method byte, columns [columnCount][]byte, addresses uint64, literal, signatures []byte, size, minis, txs uint64, packed []byte) []byte {
	out := append(h.append(nil), method)
	for _, c := range columns {
		out = binary.AppendUvarint(out, uint64(len(c)))
	}
	for _, n := range []uint64{addresses, uint64(len(literal) / 20), uint64(len(signatures) / 64), size, minis, txs} {
		out = binary.AppendUvarint(out, n)
	}
	return bytes.Join(append([][]byte{out}, append(columns[:], literal, signatures, packed)...), nil)
}

// parts are those of an encoded channel.
func parts(t testing.TB, data []byte) *body {
	t.Helper()
	b, err := openBody(data[ChannelHeaderBytes:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *body) forge(h ChannelHeader) []byte {
	return forged(h, b.method, b.columns, b.addresses, b.literal, b.signatures, b.size, b.minis, b.txs, b.packed)
}

func TestChannelDecoderRefuses(t *testing.T) {
	ch := build(t, BuilderSettings{}, randomBlocks(9, 3, 6, 8, 200))
	good, plain := ch.Header, ch.Data
	if same := parts(t, plain).forge(good); !bytes.Equal(same, plain) {
		t.Fatal("a channel put together again differs")
	}
	header := func(change func(*ChannelHeader)) []byte { h := good; change(&h); return parts(t, plain).forge(h) }
	with := func(change func(*body)) []byte { b := parts(t, plain); change(b); return b.forge(good) }
	for name, data := range map[string][]byte{
		"nothing":             nil,
		"a header alone":      plain[:ChannelHeaderBytes],
		"another version":     append([]byte{1}, plain[1:]...),
		"too many raw bytes":  header(func(h *ChannelHeader) { h.RawBytes = MaxRawBytes + 1 }),
		"one raw byte less":   header(func(h *ChannelHeader) { h.RawBytes-- }),
		"one raw byte more":   header(func(h *ChannelHeader) { h.RawBytes++ }),
		"a block less":        header(func(h *ChannelHeader) { h.BlockCount-- }),
		"a block more":        header(func(h *ChannelHeader) { h.BlockCount++ }),
		"no blocks":           header(func(h *ChannelHeader) { h.BlockCount = 0 }),
		"genesis":             header(func(h *ChannelHeader) { h.FirstNumber = 0 }),
		"number overflow":     header(func(h *ChannelHeader) { h.FirstNumber = ^uint64(0) }),
		"another method":      with(func(b *body) { b.method = 3 }),
		"not what it says":    with(func(b *body) { b.method = methodStored }),
		"a byte more of zero": with(func(b *body) { b.columns[colFees] = append(bytes.Clone(b.columns[colFees]), 0) }),
		"a longer column": with(func(b *body) {
			b.columns[colFees] = append(bytes.Clone(b.columns[colFees]), bytes.Repeat([]byte{1}, 9)...)
		}),
		"a signature less":   with(func(b *body) { b.signatures = b.signatures[64:] }),
		"a signature more":   with(func(b *body) { b.signatures = append(bytes.Clone(b.signatures), b.signatures[:64]...) }),
		"an address less":    with(func(b *body) { b.literal = b.literal[20:] }),
		"an address more":    with(func(b *body) { b.addresses++; b.literal = append(bytes.Clone(b.literal), b.literal[:20]...) }),
		"a mini-block less":  with(func(b *body) { b.minis-- }),
		"a mini-block more":  with(func(b *body) { b.minis++ }),
		"a transaction less": with(func(b *body) { b.txs-- }),
		"a transaction more": with(func(b *body) { b.txs++ }),
		"bytes behind":       append(bytes.Clone(plain), 0),
		"cut off":            plain[:len(plain)-1],
		"a column too long":  with(func(b *body) { b.columns[7] = nil; b.packed = nil }),
	} {
		if _, _, err := DecodeChannel(data, 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestByteColumnDecoderRefuses(t *testing.T) {
	text := bytes.Repeat([]byte("something to compress "), 50)
	packZstd := func(data []byte, opts ...zstd.EOption) []byte {
		enc, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		return enc.EncodeAll(data, nil)
	}
	packBrotli := func(data []byte) []byte {
		var out bytes.Buffer
		w := brotli.NewWriterLevel(&out, 5)
		w.Write(data)
		w.Close()
		return out.Bytes()
	}
	bomb := make([]byte, MaxRawBytes+1)
	plain, br := packZstd(text), packBrotli(text)
	n := len(text)
	for name, c := range map[string]struct {
		method byte
		data   []byte
		size   int
		ok     bool
	}{
		"stored":                     {methodStored, text, n, true},
		"stored, another size":       {methodStored, text, n - 1, false},
		"zstd":                       {methodZstd, plain, n, true},
		"zstd, a byte less":          {methodZstd, plain, n - 1, false},
		"zstd, a byte more":          {methodZstd, plain, n + 1, false},
		"zstd, a bomb":               {methodZstd, packZstd(bomb), n, false},
		"zstd, a wide window":        {methodZstd, packZstd(bomb[:64<<20], zstd.WithWindowSize(64<<20)), 64 << 20, false},
		"zstd, a wide segment":       {methodZstd, packZstd(bomb[:16<<20], zstd.WithSingleSegment(true)), 16 << 20, false},
		"zstd, bytes behind":         {methodZstd, append(bytes.Clone(plain), 0), n, false},
		"zstd, two frames":           {methodZstd, append(bytes.Clone(plain), plain...), 2 * n, false},
		"zstd, a skippable frame":    {methodZstd, append([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, plain...), n, false},
		"zstd, cut off":              {methodZstd, plain[:len(plain)-1], n, false},
		"zstd, a wrong checksum":     {methodZstd, append(bytes.Clone(plain[:len(plain)-1]), plain[len(plain)-1]^1), n, false},
		"zstd that is brotli":        {methodZstd, br, n, false},
		"brotli":                     {methodBrotli, br, n, true},
		"brotli, a byte less":        {methodBrotli, br, n - 1, false},
		"brotli, a byte more":        {methodBrotli, br, n + 1, false},
		"brotli, a bomb":             {methodBrotli, packBrotli(bomb), n, false},
		"brotli, bytes behind":       {methodBrotli, append(bytes.Clone(br), 0), n, false},
		"brotli, many bytes behind":  {methodBrotli, append(bytes.Clone(br), make([]byte, 100_000)...), n, false},
		"brotli, two streams":        {methodBrotli, append(bytes.Clone(br), br...), 2 * n, false},
		"brotli, cut off":            {methodBrotli, br[:len(br)-1], n, false},
		"brotli, nothing":            {methodBrotli, nil, 0, false},
		"brotli with a large window": {methodBrotli, append([]byte{0x11, 0x1e}, br...), n, false},
	} {
		var got []byte
		var err error
		held := allocated(func() { got, err = decompress(c.method, c.data, c.size) })
		if ok := err == nil; ok != c.ok || ok && !bytes.Equal(got, text) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok && held > 48<<20+16*uint64(c.size) {
			t.Errorf("%s: %d bytes allocated", name, held)
		}
	}
}

// TestAWideWindowCostsNothing: many small channels may claim the widest window each.
func TestAWideWindowCostsNothing(t *testing.T) {
	text := []byte("a few bytes")
	var wide bytes.Buffer
	z, err := zstd.NewWriter(&wide, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(MaxWindowBytes))
	if err != nil {
		t.Fatal(err)
	}
	var most bytes.Buffer
	b := brotli.NewWriterOptions(&most, brotli.WriterOptions{Quality: 5, LGWin: 24})
	for _, w := range []interface {
		Write([]byte) (int, error)
		Flush() error
		Close() error
	}{z, b} {
		w.Write(text)
		w.Flush() // else the size is known and the window small
		w.Close()
	}
	for method, data := range map[byte][]byte{methodZstd: wide.Bytes(), methodBrotli: most.Bytes()} {
		held := allocated(func() {
			if got, err := decompress(method, data, len(text)); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("method %d: %v", method, err)
			}
		})
		if held > 1<<20 {
			t.Errorf("method %d: %d bytes allocated for %d", method, held, len(text))
		}
	}
}

// allocated is how many bytes f allocates in all, whether freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestClaimsCostNothing gives the decoder short channels that announce much.
func TestClaimsCostNothing(t *testing.T) {
	h := ChannelHeader{RawBytes: MaxRawBytes, BlockCount: 1, FirstNumber: 1}
	var columns [columnCount][]byte
	rng := rand.New(rand.NewSource(1))
	for i := range 200 {
		for c := range columns {
			columns[c] = make([]byte, 64)
			rng.Read(columns[c])
			if i%2 == 0 {
				columns[c] = bytes.Repeat([]byte{byte(i)}, i%64)
			}
		}
		data := forged(h, methodStored, columns, MaxSignedAddresses, nil, nil, 0, MaxChannelMiniBlocks, 1, nil)
		var err error
		held := allocated(func() { _, _, err = DecodeChannel(data, 0) })
		if !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		if held > 8<<20 {
			t.Fatalf("columns %d: %d bytes allocated for a channel of %d", i, held, len(data))
		}
	}
}

// TestALargeChannelStaysWithinItsMemory decodes a few kilobytes that expand to as much
// as a channel may hold: calldata of zeros, the same address over and over, many
// mini-blocks.
func TestALargeChannelStaysWithinItsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("100 MiB")
	}
	p := newPeople(rand.New(rand.NewSource(1)), 1)
	var blocks []Block
	for i := range 3 {
		b := Block{Number: uint64(1 + i), Timestamp: 1_700_000_000, Origin: chain.L1Origin{Number: 1}}
		b.Origin.Hash[0] = 1
		for range 16 {
			data := make([]byte, 4+(2<<20-64))
			if i == 1 {
				a := p.address(0)
				for w := data[4:]; len(w) > 0; w = w[32:] {
					copy(w[12:], a[:])
				}
			}
			raw := p.call(data)
			b.Txs, b.Senders = append(b.Txs, raw), append(b.Senders, common.Address{})
		}
		b.Txs, b.Senders = b.Txs[:15], b.Senders[:15]
		for range MaxBlockMiniBlocks {
			b.MiniBlocks = append(b.MiniBlocks, MiniBlock{Timestamp: 1_700_000_000_000_000})
		}
		b.MiniBlocks[0].TxCount = 16
		blocks = append(blocks, b)
	}
	ch := build(t, BuilderSettings{TargetBytes: MaxChannelBytes}, blocks)
	var err error
	held := allocated(func() { _, _, err = DecodeChannel(ch.Data, 0) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes expand to %d and allocate %d in all", len(ch.Data), ch.Header.RawBytes, held)
	if held > MaxDecodeBytes {
		t.Errorf("%d bytes allocated, limit %d", held, MaxDecodeBytes)
	}
}

// TestDefinitionsThatAreNotRight changes what numbers of addresses stand for.
func TestDefinitionsThatAreNotRight(t *testing.T) {
	blocks := signedBlocks(6, 1, 60, 30)
	s := newColumns(true)
	s.writeBlock(context{number: 1}, &blocks[0])
	defs := s.addresses.define(s.senders)
	var signed []int
	deep := false
	for n, d := range defs {
		if d.level > 0 {
			signed = append(signed, n)
		}
		deep = deep || d.level > 1
	}
	if len(signed) < 2 || !deep {
		t.Fatalf("%d addresses are given by signatures, not enough", len(signed))
	}
	resolve := func(change func(defs []definition)) bool {
		defs := append([]definition(nil), defs...)
		change(defs)
		var txs, literal []byte
		var ends []uint32
		all := addresses{count: len(defs)}
		read := 0
		for i, tx := range blocks[0].Txs {
			start := len(txs)
			txs = append(txs, tx...)
			ends = append(ends, uint32(len(txs)))
			for ; read < len(s.addresses.gaps) && int(s.addresses.gaps[read].at) == i; read++ {
				number := s.addresses.gaps[read].number
				at := bytes.Index(tx, s.addresses.list[number][:])
				all.gaps = append(all.gaps, gap{uint32(start + at), number})
			}
		}
		sortGaps(all.gaps)
		for n, d := range defs {
			if d.level == 0 {
				literal = append(literal, s.addresses.list[n][:]...)
			}
		}
		return all.resolve(defs, literal, txs, ends, chain.DefaultL2ChainID)
	}
	if !resolve(func([]definition) {}) {
		t.Fatal("what the encoder chose is refused")
	}
	if resolve(func(d []definition) { d[signed[1]].source = d[signed[0]].source }) {
		t.Error("one transaction gives two addresses")
	}
	if resolve(func(d []definition) {
		for _, n := range signed {
			d[n].level = 1
		}
	}) {
		t.Error("an address rests on another of its level")
	}
	all := -1
	for i, tx := range blocks[0].Txs {
		var r record
		if !r.parse(tx) || (r.chainID != chain.DefaultL2ChainID && r.shape != shapeOldLegacy) {
			all = i
		}
	}
	if all < 0 {
		t.Fatal("no transaction of another chain")
	}
	if resolve(func(d []definition) { d[signed[len(signed)-1]] = definition{level: maxLevel, source: uint32(all)} }) {
		t.Error("a transaction of another chain gives an address")
	}
}

// TestFullDictionaries gives dictionaries hardly any room: what does not enter is
// written anew each time.
func TestFullDictionaries(t *testing.T) {
	for _, most := range []room{0, 1, 7, 40} {
		blocks := signedBlocks(8, 3, 80, 10)
		s, ctx := newColumns(true), context{number: 1}
		s.room = most
		h := ChannelHeader{FirstNumber: 1, BlockCount: 3}
		for i := range blocks {
			s.writeBlock(ctx, &blocks[i])
			ctx = ctx.after(&blocks[i])
			for _, tx := range blocks[i].Txs {
				h.RawBytes += uint32(len(tx))
			}
		}
		data, err := s.finish(nil, func(b []byte) (byte, []byte, error) { return methodStored, b, nil })
		if err != nil {
			t.Fatal(err)
		}
		parts, err := openBody(data)
		if err != nil {
			t.Fatal(err)
		}
		r := newColumns(false)
		r.room = most
		got, err := r.decode(parts, &h)
		if err != nil || !reflect.DeepEqual(got, bare(blocks)) {
			t.Fatalf("room for %d entries: decoded differently: %v", most, err)
		}
	}
}

// TestTransactionsTooLargeToTakeApart are written whole.
func TestTransactionsTooLargeToTakeApart(t *testing.T) {
	p := newPeople(rand.New(rand.NewSource(1)), 1)
	s := newColumns(true)
	for _, size := range []int{1 << 20, maxApart} {
		s.write(p.call(make([]byte, size)), common.Address{}, 0)
	}
	if len(s.signatures) != 64 || len(s.bytes) <= maxApart {
		t.Fatalf("%d bytes of signatures, %d of the byte column", len(s.signatures), len(s.bytes))
	}
}
