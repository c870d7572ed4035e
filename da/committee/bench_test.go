package committee

import (
	"testing"

	"github.com/talaria-l2/talaria/da"
)

// BenchmarkBlob measures what one blob costs its disperser, an operator with a seventh
// of the weight, and a reader who gets four sevenths of the cells.
func BenchmarkBlob(b *testing.B) {
	data := testData(da.BlobDataBytes)
	enc, err := encode(pack(data))
	if err != nil {
		b.Fatal(err)
	}
	members := &Committee{}
	for range 7 {
		members.Operators = append(members.Operators, Operator{Weight: 1})
	}
	b.Run("disperser encodes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encode(pack(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("operator verifies", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := enc.chunk(members.Cells(3)).Verify(enc.commitments); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reader verifies and recovers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got := make(map[int]*Chunk)
			for _, i := range []int{1, 3, 5, 6} {
				got[i] = enc.chunk(members.Cells(i))
				if err := got[i].Verify(enc.commitments); err != nil {
					b.Fatal(err)
				}
			}
			blobs, ok, err := recoverBlobs(got, 1)
			if !ok || err != nil {
				b.Fatal(ok, err)
			}
			if _, err := unpack(blobs, len(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
