package batcher

import (
	"context"
	"time"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/da"
)

// delegate gives the data to the layer and makes transactions of its commitments.
func (b *Batcher) delegate(ctx context.Context, channel *batch.Channel) ([]Tx, error) {
	frames, err := channel.Frames(min(b.opts.Layer.Limit()-batch.FrameOverhead, batch.MaxFrameData))
	if err != nil {
		return nil, err
	}
	var txs []Tx
	var data []byte
	flush := func() error {
		c, err := b.opts.Layer.Put(ctx, data)
		if err != nil {
			return err
		}
		data = nil
		tx := Tx{To: b.opts.Inbox, Data: c.Bytes()}
		if certificate, ok := c.(*da.Certificate); ok {
			tx = Tx{To: b.opts.Certifier, Data: da.CertifyCall(certificate)}
		}
		txs = append(txs, tx)
		return nil
	}
	for i := range frames {
		more, err := batch.EncodeCalldata(frames[i : i+1])
		if err != nil {
			return nil, err
		}
		more = more[1:] // without the byte that says calldata
		if len(data)+len(more) > min(b.opts.Layer.Limit(), maxDelegated) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		data = append(data, more...)
	}
	return txs, flush()
}

// maxDelegated bounds the data behind one commitment in bytes.
const maxDelegated = 4 << 20

// layerFails notes that the layer did not take a batch, or that L1 did not take what it
// gave, and reports whether to try the same again. If not, the batch goes to L1 itself.
func (b *Batcher) layerFails(err error) (again bool) {
	now := time.Now()
	if b.layer.IsZero() {
		b.layer = now
	}
	if da.Transient(err) && now.Sub(b.layer) < b.opts.FallBack {
		return true
	}
	b.layerAgain = now.Add(b.opts.LayerRetry)
	b.mu.Lock()
	first := b.status.LayerFailing == nil
	b.status.LayerFailing = err
	b.mu.Unlock()
	if first {
		b.opts.Log.Warn("the data layer fails: batches go to L1 themselves until it takes them again", "since", b.layer.Format(time.RFC3339), "err", err)
	}
	return false
}

// layerWorks notes that L1 holds what the layer gave.
func (b *Batcher) layerWorks() {
	b.mu.Lock()
	failed := b.status.LayerFailing != nil
	b.status.LayerFailing = nil
	b.status.Delegated++
	b.mu.Unlock()
	if failed {
		b.opts.Log.Info("the data layer takes batches again", "after", time.Since(b.layer).Round(time.Second))
	}
	b.layer, b.layerAgain = time.Time{}, time.Time{}
}
