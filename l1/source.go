package l1

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"

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

	// Logs are the portal's TransactionDeposited events and SystemConfig's ConfigUpdate
	// events; Index counts through the block.
	Logs    []*types.Log
	Batches []BatchTx // in order
}

// BatchTx is a transaction from the batcher to the inbox, whether it succeeded or not.
type BatchTx struct {
	Hash       common.Hash
	From       common.Address
	Index      uint64 // position in the block
	Data       []byte // calldata; of a certified one, the certificate
	Certified  bool   // an event of the verifier's, not a transaction to the inbox
	BlobHashes []common.Hash
	Blobs      []Blob // in the order of BlobHashes
}

// SourceConfig says which accounts a Source watches.
type SourceConfig struct {
	Portal       common.Address // emits deposits; zero: none are read
	SystemConfig common.Address // emits changes of the configuration; zero: none are read
	Inbox        common.Address // receives batches; zero: none are read
	Verifier     common.Address // emits certificates of data that the committee keeps; zero: none are read
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

// HeaderByTag is the header of a head; see Client.
func (s *Source) HeaderByTag(ctx context.Context, tag Tag) (*types.Header, error) {
	return s.client.HeaderByTag(ctx, tag)
}

// HeaderByNumber is the canonical header at a height; see Client.
func (s *Source) HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error) {
	return s.client.HeaderByNumber(ctx, number)
}

// Fetch reads the canonical block at a height, with the batches of one account, zero for
// none of them; ErrNotFound beyond the head.
func (s *Source) Fetch(ctx context.Context, number uint64, batcher common.Address) (*Block, error) {
	b, err := s.client.block(ctx, fmt.Sprintf("get L1 block %d", number), "eth_getBlockByNumber", hexutil.EncodeUint64(number))
	if err != nil {
		return nil, err
	}
	if b.Header.Number.Uint64() != number {
		return nil, fmt.Errorf("get L1 block %d: %w: got number %v", number, ErrMismatch, b.Header.Number)
	}
	return s.read(ctx, b, batcher)
}

// FetchByHash reads the block with that hash, canonical or not; see Fetch.
func (s *Source) FetchByHash(ctx context.Context, hash common.Hash, batcher common.Address) (*Block, error) {
	b, err := s.client.block(ctx, fmt.Sprintf("get L1 block %v", hash), "eth_getBlockByHash", hash)
	if err != nil {
		return nil, err
	}
	if got := b.Header.Hash(); got != hash {
		return nil, fmt.Errorf("get L1 block %v: %w: got %v", hash, ErrMismatch, got)
	}
	return s.read(ctx, b, batcher)
}

func (s *Source) read(ctx context.Context, b *fullBlock, batcher common.Address) (*Block, error) {
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
	var certified []BatchTx
	if out.Logs, certified, err = s.logs(ctx, h, batcher); err != nil {
		return nil, err
	}
	if out.Batches, err = s.batches(ctx, b, batcher); err != nil {
		return nil, err
	}
	if len(certified) > 0 {
		out.Batches = append(out.Batches, certified...)
		slices.SortStableFunc(out.Batches, func(a, b BatchTx) int { return cmp.Compare(a.Index, b.Index) })
	}
	return out, nil
}

// logs asks for receipts only when the header's bloom filter, which has no false
// negatives, says that there may be events.
func (s *Source) logs(ctx context.Context, h *types.Header, batcher common.Address) (logs []*types.Log, certified []BatchTx, err error) {
	may := func(contract common.Address, topic common.Hash) bool {
		return contract != (common.Address{}) && h.Bloom.Test(contract[:]) && h.Bloom.Test(topic[:])
	}
	portal, system := s.config.Portal, s.config.SystemConfig
	verifier := s.config.Verifier
	if batcher == (common.Address{}) {
		verifier = common.Address{}
	}
	if !may(portal, chain.DepositEventTopic) && !may(system, chain.ConfigUpdateTopic) && !may(verifier, chain.CertifiedTopic) {
		return nil, nil, nil
	}
	is := func(log *types.Log, contract common.Address, topic common.Hash) bool {
		return contract != (common.Address{}) && log.Address == contract && len(log.Topics) > 0 && log.Topics[0] == topic
	}
	receipts, err := s.client.Receipts(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range receipts {
		for _, log := range r.Logs {
			if is(log, portal, chain.DepositEventTopic) || is(log, system, chain.ConfigUpdateTopic) {
				logs = append(logs, log)
			}
			if is(log, verifier, chain.CertifiedTopic) {
				if from, certificate, err := chain.CertifiedBatch(log); err == nil && from == batcher {
					certified = append(certified, BatchTx{Hash: log.TxHash, From: from, Index: uint64(log.TxIndex), Data: certificate, Certified: true})
				}
			}
		}
	}
	return logs, certified, nil
}

func (s *Source) batches(ctx context.Context, b *fullBlock, batcher common.Address) ([]BatchTx, error) {
	if s.config.Inbox == (common.Address{}) || batcher == (common.Address{}) {
		return nil, nil
	}
	var out []BatchTx
	for i, tx := range b.Txs {
		if to := tx.To(); to == nil || *to != s.config.Inbox {
			continue
		}
		from, err := types.Sender(s.signer, tx)
		if err != nil || from != batcher {
			continue // somebody else's; nothing stops anybody from writing to the inbox
		}
		batch := BatchTx{Hash: tx.Hash(), From: from, Index: uint64(i), Data: tx.Data(), BlobHashes: tx.BlobHashes()}
		if batch.Blobs, err = s.client.Blobs(ctx, b.Header, batch.BlobHashes); err != nil {
			return nil, fmt.Errorf("batch %v: %w", batch.Hash, err)
		}
		out = append(out, batch)
	}
	return out, nil
}

// SourceOf is what a chain reads of its L1.
func SourceOf(cfg *chain.Config) SourceConfig {
	return SourceConfig{Portal: cfg.Portal, SystemConfig: cfg.SystemConfig, Inbox: cfg.BatchInbox, Verifier: cfg.CertificateVerifier}
}
