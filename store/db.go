package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	pebblefs "github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNotFound is wrapped by every read of something that the store does not hold.
var ErrNotFound = errors.New("not found")

// ErrFormat is wrapped when a directory was written by a newer version.
var ErrFormat = errors.New("format is newer than this program")

// dbFormat is the version of the keys and values.
//
//	1: bodies and receipts in one value a block, receipts with their bloom
//	2: in pieces, receipts without
//
// What was written as 1 is read as it is.
const dbFormat = 2

const (
	dbCacheBytes    = 64 << 20
	dbMemTableBytes = 16 << 20
	dbMaxOpenFiles  = 512
	dbBytesPerSync  = 512 << 10 // given to the disk as they come, not at once when a file ends
	bloomBitsPerKey = 10
	// separateBytes is the size from which values stand in files of their own.
	separateBytes = 4096
)

// Options configure a DB.
type Options struct {
	Log *slog.Logger // Pebble's warnings and errors [discarded]
	// Fatal is called when Pebble cannot go on, for example because the disk is
	// full, and must not return [log the error and exit with code 1].
	Fatal func(error)
	// CacheBytes bounds the blocks of the database kept in memory [64 MiB].
	CacheBytes int64
}

// DB holds sealed blocks with their receipts and indexes, the state after the
// newest block, and the history of the state.
//
// WriteBlock and Rewind belong to one goroutine; reads may be concurrent with them
// and each sees only whole blocks. Nothing written is sure to survive a power cut
// before Sync returns, but what survives is always a prefix of what was written.
type DB struct {
	db      *pebble.DB
	log     pebbleLog
	path    string
	writing sstable.WriterOptions // of tables that are imported

	mu      sync.Mutex
	head    uint64
	hasHead bool
	base    uint64
}

// Open opens the database in the directory path, or creates it.
func Open(path string, opts Options) (*DB, error) {
	if opts.CacheBytes == 0 {
		opts.CacheBytes = dbCacheBytes
	}
	if err := removeAside(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	cache := pebble.NewCache(opts.CacheBytes)
	defer cache.Unref() // Pebble holds its own reference
	log := pebbleLog{log: opts.Log, fatal: opts.Fatal}
	fs, events := &restingFS{FS: pebblefs.Default}, log.events()
	fs.watch(events)
	o := &pebble.Options{
		FS:                         fs,
		EventListener:              events,
		Cache:                      cache,
		FormatMajorVersion:         pebble.FormatValueSeparation,
		MemTableSize:               dbMemTableBytes,
		WALBytesPerSync:            dbBytesPerSync,
		MaxOpenFiles:               dbMaxOpenFiles,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		LoggerAndTracer:            log,
	}
	// Bodies and receipts of blocks are written once and never change: compactions leave
	// them where they are.
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: separateBytes, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: 5 * time.Minute, TargetGarbageRatio: 0.5,
		}
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	p, err := pebble.Open(path, o)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	o.EnsureDefaults()
	db := &DB{db: p, log: log, path: path, writing: o.MakeWriterOptions(0, p.TableFormat())}
	if err := db.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), p.Close())
	}
	return db, nil
}

func (db *DB) start() error {
	format, err := db.number(keyFormat)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && format < dbFormat:
		if err := db.db.Set(keyFormat, be64(dbFormat), pebble.NoSync); err != nil {
			return err
		}
	case err != nil:
		return err
	case format > dbFormat:
		return fmt.Errorf("%w: %d, this one knows %d (hint: use the newer program)", ErrFormat, format, dbFormat)
	}
	if db.base, err = db.number(keyBase); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	head, err := db.number(keyHead)
	if errors.Is(err, ErrNotFound) {
		return db.removeUnfinished()
	}
	if err != nil {
		return err
	}
	db.head, db.hasHead = head, true
	return db.removeUnfinished()
}

// Close closes the database. Nothing may use it meanwhile or afterwards.
func (db *DB) Close() error {
	if err := db.Sync(); err != nil {
		return errors.Join(err, db.db.Close())
	}
	return db.db.Close()
}

// Sync makes everything written before it durable.
func (db *DB) Sync() error {
	if err := db.db.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("sync database: %w", err)
	}
	return nil
}

// Head is the number of the newest block; false when there is none.
func (db *DB) Head() (number uint64, ok bool, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.head, db.hasHead, nil
}

func (db *DB) setHead(number uint64) {
	db.mu.Lock()
	db.head, db.hasHead = number, true
	db.mu.Unlock()
}

// Meta returns what PutMeta stored under the name.
func (db *DB) Meta(name string) ([]byte, error) {
	v, err := db.get(append([]byte{tableMeta}, name...))
	if err != nil {
		return nil, fmt.Errorf("meta %q: %w", name, err)
	}
	return v, nil
}

// PutMeta stores a small value that belongs to a role, such as a cursor. It is
// ordered with the blocks, and like them durable only after Sync.
func (db *DB) PutMeta(name string, value []byte) error {
	if err := db.db.Set(append([]byte{tableMeta}, name...), value, pebble.NoSync); err != nil {
		return fmt.Errorf("put meta %q: %w", name, err)
	}
	return nil
}

// MetaEdit is one change of PutMeta's or DropMeta's.
type MetaEdit struct {
	Name  string
	Value []byte // nil: the name is dropped
}

// EditMeta makes the changes, all or none of them, on the terms of PutMeta.
func (db *DB) EditMeta(edits []MetaEdit) error {
	err := db.commit(func(w *writer) {
		for _, e := range edits {
			key := append([]byte{tableMeta}, e.Name...)
			if e.Value == nil {
				w.delete(key)
			} else {
				w.set(key, e.Value)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("edit %d meta values: %w", len(edits), err)
	}
	return nil
}

// MetaUnder returns what PutMeta stored under names with the prefix, ascending by name.
func (db *DB) MetaUnder(prefix string) (values [][]byte, err error) {
	first := append([]byte{tableMeta}, prefix...)
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: append(bytes.Clone(first), 0xff)})
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		values = append(values, bytes.Clone(it.Value()))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("meta under %q: %w", prefix, err)
	}
	return values, nil
}

// DropMeta removes what PutMeta stored under the name, on the terms of PutMeta.
func (db *DB) DropMeta(name string) error {
	if err := db.db.Delete(append([]byte{tableMeta}, name...), pebble.NoSync); err != nil {
		return fmt.Errorf("drop meta %q: %w", name, err)
	}
	return nil
}

// SetGenesis stores the genesis file; one that differs from what is stored is an error.
func (db *DB) SetGenesis(raw []byte) error {
	have, err := db.get(keyGenesis)
	switch {
	case err == nil && bytes.Equal(have, raw):
		return nil
	case err == nil:
		return errors.New("genesis differs from the one in the database (hint: use another data directory)")
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := db.db.Set(keyGenesis, raw, pebble.Sync); err != nil {
		return fmt.Errorf("store genesis: %w", err)
	}
	return nil
}

// Genesis returns what SetGenesis stored.
func (db *DB) Genesis() ([]byte, error) {
	v, err := db.get(keyGenesis)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return v, nil
}

// get returns a copy of the value.
func (db *DB) get(key []byte) ([]byte, error) {
	v, closer, err := db.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	out := bytes.Clone(v)
	return out, closer.Close()
}

func (db *DB) number(key []byte) (uint64, error) {
	v, err := db.get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("database: key %x holds %d bytes, want 8", key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}
