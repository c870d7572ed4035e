package store

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Rewind undoes every block above toBlock: blocks, indexes and history are removed,
// and the flat state is again that after toBlock. Code stays, since it is found by
// its hash only. Each block is undone atomically, from the newest down, so that an
// interrupted Rewind leaves a chain that is merely longer. It syncs.
func (db *DB) Rewind(toBlock uint64) error {
	head, ok, err := db.Head()
	if err != nil {
		return err
	}
	if !ok || toBlock > head {
		return fmt.Errorf("rewind to block %d: %w", toBlock, ErrNotFound)
	}
	if toBlock < db.Base() {
		return fmt.Errorf("rewind to block %d: %w: the chain begins with a snapshot of block %d (remove the data directory and load a newer one)", toBlock, ErrPruned, db.Base())
	}
	for n := head; n > toBlock; n-- {
		if err := db.undo(n); err != nil {
			return fmt.Errorf("rewind to block %d: undo block %d: %w", toBlock, n, err)
		}
	}
	return db.Sync()
}

// undo removes block n, the newest, which is not block 0.
func (db *DB) undo(n uint64) error {
	h, err := db.Header(n)
	if err != nil {
		return err
	}
	txs, err := db.txs(n)
	if err != nil {
		return err
	}
	minis, err := db.minis(n)
	if err != nil {
		return err
	}
	var changes []changeRecord
	if err := db.getRLP(numberKey(tableChanges, n), &changes); err != nil {
		return err
	}
	err = db.commit(func(w *writer) {
		for _, table := range []byte{tableHeader, tableMinis, tableChanges} {
			w.delete(numberKey(table, n))
		}
		w.delete(hashKey(tableNumber, h.Hash()))
		w.deletePieces(db, n, txs)
		for i := range minis {
			w.delete(hashKey(tableMiniHash, minis[i].Header.Hash()))
		}
		if len(minis) > 0 {
			w.delete(numberKey(tableMiniLast, minis[len(minis)-1].Header.Number))
		}
		for i := range changes {
			w.undoChange(db, n, &changes[i])
		}
		w.set(keyHead, be64(n-1))
	})
	if err == nil {
		db.setHead(n - 1)
	}
	return err
}

func (w *writer) undoChange(db *DB, n uint64, c *changeRecord) {
	if c.Account {
		w.undoValue(db, accountKey(c.Address), n)
	}
	for _, slot := range c.Slots {
		w.undoValue(db, slotKey(c.Address, common.Hash(slot)), n)
	}
}

func (w *writer) undoValue(db *DB, flat []byte, n uint64) {
	before, err := db.at(flat, n-1)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.delete(atKey(flat, n))
	if len(before) == 0 {
		w.delete(flat)
	} else {
		w.set(flat, before)
	}
}
