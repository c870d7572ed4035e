package batch

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ChannelID names a channel by its content: the first 16 bytes of
// keccak256("talaria channel" ‖ encoded channel).
type ChannelID [16]byte

// String is the id in hexadecimal.
func (id ChannelID) String() string { return fmt.Sprintf("%x", id[:]) }

const (
	channelVersion = 3
	channelDomain  = "talaria channel"
	// ChannelHeaderBytes is the length of the uncompressed channel header.
	ChannelHeaderBytes = 1 + 4 + 4 + 8 + 2*common.HashLength
)

// ChannelHeader stands uncompressed before the blocks of a channel.
type ChannelHeader struct {
	RawBytes    uint32      // of all transactions, 0..MaxRawBytes
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
	Data   []byte // header and body
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
	case h.RawBytes > MaxRawBytes:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: %d raw bytes, allowed 0..%d", ErrMalformed, h.RawBytes, MaxRawBytes)
	case h.BlockCount == 0 || h.BlockCount > MaxChannelBlocks:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: %d blocks, allowed 1..%d", ErrMalformed, h.BlockCount, MaxChannelBlocks)
	case h.FirstNumber == 0 || h.LastNumber() < h.FirstNumber:
		return ChannelHeader{}, fmt.Errorf("decode channel: %w: first block number %d", ErrMalformed, h.FirstNumber)
	}
	return h, nil
}

// DecodeChannel reads a whole channel, in which no transaction has more than maxTx bytes
// [no limit when 0]. The transactions alias one buffer that no one else holds. The error
// wraps ErrMalformed.
func DecodeChannel(data []byte, maxTx int) (ChannelHeader, []Block, error) {
	h, err := DecodeChannelHeader(data)
	if err != nil {
		return h, nil, err
	}
	blocks, err := decodeBody(data[ChannelHeaderBytes:], &h, maxTx)
	if err != nil {
		return h, nil, fmt.Errorf("decode channel: %w", err)
	}
	return h, blocks, nil
}
