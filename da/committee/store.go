package committee

import (
	"context"
	"errors"

	"github.com/talaria-l2/talaria/da"
)

// Store is a committee as a layer: a da.Store. Readers need no Disperser.
type Store struct {
	Disperser *Disperser // nil: Put is refused
	Retriever *Retriever
}

// Put implements da.Store.
func (s Store) Put(ctx context.Context, data []byte) (da.Commitment, error) {
	if s.Disperser == nil {
		return nil, errors.Join(da.ErrRefused, errors.New("put: this store only reads"))
	}
	cert, err := s.Disperser.Put(ctx, data)
	if err != nil {
		return nil, err
	}
	return cert, nil
}

// Get implements da.Store.
func (s Store) Get(ctx context.Context, c da.Commitment) ([]byte, error) {
	cert, ok := c.(*da.Certificate)
	if !ok {
		return nil, da.WrongKind("retrieve", c)
	}
	return s.Retriever.Get(ctx, cert)
}

// Limit implements da.Store.
func (Store) Limit() int { return da.MaxCommitteeBytes }
