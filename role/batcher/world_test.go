package batcher

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/l1"
)

var (
	inbox     = common.Address{0xff}
	certifier = common.Address{0xce}
	errDown   = errors.New("connection refused")
)

// world is a chain and an L1 that includes what its pool holds once a second. It knows
// what derivation would find in the inbox.
type world struct {
	mu     sync.Mutex
	blocks []*chain.Block

	l1     []l1Block // 1.. are mined; index is the number
	pool   map[uint64]Tx
	nonce  uint64 // used
	read   int    // L1 blocks that derivation has read
	layer  map[common.Hash][]byte
	prices Prices

	// fault, if set, is asked before each call: whether the call has its effect, and
	// whether its caller hears of it.
	fault func(call string) (effect, answer bool)
	stuck bool // the pool keeps what it has
	// refuse, if set, says that a transaction reverts before it is sent.
	refuse func(tx Tx) bool
	salt   byte      // makes other blocks of the same numbers
	full   *chain.Tx // in each new block, whose gas limit is its; nil: none
}

type l1Block struct{ txs []Tx }

func newWorld(t *testing.T, blocks int) *world {
	w := &world{pool: map[uint64]Tx{}, layer: map[common.Hash][]byte{}, prices: Prices{big.NewInt(1), big.NewInt(1)}, l1: []l1Block{{}, {}}, read: 2}
	w.grow(t, blocks)
	return w
}

// grow seals more blocks.
func (w *world) grow(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		number := uint64(len(w.blocks))
		h := &types.Header{Number: new(big.Int).SetUint64(number), Time: number, BaseFee: big.NewInt(1), Difficulty: new(big.Int), Extra: []byte{w.salt}}
		attrs := chain.L1Attributes{Number: 1, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1), SequenceNumber: number}
		if number > 0 {
			h.ParentHash = w.blocks[number-1].Hash()
		}
		mini := chain.MiniBlockHeader{BlockNumber: number, TimestampMicros: chain.Micros(number) * 1_000_000, TxCount: 1}
		txs := []*chain.Tx{attrs.Tx()}
		if w.full != nil {
			txs, h.GasLimit, mini.TxCount = append(txs, w.full), w.full.Gas(), 2
		}
		w.blocks = append(w.blocks, chain.NewBlock(h, txs, make([]*chain.Receipt, len(txs)), []chain.MiniBlockHeader{mini}))
	}
}

func (w *world) BlockByNumber(_ context.Context, number uint64) (*chain.Block, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number >= uint64(len(w.blocks)) {
		return nil, nil
	}
	return w.blocks[number], nil
}

// mine includes the pool in order of nonces, for as long as the test lasts.
func (w *world) mine(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		w.mu.Lock()
		var b l1Block
		for !w.stuck {
			tx, ok := w.pool[w.nonce]
			if !ok {
				break
			}
			delete(w.pool, w.nonce)
			b.txs = append(b.txs, tx)
			w.nonce++
		}
		w.l1 = append(w.l1, b)
		w.read = len(w.l1) - 1 // derivation is a block behind
		w.mu.Unlock()
	}
}

// posted is how often each block is on L1 in the first n L1 blocks, by decoding what the
// inbox got.
func (w *world) posted(n int) map[uint64]int {
	frames := map[batch.ChannelID][]batch.Frame{}
	var order []batch.ChannelID
	add := func(list []batch.Frame) {
		for _, f := range list {
			if frames[f.Channel] == nil {
				order = append(order, f.Channel)
			}
			frames[f.Channel] = append(frames[f.Channel], f)
		}
	}
	for _, b := range w.l1[:n] {
		for _, tx := range b.txs {
			add(w.frames(tx))
		}
	}
	count := map[uint64]int{}
	for _, id := range order {
		var data []byte
		for _, f := range frames[id] {
			data = append(data, f.Data...)
		}
		_, blocks, err := batch.DecodeChannel(data, 0)
		if err != nil {
			panic(err)
		}
		for _, b := range blocks {
			count[b.Number]++
		}
	}
	return count
}

func (w *world) frames(tx Tx) (out []batch.Frame) {
	must := func(list []batch.Frame, err error) {
		if err != nil {
			panic(err)
		}
		out = append(out, list...)
	}
	for _, blob := range tx.Blobs {
		must(batch.DecodeBlob(blob))
	}
	if len(tx.Data) == 0 {
		return out
	}
	data := tx.Data
	if da.Kind(data[0]) == da.KindAltDA {
		data = append([]byte{byte(da.KindCalldata)}, w.layer[common.BytesToHash(data[2:])]...)
	}
	for len(data) > 1 { // frames of more than one calldata's size, one by one
		size := batch.FrameOverhead + int(new(big.Int).SetBytes(data[1+19:1+23]).Int64())
		must(batch.DecodeCalldata(data[:1+size]))
		data = append([]byte{byte(da.KindCalldata)}, data[1+size:]...)
	}
	return out
}

func (w *world) Safe() (block, tip uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := w.posted(w.read)
	for count[block+1] > 0 {
		block++
	}
	return block, uint64(w.read - 1)
}

// ask applies the fault to a call. w.mu is held.
func (w *world) ask(call string) (effect, answer bool) {
	if w.fault == nil {
		return true, true
	}
	return w.fault(call)
}

func (w *world) Head(context.Context) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, answer := w.ask("head"); !answer {
		return 0, errDown
	}
	return uint64(len(w.l1) - 1), nil
}

func (w *world) Nonces(context.Context) (latest, pending uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, answer := w.ask("nonces"); !answer {
		return 0, 0, errDown
	}
	for pending = w.nonce; ; pending++ {
		if _, ok := w.pool[pending]; !ok {
			return w.nonce, pending, nil
		}
	}
}

func (w *world) Prices(context.Context) (Prices, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, answer := w.ask("prices"); !answer {
		return Prices{}, errDown
	}
	return w.prices, nil
}

func (w *world) Send(ctx context.Context, tx Tx) (uint64, error) {
	w.mu.Lock()
	if w.refuse != nil && w.refuse(tx) {
		w.mu.Unlock()
		return 0, l1.ErrReverted
	}
	effect, answer := w.ask("send")
	if effect {
		if tx.Nonce < w.nonce {
			w.mu.Unlock()
			return 0, l1.ErrNonceTaken
		}
		w.pool[tx.Nonce] = tx
	}
	w.mu.Unlock()
	if !answer {
		return 0, errDown
	}
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		w.mu.Lock()
		included, at := tx.Nonce < w.nonce, uint64(len(w.l1)-1)
		w.mu.Unlock()
		if included {
			return at, nil
		}
	}
}

// Put implements da.Store as an alt-DA server does.
func (w *world) Put(_ context.Context, data []byte) (da.Commitment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, answer := w.ask("put")
	c := da.NewKeccak(data)
	if effect {
		w.layer[c.Hash] = data
	}
	if !answer {
		return nil, da.ErrUnavailable
	}
	return c, nil
}

func (w *world) Get(context.Context, da.Commitment) ([]byte, error) { panic("not asked for") }
func (w *world) Limit() int                                         { return 1 << 20 }
