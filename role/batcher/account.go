package batcher

import (
	"context"
	"fmt"
	"math/big"

	"github.com/talaria-l2/talaria/l1"
)

// Account is an L1 account whose key nobody else uses. It implements L1.
type Account struct {
	Client *l1.Client
	Sender *l1.Sender
}

// Head implements L1.
func (a *Account) Head(ctx context.Context) (uint64, error) {
	h, err := a.Client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return 0, err
	}
	return h.Number.Uint64(), nil
}

// Nonces implements L1.
func (a *Account) Nonces(ctx context.Context) (latest, pending uint64, err error) {
	if latest, err = a.Client.Nonce(ctx, a.Sender.Address()); err != nil {
		return 0, 0, err
	}
	pending, err = a.Client.PendingNonce(ctx, a.Sender.Address())
	return latest, pending, err
}

// Prices implements L1.
func (a *Account) Prices(ctx context.Context) (Prices, error) {
	h, err := a.Client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return Prices{}, err
	}
	p := Prices{BaseFee: h.BaseFee, BlobBaseFee: a.Client.BlobBaseFee(h)}
	if p.BaseFee == nil {
		p.BaseFee = new(big.Int)
	}
	return p, nil
}

// Send implements L1.
func (a *Account) Send(ctx context.Context, tx Tx) (uint64, error) {
	blobs := make([]l1.Blob, len(tx.Blobs))
	for i, b := range tx.Blobs {
		blobs[i] = l1.Blob(*b)
	}
	receipt, err := a.Sender.Send(ctx, l1.Request{To: &tx.To, Data: tx.Data, Blobs: blobs, Nonce: &tx.Nonce})
	if err != nil {
		return 0, fmt.Errorf("nonce %d: %w", tx.Nonce, err)
	}
	return receipt.BlockNumber.Uint64(), nil
}
