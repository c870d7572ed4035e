package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/klauspost/compress/zstd"
)

// ChannelID names a channel by its content: the first 16 bytes of
// keccak256("talaria channel" ‖ encoded channel).
type ChannelID [16]byte

// String is the id in hexadecimal.
func (id ChannelID) String() string { return fmt.Sprintf("%x", id[:]) }

const (
	channelVersion = 1
	channelDomain  = "talaria channel"
	// ChannelHeaderBytes is the length of the uncompressed channel header.
	ChannelHeaderBytes = 1 + 4 + 4 + 8 + 2*common.HashLength
)

// ChannelHeader stands uncompressed before the blocks of a channel.
type ChannelHeader struct {
	RawBytes    uint32      // of the decompressed stream, 1..MaxRawBytes
	BlockCount  uint32      // 1..MaxChannelBlocks
	FirstNumber uint64      // of the first block
	ParentHash  common.Hash // of the block before the first
	LastHash    common.Hash // of the last block
}

// LastNumber is the number of the last block.
func (h *ChannelHeader) LastNumber() uint64 { return h.FirstNumber + uint64(h.BlockCount) - 1 }

func (h *ChannelHeader) append(out []byte) []byte {
	out = append(out, channelVersion)
	out = binary.BigEndian.AppendUint32(out, h.RawBytes)
	out = binary.BigEndian.AppendUint32(out, h.BlockCount)
	out = binary.BigEndian.AppendUint64(out, h.FirstNumber)
	out = append(out, h.ParentHash[:]...)
	return append(out, h.LastHash[:]...)
}

// Channel is an encoded run of consecutive blocks.
type Channel struct {
	ID     ChannelID
	Header ChannelHeader
	Data   []byte // header and compressed blocks
}

// IDOf is the id of an encoded channel.
func IDOf(data []byte) ChannelID {
	return ChannelID(crypto.Keccak256([]byte(channelDomain), data)[:16])
}

// DecodeChannelHeader reads the header of an encoded channel without decompressing
// the blocks. The error wraps ErrMalformed.
func DecodeChannelHeader(data []byte) (ChannelHeader, error) {
	if len(data) <= ChannelHeaderBytes || len(data) > MaxChannelBytes {
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: %d bytes, want %d..%d", ErrMalformed, len(data), ChannelHeaderBytes+1, MaxChannelBytes)
	}
	if data[0] != channelVersion {
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: version %d is not known", ErrMalformed, data[0])
	}
	h := ChannelHeader{
		RawBytes:    binary.BigEndian.Uint32(data[1:]),
		BlockCount:  binary.BigEndian.Uint32(data[5:]),
		FirstNumber: binary.BigEndian.Uint64(data[9:]),
		ParentHash:  common.Hash(data[17:49]),
		LastHash:    common.Hash(data[49:81]),
	}
	switch {
	case h.RawBytes == 0 || h.RawBytes > MaxRawBytes:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: %d raw bytes, allowed 1..%d", ErrMalformed, h.RawBytes, MaxRawBytes)
	case h.BlockCount == 0 || h.BlockCount > MaxChannelBlocks:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: %d blocks, allowed 1..%d", ErrMalformed, h.BlockCount, MaxChannelBlocks)
	case h.FirstNumber == 0 || h.LastNumber() < h.FirstNumber:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: first block number %d", ErrMalformed, h.FirstNumber)
	}
	return h, nil
}

// DecodeChannel reads a whole channel. The transactions alias one buffer that no
// one else holds. The error wraps ErrMalformed.
func DecodeChannel(data []byte) (ChannelHeader, []Block, error) {
	h, err := DecodeChannelHeader(data)
	if err != nil {
		return h, nil, err
	}
	raw, err := decompress(data[ChannelHeaderBytes:], int(h.RawBytes))
	if err != nil {
		return h, nil, fmt.Errorf("decode channel: %w: %v", ErrMalformed, err)
	}
	blocks, err := decodeStream(raw, &h)
	if err != nil {
		return h, nil, fmt.Errorf("decode channel: %w", err)
	}
	return h, blocks, nil
}

// decodeStream reads the decompressed blocks that the header announces.
func decodeStream(raw []byte, h *ChannelHeader) ([]Block, error) {
	r := &reader{buf: raw}
	c := context{number: h.FirstNumber}
	var blocks []Block
	var minis, txs int
	for range h.BlockCount {
		b, err := readBlock(r, c)
		if err != nil {
			return nil, err
		}
		minis, txs = minis+len(b.MiniBlocks), txs+len(b.Txs)
		if minis > MaxChannelMiniBlocks || txs > MaxChannelTxs {
			return nil, fmt.Errorf("%w: more than %d mini-blocks or %d transactions", ErrMalformed, MaxChannelMiniBlocks, MaxChannelTxs)
		}
		blocks = append(blocks, b)
		c = c.after(&b)
	}
	if r.left() != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last block", ErrMalformed, r.left())
	}
	return blocks, nil
}

// decompress expands exactly one zstd frame to exactly size bytes.
func decompress(data []byte, size int) ([]byte, error) {
	if err := checkZstdFrame(data); err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindowBytes),
		zstd.WithDecoderMaxMemory(MaxRawBytes),
		zstd.WithDecodeAllCapLimit(true),
	)
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	// Without room for one byte more the decoder could not tell a longer frame.
	raw, err := dec.DecodeAll(data, make([]byte, 0, size+1))
	if err != nil {
		return nil, err
	}
	if len(raw) != size {
		return nil, fmt.Errorf("decompressed %d bytes, header says %d", len(raw), size)
	}
	return raw, nil
}

// checkZstdFrame walks the block headers (RFC 8878, section 3.1.1) to see that
// data is one frame, without dictionary and within the window limit, and nothing
// more.
func checkZstdFrame(data []byte) error {
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		return err
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	switch {
	case h.Skippable:
		return fmt.Errorf("zstd: skippable frame")
	case h.DictionaryID != 0:
		return fmt.Errorf("zstd: dictionary %d", h.DictionaryID)
	case window > MaxWindowBytes:
		return fmt.Errorf("zstd: window of %d bytes, limit %d", window, MaxWindowBytes)
	}
	rest := data[h.HeaderSize:]
	for last := false; !last; {
		if len(rest) < 3 {
			return fmt.Errorf("zstd: frame ends early")
		}
		head := uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16
		last = head&1 != 0
		size := int(head >> 3)
		if head>>1&3 == 1 { // run-length block: one byte stands for size bytes
			size = 1
		}
		if rest = rest[3:]; len(rest) < size {
			return fmt.Errorf("zstd: frame ends early")
		}
		rest = rest[size:]
	}
	sum := 0
	if h.HasCheckSum {
		sum = 4
	}
	if len(rest) != sum {
		return fmt.Errorf("zstd: %d bytes behind the frame", len(rest)-sum)
	}
	return nil
}

// newCompressor writes one zstd frame to out: fixed level and window, no own
// goroutines.
func newCompressor(out *bytes.Buffer) (*zstd.Encoder, error) {
	return zstd.NewWriter(out,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(MaxWindowBytes),
		zstd.WithEncoderCRC(true),
		zstd.WithSingleSegment(false),
	)
}
