package l1_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// BenchmarkBlob measures what one blob costs its sender and its reader. The Go library
// uses all cores and is the default; the C library takes the build tag ckzg.
func BenchmarkBlob(b *testing.B) {
	blob := testBlobs(1, 3)[0]
	b.Cleanup(func() { _ = kzg4844.UseCKZG(false) }) // always available
	for _, lib := range []string{"c", "go"} {
		if err := kzg4844.UseCKZG(lib == "c"); err != nil {
			b.Logf("%s library: %v", lib, err)
			continue
		}
		commitment, err := kzg4844.BlobToCommitment(&blob)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(lib+"/commitment", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := kzg4844.BlobToCommitment(&blob); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(lib+"/blob proof", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := kzg4844.ComputeBlobProof(&blob, commitment); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(lib+"/cell proofs", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := kzg4844.ComputeCellProofs(&blob); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
