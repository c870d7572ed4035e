package l1

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Block is what derivation reads of one L1 block.
type Block struct {
	Number           uint64
	Hash             common.Hash
	ParentHash       common.Hash
	Time             uint64   // seconds
	BaseFee          *big.Int // wei per gas
	BlobBaseFee      *big.Int // wei per blob gas
	PrevRandao       common.Hash
	ParentBeaconRoot common.Hash // zero before Cancun

	Deposits []*types.Log // the portal's TransactionDeposited events; Index counts through the block
	Batches  []BatchTx    // in order
}

// BatchTx is a transaction from the batcher to the inbox, whether it succeeded or not.
type BatchTx struct {
	Hash       common.Hash
	Index      uint64 // position in the block
	Data       []byte // calldata
	BlobHashes []common.Hash
	Blobs      []Blob // in the order of BlobHashes
}

// SourceConfig says which accounts a Source watches.
type SourceConfig struct {
	Portal  common.Address // emits deposits; zero: none are read
	Inbox   common.Address // receives batches; zero: none are read
	Batcher common.Address // whose batches count
}

// Source reads L1 blocks for one rollup.
type Source struct {
	client *Client
	config SourceConfig
	signer types.Signer
}

// NewSource reads through c, which stays the caller's to close.
func NewSource(c *Client, config SourceConfig) *Source {
	return &Source{client: c, config: config, signer: types.LatestSignerForChainID(c.chainID)}
}

// Fetch reads the canonical block at a height; ErrNotFound beyond the head.
func (s *Source) Fetch(ctx context.Context, number uint64) (*Block, error) {
	b, err := s.client.block(ctx, fmt.Sprintf("get L1 block %d", number), "eth_getBlockByNumber", hexutil.EncodeUint64(number))
	if err != nil {
		return nil, err
	}
	if b.Header.Number.Uint64() != number {
		return nil, fmt.Errorf("get L1 block %d: %w: got number %v", number, ErrMismatch, b.Header.Number)
	}
	return s.read(ctx, b)
}

// FetchByHash reads the block with that hash, canonical or not.
func (s *Source) FetchByHash(ctx context.Context, hash common.Hash) (*Block, error) {
	b, err := s.client.block(ctx, fmt.Sprintf("get L1 block %v", hash), "eth_getBlockByHash", hash)
	if err != nil {
		return nil, err
	}
	if got := b.Header.Hash(); got != hash {
		return nil, fmt.Errorf("get L1 block %v: %w: got %v", hash, ErrMismatch, got)
	}
	return s.read(ctx, b)
}

func (s *Source) read(ctx context.Context, b *fullBlock) (*Block, error) {
	h := b.Header
	out := &Block{
		Number: h.Number.Uint64(), Hash: h.Hash(), ParentHash: h.ParentHash, Time: h.Time,
		BaseFee: new(big.Int), BlobBaseFee: s.client.fees.of(h), PrevRandao: h.MixDigest,
	}
	if h.BaseFee != nil {
		out.BaseFee.Set(h.BaseFee)
	}
	if h.ParentBeaconRoot != nil {
		out.ParentBeaconRoot = *h.ParentBeaconRoot
	}
	var err error
	if out.Deposits, err = s.deposits(ctx, h); err != nil {
		return nil, err
	}
	if out.Batches, err = s.batches(ctx, b); err != nil {
		return nil, err
	}
	return out, nil
}

// deposits asks for receipts only when the header's bloom filter, which has no false
// negatives, says that there may be events.
func (s *Source) deposits(ctx context.Context, h *types.Header) ([]*types.Log, error) {
	portal := s.config.Portal
	if portal == (common.Address{}) || !h.Bloom.Test(portal[:]) || !h.Bloom.Test(chain.DepositEventTopic[:]) {
		return nil, nil
	}
	receipts, err := s.client.Receipts(ctx, h)
	if err != nil {
		return nil, err
	}
	var logs []*types.Log
	for _, r := range receipts {
		for _, log := range r.Logs {
			if log.Address == portal && len(log.Topics) > 0 && log.Topics[0] == chain.DepositEventTopic {
				logs = append(logs, log)
			}
		}
	}
	return logs, nil
}

func (s *Source) batches(ctx context.Context, b *fullBlock) ([]BatchTx, error) {
	if s.config.Inbox == (common.Address{}) {
		return nil, nil
	}
	var out []BatchTx
	for i, tx := range b.Txs {
		if to := tx.To(); to == nil || *to != s.config.Inbox {
			continue
		}
		from, err := types.Sender(s.signer, tx)
		if err != nil || from != s.config.Batcher {
			continue // somebody else's; nothing stops anybody from writing to the inbox
		}
		batch := BatchTx{Hash: tx.Hash(), Index: uint64(i), Data: tx.Data(), BlobHashes: tx.BlobHashes()}
		if batch.Blobs, err = s.client.Blobs(ctx, b.Header, batch.BlobHashes); err != nil {
			return nil, fmt.Errorf("batch %v: %w", batch.Hash, err)
		}
		out = append(out, batch)
	}
	return out, nil
}
