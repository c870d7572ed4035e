package da

import (
	"context"
	"errors"
	"fmt"
)

// CalldataStore keeps data in the batch transaction's calldata. The zero value is ready.
type CalldataStore struct{}

// Put implements Store.
func (CalldataStore) Put(_ context.Context, data []byte) (Commitment, error) {
	if err := CheckSize("put calldata", data, MaxCalldataBytes); err != nil {
		return nil, err
	}
	return &Calldata{Data: append([]byte(nil), data...)}, nil
}

// Get implements Store: the commitment is the data.
func (CalldataStore) Get(_ context.Context, c Commitment) ([]byte, error) {
	calldata, ok := c.(*Calldata)
	if !ok {
		return nil, WrongKind("get calldata", c)
	}
	return append([]byte(nil), calldata.Data...), nil
}

// Limit implements Store.
func (CalldataStore) Limit() int { return MaxCalldataBytes }

// BlobStore keeps data in blobs of the batch transaction. What proves them, cell by
// cell (EIP-7594), is the sender's to compute.
type BlobStore struct {
	Codec BlobCodec
	// Source reads blobs whose content is not with the commitment; nil: Get needs it there.
	Source BlobSource
}

// Put implements Store.
func (s BlobStore) Put(_ context.Context, data []byte) (Commitment, error) {
	if err := CheckSize("put blobs", data, s.Codec.Limit()); err != nil {
		return nil, err
	}
	blobs, err := s.Codec.Pack(data)
	if err != nil {
		return nil, fmt.Errorf("put blobs: %w", err)
	}
	if len(blobs) > MaxBlobsPerTx {
		return nil, fmt.Errorf("put blobs: %w: %d blobs, a transaction carries %d", ErrTooLarge, len(blobs), MaxBlobsPerTx)
	}
	return NewBlobs(blobs)
}

// Get implements Store.
func (s BlobStore) Get(ctx context.Context, c Commitment) ([]byte, error) {
	b, ok := c.(*Blobs)
	if !ok {
		return nil, WrongKind("get blobs", c)
	}
	content := b.Content
	if content == nil && len(b.Hashes) > 0 {
		if s.Source == nil {
			return nil, errors.New("get blobs: only their hashes are known, and there is no source")
		}
		var err error
		if content, err = s.Source.Blobs(ctx, b.Hashes); err != nil {
			return nil, fmt.Errorf("get %d blobs: %w", len(b.Hashes), err)
		}
	}
	data, err := s.Codec.Unpack(content)
	if err != nil {
		return nil, fmt.Errorf("get %d blobs: %w", len(content), err)
	}
	return data, nil
}

// Limit implements Store.
func (s BlobStore) Limit() int { return s.Codec.Limit() }

// CheckSize returns an error that wraps ErrTooLarge unless data has 1..limit bytes.
func CheckSize(what string, data []byte, limit int) error {
	switch {
	case len(data) == 0:
		return fmt.Errorf("%s: %w: no data", what, ErrMalformed)
	case len(data) > limit:
		return fmt.Errorf("%s: %w: %d bytes, limit %d", what, ErrTooLarge, len(data), limit)
	}
	return nil
}

// WrongKind says that a commitment was given to a store of another kind. Nothing that
// comes later changes that: it wraps ErrMalformed.
func WrongKind(what string, c Commitment) error {
	return fmt.Errorf("%s: %w: it is of kind %v", what, ErrMalformed, c.Kind())
}
