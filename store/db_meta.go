package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// MetaFrom returns what PutMeta stored under the first name with the prefix that is not
// before prefix+from; ErrNotFound: there is none.
func (db *DB) MetaFrom(prefix, from string) (value []byte, err error) {
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: metaKey(prefix + from), UpperBound: append(metaKey(prefix), 0xff)})
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	if it.First() {
		value = bytes.Clone(it.Value())
	}
	switch err := errors.Join(it.Error(), it.Close()); {
	case err != nil:
		return nil, fmt.Errorf("meta from %q: %w", prefix+from, err)
	case value == nil:
		return nil, fmt.Errorf("meta from %q: %w", prefix+from, ErrNotFound)
	}
	return value, nil
}

// DropMetaFrom removes what PutMeta stored under names with the prefix that are not before
// prefix+from, on the terms of PutMeta.
func (db *DB) DropMetaFrom(prefix, from string) error {
	if err := db.db.DeleteRange(metaKey(prefix+from), append(metaKey(prefix), 0xff), pebble.NoSync); err != nil {
		return fmt.Errorf("drop meta from %q: %w", prefix+from, err)
	}
	return nil
}

func metaKey(name string) []byte { return append([]byte{tableMeta}, name...) }
