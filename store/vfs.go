package store

import (
	"fmt"
	"io"
	"os"
)

// vfs is the part of a file system that the log uses. Tests inject faults and
// crashes through it. Every error names the operation and the path.
type vfs interface {
	MkdirAll(dir string) error
	List(dir string) ([]string, error)    // base names in any order
	Create(name string) (vfile, error)    // truncates what is there
	Open(name string) (vfile, error)      // for reading and writing
	Rename(oldName, newName string) error // durable after SyncDir
	Remove(name string) error             // durable after SyncDir
	SyncDir(dir string) error
}

// vfile is an open file. Concurrent calls on distinct ranges are allowed.
type vfile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves space up to size; where the file system cannot, it does nothing.
	Allocate(size int64) error
	// Datasync makes written bytes durable, and of the metadata what reading them needs.
	Datasync() error
	// Sync is Datasync with all metadata.
	Sync() error
}

// osFS is the operating system's file system.
type osFS struct{}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Create(name string) (vfile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string) (vfile, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		d.Close()
		return err
	}
	return d.Close()
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Allocate(size int64) error {
	if err := allocate(f.File, size); err != nil {
		return fmt.Errorf("allocate %d bytes for %s: %w", size, f.Name(), err)
	}
	return nil
}

func (f osFile) Datasync() error {
	if err := datasync(f.File); err != nil {
		return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
	}
	return nil
}
