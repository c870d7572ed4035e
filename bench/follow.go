package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// followInterval is how often the follower asks for a new block.
const followInterval = 20 * time.Millisecond

// place is where a transaction was found.
type place struct {
	block uint64 // 0: nowhere
	index int
}

// sealed is a block with transactions of the run.
type sealed struct {
	number uint64
	at     time.Time // when it was seen here
	count  int       // transactions of the run
}

// follower looks for the run's transactions in blocks: one question a block, not one
// a transaction.
type follower struct {
	node   *node
	tally  *tally
	byHash map[common.Hash]uint32
	places []place
	blocks []sealed
	next   uint64 // block to read
	found  int
}

func newFollower(n *node, t *tally, items []item, from uint64) *follower {
	f := &follower{node: n, tally: t, byHash: make(map[common.Hash]uint32, len(items)), places: make([]place, len(items)), next: from}
	for i := range items {
		f.byHash[items[i].hash] = uint32(i)
	}
	return f
}

// head is the number of the newest block.
func (n *node) head(ctx context.Context) (uint64, error) {
	var number hexutil.Uint64
	if err := n.rpc.CallContext(ctx, &number, "eth_blockNumber"); err != nil {
		return 0, fmt.Errorf("block number: %w", err)
	}
	return uint64(number), nil
}

// step reads the blocks that are new. A block that is still growing (its hash is
// null) waits until it is sealed.
func (f *follower) step(ctx context.Context) error {
	head, err := f.node.head(ctx)
	if err != nil {
		return err
	}
	for f.next <= head {
		var block *struct {
			Hash *common.Hash  `json:"hash"`
			Txs  []common.Hash `json:"transactions"`
		}
		if err := f.node.rpc.CallContext(ctx, &block, "eth_getBlockByNumber", hexutil.Uint64(f.next), false); err != nil {
			return fmt.Errorf("block %d: %w", f.next, err)
		}
		if block == nil || block.Hash == nil || *block.Hash == (common.Hash{}) {
			return nil
		}
		b := sealed{number: f.next, at: time.Now()}
		for k, h := range block.Txs {
			i, ours := f.byHash[h]
			if !ours {
				continue
			}
			if f.places[i].block != 0 {
				f.tally.mismatch(fmt.Sprintf("transaction %s is in block %d and again in block %d", h, f.places[i].block, f.next))
				continue
			}
			f.places[i] = place{block: f.next, index: k}
			f.found++
			b.count++
		}
		if b.count > 0 {
			f.blocks = append(f.blocks, b)
		}
		f.next++
	}
	return nil
}

// follow steps until stop is closed.
func (f *follower) follow(ctx context.Context, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followInterval):
		}
		if err := f.step(ctx); err != nil {
			return err
		}
	}
}

// complete steps until every answered item is found, or nothing new was found for
// patience.
func (f *follower) complete(ctx context.Context, items []item, patience time.Duration) error {
	for changed, found := time.Now(), f.found; ; {
		if err := f.step(ctx); err != nil {
			return err
		}
		if f.found != found {
			changed, found = time.Now(), f.found
		}
		if f.settled(items) || time.Since(changed) > patience {
			return nil
		}
		sleepUntil(ctx, time.Now().Add(followInterval))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// settled says whether every answered item has a place.
func (f *follower) settled(items []item) bool {
	for i := range items {
		if items[i].fate == answered && f.places[i].block == 0 {
			return false
		}
	}
	return true
}

// blockReceipt is what the audit needs of a receipt; logs are only counted.
type blockReceipt struct {
	TxHash            common.Hash       `json:"transactionHash"`
	Status            hexutil.Uint64    `json:"status"`
	GasUsed           hexutil.Uint64    `json:"gasUsed"`
	EffectiveGasPrice *hexutil.Big      `json:"effectiveGasPrice"`
	L1Fee             *hexutil.Big      `json:"l1Fee"`
	From              common.Address    `json:"from"`
	Logs              []json.RawMessage `json:"logs"`
}

func (r *blockReceipt) plain() *receipt {
	return &receipt{GasUsed: r.GasUsed, EffectiveGasPrice: r.EffectiveGasPrice, L1Fee: r.L1Fee}
}

// receiptsOf reads the receipts of a block's transactions of the run: all at once if
// the node can, else one by one in batches.
func (f *follower) receiptsOf(ctx context.Context, b sealed, items []item) ([]*blockReceipt, error) {
	var list []*blockReceipt
	err := f.node.rpc.CallContext(ctx, &list, "eth_getBlockReceipts", hexutil.Uint64(b.number))
	if err == nil && list != nil {
		return list, nil
	}
	var coded rpc.Error
	if err != nil && !errors.As(err, &coded) {
		return nil, fmt.Errorf("receipts of block %d: %w", b.number, err)
	}
	return f.receiptsEach(ctx, f.hashesOf(b, items))
}

// sampleOf reads the receipts of up to n of a block's transactions of the run, evenly
// spread, one by one in batches.
func (f *follower) sampleOf(ctx context.Context, b sealed, items []item, n int) ([]*blockReceipt, error) {
	all := f.hashesOf(b, items)
	n = min(n, len(all))
	some := make([]common.Hash, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return f.receiptsEach(ctx, some)
}

func (f *follower) hashesOf(b sealed, items []item) []common.Hash {
	hashes := make([]common.Hash, 0, b.count)
	for i, p := range f.places {
		if p.block == b.number {
			hashes = append(hashes, items[i].hash)
		}
	}
	return hashes
}

func (f *follower) receiptsEach(ctx context.Context, hashes []common.Hash) ([]*blockReceipt, error) {
	var list []*blockReceipt
	for len(hashes) > 0 {
		n := min(len(hashes), verifyBatch)
		part := make([]*blockReceipt, n)
		for i, err := range call(ctx, f.node.rpc, "eth_getTransactionReceipt", n, func(i int) ([]any, any) { return []any{hashes[i]}, &part[i] }) {
			if err != nil {
				return nil, fmt.Errorf("receipt of %s: %w", hashes[i], err)
			}
		}
		list = append(list, part...)
		hashes = hashes[n:]
	}
	return list, nil
}
