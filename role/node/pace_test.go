package node

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheWriterRestsUnlessSomethingWaits(t *testing.T) {
	for _, c := range []struct {
		name     string
		hurry    bool
		work     time.Duration
		from, to time.Duration // of 100 parts
	}{
		{"three times as long as it works", false, 200 * time.Microsecond, 78 * time.Millisecond, 80 * time.Millisecond},
		{"no longer than allowed at once", false, 20 * time.Millisecond, 2500 * time.Millisecond, 2500 * time.Millisecond},
		{"not at all in a hurry", true, 200 * time.Microsecond, 20 * time.Millisecond, 20 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, start := newPace(func() bool { return c.hurry }), time.Now()
			for range 100 {
				time.Sleep(c.work)
				p.rest()
			}
			if took := time.Since(start); took < c.from || took > c.to {
				t.Errorf("%s: took %v, want %v to %v", c.name, took, c.from, c.to)
			}
		})
	}
}
