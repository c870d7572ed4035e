package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// WALOptions configure a log. The zero value means the defaults in brackets.
type WALOptions struct {
	SegmentBytes int64 // size of a segment file, 64 KiB..1 GiB [16 MiB]; the first of a new log has at most 4 MiB
	QueueBytes   int   // records waiting for the writer, 64 KiB.. [32 MiB]; when full, Append waits
	NoSync       bool  // acknowledge after write, without fdatasync: survives a crash of the process only

	// OnDurable is called in order from the writer goroutine: every record up to
	// seq is durable (with NoSync: written). It must not call Append, Flush or Close.
	OnDurable func(seq uint64)
	// OnError is called once, from the writer goroutine, with the error that stopped
	// the log. No record is acknowledged afterwards. It must not call Close.
	OnError func(error)

	Log *slog.Logger // told of a tail that was cut [discarded]

	fs vfs // tests only
}

const (
	defaultSegmentBytes = 16 << 20
	minSegmentBytes     = 64 << 10
	maxSegmentBytes     = 1 << 30
	firstSegmentBytes   = 4 << 20
	defaultQueueBytes   = 32 << 20
	minQueueBytes       = 64 << 10
	keptBufferBytes     = 4 << 20 // a larger write buffer is given back
)

// ErrClosed is returned by calls on a closed log.
var ErrClosed = errors.New("write-ahead log: closed")

// WAL is a write-ahead log in a directory of preallocated, zero-filled segments.
//
// One goroutine appends. One writer goroutine takes all that was appended in the
// meantime, writes it, syncs once and reports through OnDurable, so that appending
// goes on while the disk works. Another prepares the next segment.
//
// After the first failed write or sync nothing is retried: what the kernel still
// holds is unknown then. The owner must stop and open the log again.
type WAL struct {
	fs       vfs
	dir      string
	opts     WALOptions
	id       logID
	recovery Recovery

	mu       sync.Mutex
	work     *sync.Cond // pending, closed changed: wakes the writer
	progress *sync.Cond // pending taken, durable, err changed: wakes Append and Flush
	pending  []byte     // records without synced and crc
	next     uint64     // sequence number of the next record
	durable  uint64     // acknowledged
	err      error      // sticky
	closed   bool
	segments []*segment // ascending; the last is the active one

	// Owned by the writer goroutine.
	active *segment
	synced uint64 // highest number known to be on disk

	segmentWant  chan uint64       // index of the next segment to prepare
	segmentReady chan segmentOrErr // the answer
	hurry        atomic.Bool       // the writer waits for it
	stop         chan struct{}     // closed: give up preparing
	writerDone   chan struct{}
	prepareDone  chan struct{}
	closeOnce    sync.Once
	closeErr     error
}

func (o *WALOptions) setDefaults() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = defaultQueueBytes
	}
	if o.fs == nil {
		o.fs = osFS{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SegmentBytes < minSegmentBytes || o.SegmentBytes > maxSegmentBytes || o.SegmentBytes%wordLen != 0 {
		return fmt.Errorf("write-ahead log: segment size %d: must be %d..%d and a multiple of %d",
			o.SegmentBytes, minSegmentBytes, maxSegmentBytes, wordLen)
	}
	if o.QueueBytes < minQueueBytes {
		return fmt.Errorf("write-ahead log: queue of %d bytes: must be at least %d", o.QueueBytes, minQueueBytes)
	}
	return nil
}

// OpenWAL opens the log in dir, which it creates, checks all of it, repairs a torn
// tail, makes what is left durable, and then calls replay for every record in
// order. The payload is valid only during the call. An error of replay ends OpenWAL
// with that error.
//
// A log in which a damaged or missing record had been durable is refused with a
// CorruptError before any call of replay, and nothing is changed.
func OpenWAL(dir string, opts WALOptions, replay func(seq uint64, kind byte, payload []byte) error) (*WAL, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	w := &WAL{
		fs: opts.fs, dir: dir, opts: opts,
		segmentWant:  make(chan uint64, 1),
		segmentReady: make(chan segmentOrErr, 1),
		stop:         make(chan struct{}),
		writerDone:   make(chan struct{}),
		prepareDone:  make(chan struct{}),
	}
	w.work, w.progress = sync.NewCond(&w.mu), sync.NewCond(&w.mu)
	spare, err := w.recover(replay)
	if err != nil {
		return nil, err
	}
	if spare != nil {
		w.segmentReady <- segmentOrErr{seg: spare}
	} else {
		w.segmentWant <- w.active.index + 1
	}
	if r := w.recovery; r.CutFile != "" {
		opts.Log.Warn("write-ahead log: cut a torn tail back to the last whole record",
			"file", r.CutFile, "offset", r.CutOffset, "bytes", r.CutBytes, "records", r.CutRecords, "lastSeq", r.LastSeq)
	}
	go w.prepareSegments()
	go w.write()
	return w, nil
}

// Recovery says what OpenWAL found.
func (w *WAL) Recovery() Recovery { return w.recovery }

// Append queues a record and returns its sequence number: one more than that of
// the record before, from 1. It copies payload. It waits only while QueueBytes are
// queued. After an error of the log it returns that error. Only one goroutine may
// append.
func (w *WAL) Append(kind byte, payload []byte) (uint64, error) {
	if len(payload) > MaxPayload {
		return 0, fmt.Errorf("write-ahead log: record of %d bytes, limit %d", len(payload), MaxPayload)
	}
	need := recordLen(len(payload))
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && !w.closed && len(w.pending) > 0 && len(w.pending)+need > w.opts.QueueBytes {
		w.progress.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.closed {
		return 0, ErrClosed
	}
	seq := w.next
	w.next++
	w.pending = appendRecord(w.pending, kind, seq, payload)
	w.work.Signal()
	return seq, nil
}

// Flush waits until everything appended before it is acknowledged; OnDurable has
// returned by then. It returns the log's error, if any.
func (w *WAL) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for last := w.next - 1; w.durable < last && w.err == nil; {
		w.progress.Wait()
	}
	return w.err
}

// Err is the error that stopped the log, or nil.
func (w *WAL) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Durable is the highest acknowledged sequence number, 0 if there is none. What
// OpenWAL replayed counts.
func (w *WAL) Durable() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.durable
}

// Close writes and syncs what is queued, also with NoSync, stops the goroutines and
// returns the log's error, if any. More calls return the same.
func (w *WAL) Close() error {
	w.closeOnce.Do(func() { w.closeErr = w.close() })
	return w.closeErr
}

func (w *WAL) close() error {
	w.mu.Lock()
	w.closed = true
	w.work.Broadcast()
	w.progress.Broadcast()
	w.mu.Unlock()
	<-w.writerDone
	close(w.stop)
	close(w.segmentWant)
	<-w.prepareDone
	select {
	case r := <-w.segmentReady:
		if r.err == nil {
			r.seg.file.Close() // nothing was written since its sync
		}
	default:
	}
	err := w.Err()
	if err == nil && w.opts.NoSync {
		err = w.active.file.Datasync()
	}
	if closeErr := w.active.file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// write is the writer goroutine.
func (w *WAL) write() {
	defer close(w.writerDone)
	var buf []byte
	for {
		w.mu.Lock()
		for len(w.pending) == 0 && !w.closed {
			w.work.Wait()
		}
		if len(w.pending) == 0 {
			w.mu.Unlock()
			return
		}
		if cap(buf) > keptBufferBytes {
			buf = nil
		}
		buf, w.pending = w.pending, buf[:0]
		last := w.next - 1
		w.progress.Broadcast()
		w.mu.Unlock()

		err := w.writeRecords(buf, last)
		if err == nil && w.opts.OnDurable != nil {
			w.opts.OnDurable(last)
		}
		w.mu.Lock()
		if err != nil {
			w.err = fmt.Errorf("write-ahead log: %w", err)
			err = w.err
		} else {
			w.durable = last
		}
		w.progress.Broadcast()
		w.mu.Unlock()
		if err != nil {
			if w.opts.OnError != nil {
				w.opts.OnError(err)
			}
			return
		}
	}
}

// writeRecords writes and syncs the records in buf, the last of which has the
// number last; it starts new segments on the way.
func (w *WAL) writeRecords(buf []byte, last uint64) error {
	first := last + 1 // number of the record at start
	for b := buf; len(b) > 0; b = b[paddedLen(b):] {
		first--
	}
	start, pos := 0, 0
	for seq := first; pos < len(buf); seq++ {
		n := paddedLen(buf[pos:])
		if int64(pos-start+n) > w.active.size-w.active.end {
			if err := w.writeRun(buf[start:pos]); err != nil {
				return err
			}
			if err := w.syncActive(seq - 1); err != nil {
				return err
			}
			if err := w.roll(n, seq); err != nil {
				return err
			}
			start = pos
		}
		pos += n
	}
	if err := w.writeRun(buf[start:]); err != nil {
		return err
	}
	return w.syncActive(last)
}

// writeRun writes whole records to the active segment, where they fit.
func (w *WAL) writeRun(run []byte) error {
	if len(run) == 0 {
		return nil
	}
	for b := run; len(b) > 0; {
		n := paddedLen(b)
		seal(b[:n], w.id, w.synced)
		b = b[n:]
	}
	if _, err := w.active.file.WriteAt(run, w.active.end); err != nil {
		return err
	}
	w.active.end += int64(len(run))
	return nil
}

func (w *WAL) syncActive(last uint64) error {
	if w.opts.NoSync {
		return nil
	}
	if err := w.active.file.Datasync(); err != nil {
		return err
	}
	w.synced = last
	return nil
}
