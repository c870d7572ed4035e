package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// mixedLoad sends transfers, deployments, token transfers and transactions that
// revert from several accounts at once and remembers everything that the node
// acknowledged, across restarts of the node.
type mixedLoad struct {
	senders []*mixedSender
	acked   atomic.Uint64
	pause   time.Duration // of a sender between two transactions

	mu     sync.Mutex
	acks   map[common.Hash]ack
	blocks map[uint64]common.Hash // sealed blocks that were seen
}

// ack is a promise of the node: this transaction is in the chain with this outcome.
type ack struct {
	from   common.Address
	nonce  uint64
	status uint64
}

type mixedSender struct {
	*sender
	token *common.Address
	turn  int
	code  []byte
}

func newMixedLoad(t *testing.T, d *devnet, senders int) *mixedLoad {
	t.Helper()
	return newMixedLoadBy(t, dialEth(t, d.L2.HTTPURL), d.Accounts[:senders])
}

// newMixedLoadBy is newMixedLoad with a client.
func newMixedLoadBy(t *testing.T, client *ethclient.Client, accounts []Account) *mixedLoad {
	t.Helper()
	l := &mixedLoad{acks: map[common.Hash]ack{}, blocks: map[uint64]common.Hash{}}
	code := tokenCode(t)
	for _, a := range accounts {
		l.senders = append(l.senders, &mixedSender{sender: newSenderBy(t, client, a.PrivateKey), code: code})
	}
	return l
}

// next is the account's next transaction and the status that it must have.
func (s *mixedSender) next() (*types.Transaction, uint64, error) {
	s.turn++
	peer := common.BigToAddress(big.NewInt(int64(0xbeef0000 + s.turn%50)))
	want := types.ReceiptStatusSuccessful
	var inner *types.DynamicFeeTx
	switch kind := s.turn % 10; {
	case s.token == nil || kind == 9 && s.turn%100 == 99:
		inner = s.tx(nil, new(big.Int), 2_000_000, s.code)
	case kind < 5:
		inner = s.tx(&peer, big.NewInt(1), 21_000, nil)
	case kind < 9:
		inner = s.tx(s.token, new(big.Int), 100_000, tokenTransfer(peer, big.NewInt(int64(s.turn))))
	default: // more than there is: reverts, and stays in the chain
		inner = s.tx(s.token, new(big.Int), 100_000, tokenTransfer(peer, new(big.Int).Lsh(big.NewInt(1), 200)))
		want = types.ReceiptStatusFailed
	}
	tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chainID), inner)
	return tx, want, err
}

// run sends until ctx ends, the node goes away or goal transactions (0: no limit)
// are acknowledged since the load began. It fails on an answer that no healthy node gives.
func (l *mixedLoad) run(ctx context.Context, url string, goal uint64) error {
	client, err := rpc.DialContext(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close()
	return l.runBy(ctx, client, goal)
}

// runBy is run with a client.
func (l *mixedLoad) runBy(ctx context.Context, client *rpc.Client, goal uint64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	failures := make([]error, len(l.senders)+1)
	for i, s := range l.senders {
		wg.Go(func() { failures[i] = l.sendAll(ctx, stop, client, s, goal) })
	}
	wg.Go(func() { l.watch(ctx, client) })
	wg.Wait()
	return errors.Join(failures...)
}

func (l *mixedLoad) sendAll(ctx context.Context, stop func(), client *rpc.Client, s *mixedSender, goal uint64) error {
	var nonce hexutil.Uint64
	if err := client.CallContext(ctx, &nonce, "eth_getTransactionCount", s.addr, "pending"); err != nil {
		return unlessGone(ctx, err)
	}
	if uint64(nonce) < s.nonce {
		return fmt.Errorf("nonce of %s went back from %d to %d", s.addr, s.nonce, nonce)
	}
	s.nonce = uint64(nonce)
	for ctx.Err() == nil {
		tx, want, err := s.next()
		if err != nil {
			return err
		}
		r, err := sendSync(ctx, client, tx)
		if err != nil {
			return unlessGone(ctx, fmt.Errorf("send %s nonce %d: %w", s.addr, s.nonce, err))
		}
		if r.TxHash != tx.Hash() || uint64(r.Status) != want || r.From != s.addr {
			return fmt.Errorf("receipt of %s: %+v, want status %d", tx.Hash(), r, want)
		}
		l.mu.Lock()
		l.acks[tx.Hash()] = ack{s.addr, s.nonce, want}
		l.mu.Unlock()
		s.nonce++
		if tx.To() == nil {
			s.token = r.Contract
		}
		if n := l.acked.Add(1); goal > 0 && n >= goal {
			stop()
		}
		if l.pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(l.pause):
			}
		}
	}
	return nil
}

// unlessGone drops errors that only say that the node was killed or the run is over.
func unlessGone(ctx context.Context, err error) error {
	var answered rpc.Error
	if ctx.Err() != nil || !errors.As(err, &answered) {
		return nil
	}
	return err
}

// watch remembers the hashes of sealed blocks as they appear.
func (l *mixedLoad) watch(ctx context.Context, client *rpc.Client) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var number hexutil.Uint64
		if err := client.CallContext(ctx, &number, "eth_blockNumber"); err != nil {
			continue
		}
		l.mu.Lock()
		_, seen := l.blocks[uint64(number)]
		l.mu.Unlock()
		if seen {
			continue
		}
		if hash, err := blockHash(ctx, client, uint64(number)); err == nil {
			l.mu.Lock()
			l.blocks[uint64(number)] = hash
			l.mu.Unlock()
		}
	}
}

// check verifies every promise so far against the node at url.
func (l *mixedLoad) check(t *testing.T, url string) {
	t.Helper()
	client, err := rpc.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l.checkBy(t, client)
}

// checkBy is check with a client.
func (l *mixedLoad) checkBy(t *testing.T, client *rpc.Client) {
	t.Helper()
	l.mu.Lock()
	acks, blocks := maps.Clone(l.acks), maps.Clone(l.blocks)
	l.mu.Unlock()
	lost, changed := 0, 0
	eachBatch(acks, 200, func(hashes []common.Hash) {
		receipts := make([]*syncReceipt, len(hashes))
		batch := make([]rpc.BatchElem, len(hashes))
		for i, hash := range hashes {
			batch[i] = rpc.BatchElem{Method: "eth_getTransactionReceipt", Args: []any{hash}, Result: &receipts[i]}
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i, hash := range hashes {
			switch want := acks[hash]; {
			case batch[i].Error != nil:
				t.Fatalf("receipt of %s: %v", hash, batch[i].Error)
			case receipts[i] == nil:
				lost++
			case receipts[i].From != want.from || uint64(receipts[i].Status) != want.status:
				changed++
			}
		}
	})
	if lost+changed > 0 {
		t.Fatalf("of %d acknowledged transactions %d are lost and %d changed", len(acks), lost, changed)
	}
	for number, want := range blocks {
		if got, err := blockHash(t.Context(), client, number); err != nil || got != want {
			t.Fatalf("block %d was %s, is %s (%v)", number, want, got, err)
		}
	}
}

// eachBatch calls f with the keys of m, at most size at a time.
func eachBatch(m map[common.Hash]ack, size int, f func([]common.Hash)) {
	keys := make([]common.Hash, 0, size)
	for k := range m {
		if keys = append(keys, k); len(keys) == size {
			f(keys)
			keys = keys[:0]
		}
	}
	if len(keys) > 0 {
		f(keys)
	}
}

// blockHash is the hash of the sealed block with a number.
func blockHash(ctx context.Context, c *rpc.Client, number uint64) (common.Hash, error) {
	var head *struct {
		Hash *common.Hash `json:"hash"`
	}
	if err := c.CallContext(ctx, &head, "eth_getBlockByNumber", hexutil.Uint64(number), false); err != nil {
		return common.Hash{}, err
	}
	if head == nil || head.Hash == nil {
		return common.Hash{}, fmt.Errorf("block %d is not there", number)
	}
	return *head.Hash, nil
}

// chainOf reads the hashes of all sealed blocks from genesis to number, or to the
// last sealed one if number is 0.
func chainOf(t *testing.T, url string, number uint64) []common.Hash {
	t.Helper()
	client, err := rpc.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if number == 0 {
		number = sealedHead(t, client)
	}
	var hashes []common.Hash
	for n := uint64(0); n <= number; n++ {
		hash, err := blockHash(t.Context(), client, n)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	return hashes
}

// continues reports whether the chain at url still begins with the blocks of before.
func continues(t *testing.T, url string, before []common.Hash) bool {
	t.Helper()
	after := chainOf(t, url, 0)
	return len(after) >= len(before) && slices.Equal(before, after[:len(before)])
}

func sealedHead(t *testing.T, client *rpc.Client) uint64 {
	t.Helper()
	var n hexutil.Uint64
	if err := client.CallContext(t.Context(), &n, "eth_blockNumber"); err != nil {
		t.Fatal(err)
	}
	return uint64(n)
}
