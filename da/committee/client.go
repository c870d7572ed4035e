package committee

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// disperserHeader carries the disperser's signature of a statement's digest.
const disperserHeader = "Talaria-Disperser"

// client speaks the operators' protocol. What operators send is bounded by what was
// asked for, and checked.
type client struct{ http *http.Client }

func newClient(c *http.Client) client {
	if c == nil {
		c = da.NewHTTPClient()
	}
	return client{http: c}
}

// store sends a chunk and returns the operator's signature, which is the caller's to
// check.
func (c client) store(ctx context.Context, url string, body []byte, disperser []byte) (*bls.Signature, error) {
	header := make(http.Header)
	if disperser != nil {
		header.Set(disperserHeader, hexutil.Encode(disperser))
	}
	raw, err := da.Request(ctx, c.http, http.MethodPost, url+"/v1/chunks", header, body, bls.SignatureBytes)
	if err != nil {
		return nil, err
	}
	signature, err := bls.ParseSignature(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", da.ErrMismatch, err)
	}
	return signature, nil
}

// restore gives an operator a chunk that it has lost.
func (c client) restore(ctx context.Context, url string, body []byte) error {
	_, err := da.Request(ctx, c.http, http.MethodPost, url+"/v1/restore", nil, body, 1_024)
	return err
}

// chunk fetches what an operator holds of a statement, which must be cells [from, to),
// and verifies it.
func (c client) chunk(ctx context.Context, url string, digest common.Hash, s *da.Statement, from, to int) (*Chunk, error) {
	raw, err := da.Request(ctx, c.http, http.MethodGet, url+"/v1/chunks/"+digest.Hex(), nil, nil, chunkBytes(len(s.Commitments), to-from))
	if err != nil {
		return nil, err
	}
	chunk, err := parseChunk(raw, len(s.Commitments))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", da.ErrMismatch, err)
	}
	if chunk.From != from || chunk.To() != to {
		return nil, fmt.Errorf("%w: cells %d..%d, not %d..%d", da.ErrMismatch, chunk.From, chunk.To()-1, from, to-1)
	}
	return chunk, chunk.Verify(s.Commitments)
}

// cell fetches and verifies one cell.
func (c client) cell(ctx context.Context, url string, digest common.Hash, s *da.Statement, blob, cell int) error {
	path := fmt.Sprintf("%s/v1/chunks/%s/%d/%d", url, digest.Hex(), blob, cell)
	raw, err := da.Request(ctx, c.http, http.MethodGet, path, nil, nil, cellBytes+proofBytes)
	if err != nil {
		return err
	}
	if len(raw) != cellBytes+proofBytes {
		return fmt.Errorf("%w: cell of %d bytes", da.ErrMismatch, len(raw))
	}
	one := &Chunk{
		From:   cell,
		Cells:  [][]kzg4844.Cell{{kzg4844.Cell(raw[:cellBytes])}},
		Proofs: [][]kzg4844.Proof{{kzg4844.Proof(raw[cellBytes:])}},
	}
	return one.Verify(s.Commitments[blob : blob+1])
}
