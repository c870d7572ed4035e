package store

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// large is the next block, with that many transactions in one mini-block.
func (c *testChain) large(n int) testBlock {
	b := c.next()
	h := types.CopyHeader(b.block.Header)
	var gas uint64
	var txs []*chain.Tx
	var receipts []*chain.Receipt
	for range n {
		tx, r := c.tx(&gas)
		txs, receipts = append(txs, tx), append(receipts, r)
	}
	m := b.block.MiniBlocks[0]
	m.FirstTxIndex, m.TxCount = 0, uint64(n)
	sig, err := m.Sign(c.key)
	if err != nil {
		panic(err)
	}
	c.mini, c.parent = m.Number+1, h
	block := chain.NewBlock(h, txs, receipts, []chain.MiniBlockHeader{m})
	block.FillReceipts()
	return testBlock{block, []chain.Signature{sig}, b.diff}
}

func TestDBLargeBlocksLieInPiecesAndAreOne(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer closeDB(t, db)
	c := newTestChain(11)
	write(t, db, c.next())
	for n, txs := range []int{pieceTxs - 1, pieceTxs, 3*pieceTxs + 5} {
		b := c.large(txs)
		rests := 0
		if err := db.WriteBlock(b.block, b.sigs, b.diff, func() {
			rests++
			last := b.block.Txs[min(rests*pieceTxs, txs)-1]
			if _, _, err := db.TxLookup(last.Hash()); !errors.Is(err, ErrNotFound) {
				t.Errorf("transaction of a block that is being written: %v", err)
			}
			if _, err := db.Block(b.block.Number()); !errors.Is(err, ErrNotFound) {
				t.Errorf("block that is being written: %v", err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if want := (txs - 1) / pieceTxs; rests != want {
			t.Errorf("%d rests in the work for %d transactions, want %d", rests, txs, want)
		}
		checkBlock(t, db, uint64(n+1), b)
	}
}

// TestDBForgetsABlockThatWasBeingWritten: the process ended between two pieces, and
// another block follows.
func TestDBForgetsABlockThatWasBeingWritten(t *testing.T) {
	path := t.TempDir()
	db := openDB(t, path)
	c := newTestChain(12)
	write(t, db, c.next())
	before := dump(t, db)
	lost := c.large(3 * pieceTxs).block
	for first := 0; first < 2*pieceTxs; first += pieceTxs {
		if err := db.commit(func(w *writer) {
			w.piece(1, first, lost.Txs[first:first+pieceTxs], lost.Receipts[first:first+pieceTxs])
		}); err != nil {
			t.Fatal(err)
		}
	}
	closeDB(t, db)
	db = openDB(t, path)
	defer closeDB(t, db)
	if got := dump(t, db); !reflect.DeepEqual(got, before) {
		t.Errorf("%d keys after reopening, want %d", len(got), len(before))
	}
	other := newTestChain(12)
	other.next()
	b := other.next()
	write(t, db, b)
	checkBlock(t, db, 1, b)
	if _, _, err := db.TxLookup(lost.Txs[0].Hash()); !errors.Is(err, ErrNotFound) {
		t.Errorf("transaction of the lost block: %v", err)
	}
}

// TestDBReadsFormat1: a block whose body and receipts are one value each, receipts with
// their bloom, can be read and undone.
func TestDBReadsFormat1(t *testing.T) {
	path := t.TempDir()
	db := openDB(t, path)
	c := newTestChain(13)
	write(t, db, c.next())
	before := dump(t, db)
	b := c.large(2*pieceTxs + 1)
	write(t, db, b)
	if err := db.commit(func(w *writer) {
		for first := 0; first < len(b.block.Txs); first += pieceTxs {
			w.delete(pieceKey(tableBody, 1, first))
			w.delete(pieceKey(tableReceipts, 1, first))
		}
		w.body(numberKey(tableBody, 1), b.block.Txs)
		w.set(numberKey(tableReceipts, 1), chain.AppendReceipts(nil, b.block.Receipts))
		w.set(keyFormat, be64(1))
	}); err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	db = openDB(t, path)
	defer closeDB(t, db)
	checkBlock(t, db, 1, b)
	if format, err := db.number(keyFormat); err != nil || format != dbFormat {
		t.Errorf("format %d after opening (%v)", format, err)
	}
	if err := db.Rewind(0); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, db); !reflect.DeepEqual(got, before) {
		t.Errorf("%d keys after rewinding, want %d", len(got), len(before))
	}
}
