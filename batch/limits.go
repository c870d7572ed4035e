package batch

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// Limits of the format. They are consensus: a decoder refuses what exceeds them.
const (
	// MaxBlockTxBytes bounds the sum of the raw user transactions of one block, in
	// bytes. A sequencer must close a block before it grows beyond.
	MaxBlockTxBytes = chain.MaxBlockTxBytes
	// MaxBlockTxs bounds the user transactions of one block.
	MaxBlockTxs = 1 << 20
	// MaxBlockMiniBlocks bounds the mini-blocks of one block.
	MaxBlockMiniBlocks = 1 << 16
	// MaxChannelBlocks bounds the blocks of one channel.
	MaxChannelBlocks = 1 << 11
	// MaxChannelMiniBlocks bounds the mini-blocks of one channel.
	MaxChannelMiniBlocks = 1 << 20
	// MaxChannelTxs bounds the user transactions of one channel.
	MaxChannelTxs = 1 << 21
	// MaxRawBytes bounds the sum of the raw transactions of a channel, in bytes, and
	// what its byte column expands to.
	MaxRawBytes = 100 << 20
	// MaxChannelBytes bounds the encoded channel, header included.
	MaxChannelBytes = 64 << 20
	// MaxWindowBytes bounds the zstd window of a channel. A brotli window is 16 MiB at
	// most by its own format.
	MaxWindowBytes = 8 << 20
	// MaxDecodeBytes bounds what decoding a channel allocates in all, besides the
	// channel itself and the recoveries' scratch.
	MaxDecodeBytes = 1 << 30
	// MaxChannelWork bounds the work of a channel (ChannelWork).
	MaxChannelWork = 256 << 20
	// MaxTimestamp bounds block timestamps in seconds, so that microseconds fit
	// 64 bits.
	MaxTimestamp = 1<<43 - 1
)

// ErrMalformed is wrapped by every error of a decoder: the bytes are not what an
// encoder of this format writes.
var ErrMalformed = errors.New("malformed batch data")

// ErrInvalidBlock is wrapped by the errors of encoding: the block cannot be
// expressed in this format.
var ErrInvalidBlock = errors.New("block does not fit the batch format")

// Block is what a batch carries of one L2 block: all that L1 does not know already.
type Block struct {
	Number    uint64
	Timestamp uint64 // seconds
	Origin    chain.L1Origin
	// MiniBlocks are the boundaries that the block was executed in, at least one.
	MiniBlocks []MiniBlock
	// Txs are the signed user transactions in EIP-2718 encoding. Deposits are
	// never among them: they come from L1.
	Txs [][]byte
	// Senders are who signed Txs, or nil: encoding uses them to save space, and
	// decoding leaves them nil. Zero means that the sender is not known. One that is
	// wrong makes a channel that does not decode to the same transactions.
	Senders []common.Address
}

// MiniBlock is one mini-block's part of its block.
type MiniBlock struct {
	Timestamp chain.Micros // Unix time of the cut
	TxCount   uint64       // deposits included
	Epoch     uint64       // of the leader that cut it
}

// check returns why the format cannot carry b, nil if it can.
func (b *Block) check() error {
	switch {
	case b.Timestamp > MaxTimestamp:
		return errors.New("timestamp above 2^43-1 seconds")
	case len(b.MiniBlocks) == 0:
		return errors.New("no mini-blocks")
	case len(b.MiniBlocks) > MaxBlockMiniBlocks:
		return errors.New("too many mini-blocks")
	case b.Senders != nil && len(b.Senders) != len(b.Txs):
		return errors.New("senders are not those of the transactions")
	case len(b.Txs) > MaxBlockTxs:
		return errors.New("too many transactions")
	}
	last, epoch := chain.Micros(b.Timestamp)*1_000_000, uint64(0)
	var counted uint64
	for i, m := range b.MiniBlocks {
		switch {
		case m.Timestamp < last:
			return errors.New("mini-block timestamp decreases or precedes the block's")
		case m.Timestamp >= (MaxTimestamp+1)*1_000_000:
			return errors.New("mini-block timestamp above 2^43-1 seconds")
		case i > 0 && m.Epoch < epoch:
			return errors.New("mini-block epoch decreases")
		case m.TxCount > chain.MaxMiniBlockTxs:
			return errors.New("mini-block holds too many transactions")
		}
		last, epoch, counted = m.Timestamp, m.Epoch, counted+m.TxCount
	}
	var size uint64
	for _, tx := range b.Txs {
		if len(tx) == 0 {
			return errors.New("empty transaction")
		}
		if tx[0] == chain.DepositTxType {
			return errors.New("deposit among the user transactions")
		}
		size += uint64(len(tx))
	}
	if size > MaxBlockTxBytes {
		return errors.New("transactions exceed 32 MiB")
	}
	if counted <= uint64(len(b.Txs)) {
		return errors.New("mini-blocks hold no L1-attributes deposit")
	}
	return nil
}
