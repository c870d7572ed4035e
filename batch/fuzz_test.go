package batch

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
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

func FuzzDecodeStream(f *testing.F) {
	blocks := randomBlocks(1, 1, 3, 3, 30)
	var raw []byte
	c := context{number: 1}
	for i := range blocks {
		raw, _ = appendBlock(raw, c, &blocks[i])
		c = c.after(&blocks[i])
	}
	f.Add(raw, uint32(3))
	f.Fuzz(func(t *testing.T, raw []byte, count uint32) {
		blocks, err := decodeStream(raw, &ChannelHeader{FirstNumber: 1, BlockCount: count % 1024})
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		var again []byte
		c := context{number: 1}
		for i := range blocks {
			if again, err = appendBlock(again, c, &blocks[i]); err != nil {
				t.Fatal(err)
			}
			c = c.after(&blocks[i])
		}
		if !bytes.Equal(again, raw) {
			t.Fatalf("stream is not canonical:\n%x\n%x", raw, again)
		}
	})
}

func FuzzDecodeChannel(f *testing.F) {
	f.Add(build(f, BuilderSettings{}, randomBlocks(2, 1, 4, 3, 50)).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		header, blocks, err := DecodeChannel(data)
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
		if h, got, err := DecodeChannel(ch.Data); err != nil || h != header || !reflect.DeepEqual(got, blocks) {
			t.Fatalf("decoded again differently: %v", err)
		}
	})
}
