package devnet

import (
	"context"

	"github.com/talaria-l2/talaria/rpc"
)

// observe feeds the metrics from what is published, until the returned function is
// called.
func (d *Devnet) observe() func(context.Context) error {
	const buffer = 4096
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil { // a reader that fell behind is cut off: begin anew
			reader := d.node.Subscribe(buffer)
			d.record(ctx, reader)
			reader.Close()
		}
	}()
	return func(context.Context) error {
		cancel()
		<-done
		return nil
	}
}

func (d *Devnet) record(ctx context.Context, reader *rpc.FeedReader) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-reader.Events():
			if !ok {
				return
			}
			if m := ev.MiniBlock; m != nil {
				d.metrics.MiniBlock.Set(float64(m.Header.Number))
				d.metrics.Transactions.Add(float64(m.Header.TxCount))
				d.metrics.Gas.Add(float64(m.Header.GasUsed))
			}
			if ev.Sealed != nil {
				d.metrics.Block.Set(float64(ev.Sealed.Number()))
				safe, _ := d.node.Finality()
				d.metrics.Safe.Set(float64(safe))
			}
		}
	}
}
