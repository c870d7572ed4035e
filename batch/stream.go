package batch

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/chain"
)

// Flags of a block in the stream.
const (
	flagOrigin = 1 << 0 // the L1 origin differs from the previous block's
	flagEpochs = 1 << 1 // at least one mini-block's epoch differs from its predecessor's
	flagsKnown = flagOrigin | flagEpochs
)

// context is what a block in the stream leaves out because the block before it
// said it. The zero value with the first block's number is the start of a channel.
type context struct {
	started   bool
	number    uint64 // of the next block
	timestamp uint64
	origin    chain.L1Origin
	epoch     uint64
}

// after is the context behind b.
func (c context) after(b *Block) context {
	return context{
		started: true, number: b.Number + 1, timestamp: b.Timestamp, origin: b.Origin,
		epoch: b.MiniBlocks[len(b.MiniBlocks)-1].Epoch,
	}
}

// appendBlock writes b behind the context; the error wraps ErrInvalidBlock.
func appendBlock(out []byte, c context, b *Block) ([]byte, error) {
	fail := func(why any) ([]byte, error) {
		return nil, fmt.Errorf("encode block %d: %w: %v", b.Number, ErrInvalidBlock, why)
	}
	if err := b.check(); err != nil {
		return fail(err)
	}
	switch {
	case b.Number != c.number:
		return fail(fmt.Sprintf("the channel continues with number %d", c.number))
	case b.Timestamp < c.timestamp:
		return fail("timestamp before the previous block's")
	case b.MiniBlocks[0].Epoch < c.epoch:
		return fail("epoch before the previous block's")
	case c.started && b.Origin.Number < c.origin.Number:
		return fail("L1 origin before the previous block's")
	case c.started && b.Origin.Number == c.origin.Number && b.Origin.Hash != c.origin.Hash:
		return fail("L1 origin changed its hash")
	}

	var flags byte
	if !c.started || b.Origin != c.origin {
		flags |= flagOrigin
	}
	changes := epochChanges(c.epoch, b.MiniBlocks)
	if len(changes) > 0 {
		flags |= flagEpochs
	}
	out = append(out, flags)
	out = binary.AppendUvarint(out, b.Timestamp-c.timestamp)
	if flags&flagOrigin != 0 {
		out = binary.AppendUvarint(out, b.Origin.Number-c.origin.Number)
		out = append(out, b.Origin.Hash[:]...)
	}

	out = binary.AppendUvarint(out, uint64(len(b.MiniBlocks)))
	last := chain.Micros(b.Timestamp) * 1_000_000
	for _, m := range b.MiniBlocks {
		out = binary.AppendUvarint(out, uint64(m.Timestamp-last))
		last = m.Timestamp
	}
	for _, m := range b.MiniBlocks {
		out = binary.AppendUvarint(out, m.TxCount)
	}
	if flags&flagEpochs != 0 {
		out = binary.AppendUvarint(out, uint64(len(changes)))
		next := uint64(0)
		for _, ch := range changes {
			out = binary.AppendUvarint(out, ch.index-next)
			out = binary.AppendUvarint(out, ch.delta)
			next = ch.index + 1
		}
	}

	out = binary.AppendUvarint(out, uint64(len(b.Txs)))
	for _, tx := range b.Txs {
		out = binary.AppendUvarint(out, uint64(len(tx)))
	}
	for _, tx := range b.Txs {
		out = append(out, tx...)
	}
	return out, nil
}

// epochChange says that the epoch grows by delta at the mini-block with the index.
type epochChange struct{ index, delta uint64 }

func epochChanges(epoch uint64, minis []MiniBlock) []epochChange {
	var changes []epochChange
	for i, m := range minis {
		if m.Epoch != epoch {
			changes = append(changes, epochChange{uint64(i), m.Epoch - epoch})
			epoch = m.Epoch
		}
	}
	return changes
}

// readBlock reads the block behind the context. Its transactions alias the input.
func readBlock(r *reader, c context) (Block, error) {
	fail := func(why string) (Block, error) {
		if r.err != nil {
			why = r.err.Error()
		}
		return Block{}, fmt.Errorf("decode block %d: %w: %s", c.number, ErrMalformed, why)
	}
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		return fail(fmt.Sprintf("unknown flags %#x", flags))
	}
	b := Block{Number: c.number, Origin: c.origin}
	delta := r.uvarint()
	if delta > MaxTimestamp || c.timestamp+delta > MaxTimestamp {
		return fail("timestamp above 2^43-1 seconds")
	}
	b.Timestamp = c.timestamp + delta
	if flags&flagOrigin != 0 {
		delta := r.uvarint()
		b.Origin.Number = c.origin.Number + delta
		if b.Origin.Number < delta || (c.started && delta == 0) {
			return fail("L1 origin does not advance")
		}
		b.Origin.Hash = common.Hash(r.take(common.HashLength))
	} else if !c.started {
		return fail("first block without L1 origin")
	}

	if why := readMiniBlocks(r, c, &b, flags&flagEpochs != 0); why != "" {
		return fail(why)
	}
	if why := readTxs(r, &b); why != "" {
		return fail(why)
	}
	if r.err != nil {
		return fail("")
	}
	if err := b.check(); err != nil {
		return fail(err.Error())
	}
	return b, nil
}

// readMiniBlocks returns what is wrong, "" if nothing or if r.err says it.
func readMiniBlocks(r *reader, c context, b *Block, epochs bool) string {
	count := r.uvarint()
	if count == 0 || count > MaxBlockMiniBlocks || count > uint64(r.left())/2 {
		return fmt.Sprintf("%d mini-blocks", count)
	}
	b.MiniBlocks = make([]MiniBlock, count)
	last := chain.Micros(b.Timestamp) * 1_000_000
	for i := range b.MiniBlocks {
		delta := chain.Micros(r.uvarint())
		if delta >= (MaxTimestamp+1)*1_000_000-last {
			return "mini-block timestamp above 2^43-1 seconds"
		}
		last += delta
		b.MiniBlocks[i].Timestamp = last
	}
	for i := range b.MiniBlocks {
		b.MiniBlocks[i].TxCount = r.uvarint()
	}
	changed, epoch := uint64(0), c.epoch
	if epochs {
		changes := r.uvarint()
		if changes == 0 || changes > count {
			return fmt.Sprintf("%d epoch changes in %d mini-blocks", changes, count)
		}
		for range changes {
			skip, delta := r.uvarint(), r.uvarint()
			if skip >= count-changed || delta == 0 || epoch+delta < epoch {
				return "epoch change out of range"
			}
			for i := changed; i < changed+skip; i++ {
				b.MiniBlocks[i].Epoch = epoch
			}
			changed += skip
			epoch += delta
			b.MiniBlocks[changed].Epoch = epoch
			changed++
		}
	}
	for i := changed; i < count; i++ {
		b.MiniBlocks[i].Epoch = epoch
	}
	return ""
}

// readTxs returns what is wrong, "" if nothing or if r.err says it.
func readTxs(r *reader, b *Block) string {
	count := r.uvarint()
	if count > MaxBlockTxs || count > uint64(r.left())/2 {
		return fmt.Sprintf("%d transactions", count)
	}
	if count == 0 {
		return ""
	}
	sizes := make([]uint32, count)
	total := uint64(0)
	for i := range sizes {
		size := r.uvarint()
		if size == 0 || size > MaxBlockTxBytes-total {
			return "transactions exceed 32 MiB or are empty"
		}
		sizes[i], total = uint32(size), total+size
	}
	all := r.take(int(total))
	if r.err != nil {
		return ""
	}
	b.Txs = make([][]byte, count)
	for i, size := range sizes {
		b.Txs[i], all = all[:size:size], all[size:]
	}
	return ""
}
