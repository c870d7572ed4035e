package state

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// BenchmarkWriterWithReaders measures what readers of the newest version cost the
// writer, which reads twice what it changes and applies mini-blocks of 100 changed
// accounts and as many slots. Busy readers of another state take as much of the
// processor and share nothing: the difference to them is the price of sharing.
func BenchmarkWriterWithReaders(b *testing.B) {
	const n, changed, reads = 200_000, 100, 50
	create := slotsDiff(1)(allLeaves(0, n), 1)
	newState := func() *DB {
		db := NewDB()
		db.Trim(db.Apply(create))
		return db
	}
	db, other := newState(), newState()
	for _, c := range []struct {
		name    string
		readers int
		read    *DB
	}{{"none", 0, nil}, {"4 of another state", 4, other}, {"4", 4, db}} {
		b.Run(c.name, func(b *testing.B) {
			var finished atomic.Bool
			var count atomic.Int64
			var readers sync.WaitGroup
			for i := range c.readers {
				readers.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), 1))
					for !finished.Load() {
						v := c.read.Latest()
						for range reads {
							leaf := r.IntN(n)
							v.Account(benchAddress(leaf))
							v.Storage(benchAddress(leaf), benchSlot(leaf))
						}
						v.Close()
						count.Add(2 * reads)
					}
				})
			}
			r := rand.New(rand.NewPCG(1, 2))
			head := db.Head()
			round := uint64(1)
			runtime.LockOSThread() // whose processor time is that of the writer
			defer runtime.UnlockOSThread()
			cpu := -usageNanos(syscall.RUSAGE_THREAD)
			for b.Loop() {
				round++
				d := slotsDiff(1)(someLeaves(r, n, changed), round)
				for i := range d {
					for range 2 {
						head.Account(d[i].Address)
						head.Storage(d[i].Address, d[i].Storage[0].Slot)
					}
				}
				db.Trim(db.Apply(d) - min(db.Version(), 10))
			}
			cpu += usageNanos(syscall.RUSAGE_THREAD)
			finished.Store(true)
			readers.Wait()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changed), "ns/change")
			b.ReportMetric(float64(cpu)/float64(b.N*changed), "writer-cpu-ns/change")
			b.ReportMetric(float64(count.Load())/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
