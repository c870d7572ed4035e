package batch

import "fmt"

// What a channel is charged besides its bytes and what they expand to, in bytes.
const (
	miniBlockWork = 64
	// blockWork is charged for each block, since even an empty one has to be executed and
	// kept, and for each transaction that comes without the bytes of a signature.
	blockWork = 64 << 10
)

// ChannelWork says what decoding an encoded channel takes, in bytes, from what it
// announces; a channel that announces something else is malformed. Time and memory of
// decoding are proportional to it. The error wraps ErrMalformed.
func ChannelWork(data []byte) (int, error) {
	h, err := DecodeChannelHeader(data)
	if err != nil {
		return 0, err
	}
	parts, err := openBody(data[ChannelHeaderBytes:])
	if err != nil {
		return 0, fmt.Errorf("decode channel: %w", err)
	}
	return parts.work(len(data)-ChannelHeaderBytes, &h), nil
}

func (b *body) work(size int, h *ChannelHeader) int {
	return workOf(ChannelHeaderBytes+size, int(h.RawBytes), int(b.size), int(b.minis), int(h.BlockCount), int(b.txs))
}

// workOf is the work of a channel of n bytes: what it and its parts have in bytes, and
// what the pieces cost. A transaction is signed, and a signature takes 64 bytes that
// nothing compresses: those beyond are copies, which cost what a block does.
func workOf(n, raw, bytes, minis, blocks, txs int) int {
	unsigned := max(0, txs-n/len(signature{}))
	return n + raw + bytes + miniBlockWork*minis + blockWork*(blocks+unsigned)
}
