package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	pebblefs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/snapshot"
	"github.com/talaria-l2/talaria/state"
)

// A snapshot is loaded into a new database in three steps: BeginImport, ImportPiece for
// each of its pieces that hold state, in any order, and FinishImport, before which the
// database holds no block. Killed in between, Import tells what is there.

// importSuffix is that of the directory beside the database in which tables are made.
const importSuffix = "-import"

// BeginImport notes that a snapshot is being loaded, and what the caller must know of it to
// go on after a restart. It is durable when BeginImport returns.
func (db *DB) BeginImport(record []byte) error {
	if _, ok, _ := db.Head(); ok {
		return errors.New("begin to load a snapshot: the database holds a chain")
	}
	if err := os.RemoveAll(db.path + importSuffix); err != nil {
		return fmt.Errorf("begin to load a snapshot: %w", err)
	}
	if err := db.db.Set(keyImport, record, pebble.Sync); err != nil {
		return fmt.Errorf("begin to load a snapshot: %w", err)
	}
	return nil
}

// Import is what BeginImport noted, and the pieces that are loaded since; ErrNotFound: no
// snapshot is being loaded.
func (db *DB) Import() (record []byte, loaded map[int]bool, err error) {
	if record, err = db.get(keyImport); err != nil {
		return nil, nil, fmt.Errorf("snapshot that is being loaded: %w", err)
	}
	loaded = make(map[int]bool)
	err = db.eachKey(keyImported, func(rest []byte) {
		if len(rest) == 4 {
			loaded[int(binary.BigEndian.Uint32(rest))] = true
		}
	})
	return record, loaded, err
}

// eachKey visits keys with the prefix: what follows it.
func (db *DB) eachKey(prefix []byte, visit func(rest []byte)) error {
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(bytes.Clone(prefix), 0xff)})
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		visit(it.Key()[len(prefix):])
	}
	return errors.Join(it.Error(), it.Close())
}

// ImportPiece loads the state that a piece holds, which is that after the block with the
// number, flat and as the beginning of its history. Loading one again changes nothing.
// Pieces may be loaded by several goroutines.
func (db *DB) ImportPiece(index int, c *snapshot.Content, number uint64) error {
	fail := func(err error) error { return fmt.Errorf("load piece %d: %w", index, err) }
	dir := db.path + importSuffix
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	t := tables{db: db, prefix: filepath.Join(dir, fmt.Sprint(index)), number: number}
	err := t.write(c)
	if err == nil && len(t.paths) > 0 {
		err = db.db.Ingest(context.Background(), t.paths)
	}
	for _, path := range t.paths { // the database has taken what it wants
		if gone := os.Remove(path); err == nil && gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = gone
		}
	}
	if err != nil {
		return fail(err)
	}
	if err := db.db.Set(binary.BigEndian.AppendUint32(bytes.Clone(keyImported), uint32(index)), nil, pebble.Sync); err != nil {
		return fail(err)
	}
	return nil
}

// tables writes the sorted tables of one piece, one for each of the database's.
type tables struct {
	db     *DB
	prefix string
	number uint64
	paths  []string
}

func (t *tables) write(c *snapshot.Content) error {
	account := func(i int) []byte { return encodeAccount(&c.Accounts[i].Account) }
	slot := func(i int) []byte { return encodeSlot(c.Slots[i].Value) }
	accountAt := func(i int) []byte { return accountKey(c.Accounts[i].Address) }
	slotAt := func(i int) []byte { return slotKey(c.Slots[i].Address, c.Slots[i].Slot) }
	past := func(flat func(int) []byte) func(int) []byte {
		return func(i int) []byte { return atKey(flat(i), t.number) }
	}
	hashes := make([]common.Hash, len(c.Codes))
	for i, code := range c.Codes {
		hashes[i] = (&state.AccountDiff{Code: code}).NewCodeHash()
		if i > 0 && bytes.Compare(hashes[i-1][:], hashes[i][:]) >= 0 {
			return fmt.Errorf("code %d is not in the order of hashes: %w", i, snapshot.ErrMalformed)
		}
	}
	for _, table := range []struct {
		name       byte
		count      int
		key, value func(int) []byte
	}{
		{tableAccountAt, len(c.Accounts), past(accountAt), account},
		{tableSlotAt, len(c.Slots), past(slotAt), slot},
		{tableAccount, len(c.Accounts), accountAt, account},
		{tableCode, len(c.Codes), func(i int) []byte { return hashKey(tableCode, hashes[i]) }, func(i int) []byte { return c.Codes[i] }},
		{tableSlot, len(c.Slots), slotAt, slot},
	} {
		if table.count == 0 {
			continue
		}
		if err := t.table(fmt.Sprintf("%s-%02x.sst", t.prefix, table.name), table.count, table.key, table.value); err != nil {
			return err
		}
	}
	return nil
}

// table writes one, durably.
func (t *tables) table(path string, count int, key, value func(int) []byte) error {
	f, err := pebblefs.Default.Create(path, "snapshot-import")
	if err != nil {
		return err
	}
	t.paths = append(t.paths, path)
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), t.db.writing)
	for i := range count {
		if err := w.Set(key(i), value(i)); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

// FinishImport makes the block of a snapshot, whose state is loaded and checked, the
// newest one, with which the database begins. genesis is block 0 of the chain. It is
// durable when FinishImport returns.
func (db *DB) FinishImport(base *snapshot.Base, genesis *chain.Block) error {
	b := base.Block
	number := b.Number()
	fail := func(err error) error { return fmt.Errorf("begin with block %d of a snapshot: %w", number, err) }
	if _, ok, _ := db.Head(); ok || number == 0 {
		return fail(errors.New("the database holds a chain"))
	}
	err := db.commit(func(w *writer) {
		for first := 0; first < len(b.Txs); first += pieceTxs {
			end := min(first+pieceTxs, len(b.Txs))
			w.piece(number, first, b.Txs[first:end], b.Receipts[first:end])
		}
		w.block(genesis, nil)
		for _, h := range base.Ancestors {
			w.setRLP(numberKey(tableHeader, h.Number.Uint64()), h)
			w.set(hashKey(tableNumber, h.Hash()), be64(h.Number.Uint64()))
		}
		w.block(b, base.Signatures)
		w.set(keyBase, be64(number))
		w.set(keyHead, be64(number))
		w.delete(keyImport)
		if w.err == nil {
			w.err = w.batch.DeleteRange(keyImported, append(bytes.Clone(keyImported), 0xff), nil)
		}
	})
	if err != nil {
		return fail(err)
	}
	if err := db.Sync(); err != nil {
		return fail(err)
	}
	db.mu.Lock()
	db.base = number
	db.mu.Unlock()
	db.setHead(number)
	if err := os.RemoveAll(db.path + importSuffix); err != nil {
		return fail(err)
	}
	return nil
}

// removedSuffix is that of a database which is being removed.
const removedSuffix = "-removed"

// RemoveImport removes a database at path into which a snapshot was being loaded, and
// which is closed. Killed in between it has removed all or nothing: what is left lies under
// another name, and is deleted when a database is opened at path.
func RemoveImport(path string) error {
	err := setAside(path)
	if err == nil {
		err = removeAside(path)
	}
	if err != nil {
		return fmt.Errorf("remove what was loaded of a snapshot: %w", err)
	}
	return nil
}

// setAside takes a database out of the way, at once.
func setAside(path string) error {
	if err := errors.Join(os.RemoveAll(path+importSuffix), removeAside(path)); err != nil {
		return err
	}
	if err := os.Rename(path, path+removedSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// removeAside deletes what was set aside.
func removeAside(path string) error { return os.RemoveAll(path + removedSuffix) }
