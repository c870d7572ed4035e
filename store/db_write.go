package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// bodyRecord is a piece of a block's transactions. It keeps senders, so that no read has
// to recover them.
type bodyRecord struct {
	Senders []common.Address
	Txs     [][]byte
}

type miniRecord struct {
	Header    chain.MiniBlockHeader
	Signature chain.Signature
}

// changeRecord names what a block changed in one account, for Rewind.
type changeRecord struct {
	Address common.Address
	Account bool
	Slots   []common.Hash
}

// WriteBlock adds the block behind the newest one (number 0 first), with the
// signatures of its mini-blocks and what it changed in the state. Readers see all of it
// or nothing, also after a crash: pieces of transactions and receipts go first, and last
// the batch with the rest that makes it the newest. It does not wait for the disk: see Sync.
//
// between, if not nil, is called between parts of the work, each of a fraction of a
// millisecond: a large block is much work, and what makes the next one has no time to
// lose.
func (db *DB) WriteBlock(b *chain.Block, sigs []chain.Signature, diff state.Diff, between func()) error {
	number := b.Number()
	fail := func(err error) error { return fmt.Errorf("write block %d: %w", number, err) }
	if err := db.checkNext(b, sigs); err != nil {
		return fail(err)
	}
	if between == nil {
		between = func() {}
	}
	first := 0
	for ; len(b.Txs)-first > pieceTxs; first += pieceTxs {
		end := first + pieceTxs
		err := db.commit(func(w *writer) { w.piece(number, first, b.Txs[first:end], b.Receipts[first:end]) })
		if err != nil {
			return fail(err)
		}
		between()
	}
	err := db.commit(func(w *writer) {
		if first < len(b.Txs) {
			w.piece(number, first, b.Txs[first:], b.Receipts[first:])
		}
		w.block(b, sigs)
		w.state(db, number, diff, between)
		w.set(keyHead, be64(number))
	})
	if err != nil {
		return fail(err)
	}
	db.setHead(number)
	return nil
}

// commit writes one batch.
func (db *DB) commit(fill func(*writer)) error {
	batch := db.db.NewBatch()
	defer batch.Close()
	w := writer{batch: batch}
	fill(&w)
	if w.err == nil {
		w.err = batch.Commit(pebble.NoSync)
	}
	return w.err
}

func (db *DB) checkNext(b *chain.Block, sigs []chain.Signature) error {
	if len(sigs) != len(b.MiniBlocks) {
		return fmt.Errorf("%d signatures for %d mini-blocks", len(sigs), len(b.MiniBlocks))
	}
	if len(b.Receipts) != len(b.Txs) {
		return fmt.Errorf("%d receipts for %d transactions", len(b.Receipts), len(b.Txs))
	}
	head, ok, err := db.Head()
	switch {
	case err != nil:
		return err
	case !ok && b.Number() != 0:
		return errors.New("the first block must be number 0")
	case !ok:
		return nil
	case b.Number() != head+1:
		return fmt.Errorf("the newest block is %d", head)
	}
	parent, err := db.number(hashKey(tableNumber, b.Header.ParentHash))
	if errors.Is(err, ErrNotFound) || err == nil && parent != head {
		return fmt.Errorf("parent %s is not block %d", b.Header.ParentHash, head)
	}
	return err
}

// writer fills a batch and keeps the first error.
type writer struct {
	batch *pebble.Batch
	err   error
}

func (w *writer) set(key, value []byte) {
	if w.err == nil {
		w.err = w.batch.Set(key, value, nil)
	}
}

func (w *writer) delete(key []byte) {
	if w.err == nil {
		w.err = w.batch.Delete(key, nil)
	}
}

func (w *writer) setRLP(key []byte, v any) {
	enc, err := rlp.EncodeToBytes(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.set(key, enc)
}

// block writes what is not in pieces.
func (w *writer) block(b *chain.Block, sigs []chain.Signature) {
	number := b.Number()
	w.setRLP(numberKey(tableHeader, number), b.Header)
	w.set(hashKey(tableNumber, b.Hash()), be64(number))

	minis := make([]miniRecord, len(b.MiniBlocks))
	for i, h := range b.MiniBlocks {
		minis[i] = miniRecord{h, sigs[i]}
		w.set(hashKey(tableMiniHash, h.Hash()), be64(h.Number))
	}
	w.setRLP(numberKey(tableMinis, number), minis)
	if n := len(b.MiniBlocks); n > 0 {
		w.set(numberKey(tableMiniLast, b.MiniBlocks[n-1].Number), be64(number))
	}
}

// betweenAccounts is how many accounts or slots are written before between is called.
const betweenAccounts = 128

// state writes the new values flat and into the history, and which they are.
func (w *writer) state(db *DB, number uint64, diff state.Diff, between func()) {
	changes := make([]changeRecord, 0, len(diff))
	for i := range diff {
		if i%betweenAccounts == betweenAccounts-1 {
			between()
		}
		d := &diff[i]
		c := changeRecord{Address: d.Address, Account: d.Nonce != nil || d.Balance != nil || d.CodeChanged}
		if c.Account {
			w.account(db, number, d)
		}
		for i, s := range d.Storage {
			if i%betweenAccounts == betweenAccounts-1 {
				between()
			}
			w.value(slotKey(d.Address, s.Slot), number, encodeSlot(s.Value))
			c.Slots = append(c.Slots, s.Slot)
		}
		changes = append(changes, c)
	}
	w.setRLP(numberKey(tableChanges, number), changes)
}

func (w *writer) account(db *DB, number uint64, d *state.AccountDiff) {
	key := accountKey(d.Address)
	a := state.EmptyAccount
	old, err := db.get(key)
	if err == nil {
		a, err = decodeAccount(old)
	}
	if err != nil && !errors.Is(err, ErrNotFound) && w.err == nil {
		w.err = err
	}
	if d.Nonce != nil {
		a.Nonce = *d.Nonce
	}
	if d.Balance != nil {
		a.Balance = *d.Balance
	}
	if d.CodeChanged {
		a.CodeHash = d.NewCodeHash()
		if len(d.Code) > 0 {
			w.set(hashKey(tableCode, a.CodeHash), d.Code)
		}
	}
	if a.IsEmpty() {
		w.value(key, number, nil)
	} else {
		w.value(key, number, encodeAccount(&a))
	}
}

// value writes a flat value and its history; an empty one deletes the flat value.
func (w *writer) value(flat []byte, number uint64, v []byte) {
	w.set(atKey(flat, number), v)
	if len(v) == 0 {
		w.delete(flat)
	} else {
		w.set(flat, v)
	}
}
