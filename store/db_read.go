package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

const txPlaceLen = 8 + 4

func txPlace(number uint64, index int) []byte {
	return binary.BigEndian.AppendUint32(be64(number), uint32(index))
}

func (db *DB) getRLP(key []byte, into any) error {
	raw, err := db.get(key)
	if err != nil {
		return err
	}
	if err := rlp.DecodeBytes(raw, into); err != nil {
		return fmt.Errorf("database: malformed value: %w", err)
	}
	return nil
}

// Header returns the header of the block with the number, or ErrNotFound.
func (db *DB) Header(number uint64) (*types.Header, error) {
	h := new(types.Header)
	if err := db.getRLP(numberKey(tableHeader, number), h); err != nil {
		return nil, fmt.Errorf("header %d: %w", number, db.absent(number, err))
	}
	return h, nil
}

// BlockNumber returns the number of the block with the hash, or ErrNotFound.
func (db *DB) BlockNumber(hash common.Hash) (uint64, error) {
	number, err := db.number(hashKey(tableNumber, hash))
	if err != nil {
		return 0, fmt.Errorf("block %s: %w", hash, err)
	}
	return number, nil
}

// BlockByHash returns the block with the hash, or ErrNotFound.
func (db *DB) BlockByHash(hash common.Hash) (*chain.Block, error) {
	number, err := db.BlockNumber(hash)
	if err != nil {
		return nil, err
	}
	return db.Block(number)
}

// Block returns the block with the number, or ErrNotFound. The context fields of
// receipts and logs are set. The caller owns the block.
func (db *DB) Block(number uint64) (*chain.Block, error) {
	fail := func(err error) (*chain.Block, error) { return nil, fmt.Errorf("block %d: %w", number, err) }
	if err := db.pruned(number); err != nil {
		return fail(err)
	}
	h, err := db.Header(number)
	if err != nil {
		return nil, err
	}
	txs, err := db.txs(number)
	if err != nil {
		return fail(err)
	}
	receipts, err := db.receipts(number)
	if err != nil {
		return fail(err)
	}
	if len(receipts) != len(txs) {
		return fail(fmt.Errorf("database: %d receipts for %d transactions", len(receipts), len(txs)))
	}
	recs, err := db.minis(number)
	if err != nil {
		return fail(err)
	}
	var minis []chain.MiniBlockHeader
	for i := range recs {
		minis = append(minis, recs[i].Header)
	}
	b := chain.NewBlock(h, txs, receipts, minis)
	b.FillReceipts()
	db.priceReceipts(b)
	return b, nil
}

// priceReceipts sets the prices of the L1 data fee in the receipts of a block that brings
// none, as most on a development chain, to those that hold behind it.
func (db *DB) priceReceipts(b *chain.Block) {
	var prices *chain.L1FeeParams
	for i, r := range b.Receipts {
		if r.L1Prices != nil || b.Txs[i].IsDeposit() {
			continue
		}
		if prices == nil {
			view := db.HistoryView(b.Number())
			p := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash { return view.Storage(chain.L1BlockAddr, slot) })
			prices = &p
		}
		r.L1Prices = prices
	}
}

func (db *DB) minis(number uint64) ([]miniRecord, error) {
	var recs []miniRecord
	return recs, db.getRLP(numberKey(tableMinis, number), &recs)
}

// Receipts returns the receipts of the block with the number, with their context
// fields, or ErrNotFound.
func (db *DB) Receipts(number uint64) ([]*chain.Receipt, error) {
	b, err := db.Block(number)
	if err != nil {
		return nil, err
	}
	return b.Receipts, nil
}

// Signatures returns the signatures of the block's mini-blocks, in order, or
// ErrNotFound.
func (db *DB) Signatures(number uint64) ([]chain.Signature, error) {
	recs, err := db.minis(number)
	if err != nil {
		return nil, fmt.Errorf("mini-blocks of block %d: %w", number, err)
	}
	sigs := make([]chain.Signature, len(recs))
	for i := range recs {
		sigs[i] = recs[i].Signature
	}
	return sigs, nil
}

// TxLookup returns where the transaction is: block number and index in the block;
// or ErrNotFound.
func (db *DB) TxLookup(hash common.Hash) (number, index uint64, err error) {
	v, err := db.get(hashKey(tableTx, hash))
	if err != nil {
		return 0, 0, fmt.Errorf("transaction %s: %w", hash, err)
	}
	if len(v) != txPlaceLen {
		return 0, 0, fmt.Errorf("database: place of transaction %s holds %d bytes, want %d", hash, len(v), txPlaceLen)
	}
	number, index = binary.BigEndian.Uint64(v), uint64(binary.BigEndian.Uint32(v[8:]))
	if head, ok, _ := db.Head(); !ok || number > head { // of a block that is being written
		return 0, 0, fmt.Errorf("transaction %s: %w", hash, ErrNotFound)
	}
	return number, index, nil
}

// MiniBlockHeader returns the header and signature of the mini-block with the
// number, or ErrNotFound.
func (db *DB) MiniBlockHeader(number uint64) (chain.MiniBlockHeader, chain.Signature, error) {
	rec, err := db.mini(number)
	if err != nil {
		return chain.MiniBlockHeader{}, chain.Signature{}, fmt.Errorf("mini-block %d: %w", number, err)
	}
	return rec.Header, rec.Signature, nil
}

// mini finds the block by its last mini-block: numbers are gapless.
func (db *DB) mini(number uint64) (*miniRecord, error) {
	it, err := db.db.NewIter(&pebble.IterOptions{
		LowerBound: numberKey(tableMiniLast, number), UpperBound: []byte{tableMiniLast + 1},
	})
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	defer it.Close()
	if !it.First() {
		return nil, errors.Join(it.Error(), ErrNotFound)
	}
	if len(it.Value()) != 8 {
		return nil, fmt.Errorf("database: mini-block index holds %d bytes, want 8", len(it.Value()))
	}
	recs, err := db.minis(binary.BigEndian.Uint64(it.Value()))
	if err != nil {
		return nil, err
	}
	if len(recs) > 0 && number < recs[0].Header.Number {
		return nil, db.absent(recs[0].Header.BlockNumber-1, ErrNotFound)
	}
	if len(recs) == 0 || number-recs[0].Header.Number >= uint64(len(recs)) {
		return nil, ErrNotFound
	}
	return &recs[number-recs[0].Header.Number], nil
}

// MiniBlock returns the mini-block with the number, without its Diff, and the block
// that it is part of, whose transactions and receipts it shares; or ErrNotFound.
func (db *DB) MiniBlock(number uint64) (*chain.MiniBlock, *chain.Block, error) {
	h, sig, err := db.MiniBlockHeader(number)
	if err != nil {
		return nil, nil, err
	}
	b, err := db.Block(h.BlockNumber)
	if err != nil {
		return nil, nil, fmt.Errorf("mini-block %d: %w", number, err)
	}
	first, end := h.FirstTxIndex, h.FirstTxIndex+h.TxCount
	if first > end || end > uint64(len(b.Txs)) {
		return nil, nil, fmt.Errorf("mini-block %d: database: transactions %d to %d of %d", number, first, end, len(b.Txs))
	}
	return &chain.MiniBlock{Header: h, Signature: sig, Txs: b.Txs[first:end], Receipts: b.Receipts[first:end]}, b, nil
}

// MiniBlockByHash is MiniBlock by hash.
func (db *DB) MiniBlockByHash(hash common.Hash) (*chain.MiniBlock, *chain.Block, error) {
	number, err := db.number(hashKey(tableMiniHash, hash))
	if err != nil {
		return nil, nil, fmt.Errorf("mini-block %s: %w", hash, err)
	}
	return db.MiniBlock(number)
}
