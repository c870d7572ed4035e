package store

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
)

// memFS is a file system in memory that knows what was synced, can fail, and can
// crash. Names are durable at once, as on a journalling file system.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memData
	// fault is asked before "write", "datasync", "sync", "allocate", "create",
	// "rename", "remove"; a short write keeps half of the bytes.
	fault func(op, name string) error
}

type memData struct{ now, durable []byte }

type memFile struct {
	fs   *memFS
	name string
	data *memData
}

const sectorLen = 512

func newMemFS() *memFS { return &memFS{files: make(map[string]*memData)} }

// crash keeps, of every sector written since the last sync, the old or the new
// content by chance, and forgets open files and faults.
func (m *memFS) crash(rng *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = nil
	for name, d := range m.files {
		after := make([]byte, len(d.now))
		for i := 0; i < len(after); i += sectorLen {
			end := min(i+sectorLen, len(after))
			from := d.now
			if rng.IntN(2) == 0 {
				from = d.durable
			}
			if i < len(from) {
				copy(after[i:end], from[i:min(end, len(from))])
			}
		}
		m.files[name] = &memData{now: after, durable: append([]byte(nil), after...)}
	}
}

// clone copies the names and contents.
func (m *memFS) clone() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := newMemFS()
	for name, d := range m.files {
		out.files[name] = &memData{now: append([]byte(nil), d.now...), durable: append([]byte(nil), d.durable...)}
	}
	return out
}

func (m *memFS) check(op, name string) error {
	if m.fault == nil {
		return nil
	}
	return m.fault(op, name)
}

func (m *memFS) MkdirAll(string) error { return nil }

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.check("syncdir", dir)
}

func (m *memFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (m *memFS) Create(name string) (vfile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check("create", name); err != nil {
		return nil, err
	}
	d := new(memData)
	m.files[name] = d
	return &memFile{m, name, d}, nil
}

func (m *memFS) Open(name string) (vfile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.files[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &memFile{m, name, d}, nil
}

func (m *memFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check("rename", newName); err != nil {
		return err
	}
	m.files[newName] = m.files[oldName]
	delete(m.files, oldName)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check("remove", name); err != nil {
		return err
	}
	delete(m.files, name)
	return nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.data.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.data.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.fs.check("write", f.name)
	if err != nil {
		b = b[:len(b)/2]
	}
	if grow := off + int64(len(b)) - int64(len(f.data.now)); grow > 0 {
		f.data.now = append(f.data.now, make([]byte, grow)...)
	}
	return copy(f.data.now[off:], b), err
}

func (f *memFile) Close() error { return nil }

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.data.now)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.data.now = f.data.now[:size]
	return nil
}

func (f *memFile) Allocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.fs.check("allocate", f.name)
}

func (f *memFile) Datasync() error { return f.sync("datasync") }
func (f *memFile) Sync() error     { return f.sync("sync") }

// sync asks the fault function without the lock, so that it may block.
func (f *memFile) sync(op string) error {
	f.fs.mu.Lock()
	fault := f.fs.fault
	snapshot := append([]byte(nil), f.data.now...)
	f.fs.mu.Unlock()
	if fault != nil {
		if err := fault(op, f.name); err != nil {
			return err
		}
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.data.durable = snapshot
	return nil
}
