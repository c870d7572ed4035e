package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// ErrCorrupt is what errors.Is finds in a CorruptError.
var ErrCorrupt = errors.New("write-ahead log is corrupt")

// CorruptError refuses a log in which something that had been durable is damaged
// or missing, so that cutting it back would lose acknowledged records.
type CorruptError struct {
	File   string // segment
	Offset int64  // bytes from the start of File
	Seq    uint64 // the record that should stand there; 0: not known
	Reason string
}

// Error is one line with a hint.
func (e *CorruptError) Error() string {
	record := ""
	if e.Seq != 0 {
		record = fmt.Sprintf(", record %d", e.Seq)
	}
	return fmt.Sprintf("%v: %s, offset %d%s: %s (hint: restore the data directory from a backup, or derive the chain again from L1 into a new one)",
		ErrCorrupt, e.File, e.Offset, record, e.Reason)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Recovery is what OpenWAL found and did.
type Recovery struct {
	FirstSeq   uint64 // number of the oldest record, 0 without records; the owner knows what it truncated
	LastSeq    uint64 // number of the newest record, 0 without records
	Records    int
	Segments   int
	CutFile    string // segment with a torn tail, empty if there was none
	CutOffset  int64  // where it was cut
	CutBytes   int64  // bytes wiped, up to the last one that was not zero
	CutRecords int    // whole records among them: written but never acknowledged
}

// scan is the state of the check of a log, segment by segment.
type scan struct {
	w      *WAL
	segs   []*segment
	broken []bool // header not readable
	next   uint64 // number expected next; 0: not known
	last   int    // segment in which the last whole record stands
	linked bool   // a following segment may continue the log
	tail   tail   // what stands behind the last whole record
	buf    []byte
}

// recover checks and repairs the log and replays it. It returns a prepared segment
// if there is one.
func (w *WAL) recover(replay func(seq uint64, kind byte, payload []byte) error) (spare *segment, err error) {
	if err := w.fs.MkdirAll(w.dir); err != nil {
		return nil, fmt.Errorf("write-ahead log: %w", err)
	}
	s := &scan{w: w}
	if err := s.list(); err != nil {
		return nil, err
	}
	if len(s.segs) == 0 {
		return nil, w.create()
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		for _, seg := range s.segs {
			if seg.file != nil {
				seg.file.Close()
			}
		}
	}()
	if spare, err = s.repair(); err != nil {
		return nil, fmt.Errorf("write-ahead log: repair: %w", err)
	}
	w.segments = s.segs[:s.last+1]
	w.active = w.segments[s.last]
	w.next = s.next
	w.durable, w.synced = s.next-1, s.next-1
	w.recovery.Segments = len(w.segments)
	w.recovery.LastSeq = s.next - 1
	w.recovery.FirstSeq = w.segments[0].firstSeq
	return spare, s.replay(replay)
}

// create starts a new log with a small segment, which is ready soon.
func (w *WAL) create() error {
	var id [8]byte
	rand.Read(id[:]) // never fails
	w.id = logID(binary.LittleEndian.Uint64(id[:]))
	seg, err := w.createSegment(1, min(w.opts.SegmentBytes, firstSegmentBytes), false)
	if err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	w.active, w.segments, w.next = seg, []*segment{seg}, 1
	w.recovery.Segments = 1
	return nil
}

// list finds the segments and removes unfinished ones.
func (s *scan) list() error {
	names, err := s.w.fs.List(s.w.dir)
	if err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(s.w.dir, name)
		if base, ok := strings.CutSuffix(name, tmpSuffix); ok {
			if _, ok := parseSegmentName(base); ok {
				if err := s.w.fs.Remove(path); err != nil {
					return fmt.Errorf("write-ahead log: %w", err)
				}
			}
			continue
		}
		if index, ok := parseSegmentName(name); ok {
			s.segs = append(s.segs, &segment{index: index, path: path})
		}
	}
	slices.SortFunc(s.segs, func(a, b *segment) int {
		if a.index < b.index {
			return -1
		}
		return 1
	})
	return nil
}

// check reads everything and decides: whole, torn tail, or CorruptError.
func (s *scan) check() error {
	if err := s.readHeaders(); err != nil {
		return err
	}
	if s.segs[0].index == 1 {
		s.next = 1
	}
	for i, seg := range s.segs {
		if i > 0 && seg.index != s.segs[i-1].index+1 {
			return &CorruptError{filepath.Join(s.w.dir, segmentName(s.segs[i-1].index+1)), 0, s.next, "the segment is missing"}
		}
		if err := s.checkSegment(i); err != nil {
			return err
		}
	}
	at := s.segs[s.last]
	if s.tail.proof >= s.next {
		return &CorruptError{at.path, at.end, s.next, "the record is damaged, and a later one proves that it had been durable"}
	}
	return nil
}

// readHeaders sets sizes and the log's id, which the first segment must give.
func (s *scan) readHeaders() error {
	s.broken = make([]bool, len(s.segs))
	for i, seg := range s.segs {
		b, err := s.read(seg, segmentHeaderLen)
		if err != nil {
			return err
		}
		h, ok := decodeSegmentHeader(b)
		if i == 0 {
			if !ok || h.index != seg.index {
				return &CorruptError{seg.path, 0, 0, "the segment's header is damaged"}
			}
			s.w.id = h.id
		}
		s.broken[i] = !ok || h.index != seg.index || h.id != s.w.id
		seg.size = h.size
	}
	return nil
}

func (s *scan) checkSegment(i int) error {
	seg := s.segs[i]
	if s.broken[i] {
		// The header was durable before the segment had its name: this is no torn write.
		data, err := s.read(seg, maxSegmentSize)
		if err != nil {
			return err
		}
		if t := scanTail(data, s.w.id); t.records > 0 {
			return &CorruptError{seg.path, 0, s.next, "the segment's header is damaged"}
		}
		s.linked = false
		s.tail.bytes += int64(len(data))
		return nil
	}
	data, err := s.read(seg, seg.size)
	if err != nil {
		return err
	}
	if i > 0 && !s.linked {
		s.addTail(scanTail(data[min(segmentHeaderLen, len(data)):], s.w.id))
		return nil
	}
	var first record
	end, next, err := walkRecords(data, s.w.id, s.next, func(r record) error {
		if first.seq == 0 {
			first = r
		}
		s.w.recovery.Records++
		return nil
	})
	if err != nil {
		return err
	}
	rest := scanTail(data[end:], s.w.id)
	if first.seq == 0 && i == 0 && seg.index > 1 {
		// Truncate leaves no segment at the front whose first record is not durable.
		return &CorruptError{seg.path, segmentHeaderLen, 0, "the first record is damaged, and it had been durable"}
	}
	seg.firstSeq, seg.end = first.seq, int64(end)
	if first.seq == 0 && i > 0 {
		s.linked = false
		s.addTail(rest)
		return nil
	}
	s.next, s.last, s.linked, s.tail = next, i, true, rest
	return nil
}

func (s *scan) addTail(t tail) {
	s.tail.bytes += t.bytes
	s.tail.records += t.records
	s.tail.proof = max(s.tail.proof, t.proof)
}

// read returns the first limit bytes of a segment's file, or all if it has fewer;
// they are valid until the next call.
func (s *scan) read(seg *segment, limit int64) ([]byte, error) {
	f, err := s.w.fs.Open(seg.path)
	if err != nil {
		return nil, fmt.Errorf("write-ahead log: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("write-ahead log: %w", err)
	}
	n := int(min(size, limit))
	if cap(s.buf) < n {
		s.buf = make([]byte, n)
	}
	b := s.buf[:n]
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("write-ahead log: read %s: %w", seg.path, err)
	}
	return b, nil
}

// repair removes what stands behind the last whole record, makes the rest durable,
// and opens the active segment.
func (s *scan) repair() (spare *segment, err error) {
	w, at := s.w, s.segs[s.last]
	for i, seg := range s.segs { // recovered records may be in memory only
		if seg.file, err = w.fs.Open(seg.path); err != nil {
			return nil, err
		}
		if s.broken[i] {
			continue
		}
		if err := seg.file.Datasync(); err != nil {
			return nil, err
		}
		if i < s.last {
			if err := seg.file.Close(); err != nil {
				return nil, err
			}
			seg.file = nil
		}
	}
	size, err := at.file.Size()
	if err != nil {
		return nil, err
	}
	if size > at.size {
		s.tail.bytes += size - at.size
	}
	if s.tail.bytes > 0 {
		w.recovery.CutFile, w.recovery.CutOffset = at.path, at.end
		w.recovery.CutBytes, w.recovery.CutRecords = s.tail.bytes, s.tail.records
	}
	for i := len(s.segs) - 1; i > s.last; i-- {
		seg := s.segs[i]
		if i == s.last+1 && s.tail.bytes == 0 {
			if whole, err := seg.file.Size(); err == nil && whole == seg.size {
				seg.end = segmentHeaderLen
				spare = seg
				continue
			}
		}
		seg.file.Close()
		seg.file = nil
		if err := w.fs.Remove(seg.path); err != nil {
			return nil, err
		}
		if err := w.fs.SyncDir(w.dir); err != nil {
			return nil, err
		}
	}
	if size == at.size && s.tail.bytes == 0 {
		return spare, nil
	}
	if size > at.size {
		if err := at.file.Truncate(at.size); err != nil {
			return nil, err
		}
	}
	if err := w.zero(at.file, at.end, at.size, false); err != nil {
		return nil, err
	}
	return spare, at.file.Sync()
}

// replay passes every record to the owner.
func (s *scan) replay(replay func(seq uint64, kind byte, payload []byte) error) error {
	if replay == nil {
		return nil
	}
	for _, seg := range s.w.segments {
		data, err := s.read(seg, seg.size)
		if err != nil {
			return err
		}
		_, _, err = walkRecords(data, s.w.id, seg.firstSeq, func(r record) error {
			if err := replay(r.seq, r.kind, r.payload); err != nil {
				return fmt.Errorf("replay record %d: %w", r.seq, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
