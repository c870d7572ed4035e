package committee

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/da"
)

// ErrFull is wrapped when a shelf has no room left.
var ErrFull = errors.New("the shelf is full")

// Shelf keeps an operator's chunks, one file for each statement: the statement, the
// chunk and a SHA-256 checksum of both. What Put has accepted is on disk. Safe for
// concurrent use; one process at a time.
type Shelf struct {
	dir      string
	maxBytes int64

	mu   sync.Mutex
	used int64
}

const (
	shelfSuffix   = ".chunk"
	checksumBytes = sha256.Size
)

// OpenShelf opens or makes a shelf in a directory; maxBytes 0 means no limit.
func OpenShelf(dir string, maxBytes int64) (*Shelf, error) {
	s := &Shelf{dir: dir, maxBytes: maxBytes}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open shelf: %w", err)
	}
	err := s.each(func(path string, size int64) error {
		if strings.HasSuffix(path, shelfSuffix) {
			s.used += size
			return nil
		}
		return os.Remove(path) // what a crash left half written
	})
	if err != nil {
		return nil, fmt.Errorf("open shelf: %w", err)
	}
	return s, nil
}

// each calls f for every file.
func (s *Shelf) each(f func(path string, size int64) error) error {
	return filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // swept meanwhile
		}
		if err != nil {
			return err
		}
		return f(path, info.Size())
	})
}

func (s *Shelf) path(digest common.Hash) string {
	name := digest.Hex()[2:]
	return filepath.Join(s.dir, name[:2], name+shelfSuffix)
}

// Put keeps a statement and its chunk durably, in place of what was there.
func (s *Shelf) Put(digest common.Hash, statement *da.Statement, chunk *Chunk) error {
	raw := chunk.appendTo(statement.Bytes())
	sum := sha256.Sum256(raw)
	raw = append(raw, sum[:]...)
	if err := s.reserve(int64(len(raw))); err != nil {
		return fmt.Errorf("keep %v: %w", digest, err)
	}
	path := s.path(digest)
	var before int64
	if info, err := os.Stat(path); err == nil {
		before = info.Size()
	}
	if err := da.WriteFile(path, raw); err != nil {
		s.release(int64(len(raw)))
		return fmt.Errorf("keep %v: %w", digest, err)
	}
	s.release(before)
	return nil
}

func (s *Shelf) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.maxBytes > 0 && s.used+n > s.maxBytes {
		return fmt.Errorf("%w: %d of %d bytes are used", ErrFull, s.used, s.maxBytes)
	}
	s.used += n
	return nil
}

func (s *Shelf) release(n int64) {
	s.mu.Lock()
	s.used -= n
	s.mu.Unlock()
}

// Used is how many bytes are kept.
func (s *Shelf) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Get returns what is kept of a statement. da.ErrNotFound when there is nothing, or
// nothing whole.
func (s *Shelf) Get(digest common.Hash) (*da.Statement, *Chunk, error) {
	raw, err := os.ReadFile(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read %v: %w", digest, da.ErrNotFound)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %v: %w", digest, err)
	}
	broken := fmt.Errorf("read %v: %w: the file is damaged", digest, da.ErrNotFound)
	if len(raw) < checksumBytes {
		return nil, nil, broken
	}
	body := raw[:len(raw)-checksumBytes]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], raw[len(body):]) {
		return nil, nil, broken
	}
	statement, rest, err := da.ParseStatement(body)
	if err != nil {
		return nil, nil, errors.Join(broken, err)
	}
	chunk, err := parseChunk(rest, len(statement.Commitments))
	if err != nil {
		return nil, nil, errors.Join(broken, err)
	}
	return statement, chunk, nil
}

// Cell returns one cell with its proof behind it, unchecked: a reader checks the proof.
func (s *Shelf) Cell(digest common.Hash, blob, cell int) ([]byte, error) {
	f, err := os.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %v: %w", digest, da.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read %v: %w", digest, err)
	}
	defer f.Close()
	missing := fmt.Errorf("read cell %d of blob %d of %v: %w", cell, blob, digest, da.ErrNotFound)
	head := make([]byte, len((&da.Statement{}).Bytes()))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, errors.Join(missing, err)
	}
	blobs := int(head[len(head)-2])<<8 | int(head[len(head)-1])
	start := int64(len(head) + blobs*48)
	span := make([]byte, 4)
	if _, err := f.ReadAt(span, start); err != nil {
		return nil, errors.Join(missing, err)
	}
	from, count := int(span[0])<<8|int(span[1]), int(span[2])<<8|int(span[3])
	if blob >= blobs || cell < from || cell >= from+count {
		return nil, missing
	}
	out := make([]byte, cellBytes+proofBytes)
	if _, err := f.ReadAt(out, start+4+int64((blob*count+cell-from)*len(out))); err != nil {
		return nil, errors.Join(missing, err)
	}
	return out, nil
}

// Sweep removes what has expired before a time. Its errors do not stop it.
func (s *Shelf) Sweep(before time.Time) (removed int, err error) {
	var errs []error
	err = s.each(func(path string, size int64) error {
		if !strings.HasSuffix(path, shelfSuffix) {
			return nil
		}
		expiry, err := readExpiry(path)
		if err != nil || expiry >= uint64(max(before.Unix(), 0)) {
			errs = append(errs, err)
			return nil
		}
		if err := os.Remove(path); err != nil {
			errs = append(errs, err)
			return nil
		}
		s.release(size)
		removed++
		return nil
	})
	if err = errors.Join(append(errs, err)...); err != nil {
		err = fmt.Errorf("sweep shelf: %w", err)
	}
	return removed, err
}

// readExpiry reads the second number of a statement.
func readExpiry(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var raw [16]byte
	if _, err := io.ReadFull(f, raw[:]); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return common.BytesToHash(raw[8:]).Big().Uint64(), nil
}
