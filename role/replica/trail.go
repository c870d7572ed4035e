package replica

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

// Trail tells how far a replica trails whoever makes its chain. Times are between two
// clocks: what they differ by is part of them. It must be closed.
type Trail struct {
	node    *node.Node
	status  func() rpc.SyncStatus
	metrics *telemetry.Following
	newest  atomic.Int64 // when the newest mini-block was cut, in microseconds since 1970
	cancel  context.CancelFunc
	done    chan struct{}
}

// StartTrail watches what n publishes. status is the replica's.
func StartTrail(n *node.Node, status func() rpc.SyncStatus, m *telemetry.Metrics) *Trail {
	ctx, cancel := context.WithCancel(context.Background())
	t := &Trail{node: n, status: status, cancel: cancel, done: make(chan struct{})}
	t.metrics = m.Following(func() (time.Duration, uint64) {
		now := t.Now()
		return now.Age, now.Blocks
	})
	t.restart()
	go t.watch(ctx)
	return t
}

// Close stops watching, and waits for it.
func (t *Trail) Close() {
	t.cancel()
	<-t.done
}

// Now is how far the replica trails.
func (t *Trail) Now() rpc.Trailing {
	s := t.status()
	out := rpc.Trailing{Age: max(0, time.Since(time.UnixMicro(t.newest.Load())))}
	if s.Highest > s.Current { // the open block is not missing
		out.Blocks = s.Highest - s.Current - 1
	}
	return out
}

// restart forgets mini-blocks: the newest block tells the time.
func (t *Trail) restart() { t.newest.Store(int64(t.node.PublishedHead().Time) * 1e6) }

func (t *Trail) watch(ctx context.Context) {
	defer close(t.done)
	const buffer = 4096
	for ctx.Err() == nil { // a reader that fell behind is cut off: begin anew
		reader := t.node.Subscribe(buffer)
		t.read(ctx, reader)
		reader.Close()
	}
}

func (t *Trail) read(ctx context.Context, reader *rpc.FeedReader) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-reader.Events():
			switch {
			case !ok:
				return
			case ev.Rewound != nil:
				t.restart()
			case ev.MiniBlock != nil:
				cut := int64(ev.MiniBlock.Header.TimestampMicros)
				t.newest.Store(cut)
				t.metrics.Published(max(0, time.Since(time.UnixMicro(cut))))
			}
		}
	}
}
