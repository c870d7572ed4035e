package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of OpenDir; a DirError wraps one of them.
var (
	ErrLocked     = errors.New("in use")
	ErrForeign    = errors.New("not a Talaria data directory")
	ErrUnusable   = errors.New("cannot be used")
	ErrWrongChain = errors.New("belongs to another chain")
)

// DirError says in one line, with a hint, why a data directory was refused.
type DirError struct {
	Path   string
	Err    error  // ErrLocked, ErrForeign, ErrFormat, ErrWrongChain or ErrUnusable
	Detail string // cause
	Hint   string // what the operator can do
}

func (e *DirError) Error() string {
	return fmt.Sprintf("data directory %s: %v: %s (hint: %s)", e.Path, e.Err, e.Detail, e.Hint)
}

// Unwrap gives the sentinel.
func (e *DirError) Unwrap() error { return e.Err }

const (
	dirFormat   = 1
	markerFile  = "talaria.json"
	lockFile    = "LOCK"
	genesisFile = "genesis.json"
	walDir      = "wal"
	dbDir       = "db"
)

// marker tells a data directory from any other.
type marker struct {
	Format  int    `json:"format"`
	ChainID uint64 `json:"chainId,omitempty"` // 0: not known yet
}

// Dir is a data directory that this process has locked:
//
//	talaria.json   format and chain id
//	LOCK           locked while in use; holds the process id
//	genesis.json   written by the owner
//	wal/           write-ahead log
//	db/            database
type Dir struct {
	path   string
	lock   *os.File
	marker marker
}

// OpenDir locks the data directory at path. It creates one where there is nothing
// or an empty directory. Every refusal is a DirError.
func OpenDir(path string) (*Dir, error) {
	d := &Dir{path: path}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, d.unusable(err)
	}
	if err := d.checkOurs(); err != nil {
		return nil, err
	}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := d.readMarker(); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

func (d *Dir) fail(err error, detail, hint string) *DirError {
	return &DirError{Path: d.path, Err: err, Detail: detail, Hint: hint}
}

func (d *Dir) unusable(err error) *DirError {
	var p *fs.PathError
	detail := err.Error()
	if errors.As(err, &p) && filepath.Clean(p.Path) == filepath.Clean(d.path) {
		detail = p.Op + ": " + p.Err.Error()
	}
	return d.fail(ErrUnusable, detail, "make it a directory that this user may write, or choose another")
}

// checkOurs refuses a directory with content but without the marker, before
// anything is written into it.
func (d *Dir) checkOurs() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return d.unusable(err)
	}
	stranger := ""
	for _, e := range entries {
		switch e.Name() {
		case markerFile:
			return nil
		case lockFile, markerFile + tmpSuffix, "lost+found": // of an interrupted creation; of a mounted disk
		default:
			stranger = e.Name()
		}
	}
	if stranger != "" {
		return d.fail(ErrForeign, fmt.Sprintf("holds %q but no %s", stranger, markerFile), "choose an empty or a new directory")
	}
	return nil
}

func (d *Dir) acquire() error {
	f, err := os.OpenFile(filepath.Join(d.path, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return d.unusable(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder := "by another process"
		buf := make([]byte, 20)
		n, _ := f.ReadAt(buf, 0) // the number only makes the message better
		if pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n]))); err == nil {
			holder = fmt.Sprintf("by process %d", pid)
		}
		f.Close()
		return d.fail(ErrLocked, holder, "stop it, or choose another directory")
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return d.unusable(fmt.Errorf("lock: %w", err))
	}
	d.lock = f
	return nil
}

// readMarker reads the marker, or creates it where there is none.
func (d *Dir) readMarker() error {
	raw, err := os.ReadFile(filepath.Join(d.path, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		d.marker = marker{Format: dirFormat}
		return d.writeMarker()
	}
	if err != nil {
		return d.unusable(err)
	}
	if err := json.Unmarshal(raw, &d.marker); err != nil || d.marker.Format < 1 {
		return d.fail(ErrForeign, markerFile+" is not readable", "restore that file from a backup, or choose a new directory")
	}
	if d.marker.Format > dirFormat {
		return d.fail(ErrFormat, fmt.Sprintf("it has %d, this one knows %d", d.marker.Format, dirFormat), "use the newer program, or choose another directory")
	}
	return nil
}

func (d *Dir) writeMarker() error {
	raw, err := json.Marshal(d.marker)
	if err != nil {
		return fmt.Errorf("encode %s: %w", markerFile, err)
	}
	return d.WriteFile(markerFile, append(raw, '\n'))
}

// WriteFile writes a file at the root of the directory, whole or not at all, and
// durably.
func (d *Dir) WriteFile(name string, data []byte) error {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return d.unusable(err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(path+tmpSuffix, path)
	}
	if err == nil {
		err = osFS{}.SyncDir(d.path)
	}
	if err != nil {
		return d.unusable(err)
	}
	return nil
}

// SetChainID ties the directory to a chain; one that is tied to another chain is
// refused with a DirError.
func (d *Dir) SetChainID(id uint64) error {
	switch d.marker.ChainID {
	case id:
		return nil
	case 0:
		d.marker.ChainID = id
		return d.writeMarker()
	}
	return d.fail(ErrWrongChain, fmt.Sprintf("chain id %d, want %d", d.marker.ChainID, id), "choose another directory")
}

// ChainID is what SetChainID stored, 0 if it never did.
func (d *Dir) ChainID() uint64 { return d.marker.ChainID }

// Path is the directory.
func (d *Dir) Path() string { return d.path }

// WALPath is where the write-ahead log belongs.
func (d *Dir) WALPath() string { return filepath.Join(d.path, walDir) }

// DBPath is where the database belongs.
func (d *Dir) DBPath() string { return filepath.Join(d.path, dbDir) }

// GenesisPath is where the genesis file belongs.
func (d *Dir) GenesisPath() string { return filepath.Join(d.path, genesisFile) }

// Free is the space in bytes that this user can still write on the directory's disk.
func (d *Dir) Free() (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(d.path, &fs); err != nil {
		return 0, d.unusable(err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

// Close releases the lock. More calls do nothing.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}
