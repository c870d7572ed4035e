package batch

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"
)

// ErrFull is wrapped when a block does not go into the channel any more: close it
// and add the block to the next one.
var ErrFull = errors.New("channel is full")

// ErrEmpty is wrapped when a channel without blocks is closed.
var ErrEmpty = errors.New("channel has no blocks")

// BuilderSettings say when a channel is full. Zero fields mean their defaults.
type BuilderSettings struct {
	TargetBytes int // compressed size not to exceed with more than one block, 1,024..MaxChannelBytes [6 blobs]
	MaxBlocks   int // 1..MaxChannelBlocks [MaxChannelBlocks]
}

// DefaultTargetBytes fills the six blobs of one transaction.
const DefaultTargetBytes = DefaultBlobsPerTx * MaxFrameData

func (s BuilderSettings) withDefaults() (BuilderSettings, error) {
	if s.TargetBytes == 0 {
		s.TargetBytes = DefaultTargetBytes
	}
	if s.MaxBlocks == 0 {
		s.MaxBlocks = MaxChannelBlocks
	}
	if s.TargetBytes < 1024 || s.TargetBytes > MaxChannelBytes {
		return s, fmt.Errorf("channel builder: target of %d bytes: must be 1,024..%d", s.TargetBytes, MaxChannelBytes)
	}
	if s.MaxBlocks < 1 || s.MaxBlocks > MaxChannelBlocks {
		return s, fmt.Errorf("channel builder: %d blocks: must be 1..%d", s.MaxBlocks, MaxChannelBlocks)
	}
	return s, nil
}

// ChannelBuilder collects consecutive blocks. It is not safe for concurrent use.
type ChannelBuilder struct {
	settings BuilderSettings

	header ChannelHeader
	blocks []Block // in the channel
	ctx    context
	minis  int
	txs    int

	// What of the blocks is encoded. Encoding a block cannot be undone: one too many
	// sets spoiled, and everything is encoded again at the end.
	cols    *columns
	spoiled bool
	out     bytes.Buffer // compressed bytes
	enc     *zstd.Encoder
	given   int // bytes given to enc
	unknown int // bytes given to enc since its last flush
}

// NewChannelBuilder makes a builder for one channel.
func NewChannelBuilder(s BuilderSettings) (*ChannelBuilder, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &ChannelBuilder{settings: s, cols: newColumns(true)}
	if b.enc, err = newCompressor(&b.out); err != nil {
		return nil, fmt.Errorf("channel builder: %w", err)
	}
	return b, nil
}

// Blocks is the number of blocks in the channel.
func (b *ChannelBuilder) Blocks() int { return len(b.blocks) }

// RawBytes is the size of the transactions before encoding.
func (b *ChannelBuilder) RawBytes() int { return int(b.header.RawBytes) }

// Next is the number of the block that must be added next; false for any.
func (b *ChannelBuilder) Next() (uint64, bool) { return b.ctx.number, b.ctx.started }

// Bound is a size in bytes that the closed channel will not exceed, or the target if
// that is more.
func (b *ChannelBuilder) Bound() int {
	if b.spoiled {
		return b.settings.TargetBytes
	}
	return b.fixed() + b.cols.addresses.count*literalBound + b.out.Len() + stored(b.unknown) + zstdTrailer
}

// fixed is the size of what does not become smaller any more.
func (b *ChannelBuilder) fixed() int {
	size := ChannelHeaderBytes + maxPrefix + len(b.cols.signatures)
	for i := range b.cols.col {
		size += b.cols.col[i].size()
	}
	return size
}

const (
	// zstdTrailer covers the frame header and the last block's header.
	zstdTrailer = 32
	// literalBound and signedBound are the most that an address takes, in bytes: no
	// decision costs more than 12 bits, a transaction's index no more than 21.
	literalBound = common.AddressLength + 2
	signedBound  = (5*12 + 21 + 7) / 8
)

// stored is the most that zstd makes of n bytes: blocks of at most 128 KiB with
// three bytes of header, one more for a flush.
func stored(n int) int { return n + 3*(n/(128<<10)+2) }

// Add appends the block with the given hash and parent hash; the builder keeps its
// transactions until Close. ErrFull means that it was not added; any other error that it
// never can be. The first block always fits, whatever its size.
func (b *ChannelBuilder) Add(block *Block, parent, hash common.Hash) error {
	ctx := b.ctx
	if !ctx.started {
		if block.Number == 0 {
			return fmt.Errorf("add block 0: %w: genesis is not batched", ErrInvalidBlock)
		}
		ctx = context{number: block.Number}
	} else if parent != b.header.LastHash {
		return fmt.Errorf("add block %d: %w: its parent %x is not block %d with hash %x",
			block.Number, ErrInvalidBlock, parent, block.Number-1, b.header.LastHash)
	}
	if err := ctx.check(block); err != nil {
		return err
	}
	raw := 0
	for _, tx := range block.Txs {
		raw += len(tx)
	}
	if ctx.started {
		if err := b.room(ctx, block, raw); err != nil {
			return fmt.Errorf("add block %d: %w", block.Number, err)
		}
	} else {
		if err := b.encode(ctx, block); err != nil {
			return fmt.Errorf("add block %d: %w", block.Number, err)
		}
		b.header.FirstNumber, b.header.ParentHash = block.Number, parent
	}
	b.header.LastHash = hash
	b.header.BlockCount++
	b.header.RawBytes += uint32(raw)
	b.minis, b.txs = b.minis+len(block.MiniBlocks), b.txs+len(block.Txs)
	b.blocks = append(b.blocks, *block)
	b.ctx = ctx.after(block)
	return nil
}

// encode puts a block into the columns.
func (b *ChannelBuilder) encode(ctx context, block *Block) error {
	b.cols.writeBlock(ctx, block)
	fresh := b.cols.bytes[b.given:]
	b.given += len(fresh)
	b.unknown += len(fresh)
	if _, err := b.enc.Write(fresh); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// room encodes a block if it fits.
func (b *ChannelBuilder) room(ctx context, block *Block, raw int) error {
	if b.spoiled || len(b.blocks) >= b.settings.MaxBlocks ||
		int(b.header.RawBytes)+raw > MaxRawBytes ||
		b.minis+len(block.MiniBlocks) > MaxChannelMiniBlocks ||
		b.txs+len(block.Txs) > MaxChannelTxs {
		return ErrFull
	}
	if err := b.encode(ctx, block); err != nil {
		return err
	}
	if b.workBound(block, raw) > MaxChannelWork {
		b.spoiled = true
		return ErrFull
	}
	if b.Bound() <= b.settings.TargetBytes {
		return nil
	}
	// Find out how large it really is: a flush costs a little.
	if b.unknown > 0 {
		if err := b.enc.Flush(); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		b.unknown = 0
	}
	size := b.fixed() + b.out.Len() + stored(0) + zstdTrailer
	for _, d := range b.cols.addresses.define(b.cols.senders) {
		if d.level == 0 {
			size += literalBound
		} else {
			size += signedBound
		}
	}
	if size > b.settings.TargetBytes {
		b.spoiled = true
		return ErrFull
	}
	return nil
}

// workBound is the most that the channel's work can be with a block that was encoded last.
func (b *ChannelBuilder) workBound(block *Block, raw int) int {
	txs := b.txs + len(block.Txs)
	unsigned := max(0, txs-len(b.cols.signatures)/len(signature{}))
	return b.settings.TargetBytes + blockWork*unsigned +
		workOf(0, int(b.header.RawBytes)+raw, len(b.cols.bytes), b.minis+len(block.MiniBlocks), len(b.blocks)+1, 0)
}

// again encodes the blocks of a spoiled channel without the one too many.
func (b *ChannelBuilder) again() error {
	b.cols, b.spoiled, b.given, b.unknown = newColumns(true), false, 0, 0
	b.out.Reset()
	b.enc.Reset(&b.out)
	ctx := context{number: b.header.FirstNumber}
	for i := range b.blocks {
		if err := b.encode(ctx, &b.blocks[i]); err != nil {
			return err
		}
		ctx = ctx.after(&b.blocks[i])
	}
	return nil
}

// Close ends the channel; the builder must not be used afterwards.
func (b *ChannelBuilder) Close() (*Channel, error) {
	if len(b.blocks) == 0 {
		return nil, fmt.Errorf("close channel: %w", ErrEmpty)
	}
	if b.spoiled {
		if err := b.again(); err != nil {
			return nil, fmt.Errorf("close channel: %w", err)
		}
	}
	data, err := b.cols.finish(b.header.append(nil), b.compress)
	if err != nil {
		return nil, fmt.Errorf("close channel: %w", err)
	}
	if len(data) > MaxChannelBytes {
		return nil, fmt.Errorf("close channel: %w: %d bytes, limit %d", ErrInvalidBlock, len(data), MaxChannelBytes)
	}
	work := workOf(len(data), int(b.header.RawBytes), len(b.cols.bytes), b.minis, len(b.blocks), b.txs)
	if work > MaxChannelWork {
		return nil, fmt.Errorf("close channel: %w: work of %d bytes, limit %d", ErrInvalidBlock, work, MaxChannelWork)
	}
	return &Channel{ID: IDOf(data), Header: b.header, Data: data}, nil
}

// compress ends the byte column: stored, by zstd or by brotli, whichever is smallest.
func (b *ChannelBuilder) compress(raw []byte) (byte, []byte, error) {
	if err := b.enc.Close(); err != nil {
		return 0, nil, fmt.Errorf("compress: %w", err)
	}
	method, best := byte(methodStored), raw
	if len(raw) == 0 {
		return method, nil, nil
	}
	if b.out.Len() < len(best) {
		method, best = methodZstd, b.out.Bytes()
	}
	if b.out.Len() > len(raw)-len(raw)/32 {
		return method, best, nil // nothing to gain
	}
	br, err := byBrotli(raw)
	if err != nil {
		return 0, nil, fmt.Errorf("compress: %w", err)
	}
	if len(br) < len(best) {
		method, best = methodBrotli, br
	}
	return method, best, nil
}
