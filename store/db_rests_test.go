package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	pebblefs "github.com/cockroachdb/pebble/v2/vfs"
)

func TestFlushesRestUnlessWritesStall(t *testing.T) {
	for _, c := range []struct {
		name     string
		category pebblefs.DiskWriteCategory
		stalled  bool
		want     time.Duration // of 100 writes after 300 µs of work each
	}{
		{"a flush rests as long as it works", "pebble-memtable-flush", false, 60 * time.Millisecond},
		{"a compaction rests as long as it works", "pebble-compaction", false, 60 * time.Millisecond},
		{"not while writes stall", "pebble-memtable-flush", true, 30 * time.Millisecond},
		{"the log of the database does not", "pebble-wal", false, 30 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			fs, events := &restingFS{FS: pebblefs.NewMem()}, new(pebble.EventListener)
			fs.watch(events)
			if events.WriteStallBegin(pebble.WriteStallBeginInfo{}); !c.stalled {
				events.WriteStallEnd()
			}
			f, err := fs.Create("file", c.category)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for range 100 {
				time.Sleep(300 * time.Microsecond)
				if _, err := f.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(start); took < c.want-minRest || took > c.want {
				t.Errorf("%s: took %v, want %v", c.name, took, c.want)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
