package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// rawLane sends a lane's items over raw ingest. Acknowledgements come at any time, by
// another goroutine: mu guards the lane.
type rawLane struct {
	*lane
	mu      sync.Mutex
	changed *sync.Cond
	byHash  map[common.Hash]uint32
	quiet   int // refusals since the last acknowledgement
}

func newRawLane(l *lane, byHash map[common.Hash]uint32) *rawLane {
	r := &rawLane{lane: l, byHash: byHash}
	r.changed = sync.NewCond(&r.mu)
	return r
}

// acks books what the server says.
func (r *rawLane) acks(list []ingest.Ack) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		a := &list[i]
		index, ours := r.byHash[a.Hash]
		if !ours || r.owner[int(index)] == nil {
			r.d.tally.mismatch(fmt.Sprintf("acknowledgement of %s, which was not on its way", a.Hash))
			continue
		}
		switch {
		case a.Status.Included():
			r.accept(int(index), now)
			r.quiet = 0
		case a.Status == ingest.Overloaded || a.Status == ingest.NotReady || a.Status == ingest.NonceGap:
			r.again(int(index), a.Status.String())
			r.quiet++
		case a.Status == ingest.Known:
			r.refuse(int(index), a.Status.String(), unclear)
		default:
			r.refuse(int(index), a.Status.String(), refused)
		}
	}
	r.changed.Broadcast()
}

// run sends until everything is answered or the time is up. In the closed loop Batch
// transactions are on the way; in the open loop Batch transactions leave together.
func (r *rawLane) run(ctx context.Context, dial func(func([]ingest.Ack)) (*ingest.Client, error)) {
	defer r.finish()
	client, err := dial(r.acks)
	if err != nil {
		r.d.tally.fail(err.Error(), 0)
		return
	}
	defer func() { _ = client.Close() }()
	stop := context.AfterFunc(ctx, r.changed.Broadcast)
	defer stop()
	d := r.d
	gap := time.Duration(0)
	if d.cfg.Mode == Open {
		gap = time.Duration(float64(time.Second) * float64(d.cfg.Batch) / d.cfg.Rate)
	}
	var picked []int
	var txs []ingest.Tx
	for k := 0; ctx.Err() == nil; k++ {
		n, due := d.cfg.Batch, time.Since(d.start)
		if gap > 0 {
			due = gap * time.Duration(k*d.cfg.Conns+r.index)
			sleepUntil(ctx, d.start.Add(due))
		} else {
			if n = r.room(ctx, max(1, d.cfg.Batch/4)); n == 0 {
				break
			}
			due = time.Since(d.start)
		}
		if d.cfg.Duration > 0 && due >= d.cfg.Duration {
			break
		}
		r.mu.Lock()
		picked, txs = r.take(n, picked[:0], due), txs[:0]
		for _, i := range picked {
			txs = append(txs, ingest.Tx{Raw: d.items[i].raw, Hash: d.items[i].hash, Sender: r.owner[i].addr})
		}
		waiting, quiet := len(r.owner), r.quiet
		r.mu.Unlock()
		if len(picked) == 0 {
			if waiting == 0 {
				break // all that can be is answered
			}
			if !r.answers(ctx, waiting) {
				break
			}
			continue
		}
		if quiet > 0 && gap == 0 {
			sleepUntil(ctx, time.Now().Add(time.Millisecond))
		}
		if quiet > maxQuiet*d.cfg.Batch {
			d.tally.fail("given up: the node refuses everything", 0)
			break
		}
		if err := client.Send(ctx, txs...); err != nil {
			r.lost(err)
			return
		}
	}
	r.flush(ctx, client)
}

// room waits until at least n of the window are free and returns how many.
func (r *rawLane) room(ctx context.Context, n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait(ctx, func() bool { return len(r.owner) <= r.d.cfg.Batch-n || r.over() })
	return r.d.cfg.Batch - len(r.owner)
}

// wait returns when the condition holds, ctx ends, or nothing was answered for the
// timeout of a transaction; only the first is true. mu is held.
func (r *rawLane) wait(ctx context.Context, ok func() bool) bool {
	timer := time.AfterFunc(r.d.timeout, r.changed.Broadcast)
	defer timer.Stop()
	for end := time.Now().Add(r.d.timeout); !ok(); r.changed.Wait() {
		if ctx.Err() != nil || time.Now().After(end) {
			return false
		}
	}
	return true
}

// over says whether the lane's time is up.
func (r *rawLane) over() bool {
	return r.d.cfg.Duration > 0 && time.Since(r.d.start) > r.d.cfg.Duration
}

// answers waits until fewer than n are on the way.
func (r *rawLane) answers(ctx context.Context, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wait(ctx, func() bool { return len(r.owner) < n })
}

// flush waits for what is on the way.
func (r *rawLane) flush(ctx context.Context, client *ingest.Client) {
	ctx, cancel := context.WithTimeout(ctx, r.d.timeout)
	defer cancel()
	err := client.Flush(ctx)
	if err == nil {
		// The last acknowledgements may still be on their way to acks.
		stop := context.AfterFunc(ctx, r.changed.Broadcast)
		r.answers(ctx, 1)
		stop()
	}
	r.lost(err)
}

// lost books what was never answered.
func (r *rawLane) lost(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		err = errors.New("no acknowledgement in time")
	}
	for i := range r.owner {
		r.refuse(i, err.Error(), unclear)
	}
}
