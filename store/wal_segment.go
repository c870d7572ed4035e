package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	segmentSuffix = ".wal"
	tmpSuffix     = ".tmp"
	// fillBytes are zero-filled between two syncs, which those of the log wait for: few,
	// so that they stay short.
	fillBytes = 256 << 10
	// fillRests is how many times as long as it works the preparation rests, unless the
	// writer waits for it.
	fillRests   = 2
	maxFillRest = 20 * time.Millisecond
)

// segment is one file of the log. Only the active and the prepared one are open.
type segment struct {
	index    uint64
	path     string
	size     int64
	firstSeq uint64 // 0 without records
	end      int64  // behind the last record; of the active segment
	file     vfile
}

type segmentOrErr struct {
	seg *segment
	err error
}

var errStopped = errors.New("stopped")

func segmentName(index uint64) string { return fmt.Sprintf("%020d%s", index, segmentSuffix) }

func parseSegmentName(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	index, err := strconv.ParseUint(digits, 10, 64)
	return index, err == nil && index > 0
}

// prepareSegments makes the segments that the writer asks for, one ahead of it.
func (w *WAL) prepareSegments() {
	defer close(w.prepareDone)
	for index := range w.segmentWant {
		seg, err := w.createSegment(index, w.opts.SegmentBytes, true)
		w.segmentReady <- segmentOrErr{seg, err}
	}
}

// createSegment makes a segment that holds only its header: space reserved, zeros
// written and synced, so that a later fdatasync has no metadata to write. It gets
// its name last. With rests it lets the log have the disk in between.
func (w *WAL) createSegment(index uint64, size int64, rests bool) (*segment, error) {
	path := filepath.Join(w.dir, segmentName(index))
	f, err := w.fs.Create(path + tmpSuffix)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*segment, error) {
		f.Close()
		w.fs.Remove(path + tmpSuffix) // best effort: the next open removes it too
		return nil, fmt.Errorf("prepare segment %s: %w", path, err)
	}
	if err := f.Allocate(size); err != nil {
		return fail(err)
	}
	if err := w.zero(f, 0, size, rests); err != nil {
		return fail(err)
	}
	if _, err := f.WriteAt(segmentHeader{w.id, index, size}.encode(), 0); err != nil {
		return fail(err)
	}
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	if err := w.fs.Rename(path+tmpSuffix, path); err != nil {
		return fail(err)
	}
	if err := w.fs.SyncDir(w.dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("prepare segment %s: %w", path, err)
	}
	return &segment{index: index, path: path, size: size, end: segmentHeaderLen, file: f}, nil
}

// zero writes zeros over [from, to), syncing on the way, until Close stops it.
func (w *WAL) zero(f vfile, from, to int64, rests bool) error {
	zeros := make([]byte, min(fillBytes, to-from))
	for from < to {
		select {
		case <-w.stop:
			return errStopped
		default:
		}
		began := time.Now()
		n := min(int64(len(zeros)), to-from)
		if _, err := f.WriteAt(zeros[:n], from); err != nil {
			return err
		}
		if err := f.Datasync(); err != nil {
			return err
		}
		from += n
		if rests && !w.hurry.Load() {
			time.Sleep(min(fillRests*time.Since(began), maxFillRest))
		}
	}
	return nil
}

// roll makes the prepared segment the active one; the record with number seq, of n
// bytes, will be its first. A preparation that failed is tried once more, since
// Truncate may have freed space.
func (w *WAL) roll(n int, seq uint64) error {
	w.hurry.Store(true)
	next := <-w.segmentReady
	w.hurry.Store(false)
	size, need := w.opts.SegmentBytes, int64(segmentHeaderLen+n)
	if next.err == nil && need > next.seg.size {
		next.seg.file.Close() // holds nothing
		next.err = errors.New("too small for the record")
	}
	if next.err != nil {
		next.seg, next.err = w.createSegment(w.active.index+1, max(size, need), false)
	}
	if next.err != nil {
		return next.err
	}
	old := w.active
	w.active = next.seg
	w.active.firstSeq = seq
	if w.opts.NoSync { // a later segment must never be durable without this one
		if err := old.file.Datasync(); err != nil {
			return err
		}
		w.synced = seq - 1
	}
	if err := old.file.Close(); err != nil {
		return err
	}
	w.mu.Lock()
	w.segments = append(w.segments, w.active)
	w.mu.Unlock()
	w.segmentWant <- w.active.index + 1
	return nil
}

// Truncate deletes the segments in which every record has a number below
// beforeSeq. What is not yet acknowledged and the newest record always stay.
func (w *WAL) Truncate(beforeSeq uint64) error {
	for {
		path, ok := w.takeOldest(beforeSeq)
		if !ok {
			return nil
		}
		// One by one and synced, so that a crash never leaves a hole.
		if err := w.fs.Remove(path); err != nil {
			return fmt.Errorf("truncate write-ahead log: %w", err)
		}
		if err := w.fs.SyncDir(w.dir); err != nil {
			return fmt.Errorf("truncate write-ahead log: %w", err)
		}
	}
}

// takeOldest forgets the oldest segment if it may go. The first record of the
// segment behind it is durable then, which recovery relies on.
func (w *WAL) takeOldest(beforeSeq uint64) (path string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.segments) < 2 || w.closed || w.err != nil {
		return "", false
	}
	if w.opts.NoSync && len(w.segments) < 3 { // the active segment was never synced
		return "", false
	}
	next := w.segments[1].firstSeq
	if next > beforeSeq || next > w.durable {
		return "", false
	}
	path = w.segments[0].path
	w.segments = w.segments[1:]
	return path, true
}
