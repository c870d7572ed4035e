package da

import (
	"context"
	"fmt"
)

// Reader resolves commitments of every kind. A nil field means that the chain does not
// use that layer: such commitments are malformed for it. Equal on every node of a chain.
type Reader struct {
	Blobs     Store
	AltDA     Store
	Committee Store
	// Generic allows alt-DA commitments of type 1, which nothing checks.
	Generic bool
}

// Get returns the data that c names. An error that is not Transient means that every
// node finds c void.
func (r *Reader) Get(ctx context.Context, c Commitment) ([]byte, error) {
	var store Store
	switch c.Kind() {
	case KindCalldata:
		store = CalldataStore{}
	case KindBlobs:
		store = r.Blobs
	case KindAltDA:
		if _, generic := c.(*Generic); !generic || r.Generic {
			store = r.AltDA
		}
	case KindCertificate:
		store = r.Committee
	}
	if store == nil {
		return nil, fmt.Errorf("get: %w: this chain does not use %v commitments of this type", ErrMalformed, c.Kind())
	}
	return store.Get(ctx, c)
}
