package exits

import (
	"context"
	"sync"
	"time"

	"github.com/talaria-l2/talaria/rpc"
)

// maxTurn is how long questions to L1 wait for their turn before they are refused.
const maxTurn = 5 * time.Second

// turns spaces questions to L1, whose endpoint serves derivation as well. A second's worth
// may be asked at once.
type turns struct {
	perSecond int

	mu   sync.Mutex
	free time.Time // when all that was let in has had its time
}

// wait waits until n questions may be asked.
func (t *turns) wait(ctx context.Context, n int) error {
	t.mu.Lock()
	now := time.Now()
	if full := now.Add(-time.Second); t.free.Before(full) {
		t.free = full
	}
	delay := t.free.Add(time.Duration(n) * time.Second / time.Duration(t.perSecond)).Sub(now)
	if delay > maxTurn {
		t.mu.Unlock()
		return rpc.Errorf(rpc.CodeLimit, "L1 is asked at most %d questions a second about withdrawals, and those of %v wait, which is the limit: retry later",
			t.perSecond, maxTurn)
	}
	t.free = now.Add(delay)
	t.mu.Unlock()
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
