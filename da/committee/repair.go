package committee

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/da"
)

// Repair gives operators back what they have lost, or never got: it recovers the blobs
// from the others and sends each its cells. Anybody may, since the certificate says
// what an operator must hold. It tries all of them; the error joins what failed.
func (r *Retriever) Repair(ctx context.Context, cert *da.Certificate, operators []int) error {
	fail := func(err error) error { return fmt.Errorf("repair %v: %w", cert.Hash(), err) }
	members, err := r.opts.Source.Committee(ctx, cert.Epoch)
	if err != nil {
		return fail(err)
	}
	blobs, err := r.blobs(ctx, members, cert)
	if err != nil {
		return fail(err)
	}
	enc, err := encode(blobs)
	if err != nil {
		return fail(err)
	}
	for i := range cert.Commitments {
		if enc.commitments[i] != cert.Commitments[i] {
			return fail(fmt.Errorf("%w: blob %d", da.ErrMismatch, i))
		}
	}
	var errs []error
	for _, i := range operators {
		if i < 0 || i >= len(members.Operators) {
			errs = append(errs, fmt.Errorf("operator %d: there are %d", i, len(members.Operators)))
			continue
		}
		if err := r.restore(ctx, members, cert, enc, i); err != nil {
			errs = append(errs, fmt.Errorf("operator %d: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fail(err)
	}
	return nil
}

func (r *Retriever) restore(ctx context.Context, members *Committee, cert *da.Certificate, enc *encoded, i int) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	raw := cert.Bytes()
	body := binary.BigEndian.AppendUint32(nil, uint32(len(raw)))
	body = enc.chunk(members.Cells(i)).appendTo(append(body, raw...))
	return r.client.restore(ctx, members.Operators[i].URL, body)
}

// WarmUp loads the trusted setup of the KZG scheme, a few seconds' work that the first
// use does otherwise.
func WarmUp() error {
	if _, err := kzg4844.BlobToCommitment(new(kzg4844.Blob)); err != nil {
		return fmt.Errorf("load the KZG setup: %w", err)
	}
	return nil
}
