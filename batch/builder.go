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

	header  ChannelHeader
	ctx     context
	minis   int
	txs     int
	out     bytes.Buffer // compressed so far
	enc     *zstd.Encoder
	unknown int // raw bytes given to enc since its last flush
	scratch []byte
}

// NewChannelBuilder makes a builder for one channel.
func NewChannelBuilder(s BuilderSettings) (*ChannelBuilder, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &ChannelBuilder{settings: s}
	if b.enc, err = newCompressor(&b.out); err != nil {
		return nil, fmt.Errorf("channel builder: %w", err)
	}
	return b, nil
}

// Blocks is the number of blocks in the channel.
func (b *ChannelBuilder) Blocks() int { return int(b.header.BlockCount) }

// RawBytes is the size of the blocks before compression.
func (b *ChannelBuilder) RawBytes() int { return int(b.header.RawBytes) }

// Next is the number of the block that must be added next; false for any.
func (b *ChannelBuilder) Next() (uint64, bool) { return b.ctx.number, b.ctx.started }

// Bound is a size in bytes that the closed channel will not exceed.
func (b *ChannelBuilder) Bound() int {
	return ChannelHeaderBytes + b.out.Len() + stored(b.unknown) + zstdTrailer
}

// zstdTrailer covers the frame header, the last block's header and the checksum.
const zstdTrailer = 32

// stored is the most that zstd makes of n bytes: blocks of at most 128 KiB with
// three bytes of header, one more for a flush.
func stored(n int) int { return n + 3*(n/(128<<10)+2) }

// Add appends the block with the given hash and parent hash. ErrFull means that it
// was not added; any other error that it never can be. The first block always
// fits, whatever its size.
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
	raw, err := appendBlock(b.scratch[:0], ctx, block)
	if err != nil {
		return err
	}
	b.scratch = raw[:0]
	if ctx.started {
		if err := b.room(block, len(raw)); err != nil {
			return fmt.Errorf("add block %d: %w", block.Number, err)
		}
	}
	if _, err := b.enc.Write(raw); err != nil {
		return fmt.Errorf("add block %d: compress: %w", block.Number, err)
	}
	if !ctx.started {
		b.header.FirstNumber, b.header.ParentHash = block.Number, parent
	}
	b.header.LastHash = hash
	b.header.BlockCount++
	b.header.RawBytes += uint32(len(raw))
	b.minis, b.txs = b.minis+len(block.MiniBlocks), b.txs+len(block.Txs)
	b.unknown += len(raw)
	b.ctx = ctx.after(block)
	return nil
}

// room says whether size raw bytes of block fit. When the unknown size of what the
// compressor still holds decides, it flushes: exact, at a small cost in ratio.
func (b *ChannelBuilder) room(block *Block, size int) error {
	switch {
	case int(b.header.BlockCount) >= b.settings.MaxBlocks,
		int(b.header.RawBytes)+size > MaxRawBytes,
		b.minis+len(block.MiniBlocks) > MaxChannelMiniBlocks,
		b.txs+len(block.Txs) > MaxChannelTxs:
		return ErrFull
	}
	if b.Bound()+stored(size) <= b.settings.TargetBytes {
		return nil
	}
	if b.unknown > 0 {
		if err := b.enc.Flush(); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		b.unknown = 0
	}
	if b.Bound()+stored(size) > b.settings.TargetBytes {
		return ErrFull
	}
	return nil
}

// Close ends the channel; the builder must not be used afterwards.
func (b *ChannelBuilder) Close() (*Channel, error) {
	if b.header.BlockCount == 0 {
		return nil, fmt.Errorf("close channel: %w", ErrEmpty)
	}
	if err := b.enc.Close(); err != nil {
		return nil, fmt.Errorf("close channel: compress: %w", err)
	}
	data := b.header.append(make([]byte, 0, ChannelHeaderBytes+b.out.Len()))
	data = append(data, b.out.Bytes()...)
	if len(data) > MaxChannelBytes {
		return nil, fmt.Errorf("close channel: %w: %d bytes, limit %d", ErrInvalidBlock, len(data), MaxChannelBytes)
	}
	return &Channel{ID: IDOf(data), Header: b.header, Data: data}, nil
}
