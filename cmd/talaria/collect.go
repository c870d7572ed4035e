package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The heap is collected when it has grown to three and a half times of what is alive. At
// full load a collection takes a tenth of the processors. By itself the runtime begins so
// late that whoever allocates has to help, for tens of milliseconds when load has just
// risen: it is told five times, and begun at seven tenths of that. GOGC in the environment
// decides otherwise.
const (
	gcPercent  = 400
	earlyShare = 0.7
	// earlyFrom is the goal in bytes below which the runtime is left alone.
	earlyFrom = 64 << 20
	// heapInterval is how often the heap is measured, in which it grows by some 10 MB at most.
	heapInterval = 20 * time.Millisecond
)

// collectEarly begins collections until stop is called.
func collectEarly() (stop func()) {
	debug.SetGCPercent(gcPercent)
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(heapInterval)
		defer ticker.Stop()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			metrics.Read(heap)
			if isEarly(heap[0].Value.Uint64(), heap[1].Value.Uint64(), heap[2].Value.Uint64()) {
				runtime.GC() // beside everybody else, and returns at its end
			}
		}
	})
	return func() {
		close(end)
		done.Wait()
	}
}

// isEarly reports whether a collection is to begin: not if it would find little, because
// GOMEMLIMIT holds the goal close to what was alive.
func isEarly(heap, goal, live uint64) bool {
	return goal >= earlyFrom && float64(heap) >= earlyShare*float64(goal) && heap >= 2*live
}
