package rpc

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestALimitWithinALimitKeepsTheEarlierDeadlineAndTheCancellation(t *testing.T) {
	base, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		name         string
		outer, inner time.Duration
		want         int // of the two
	}{
		{"the outer ends first", time.Hour, 2 * time.Hour, 0},
		{"the inner ends first", 2 * time.Hour, time.Hour, 1},
	} {
		outer := within(base, c.outer)
		inner := within(outer, c.inner)
		until, _ := inner.Deadline()
		if first := until.Equal(outer.until); first != (c.want == 0) {
			t.Errorf("%s: deadline is the outer's: %v", c.name, first)
		}
		outer.end()
		inner.end()
	}
	outer := within(base, -time.Second)
	defer outer.end()
	inner := within(outer, time.Hour)
	defer inner.end()
	if err := inner.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the outer deadline: %v", err)
	}
	live := within(within(base, time.Hour), time.Hour)
	defer live.end()
	done := live.Done()
	cancel()
	<-done
	if err := live.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the request was cancelled: %v", err)
	}
}
