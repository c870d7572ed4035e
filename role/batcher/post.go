package batcher

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/l1"
)

// post closes the batch and sends it. Whatever the outcome, the batch is over: what L1
// does not hold is gathered again.
func (b *Batcher) post(ctx context.Context, f *filling) error {
	b.open = nil
	last := f.last()
	channel, err := f.builder.Close()
	if err != nil {
		return err
	}
	txs, delegated, err := b.load(ctx, channel)
	if err != nil {
		return err
	}
	on := sent{last: last, tip: f.tip}
	for i := range txs {
		tx := &txs[i]
		tx.Nonce = b.nonce
		in, err := b.opts.L1.Send(ctx, *tx)
		if err != nil {
			// Whether it is included or not will be found by reading L1.
			b.resumed, b.nonce = false, 0
			if delegated && errors.Is(err, l1.ErrReverted) {
				b.layerFails(err) // L1 does not take what the layer gave
			}
			return err
		}
		b.nonce++
		on.in = in
		b.mu.Lock()
		b.status.Blobs += uint64(len(tx.Blobs))
		b.mu.Unlock()
	}
	b.sent = append(b.sent, on)
	if delegated {
		b.layerWorks()
	}
	b.mu.Lock()
	b.status.Posted = last
	b.status.Batches++
	b.status.Bytes += uint64(len(channel.Data))
	b.mu.Unlock()
	b.opts.Log.Debug("batch posted", "first", f.first, "last", last, "l1Block", on.in, "bytes", len(channel.Data), "transactions", len(txs))
	return nil
}

// load makes the transactions of a channel: one, unless a single block is larger than
// that. delegated says that the data are with the layer.
func (b *Batcher) load(ctx context.Context, channel *batch.Channel) (txs []Tx, delegated bool, err error) {
	if b.opts.Layer != nil && !time.Now().Before(b.layerAgain) {
		txs, err := b.delegate(ctx, channel)
		if err == nil {
			return txs, true, nil
		}
		if ctx.Err() != nil || b.layerFails(err) {
			return nil, false, err
		}
	}
	txs, err = b.onL1(ctx, channel)
	return txs, false, err
}

// onL1 makes transactions that carry the data themselves.
func (b *Batcher) onL1(ctx context.Context, channel *batch.Channel) ([]Tx, error) {
	inBlobs := b.opts.Place != InCalldata
	if b.opts.Place == Cheapest {
		p, err := b.opts.L1.Prices(ctx)
		if err != nil {
			return nil, err
		}
		inBlobs = p.preferBlobs(len(channel.Data))
	}
	if inBlobs {
		return b.blobs(channel)
	}
	return b.calldata(channel)
}

func (b *Batcher) blobs(channel *batch.Channel) ([]Tx, error) {
	groups, err := channel.Txs(b.opts.MaxBlobs)
	if err != nil {
		return nil, err
	}
	txs := make([]Tx, len(groups))
	for i, blobs := range groups {
		txs[i] = Tx{To: b.opts.Inbox, Blobs: blobs}
	}
	return txs, nil
}

func (b *Batcher) calldata(channel *batch.Channel) ([]Tx, error) {
	frames, err := channel.Frames(min(batch.MaxCalldataFrameData, batch.MaxFrameData))
	if err != nil {
		return nil, err
	}
	txs := make([]Tx, len(frames))
	for i := range frames {
		data, err := batch.EncodeCalldata(frames[i : i+1])
		if err != nil {
			return nil, err
		}
		txs[i] = Tx{To: b.opts.Inbox, Data: data}
	}
	return txs, nil
}

// Gas of L1 transactions.
const (
	txGas        = 21_000
	calldataGas  = 40 // a byte: EIP-7623's floor; compressed bytes are hardly ever zero
	blobGas      = 1 << 17
	blobDataSize = batch.MaxFrameData
)

// preferBlobs reports whether size bytes cost no more in blobs than in calldata.
func (p Prices) preferBlobs(size int) bool {
	parts := func(of int) int64 { return int64((size + of - 1) / of) }
	calldata := new(big.Int).Mul(p.BaseFee, big.NewInt(calldataGas*int64(size)+txGas*parts(batch.MaxCalldataFrameData)))
	blobs := new(big.Int).Mul(p.BlobBaseFee, big.NewInt(blobGas*parts(blobDataSize)))
	blobs.Add(blobs, new(big.Int).Mul(p.BaseFee, big.NewInt(txGas*parts(blobDataSize*da.MaxBlobsPerTx))))
	return blobs.Cmp(calldata) <= 0
}
