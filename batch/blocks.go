package batch

import (
	"encoding/binary"

	"github.com/talaria-l2/talaria/chain"
)

// blockModels are the models of blocks and mini-blocks.
type blockModels struct {
	timestamp, origin   numbers
	advance, epochs     odds
	minis, first, delta numbers
	deposits            numbers
	counts              numbers
	changes             odds
	epoch               numbers
}

// block codes everything of a block but its transactions, whose number it returns; why
// says what is wrong, "" for nothing.
func (s *columns) block(c context, b *Block) (txs uint64, why string) {
	m, col := &s.blocks, &s.col[colBlocks]
	delta := col.number(&m.timestamp, b.Timestamp-c.timestamp)
	if delta > MaxTimestamp || c.timestamp+delta > MaxTimestamp {
		return 0, "timestamp above 2^43-1 seconds"
	}
	b.Timestamp = c.timestamp + delta
	if why := s.origin(c, b); why != "" {
		return 0, why
	}
	count := col.number(&m.minis, uint64(len(b.MiniBlocks)))
	if count == 0 || count > MaxBlockMiniBlocks {
		return 0, "number of mini-blocks out of range"
	}
	if !s.writing() {
		b.MiniBlocks = make([]MiniBlock, count)
	}
	last := chain.Micros(b.Timestamp) * 1_000_000
	model := &m.first
	for i := range b.MiniBlocks {
		mini := &b.MiniBlocks[i]
		delta := chain.Micros(col.number(model, uint64(mini.Timestamp-last)))
		if delta >= (MaxTimestamp+1)*1_000_000-last {
			return 0, "mini-block timestamp above 2^43-1 seconds"
		}
		last += delta
		mini.Timestamp, model = last, &m.delta
	}
	total := uint64(0)
	for i := range b.MiniBlocks {
		mini := &b.MiniBlocks[i]
		mini.TxCount = col.number(&m.counts, mini.TxCount)
		if mini.TxCount > chain.MaxMiniBlockTxs {
			return 0, "mini-block holds too many transactions"
		}
		total += mini.TxCount
	}
	if why := s.epochs(c, b); why != "" {
		return 0, why
	}
	deposits := col.number(&m.deposits, total-uint64(len(b.Txs)))
	if deposits == 0 || deposits > total || total-deposits > MaxBlockTxs {
		return 0, "number of deposits out of range"
	}
	return total - deposits, ""
}

func (s *columns) origin(c context, b *Block) string {
	m, col := &s.blocks, &s.col[colBlocks]
	advance := uint(0)
	if b.Origin.Number != c.origin.Number {
		advance = 1
	}
	if c.started && col.bit(&m.advance, advance) == 0 {
		b.Origin = c.origin
		return ""
	}
	delta := col.number(&m.origin, b.Origin.Number-c.origin.Number)
	number := c.origin.Number + delta
	if number < delta || c.started && delta == 0 {
		return "L1 origin does not advance"
	}
	b.Origin.Number = number
	for i := 0; i < len(b.Origin.Hash); i += 8 {
		word := b.Origin.Hash[i : i+8]
		binary.BigEndian.PutUint64(word, col.direct(64, binary.BigEndian.Uint64(word)))
	}
	return ""
}

func (s *columns) epochs(c context, b *Block) string {
	m, col := &s.blocks, &s.col[colBlocks]
	grows := uint(0)
	if b.MiniBlocks[len(b.MiniBlocks)-1].Epoch != c.epoch {
		grows = 1
	}
	changes := col.bit(&m.epochs, grows) == 1
	epoch := c.epoch
	for i := range b.MiniBlocks {
		mini := &b.MiniBlocks[i]
		if changes {
			changed := uint(0)
			if mini.Epoch != epoch {
				changed = 1
			}
			if col.bit(&m.changes, changed) == 1 {
				delta := col.number(&m.epoch, mini.Epoch-epoch)
				if delta == 0 || epoch+delta < epoch {
					return "epoch change out of range"
				}
				epoch += delta
			}
		}
		mini.Epoch = epoch
	}
	if changes && epoch == c.epoch {
		return "epoch change announced, but none follows"
	}
	return ""
}
