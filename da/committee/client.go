package committee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

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
		// Operators are not followed to where they point.
		c = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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
	raw, err := c.do(ctx, http.MethodPost, url+"/v1/chunks", header, body, bls.SignatureBytes)
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
	_, err := c.do(ctx, http.MethodPost, url+"/v1/restore", nil, body, 1_024)
	return err
}

// chunk fetches what an operator holds of a statement, which must be cells [from, to),
// and verifies it.
func (c client) chunk(ctx context.Context, url string, digest common.Hash, s *da.Statement, from, to int) (*Chunk, error) {
	raw, err := c.do(ctx, http.MethodGet, url+"/v1/chunks/"+digest.Hex(), nil, nil, chunkBytes(len(s.Commitments), to-from))
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
	raw, err := c.do(ctx, http.MethodGet, path, nil, nil, cellBytes+proofBytes)
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

// do sends a request and reads an answer of at most limit bytes.
func (c client) do(ctx context.Context, method, url string, header http.Header, body []byte, limit int) ([]byte, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", da.ErrRefused, err)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return nil, fmt.Errorf("%w: HTTP status %d: %s", statusError(res.StatusCode), res.StatusCode, strings.TrimSpace(string(text)))
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	if err != nil {
		return nil, unavailable(err)
	}
	if len(raw) > limit {
		return nil, fmt.Errorf("%w: the answer exceeds %d bytes", da.ErrMismatch, limit)
	}
	return raw, nil
}

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", da.ErrUnavailable, err)
}

func statusError(code int) error {
	switch {
	case code == http.StatusNotFound:
		return da.ErrNotFound
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return da.ErrUnavailable
	}
	return da.ErrRefused
}
