package da

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// Store is a layer that keeps data. Implementations are safe for concurrent use.
type Store interface {
	// Put keeps data, 1..Limit() bytes, and returns when the layer has promised to hold
	// it. The caller posts the commitment on L1.
	Put(ctx context.Context, data []byte) (Commitment, error)
	// Get returns the data that a commitment of this layer names. The slice is the
	// caller's.
	Get(ctx context.Context, c Commitment) ([]byte, error)
	// Limit is how many bytes Put takes.
	Limit() int
}

// Posting is what an L1 transaction of the batcher carries for a commitment.
type Posting struct {
	// Certified says that the transaction calls certify(Calldata) of the
	// CertificateVerifier and that its event counts; otherwise the transaction goes to
	// the inbox with Calldata as its data.
	Certified bool
	Calldata  []byte
	Blobs     []kzg4844.Blob // at most MaxBlobsPerTx; only with a Blobs commitment
}

// PostingOf says how a commitment stands on L1.
func PostingOf(c Commitment) Posting {
	switch c := c.(type) {
	case *Blobs:
		return Posting{Blobs: c.Content}
	case *Certificate:
		return Posting{Certified: true, Calldata: c.Bytes()}
	default:
		return Posting{Calldata: c.Bytes()}
	}
}

// BlobCodec turns data into blobs and back. Unpack wraps ErrMalformed for blobs that
// Pack does not make.
type BlobCodec interface {
	Pack(data []byte) ([]kzg4844.Blob, error)
	Unpack(blobs []kzg4844.Blob) ([]byte, error)
	// Limit is how many bytes always fit MaxBlobsPerTx blobs.
	Limit() int
}

// BlobSource reads blobs by their versioned hashes, checked against them, in that order.
type BlobSource interface {
	Blobs(ctx context.Context, hashes []common.Hash) ([]kzg4844.Blob, error)
}
