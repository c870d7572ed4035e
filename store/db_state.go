package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/state"
)

// StateLoader takes the flat state at start-up; *state.DB and *state.Loader are. One that
// also has Err() error is asked after each item: an error ends the stream, and is its error.
type StateLoader interface {
	LoadAccount(common.Address, state.Account)
	LoadSlot(addr common.Address, slot, value common.Hash)
	LoadCode([]byte) common.Hash
}

// LoadState streams the state after the newest block: accounts, the codes they
// have, slots, each in the order of their keys.
func (db *DB) LoadState(into StateLoader) error {
	snap := db.db.NewSnapshot()
	defer snap.Close()
	return loadState(snap, into)
}

// LoadHead is LoadState while blocks may be written: it also returns the header of the
// block whose state it streamed.
func (db *DB) LoadHead(into StateLoader) (*types.Header, error) {
	snap := db.db.NewSnapshot()
	defer snap.Close()
	number, err := readFrom(snap, keyHead)
	if err != nil {
		return nil, fmt.Errorf("load state: newest block: %w", err)
	}
	if len(number) != 8 {
		return nil, fmt.Errorf("load state: newest block: %d bytes, want 8", len(number))
	}
	raw, err := readFrom(snap, numberKey(tableHeader, binary.BigEndian.Uint64(number)))
	if err != nil {
		return nil, fmt.Errorf("load state: header of the newest block: %w", err)
	}
	h := new(types.Header)
	if err := rlp.DecodeBytes(raw, h); err != nil {
		return nil, fmt.Errorf("load state: header of the newest block: %w", err)
	}
	return h, loadState(snap, into)
}

// readFrom returns a copy of a value of a snapshot.
func readFrom(snap *pebble.Snapshot, key []byte) ([]byte, error) {
	v, closer, err := snap.Get(key)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(v), closer.Close()
}

// StateBytes is about what the newest state takes on the disk, flat.
func (db *DB) StateBytes() (sum uint64, err error) {
	for _, table := range []byte{tableAccount, tableCode, tableSlot} {
		n, err := db.db.EstimateDiskUsage([]byte{table}, []byte{table + 1})
		if err != nil {
			return 0, fmt.Errorf("size of the state: %w", err)
		}
		sum += n
	}
	return sum, nil
}

func loadState(snap *pebble.Snapshot, into StateLoader) error {
	goOn := func() error { return nil }
	if s, ok := into.(interface{ Err() error }); ok {
		goOn = s.Err
	}
	codes := make(map[common.Hash]struct{})
	err := scanTable(snap, tableAccount, common.AddressLength, func(key, value []byte) error {
		a, err := decodeAccount(value)
		if err != nil {
			return err
		}
		if a.CodeHash != types.EmptyCodeHash {
			codes[a.CodeHash] = struct{}{}
		}
		into.LoadAccount(common.Address(key), a)
		return goOn()
	})
	if err != nil {
		return err
	}
	err = scanTable(snap, tableCode, common.HashLength, func(key, value []byte) error {
		hash := common.Hash(key)
		if _, ok := codes[hash]; !ok { // of a state before or undone
			return nil
		}
		delete(codes, hash)
		if got := into.LoadCode(bytes.Clone(value)); got != hash {
			return fmt.Errorf("code hashes to %s", got)
		}
		return goOn()
	})
	if err != nil {
		return err
	}
	for hash := range codes {
		return fmt.Errorf("load state: code %s: %w", hash, ErrNotFound)
	}
	return scanTable(snap, tableSlot, common.AddressLength+common.HashLength, func(key, value []byte) error {
		v, err := decodeSlot(value)
		if err != nil {
			return err
		}
		into.LoadSlot(common.Address(key[:common.AddressLength]), common.Hash(key[common.AddressLength:]), v)
		return goOn()
	})
}

// scanTable visits a table of keys of keyLen bytes behind the table's byte.
func scanTable(r pebble.Reader, table byte, keyLen int, visit func(key, value []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}})
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()[1:]
		if len(key) != keyLen {
			return fmt.Errorf("load state: key %x: %d bytes, want %d", it.Key(), len(key), keyLen)
		}
		if err := visit(key, it.Value()); err != nil {
			return fmt.Errorf("load state: key %x: %w", it.Key(), err)
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	return nil
}

// HistoryView reads the state after the block with the number, which must be at
// most the head's, one seek per value. It is valid until a Rewind below the block
// and safe for concurrent use. A read that the disk fails panics with a wrapped
// error: state.View has no other way to tell, and a wrong zero would be worse.
func (db *DB) HistoryView(number uint64) state.View { return historyView{db, number} }

type historyView struct {
	db     *DB
	number uint64
}

// check panics for a state before the database's base.
func (v historyView) check() {
	if base := v.db.Base(); v.number < base {
		v.fail(fmt.Errorf("%w: it begins with block %d", ErrPruned, base))
	}
}

func (v historyView) fail(err error) {
	panic(fmt.Errorf("state of block %d: %w", v.number, err))
}

// at returns the flat key's value after the block, empty if it had none.
func (db *DB) at(flat []byte, number uint64) ([]byte, error) {
	lower := atKey(flat, number)
	upper := bytes.Clone(lower)
	for i := len(flat); i < len(upper); i++ {
		upper[i] = 0xff
	}
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: append(upper, 0)})
	if err != nil {
		return nil, err
	}
	var value []byte
	if it.First() {
		value = bytes.Clone(it.Value())
	}
	return value, it.Close()
}

// Account implements state.View.
func (v historyView) Account(addr common.Address) (state.Account, bool) {
	v.check()
	raw, err := v.db.at(accountKey(addr), v.number)
	if err != nil {
		v.fail(err)
	}
	if len(raw) == 0 {
		return state.EmptyAccount, false
	}
	a, err := decodeAccount(raw)
	if err != nil {
		v.fail(err)
	}
	return a, true
}

// Storage implements state.View.
func (v historyView) Storage(addr common.Address, slot common.Hash) common.Hash {
	v.check()
	raw, err := v.db.at(slotKey(addr, slot), v.number)
	if err != nil {
		v.fail(err)
	}
	value, err := decodeSlot(raw)
	if err != nil {
		v.fail(err)
	}
	return value
}

// Code implements state.View.
func (v historyView) Code(hash common.Hash) []byte {
	if hash == types.EmptyCodeHash || hash == (common.Hash{}) {
		return nil
	}
	code, err := v.db.get(hashKey(tableCode, hash))
	if err != nil && !errors.Is(err, ErrNotFound) {
		v.fail(err)
	}
	return code
}

// HasStorage implements state.View. It reads one value per slot until it finds one
// that is not zero.
func (v historyView) HasStorage(addr common.Address) bool {
	v.check()
	prefix := append([]byte{tableSlotAt}, addr[:]...)
	it, err := v.db.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, 41)...)})
	if err != nil {
		v.fail(err)
	}
	defer it.Close()
	for ok := it.First(); ok; {
		slot := bytes.Clone(it.Key()[:len(prefix)+common.HashLength])
		at := binary.BigEndian.AppendUint64(bytes.Clone(slot), ^v.number)
		if ok = it.SeekGE(at); ok && bytes.HasPrefix(it.Key(), slot) {
			if len(it.Value()) > 0 {
				return true
			}
			ok = it.SeekGE(append(slot, bytes.Repeat([]byte{0xff}, 9)...))
		}
	}
	if err := it.Error(); err != nil {
		v.fail(err)
	}
	return false
}
