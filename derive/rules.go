package derive

import (
	"bytes"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// checkBlock holds the block b of a batch posted in the L1 block posted against
// the rules, on top of parent. origins gives known L1 blocks by number. It returns
// the input and the head that b makes.
func checkBlock(cfg *chain.Config, parent Head, b *batch.Block, posted *L1Block, origins func(uint64) *L1Block) (derived, *dropError) {
	if b.Number != parent.Number+1 {
		return derived{}, drop(DropNumber, "block %d on block %d", b.Number, parent.Number)
	}
	origin, err := checkOrigin(parent, b, posted, origins)
	if err != nil {
		return derived{}, err
	}
	switch {
	case b.Timestamp < parent.Timestamp:
		err = drop(DropTimestamp, "block %d at %d s, its parent at %d s", b.Number, b.Timestamp, parent.Timestamp)
	case b.Timestamp < origin.Timestamp:
		err = drop(DropTimestamp, "block %d at %d s, its L1 origin at %d s", b.Number, b.Timestamp, origin.Timestamp)
	case b.Timestamp > posted.Timestamp+MaxAhead:
		err = drop(DropTimestamp, "block %d at %d s, posted at %d s", b.Number, b.Timestamp, posted.Timestamp)
	}
	if err != nil {
		return derived{}, err
	}

	opening := open(cfg, parent, origin)
	in := BlockInput{
		Number: b.Number, Timestamp: b.Timestamp, Kind: FromBatch,
		L1Attributes: opening.Attributes, Params: opening.System.BlockParams, Deposits: opening.Deposits, PostedIn: posted.ID(),
	}
	if in.MiniBlocks, err = checkMiniBlocks(parent, b, posted, len(in.Deposits)); err != nil {
		return derived{}, err
	}
	if in.Txs, err = checkTxs(cfg, b); err != nil {
		return derived{}, err
	}
	last := in.MiniBlocks[len(in.MiniBlocks)-1]
	return derived{in, Head{
		Number: b.Number, Timestamp: b.Timestamp, LastMicros: last.TimestampMicros,
		Origin: opening.Origin, SequenceNumber: opening.Attributes.SequenceNumber, Epoch: last.Epoch, System: opening.System,
	}}, nil
}

// checkOrigin returns the L1 origin of b.
func checkOrigin(parent Head, b *batch.Block, posted *L1Block, origins func(uint64) *L1Block) (*L1Block, *dropError) {
	n := b.Origin.Number
	if n != parent.Origin.Number && n != parent.Origin.Number+1 {
		return nil, drop(DropOrigin, "block %d has L1 origin %d, its parent %d: must be the same or the next", b.Number, n, parent.Origin.Number)
	}
	if n >= posted.Number {
		return nil, drop(DropOrigin, "block %d has L1 origin %d, but was posted in %d", b.Number, n, posted.Number)
	}
	origin := origins(n)
	if origin == nil {
		return nil, drop(DropOrigin, "block %d has L1 origin %d, which is not known", b.Number, n)
	}
	if origin.Hash != b.Origin.Hash {
		return nil, drop(DropOrigin, "block %d has L1 origin %d with hash %x, here it is %x", b.Number, n, b.Origin.Hash, origin.Hash)
	}
	if n != parent.Origin.Number {
		return origin, nil
	}
	next := origins(n + 1) // known: not above the posting block
	if next == nil || b.Timestamp > next.Timestamp+MaxOriginLag {
		return nil, drop(DropOriginLag, "block %d at %d s must have taken L1 origin %d", b.Number, b.Timestamp, n+1)
	}
	return origin, nil
}

// checkMiniBlocks holds the boundaries against the number of transactions.
func checkMiniBlocks(parent Head, b *batch.Block, posted *L1Block, deposits int) ([]MiniPlan, *dropError) {
	if len(b.MiniBlocks) == 0 || b.MiniBlocks[0].TxCount < uint64(1+deposits) {
		return nil, drop(DropMiniBlocks, "block %d: the first mini-block must hold all %d deposits", b.Number, 1+deposits)
	}
	last, epoch, total := parent.LastMicros, parent.Epoch, uint64(0)
	start, end := chain.Micros(b.Timestamp)*1_000_000, chain.Micros(posted.Timestamp+MaxAhead+1)*1_000_000
	plans := make([]MiniPlan, len(b.MiniBlocks))
	for i, m := range b.MiniBlocks {
		switch {
		case m.Timestamp < start || m.Timestamp >= end:
			return nil, drop(DropMiniBlockTime, "block %d, mini-block %d at %d µs, allowed %d..%d", b.Number, i, m.Timestamp, start, end-1)
		case m.Timestamp < last:
			return nil, drop(DropMiniBlockTime, "block %d, mini-block %d at %d µs, the one before at %d", b.Number, i, m.Timestamp, last)
		case m.Epoch < epoch:
			return nil, drop(DropMiniBlocks, "block %d, mini-block %d of epoch %d, the one before of %d", b.Number, i, m.Epoch, epoch)
		case m.Epoch-parent.Epoch > MaxEpochStep:
			return nil, drop(DropMiniBlocks, "block %d, mini-block %d of epoch %d, limit %d beyond its parent's %d", b.Number, i, m.Epoch, MaxEpochStep, parent.Epoch)
		case m.TxCount > chain.MaxMiniBlockTxs:
			return nil, drop(DropMiniBlocks, "block %d, mini-block %d of %d transactions, limit %d", b.Number, i, m.TxCount, chain.MaxMiniBlockTxs)
		}
		last, epoch, total = m.Timestamp, m.Epoch, total+m.TxCount
		plans[i] = MiniPlan{TimestampMicros: m.Timestamp, TxCount: m.TxCount, Epoch: m.Epoch}
	}
	if want := uint64(1 + deposits + len(b.Txs)); total != want {
		return nil, drop(DropMiniBlocks, "block %d: mini-blocks hold %d transactions, the block %d", b.Number, total, want)
	}
	return plans, nil
}

// checkTxs decodes the user transactions and holds them against the limits that
// need no state.
func checkTxs(cfg *chain.Config, b *batch.Block) ([]*chain.Tx, *dropError) {
	raws, txs, errs := make([][]byte, len(b.Txs)), make([]*chain.Tx, len(b.Txs)), make([]error, len(b.Txs))
	for i, raw := range b.Txs {
		raws[i] = bytes.Clone(raw)
	}
	chain.NewDecoder(cfg).Decode(raws, txs, errs)
	for i, tx := range txs {
		if errs[i] != nil {
			return nil, drop(DropTransaction, "block %d, transaction %d: %v", b.Number, i, errs[i])
		}
		_, fits := tx.Value256()
		if _, _, ok := tx.Fees(); !ok || !fits {
			return nil, drop(DropTransaction, "block %d, transaction %d: value or fees above 2^256", b.Number, i)
		}
		if tx.Gas() > cfg.TxGasCap {
			return nil, drop(DropTransaction, "block %d, transaction %d: gas %d, cap %d", b.Number, i, tx.Gas(), cfg.TxGasCap)
		}
	}
	return txs, nil
}
