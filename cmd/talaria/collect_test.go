package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestACollectionBeginsBeforeItsGoal(t *testing.T) {
	for _, c := range []struct {
		heap, goal, live uint64
		want             bool
	}{
		{heap: 30 << 20, goal: 32 << 20, live: 6 << 20, want: false}, // small: the runtime's own business
		{heap: 69 << 20, goal: 100 << 20, live: 20 << 20, want: false},
		{heap: 71 << 20, goal: 100 << 20, live: 20 << 20, want: true},
		{heap: 120 << 20, goal: 100 << 20, live: 20 << 20, want: true},
		{heap: 90 << 20, goal: 100 << 20, live: 80 << 20, want: false}, // a memory limit
	} {
		if got := isEarly(c.heap, c.goal, c.live); got != c.want {
			t.Errorf("heap of %d with goal %d and %d alive: %t", c.heap, c.goal, c.live, got)
		}
	}
}

// TestCollectEarlyCollects: garbage that stays below the goal is collected all the same.
func TestCollectEarlyCollects(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set")
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	keep := make([]byte, 32<<20)
	stop := collectEarly()
	defer stop()
	runtime.GC() // the goal is five times of keep
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	garbage := make([]byte, 3*len(keep)) // four times
	clear(garbage)
	for end := time.Now().Add(10 * time.Second); is.NumForcedGC <= was.NumForcedGC; runtime.ReadMemStats(&is) {
		if time.Now().After(end) {
			t.Fatal("no collection was begun")
		}
		runtime.Gosched()
	}
	runtime.KeepAlive(keep)
	runtime.KeepAlive(garbage)
}
