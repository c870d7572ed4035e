package batcher

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/chain"
)

// keptBlocks of a reader are not read again while the node has them: a batcher asks for
// the ends of what it has sent and gathered all the time.
const keptBlocks = 4

// remoteBlocks reads the blocks of a node elsewhere. It is for one goroutine.
type remoteBlocks struct {
	from    *Remote
	decoder *chain.Decoder
	kept    []*chain.Block // oldest first
}

func (r *Remote) reader() *remoteBlocks {
	return &remoteBlocks{from: r, decoder: chain.NewDecoder(r.opts.Config)}
}

// bodyRLP is a block as debug_getRawBlock has it.
type bodyRLP struct {
	Header      rlp.RawValue
	Txs         []rlp.RawValue
	Uncles      []rlp.RawValue
	Withdrawals []rlp.RawValue
}

// fetch reads a sealed block without its receipts; nil: there is none yet.
func (b *remoteBlocks) fetch(ctx context.Context, number uint64) (*chain.Block, error) {
	var sealed hexutil.Uint64
	if err := b.from.ask(ctx, &sealed, "eth_blockNumber"); err != nil || uint64(sealed) < number {
		return nil, err
	}
	var raw hexutil.Bytes
	if err := b.from.ask(ctx, &raw, "debug_getRawHeader", hexutil.EncodeUint64(number)); err != nil {
		return nil, err
	}
	header := new(types.Header)
	if err := rlp.DecodeBytes(raw, header); err != nil {
		return nil, fmt.Errorf("header of block %d: %w", number, err)
	}
	if !header.Number.IsUint64() || header.Number.Uint64() != number {
		return nil, fmt.Errorf("block %d: the node gave block %s", number, header.Number)
	}
	hash := header.Hash()
	for _, have := range b.kept {
		if have.Hash() == hash {
			return have, nil
		}
	}
	// By its hash: the node may go to another block of that number meanwhile.
	if err := b.from.ask(ctx, &raw, "debug_getRawBlock", hash); err != nil {
		return nil, err
	}
	var body bodyRLP
	if err := rlp.DecodeBytes(raw, &body); err != nil {
		return nil, fmt.Errorf("block %d: %w", number, err)
	}
	var minis []chain.MiniBlockHeader
	if err := b.from.ask(ctx, &raw, "debug_getRawMiniBlockHeaders", hash); err != nil {
		return nil, err
	}
	if err := rlp.DecodeBytes(raw, &minis); err != nil {
		return nil, fmt.Errorf("mini-blocks of block %d: %w", number, err)
	}
	txs, err := decodeTxs(b.decoder, body.Txs)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", number, err)
	}
	if root := types.DeriveSha(chain.Txs(txs), trie.NewStackTrie(nil)); root != header.TxHash {
		return nil, fmt.Errorf("block %d: the node gave transactions with root %s, the header has %s", number, root, header.TxHash)
	}
	block := chain.NewBlock(header, txs, nil, minis)
	b.kept = append(b.kept[max(0, len(b.kept)+1-keptBlocks):], block)
	return block, nil
}

// decodeTxs decodes the transactions of a block: typed ones are RLP strings there, old ones
// lists.
func decodeTxs(decoder *chain.Decoder, list []rlp.RawValue) ([]*chain.Tx, error) {
	out := make([]*chain.Tx, len(list))
	var signed [][]byte
	var which []int
	for i, item := range list {
		kind, content, _, err := rlp.Split(item)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		raw := []byte(item)
		if kind == rlp.String {
			raw = content
		}
		if len(raw) == 0 || raw[0] != chain.DepositTxType {
			signed, which = append(signed, raw), append(which, i)
			continue
		}
		if out[i], err = chain.DecodeAnyTx(raw, nil); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	txs, errs := make([]*chain.Tx, len(signed)), make([]error, len(signed))
	decoder.Decode(signed, txs, errs)
	for k, i := range which {
		if errs[k] != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, errs[k])
		}
		out[i] = txs[k]
	}
	return out, nil
}
