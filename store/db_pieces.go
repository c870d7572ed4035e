package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/invariant"
)

// Transactions and receipts of a block lie in pieces, each under the number of the block
// and the index of its first transaction, with its entries of the index by hash in the
// same batch. Those of a block behind the newest are of one that is being written, or
// was when the process ended: nobody reads them, and Open removes them.

// pieceTxs is the number of transactions of a piece, but for a block's last.
const pieceTxs = 128

// pieceKey is that of the piece that begins with the transaction. Format 1 had one piece
// under the number alone.
func pieceKey(table byte, number uint64, first int) []byte {
	return binary.BigEndian.AppendUint32(numberKey(table, number), uint32(first))
}

// piece writes transactions from index first on, with their receipts.
func (w *writer) piece(number uint64, first int, txs []*chain.Tx, receipts []*chain.Receipt) {
	for i, tx := range txs {
		w.set(hashKey(tableTx, tx.Hash()), txPlace(number, first+i))
	}
	w.body(pieceKey(tableBody, number, first), txs)
	w.fill(pieceKey(tableReceipts, number, first), chain.StoredReceiptsSize(receipts), func(out []byte) []byte {
		return chain.AppendStoredReceipts(out, receipts)
	})
}

// body writes a bodyRecord.
func (w *writer) body(key []byte, txs []*chain.Tx) {
	const sender = 1 + common.AddressLength
	senders, raws := uint64(len(txs)*sender), uint64(0)
	for _, tx := range txs {
		raws += rlp.BytesSize(tx.Raw())
	}
	content := rlp.ListSize(senders) + rlp.ListSize(raws)
	w.fill(key, int(rlp.ListSize(content)), func(out []byte) []byte {
		out = chain.AppendListHead(chain.AppendListHead(out, content), senders)
		for _, tx := range txs {
			from := tx.From()
			out = chain.AppendString(out, from[:])
		}
		out = chain.AppendListHead(out, raws)
		for _, tx := range txs {
			out = chain.AppendString(out, tx.Raw())
		}
		return out
	})
}

// fill sets a value of that many bytes, which write appends, in the memory of the batch.
func (w *writer) fill(key []byte, size int, write func(out []byte) []byte) {
	if w.err != nil {
		return
	}
	op := w.batch.SetDeferred(len(key), size)
	copy(op.Key, key)
	value := write(op.Value[:0:size])
	invariant.Assert(len(value) == size && (size == 0 || &value[0] == &op.Value[0]), "an encoding has the size that was counted, and is in the memory it was given")
	w.err = op.Finish()
}

// eachPiece calls visit with the pieces of the block in their order. The value is valid
// during the call.
func (db *DB) eachPiece(table byte, number uint64, visit func(key, value []byte) error) error {
	it, err := db.db.NewIter(&pebble.IterOptions{LowerBound: numberKey(table, number), UpperBound: numberKey(table, number+1)})
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = visit(it.Key(), value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	return nil
}

// txs are the transactions of a block, with their raw bytes in memory of their own.
func (db *DB) txs(number uint64) (txs []*chain.Tx, err error) {
	err = db.eachPiece(tableBody, number, func(_, value []byte) error {
		var body bodyRecord
		if err := rlp.DecodeBytes(value, &body); err != nil {
			return fmt.Errorf("database: malformed value: %w", err)
		}
		if len(body.Senders) != len(body.Txs) {
			return fmt.Errorf("database: %d senders for %d transactions", len(body.Senders), len(body.Txs))
		}
		for i, raw := range body.Txs {
			tx, err := chain.RestoreTx(raw, body.Senders[i])
			if err != nil {
				return fmt.Errorf("database: transaction %d: %w", len(txs), err)
			}
			txs = append(txs, tx)
		}
		return nil
	})
	return txs, err
}

func (db *DB) receipts(number uint64) (receipts []*chain.Receipt, err error) {
	err = db.eachPiece(tableReceipts, number, func(_, value []byte) error {
		var raws [][]byte
		if err := rlp.DecodeBytes(value, &raws); err != nil {
			return fmt.Errorf("database: malformed value: %w", err)
		}
		for _, raw := range raws {
			r, err := chain.UnmarshalStoredReceipt(raw)
			if err != nil {
				return fmt.Errorf("database: receipt %d: %w", len(receipts), err)
			}
			receipts = append(receipts, r)
		}
		return nil
	})
	return receipts, err
}

// deletePieces removes those of a block whose transactions are txs.
func (w *writer) deletePieces(db *DB, number uint64, txs []*chain.Tx) {
	for _, table := range []byte{tableBody, tableReceipts} {
		err := db.eachPiece(table, number, func(key, _ []byte) error {
			w.delete(key)
			return nil
		})
		if err != nil && w.err == nil {
			w.err = err
		}
	}
	for _, tx := range txs {
		w.delete(hashKey(tableTx, tx.Hash()))
	}
}

// removeUnfinished removes the pieces of a block that was being written.
func (db *DB) removeUnfinished() error {
	next := uint64(0)
	if db.hasHead {
		next = db.head + 1
	}
	txs, err := db.txs(next)
	if err != nil || len(txs) == 0 {
		return err
	}
	return db.commit(func(w *writer) { w.deletePieces(db, next, txs) })
}
