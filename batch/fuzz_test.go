package batch

import (
	"errors"
	"math/rand"
	"reflect"
	"testing"

	"github.com/talaria-l2/talaria/chain"
)

func FuzzDecodeBlob(f *testing.F) {
	blob, err := EncodeBlob([]Frame{{Number: 1, Data: []byte("hello")}, {Number: 2, Data: []byte("world"), Last: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var blob Blob
		copy(blob[:], data)
		frames, err := DecodeBlob(&blob)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := EncodeBlob(frames)
		if err != nil || *again != blob {
			t.Fatalf("blob is not canonical: %v", err)
		}
	})
}

func FuzzDecodeCalldata(f *testing.F) {
	good, err := EncodeCalldata([]Frame{{Number: 1, Data: []byte("hello")}, {Number: 2, Data: []byte("world"), Last: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, err := DecodeCalldata(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := EncodeCalldata(frames); err != nil || string(again) != string(data) {
			t.Fatalf("calldata is not canonical: %v", err)
		}
	})
}

// FuzzTransaction gives the encoder whatever bytes as transactions.
func FuzzTransaction(f *testing.F) {
	p := newPeople(rand.New(rand.NewSource(3)), 5)
	for range 20 {
		raw, sender := p.sign()
		f.Add(raw, sender[:])
	}
	f.Fuzz(func(t *testing.T, raw, more []byte) {
		b := randomBlocks(1, 1, 1, 0, 1)[0]
		for _, tx := range [][]byte{raw, more, raw} {
			if len(tx) > 0 && tx[0] != chain.DepositTxType {
				b.Txs = append(b.Txs, tx)
				b.MiniBlocks[0].TxCount++
			}
		}
		ch := build(t, BuilderSettings{}, []Block{b})
		if _, got, err := DecodeChannel(ch.Data, 0); err != nil || !reflect.DeepEqual(got, []Block{b}) {
			t.Fatalf("decoded differently: %v", err)
		}
	})
}

// FuzzDecodeBody gives the decoder columns without compression, so that changes reach
// the models.
func FuzzDecodeBody(f *testing.F) {
	blocks := signedBlocks(4, 2, 6, 4)
	s, ctx := newColumns(true), context{number: 1}
	raw := 0
	for i := range blocks {
		s.writeBlock(ctx, &blocks[i])
		ctx = ctx.after(&blocks[i])
		for _, tx := range blocks[i].Txs {
			raw += len(tx)
		}
	}
	data, err := s.finish(nil, func(b []byte) (byte, []byte, error) { return methodStored, b, nil })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint32(2), uint32(raw))
	f.Fuzz(func(t *testing.T, data []byte, count, raw uint32) {
		h := &ChannelHeader{FirstNumber: 1, BlockCount: 1 + count%64, RawBytes: raw % (1 << 20)}
		blocks, err := decodeBody(data, h, 0)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		ctx := context{number: 1}
		for i := range blocks {
			if err := ctx.check(&blocks[i]); err != nil {
				t.Fatal(err)
			}
			ctx = ctx.after(&blocks[i])
		}
	})
}

func FuzzDecodeChannel(f *testing.F) {
	f.Add(build(f, BuilderSettings{}, randomBlocks(2, 1, 4, 3, 50)).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		header, blocks, err := DecodeChannel(data, 0)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		b, err := NewChannelBuilder(BuilderSettings{TargetBytes: MaxChannelBytes})
		if err != nil {
			t.Fatal(err)
		}
		parent := header.ParentHash
		for i := range blocks {
			hash := hashOf(blocks[i].Number)
			if i == len(blocks)-1 {
				hash = header.LastHash
			}
			if err := b.Add(&blocks[i], parent, hash); err != nil {
				t.Fatal(err)
			}
			parent = hash
		}
		ch, err := b.Close()
		if err != nil {
			t.Fatal(err)
		}
		if h, got, err := DecodeChannel(ch.Data, 0); err != nil || h != header || !reflect.DeepEqual(got, blocks) {
			t.Fatalf("decoded again differently: %v", err)
		}
	})
}
