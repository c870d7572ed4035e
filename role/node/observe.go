package node

import (
	"context"

	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

// Observe feeds metrics from what is published, until stop is called.
func (n *Node) Observe(m *telemetry.Metrics) (stop func()) {
	const buffer = 4096
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil { // a reader that fell behind is cut off: begin anew
			reader := n.Subscribe(buffer)
			n.observe(ctx, reader, m)
			reader.Close()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (n *Node) observe(ctx context.Context, reader *rpc.FeedReader, metrics *telemetry.Metrics) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-reader.Events():
			if !ok {
				return
			}
			if m := ev.MiniBlock; m != nil {
				metrics.MiniBlock.Set(float64(m.Header.Number))
				metrics.Transactions.Add(float64(m.Header.TxCount))
				metrics.Gas.Add(float64(m.Header.GasUsed))
			}
			if ev.Sealed != nil {
				metrics.Block.Set(float64(ev.Sealed.Number()))
				safe, _ := n.Finality()
				metrics.Safe.Set(float64(safe))
			}
		}
	}
}
