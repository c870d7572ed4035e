package l1feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

// Resolver finds the data behind a commitment or a certificate. An error that wraps
// ErrBadData says that it is not what was committed to and never will be: everybody comes
// to the same. Every other error is asked again, and derivation waits meanwhile.
type Resolver interface {
	Resolve(ctx context.Context, block *l1.Block, tx *l1.BatchTx) ([]byte, error)
}

// FromDA resolves through the layers of data availability that the chain uses.
func FromDA(r *da.Reader) Resolver { return layers{r} }

type layers struct{ reader *da.Reader }

// Resolve implements Resolver. Only what every node finds malformed is void: an answer that
// contradicts the commitment says something of the server that gave it.
func (l layers) Resolve(ctx context.Context, _ *l1.Block, tx *l1.BatchTx) ([]byte, error) {
	c, err := da.Parse(tx.Data)
	if err == nil {
		// The chain uses the layer, or nobody had asked: that this node cannot is no reason
		// to find otherwise than those that can.
		if kind := c.Kind(); kind == da.KindAltDA && l.reader.AltDA == nil || kind == da.KindCertificate && l.reader.Committee == nil {
			return nil, fmt.Errorf("its data are with the layer %v, and no server for it is configured", kind)
		}
		var data []byte
		if data, err = l.reader.Get(ctx, c); err == nil {
			return data, nil
		}
	}
	if errors.Is(err, da.ErrMalformed) {
		err = fmt.Errorf("%w: %w", ErrBadData, err)
	}
	return nil, err
}

// ErrBadData is wrapped when a batch transaction is void whatever is tried.
var ErrBadData = errors.New("batch data is not what was committed to")

// convert gives an L1 block the form that derivation reads, with the data of its batches.
// system says which of them count.
func (f *Feed) convert(ctx context.Context, b *l1.Block, system chain.SystemConfig) (*derive.L1Block, error) {
	out := Convert(b)
	var named derive.Named
	for i := range b.Batches {
		tx := &b.Batches[i]
		source, ok := derive.SourceOf(len(tx.BlobHashes), tx.Data)
		if tx.Certified {
			source, ok = derive.SourceCommittee, true
		}
		if !ok {
			continue
		}
		data := derive.BatchTx{From: tx.From, Source: source}
		switch {
		case !source.Allowed(system.DAMode): // derivation says so; nobody looks for it
		case source == derive.SourceBlobs:
			for i := range tx.Blobs {
				data.Blobs = append(data.Blobs, (*batch.Blob)(&tx.Blobs[i]))
			}
		case source == derive.SourceCalldata:
			data.Data = tx.Data[1:]
		default:
			if err := f.resolve(ctx, b, tx, &named, &data); err != nil {
				return nil, fmt.Errorf("batch %v in L1 block %d: %w", tx.Hash, b.Number, err)
			}
		}
		out.Batches = append(out.Batches, data)
	}
	return out, nil
}

// resolve fetches what is not on L1. What L1 alone shows to be void is not looked for.
func (f *Feed) resolve(ctx context.Context, b *l1.Block, tx *l1.BatchTx, named *derive.Named, into *derive.BatchTx) error {
	c, err := da.Parse(tx.Data)
	if err != nil {
		into.Bad = err.Error()
		return nil
	}
	if _, generic := c.(*da.Generic); generic && !f.opts.Batches.Config.AltDAGeneric {
		into.Bad = "a generic alt-DA commitment, which this chain does not take"
		return nil
	}
	if !named.Add(da.DataLength(c)) {
		into.Bad = fmt.Sprintf("%d bytes more than one L1 block may name, %d", da.DataLength(c), derive.MaxNamedBytes)
		return nil
	}
	if f.opts.Batches.Resolver == nil {
		return errors.New("its data is not on L1, and no server for it is configured")
	}
	into.Data, err = f.opts.Batches.Resolver.Resolve(ctx, b, tx)
	if errors.Is(err, ErrBadData) {
		into.Bad = err.Error()
		return nil
	}
	return err
}
