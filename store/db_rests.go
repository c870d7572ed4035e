package store

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	pebblefs "github.com/cockroachdb/pebble/v2/vfs"
)

// restingFS lets Pebble's flushes and compactions rest as long as they work, so that they
// leave a processor to others on the way. When writes stall because of them they do not.
type restingFS struct {
	pebblefs.FS
	stalled atomic.Bool
}

// minRest is the shortest rest, as the scheduler keeps time, and maxRest the longest.
const minRest, maxRest = time.Millisecond, 5 * time.Millisecond

// Create implements pebblefs.FS.
func (fs *restingFS) Create(name string, category pebblefs.DiskWriteCategory) (pebblefs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err != nil || category != "pebble-memtable-flush" && category != "pebble-compaction" {
		return f, err
	}
	return &restingFile{File: f, fs: fs, since: time.Now()}, nil
}

// watch keeps the file system informed of stalls.
func (fs *restingFS) watch(l *pebble.EventListener) {
	l.WriteStallBegin = func(pebble.WriteStallBeginInfo) { fs.stalled.Store(true) }
	l.WriteStallEnd = func() { fs.stalled.Store(false) }
}

// restingFile is written by one goroutine.
type restingFile struct {
	pebblefs.File
	fs    *restingFS
	since time.Time // when work went on
	owed  time.Duration
}

// Write implements io.Writer.
func (f *restingFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	now := time.Now()
	f.owed = min(f.owed+now.Sub(f.since), maxRest)
	if f.owed >= minRest && !f.fs.stalled.Load() {
		time.Sleep(f.owed)
		f.owed = 0
	}
	f.since = time.Now()
	return n, err
}
