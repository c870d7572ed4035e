package batch

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// context is what a block leaves out because the block before it said it. The zero
// value with the first block's number is the start of a channel.
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

// check returns why b cannot follow, as an error that wraps ErrInvalidBlock.
func (c context) check(b *Block) error {
	why := b.check()
	switch {
	case why != nil:
	case b.Number != c.number:
		why = fmt.Errorf("the channel continues with number %d", c.number)
	case b.Timestamp < c.timestamp:
		why = fmt.Errorf("timestamp before the previous block's")
	case b.MiniBlocks[0].Epoch < c.epoch:
		why = fmt.Errorf("epoch before the previous block's")
	case c.started && b.Origin.Number < c.origin.Number:
		why = fmt.Errorf("L1 origin before the previous block's")
	case c.started && b.Origin.Number == c.origin.Number && b.Origin.Hash != c.origin.Hash:
		why = fmt.Errorf("L1 origin changed its hash")
	}
	if why != nil {
		return fmt.Errorf("encode block %d: %w: %v", b.Number, ErrInvalidBlock, why)
	}
	return nil
}

// writeBlock adds a block that the context allows.
func (s *columns) writeBlock(c context, b *Block) {
	s.block(c, b)
	s.minis += len(b.MiniBlocks)
	for i, tx := range b.Txs {
		var sender common.Address
		if b.Senders != nil {
			sender = b.Senders[i]
		}
		s.write(tx, sender, b.Timestamp)
	}
}

// The parts of a body besides the columns.
const maxPrefix = 1 + (columnCount+6)*5 // method and lengths

// finish puts the body together behind out; compress gives the byte column's method and
// content.
func (s *columns) finish(out []byte, compress func([]byte) (byte, []byte, error)) ([]byte, error) {
	defs := s.addresses.define(s.senders)
	var models definitions
	var literal []byte
	for n, d := range defs {
		models.code(&s.col[colDefinitions], d, len(s.senders))
		if d.level == 0 {
			literal = append(literal, s.addresses.list[n][:]...)
		}
	}
	method, packed, err := compress(s.bytes)
	if err != nil {
		return nil, err
	}
	out = append(out, method)
	for i := range s.col {
		out = binary.AppendUvarint(out, uint64(len(s.col[i].finish())))
	}
	out = binary.AppendUvarint(out, uint64(len(defs)))
	out = binary.AppendUvarint(out, uint64(len(literal)/common.AddressLength))
	out = binary.AppendUvarint(out, uint64(len(s.signatures)/len(signature{})))
	out = binary.AppendUvarint(out, uint64(len(s.bytes)))
	out = binary.AppendUvarint(out, uint64(s.minis))
	out = binary.AppendUvarint(out, uint64(len(s.senders)))
	for i := range s.col {
		out = append(out, s.col[i].buf...)
	}
	out = append(append(out, literal...), s.signatures...)
	return append(out, packed...), nil
}

// body is an encoded body taken apart, not decoded yet.
type body struct {
	method     byte
	columns    [columnCount][]byte
	addresses  uint64
	literal    []byte
	signatures []byte
	size       uint64 // of the byte column
	minis, txs uint64
	packed     []byte
}

func openBody(data []byte) (*body, error) {
	r := &reader{buf: data}
	b := &body{method: r.byte()}
	var lengths [columnCount]uint64
	for i := range lengths {
		lengths[i] = r.uvarint()
	}
	b.addresses = r.uvarint()
	literals, signatures := r.uvarint(), r.uvarint()
	b.size, b.minis, b.txs = r.uvarint(), r.uvarint(), r.uvarint()
	for i, n := range lengths {
		b.columns[i] = r.takeLong(n, 1)
	}
	b.literal = r.takeLong(literals, common.AddressLength)
	b.signatures = r.takeLong(signatures, uint64(len(signature{})))
	b.packed = r.buf
	switch {
	case r.err != nil:
		return nil, fmt.Errorf("%w: %v", ErrMalformed, r.err)
	case b.addresses > MaxChannelAddresses || literals > b.addresses || b.addresses-literals > MaxSignedAddresses:
		return nil, fmt.Errorf("%w: %d addresses, %d of them literal", ErrMalformed, b.addresses, literals)
	case b.size > MaxRawBytes:
		return nil, fmt.Errorf("%w: byte column of %d bytes", ErrMalformed, b.size)
	case b.minis > MaxChannelMiniBlocks || b.txs > MaxChannelTxs:
		return nil, fmt.Errorf("%w: %d mini-blocks, %d transactions", ErrMalformed, b.minis, b.txs)
	case b.size == 0 && (b.method != methodStored || len(b.packed) > 0):
		return nil, fmt.Errorf("%w: an empty byte column is compressed", ErrMalformed)
	}
	return b, nil
}

// decodeBody reads the blocks that the header announces; no transaction has more than
// maxTx bytes.
func decodeBody(data []byte, h *ChannelHeader, maxTx int) ([]Block, error) {
	parts, err := openBody(data)
	if err != nil {
		return nil, err
	}
	if work := parts.work(len(data), h); work > MaxChannelWork {
		return nil, fmt.Errorf("%w: work of %d bytes, limit %d", ErrMalformed, work, MaxChannelWork)
	}
	s := newColumns(false)
	s.maxTx = maxTx
	return s.decode(parts, h)
}

// decode reads the blocks from the parts of a body.
func (s *columns) decode(parts *body, h *ChannelHeader) (blocks []Block, err error) {
	malformed := func(format string, args ...any) ([]Block, error) {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if s.bytes, err = decompress(parts.method, parts.packed, int(parts.size)); err != nil {
		return malformed("%v", err)
	}
	for i := range s.col {
		s.col[i] = newReader(parts.columns[i])
	}
	s.signatures, s.limit = parts.signatures, int(h.RawBytes)
	if blocks, err = s.readBlocks(h, parts); err != nil {
		return nil, err
	}
	if err := s.readDefinitions(parts); err != nil {
		return nil, err
	}
	for i := range s.col {
		if !s.col[i].finished() {
			return malformed("column %d does not end where it should", i)
		}
	}
	if len(s.bytes) > 0 || len(s.signatures) > 0 || len(s.out) != s.limit {
		return malformed("%d bytes and %d signatures left over, transactions of %d bytes of %d", len(s.bytes), len(s.signatures)/64, len(s.out), s.limit)
	}
	return blocks, s.divide(blocks)
}

func (s *columns) readBlocks(h *ChannelHeader, parts *body) ([]Block, error) {
	c := context{number: h.FirstNumber}
	var blocks []Block
	minis := uint64(0)
	for range h.BlockCount {
		fail := func(why string) ([]Block, error) {
			return nil, fmt.Errorf("decode block %d: %w: %s", c.number, ErrMalformed, why)
		}
		b := Block{Number: c.number, Timestamp: c.timestamp, Origin: c.origin}
		txs, why := s.block(c, &b)
		if s.bad() {
			why = "no encoder writes this"
		}
		if why != "" {
			return fail(why)
		}
		if minis += uint64(len(b.MiniBlocks)); minis > parts.minis || uint64(len(s.ends))+txs > parts.txs {
			return fail("more mini-blocks or transactions than announced")
		}
		if txs > s.left() {
			return fail("transactions exceed the channel")
		}
		start := len(s.out)
		for range txs {
			if !s.read(b.Timestamp) {
				return fail("transaction that no encoder writes")
			}
		}
		if len(s.out)-start > MaxBlockTxBytes {
			return fail("transactions exceed 32 MiB")
		}
		if txs > 0 {
			b.Txs = make([][]byte, txs)
		}
		blocks = append(blocks, b)
		c = c.after(&b)
	}
	if minis != parts.minis || uint64(len(s.ends)) != parts.txs {
		return nil, fmt.Errorf("%w: %d mini-blocks and %d transactions, announced %d and %d", ErrMalformed, minis, len(s.ends), parts.minis, parts.txs)
	}
	return blocks, nil
}

func (s *columns) readDefinitions(parts *body) error {
	if uint64(s.addresses.count) != parts.addresses {
		return fmt.Errorf("%w: %d addresses, header says %d", ErrMalformed, s.addresses.count, parts.addresses)
	}
	defs := make([]definition, s.addresses.count)
	var models definitions
	literals := 0
	for i := range defs {
		defs[i] = models.code(&s.col[colDefinitions], definition{}, len(s.ends))
		if defs[i].level == 0 {
			literals++
		}
	}
	if s.col[colDefinitions].bad || literals*common.AddressLength != len(parts.literal) {
		return fmt.Errorf("%w: definitions of addresses", ErrMalformed)
	}
	if !s.addresses.resolve(defs, parts.literal, s.out, s.ends, s.chainID()) {
		return fmt.Errorf("%w: an address is the sender of a transaction that does not give it", ErrMalformed)
	}
	return nil
}

// divide gives the transactions to their blocks.
func (s *columns) divide(blocks []Block) error {
	start, i := uint32(0), 0
	for b := range blocks {
		for t := range blocks[b].Txs {
			end := s.ends[i]
			blocks[b].Txs[t] = s.out[start:end:end]
			if s.out[start] == chain.DepositTxType {
				return fmt.Errorf("decode block %d: %w: deposit among the user transactions", blocks[b].Number, ErrMalformed)
			}
			start, i = end, i+1
		}
	}
	return nil
}
