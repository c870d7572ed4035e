package store

import (
	"bytes"
	"fmt"
	"testing"
)

func FuzzScan(f *testing.F) {
	const id = logID(0x1122334455667788)
	valid := segmentHeader{id, 1, 4096}.encode()
	for seq := uint64(1); seq < 5; seq++ {
		r := appendRecord(nil, byte(seq), seq, bytes.Repeat([]byte{byte(seq)}, int(seq)*7))
		seal(r, id, seq-1)
		valid = append(valid, r...)
	}
	f.Add(valid)
	f.Add(valid[:len(valid)-5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, ok := decodeSegmentHeader(data); ok && !bytes.Equal(h.encode(), data[:segmentHeaderLen]) {
			t.Fatal("header is not canonical")
		}
		next := uint64(1)
		var again []byte
		end, after, err := walkRecords(data, id, 1, func(r record) error {
			if r.seq != next {
				t.Fatalf("record %d, want %d", r.seq, next)
			}
			next++
			b := appendRecord(nil, r.kind, r.seq, r.payload)
			seal(b, id, r.synced)
			again = append(again, b...)
			return nil
		})
		if err != nil || after != next {
			t.Fatal(after, err)
		}
		if start := min(segmentHeaderLen, len(data)); !bytes.Equal(data[start:end], again) {
			t.Fatal("record is not canonical")
		}
		rest := scanTail(data[end:], id)
		if rest.bytes > int64(len(data)-end) || (rest.bytes == 0) != isZero(data[end:]) {
			t.Fatalf("tail %+v of %d bytes", rest, len(data)-end)
		}
	})
}

func BenchmarkWAL(b *testing.B) {
	for _, size := range []int{500, 50_000} {
		b.Run(fmt.Sprintf("latency/%dB", size), func(b *testing.B) {
			w, err := OpenWAL(b.TempDir(), WALOptions{}, nil)
			if err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Append(1, payload); err != nil {
					b.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			mustClose(b, w)
		})
		b.Run(fmt.Sprintf("throughput/%dB", size), func(b *testing.B) {
			w, err := OpenWAL(b.TempDir(), WALOptions{}, nil)
			if err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := w.Append(1, payload); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			mustClose(b, w)
		})
	}
	b.Run("first open", func(b *testing.B) {
		for b.Loop() {
			w, err := OpenWAL(b.TempDir(), WALOptions{}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			mustClose(b, w)
			b.StartTimer()
		}
	})
}
