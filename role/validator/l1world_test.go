package validator

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/role/l1feed"
)

var (
	testInbox   = common.Address{0xbc}
	testBatcher = common.Address{0xba}
	testSystem  = common.Address{0x5c}
)

// settlement is an L1 that mines when it is told to and takes blocks back, and where a
// batcher sends blobs to.
type settlement struct {
	mu      sync.Mutex
	fork    byte
	headers []*types.Header
	blocks  []*l1.Block
	pool    []batcher.Tx
	changed chan struct{}
}

// l1Seconds are between L1 blocks.
const l1Seconds = 4

func newSettlement() *settlement {
	s := &settlement{changed: make(chan struct{})}
	s.mine()
	return s
}

// mine makes a block with these events and what waits.
func (s *settlement) mine(logs ...*types.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := uint64(len(s.headers))
	h := &types.Header{
		Number: new(big.Int).SetUint64(number), Difficulty: new(big.Int), BaseFee: big.NewInt(7), Extra: []byte{s.fork},
		Time: worldTime - l1Seconds + l1Seconds*number, MixDigest: common.Hash{s.fork, byte(number)}, ParentBeaconRoot: &common.Hash{9, byte(number)},
		WithdrawalsHash: &types.EmptyWithdrawalsHash, BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64),
	}
	if number > 0 {
		h.ParentHash = s.headers[number-1].Hash()
	}
	b := &l1.Block{
		Number: number, Hash: h.Hash(), ParentHash: h.ParentHash, Time: h.Time, BaseFee: h.BaseFee, BlobBaseFee: big.NewInt(1),
		PrevRandao: h.MixDigest, ParentBeaconRoot: *h.ParentBeaconRoot, Logs: logs,
	}
	for nonce := s.nonce(); ; nonce++ {
		i := slices.IndexFunc(s.pool, func(tx batcher.Tx) bool { return tx.Nonce == nonce })
		if i < 0 {
			break
		}
		tx := l1.BatchTx{Hash: common.Hash{0xb, s.fork, byte(nonce)}, From: testBatcher, Index: nonce, Data: s.pool[i].Data}
		for _, blob := range s.pool[i].Blobs {
			c, err := kzg4844.BlobToCommitment((*kzg4844.Blob)(blob))
			if err != nil {
				panic(err)
			}
			tx.BlobHashes, tx.Blobs = append(tx.BlobHashes, versioned(c)), append(tx.Blobs, l1.Blob(*blob))
		}
		b.Batches = append(b.Batches, tx)
		s.pool = slices.Delete(s.pool, i, i+1)
	}
	s.headers, s.blocks = append(s.headers, h), append(s.blocks, b)
	close(s.changed)
	s.changed = make(chan struct{})
}

// takeBack takes blocks back. What the batcher sent in them is sent again, or lost.
func (s *settlement) takeBack(depth int, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cut := len(s.blocks) - depth
	removed := s.blocks[cut:]
	s.headers, s.blocks, s.fork = slices.Clone(s.headers[:cut]), slices.Clone(s.blocks[:cut]), s.fork+1
	for nonce, i := s.nonce(), 0; i < len(removed) && !lost; i++ {
		for _, tx := range removed[i].Batches {
			again := batcher.Tx{Nonce: nonce, To: testInbox, Data: tx.Data}
			for k := range tx.Blobs {
				blob := [131072]byte(tx.Blobs[k])
				again.Blobs = append(again.Blobs, (*batch.Blob)(&blob))
			}
			s.pool, nonce = append(s.pool, again), nonce+1
		}
	}
}

func (s *settlement) nonce() (n uint64) {
	for _, b := range s.blocks {
		n += uint64(len(b.Batches))
	}
	return n
}

func (s *settlement) at(number uint64) *derive.L1Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.blocks)) {
		return nil
	}
	return l1feed.Convert(s.blocks[number])
}

func (s *settlement) tip() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.blocks)) - 1
}

// HeaderByTag implements l1feed.L1. Nothing is final but the first block.
func (s *settlement) HeaderByTag(_ context.Context, tag l1.Tag) (*types.Header, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tag != l1.Latest {
		return s.headers[0], nil
	}
	return s.headers[len(s.headers)-1], nil
}

// HeaderByNumber implements l1feed.L1.
func (s *settlement) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.headers)) {
		return nil, l1.ErrNotFound
	}
	return s.headers[number], nil
}

// Fetch implements l1feed.L1.
func (s *settlement) Fetch(_ context.Context, number uint64, _ common.Address) (*l1.Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.blocks)) {
		return nil, l1.ErrNotFound
	}
	return s.blocks[number], nil
}

// Head implements batcher.L1.
func (s *settlement) Head(context.Context) (uint64, error) { return s.tip(), nil }

// Nonces implements batcher.L1.
func (s *settlement) Nonces(context.Context) (latest, pending uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nonce(), s.pending(), nil
}

func (s *settlement) pending() uint64 {
	next := s.nonce()
	for slices.ContainsFunc(s.pool, func(tx batcher.Tx) bool { return tx.Nonce == next }) {
		next++
	}
	return next
}

// Prices implements batcher.L1.
func (s *settlement) Prices(context.Context) (batcher.Prices, error) {
	return batcher.Prices{BaseFee: big.NewInt(1e9), BlobBaseFee: big.NewInt(1)}, nil
}

// Send implements batcher.L1: a transaction that is neither in a block nor in the pool is
// sent again.
func (s *settlement) Send(ctx context.Context, tx batcher.Tx) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		for i := len(s.blocks) - 1; i >= 0; i-- {
			for _, in := range s.blocks[i].Batches {
				if sameBlobs(&in, &tx) {
					s.mu.Unlock()
					return uint64(i), nil
				}
			}
		}
		if tx.Nonce < s.nonce() || tx.Nonce > s.pending() {
			s.mu.Unlock()
			return 0, context.DeadlineExceeded
		}
		s.pool = append(slices.DeleteFunc(s.pool, func(p batcher.Tx) bool { return p.Nonce == tx.Nonce }), tx)
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func sameBlobs(in *l1.BatchTx, tx *batcher.Tx) bool {
	if string(in.Data) != string(tx.Data) || len(in.Blobs) != len(tx.Blobs) {
		return false
	}
	for i := range in.Blobs {
		if in.Blobs[i] != l1.Blob(*tx.Blobs[i]) {
			return false
		}
	}
	return true
}

// signerEvent is SystemConfig's event that names who signs mini-blocks.
func signerEvent(signer common.Address) *types.Log {
	data := make([]byte, 96)
	data[31], data[63] = 32, 32
	copy(data[76:], signer[:])
	var kind common.Hash
	binary.BigEndian.PutUint64(kind[24:], 3)
	return &types.Log{Address: testSystem, Topics: []common.Hash{chain.ConfigUpdateTopic, {}, kind}, Data: data}
}

// settled is a chain on an L1, with a batcher, and what is read of both.
type settled struct {
	*world
	l1    *settlement
	heads []derive.Head // from genesis on

	mu     sync.Mutex
	blocks []*chain.Block                  // from genesis on, of which a batcher posts
	posts  func(*chain.Block) *chain.Block // what it posts in place of a block; nil: the block
	v      *Validator
}

func newSettled(t *testing.T) *settled {
	w := &settled{l1: newSettlement()}
	w.world = newWorldOf(t, func(g *chain.Genesis) {
		g.Config.BatchInbox, g.Config.Batcher, g.Config.SystemConfig = testInbox, testBatcher, testSystem
		g.L1Origin = w.l1.at(0).ID()
	})
	genesis := derive.GenesisState(w.g, w.hash)
	w.heads, w.blocks = []derive.Head{genesis.Head}, []*chain.Block{nil}
	return w
}

// make makes blocks of so many transfers, and an L1 block with every fourth.
func (w *settled) make(n, txs int) {
	w.t.Helper()
	for range n {
		head := w.heads[len(w.heads)-1]
		if uint64(len(w.heads))%l1Seconds == 0 {
			w.l1.mine()
		}
		current := w.l1.at(head.Origin.Number)
		o, err := derive.NextOrigin(&w.g.Config, head, current, w.l1.at(head.Origin.Number+1), head.Timestamp+1)
		if err != nil {
			w.t.Fatal(err)
		}
		w.world.l1 = o.Attributes
		w.world.l1.SequenceNumber-- // which the world counts up
		b, minis, witness := w.block(txs)
		for _, m := range minis {
			w.feed.add(m)
		}
		w.feed.add(b)
		w.feed.add(witness)
		next, err := derive.HeadOf(&w.g.Config, w.sealed)
		if err != nil {
			w.t.Fatal(err)
		}
		next.System = o.System
		w.heads = append(w.heads, next)
		w.mu.Lock()
		w.blocks = append(w.blocks, w.sealed)
		w.mu.Unlock()
	}
}

// back goes back to a block, and makes the blocks up to it once more, as they were.
func (w *settled) back(number int, l1s []chain.L1Attributes, txs int) {
	w.t.Helper()
	again := newWorldOf(w.t, func(g *chain.Genesis) { *g = *w.g })
	for i := range number {
		again.l1 = l1s[i]
		again.l1.SequenceNumber--
		again.block(txs)
		if again.headers[i+1].Hash() != w.headers[i+1].Hash() {
			w.t.Fatalf("block %d is another one", i+1)
		}
	}
	again.feed = w.feed
	again.chain.SetEpoch(w.heads[len(w.heads)-1].Epoch + 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.world, w.heads, w.blocks = again, w.heads[:number+1], w.blocks[:number+1]
}

// attributes are those of the blocks from the first on.
func (w *settled) attributes() (out []chain.L1Attributes) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.blocks[1:] {
		a, err := chain.ParseL1Attributes(b.Txs[0])
		if err != nil {
			w.t.Fatal(err)
		}
		// What the deposit does not say is in the header.
		a.PrevRandao, a.ParentBeacon = b.Header.MixDigest, *b.Header.ParentBeaconRoot
		out = append(out, a)
	}
	return out
}

// BlockByNumber implements batcher.Chain.
func (w *settled) BlockByNumber(_ context.Context, number uint64) (*chain.Block, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number >= uint64(len(w.blocks)) {
		return nil, nil
	}
	b := w.blocks[number]
	if w.posts != nil {
		b = w.posts(b)
	}
	return b, nil
}

// Safe implements batcher.Tracker by what the validator has found on L1.
func (w *settled) Safe() (block, tip uint64) {
	p := w.v.Status().Posted
	return p.Block, p.L1Block
}

// watch starts a validator that reads L1, and a batcher.
func (w *settled) watch() *Validator {
	opts := w.options()
	opts.L1 = &L1Options{L1: w.l1, Poll: 2 * time.Millisecond}
	w.v = w.start(opts)
	b := batcher.Start(batcher.Options{
		Chain: w, Tracker: w, L1: w.l1, Inbox: testInbox, Place: batcher.InBlobs,
		MaxAge: 50 * time.Millisecond, LostAfter: 6, Patience: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	w.t.Cleanup(b.Close)
	return w.v
}

// posted waits until L1 holds the newest block as it was checked, and mines meanwhile.
func (w *settled) posted(what string) Status {
	w.t.Helper()
	last := uint64(len(w.heads)) - 1
	for deadline := time.Now().Add(20 * time.Second); ; {
		s := w.v.Status()
		if s.Posted.Block == last && s.Checked == last {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %+v, L1 %+v, alarms %+v", what, s, s.Posted, s.Alarms)
		}
		w.l1.mine()
		<-time.After(20 * time.Millisecond) // the batcher's clock is the real one
	}
}
