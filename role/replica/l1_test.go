package replica

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/role/l1feed"
)

var (
	portal     = common.Address{0xbb}
	inbox      = common.Address{0xbc}
	batchOwner = common.Address{0xba}
)

// forkL1 is an L1 that mines when it is told to, and takes blocks back. It is also where
// the batcher sends to.
type forkL1 struct {
	mu       sync.Mutex
	fork     byte
	headers  []*types.Header
	blocks   []*l1.Block
	pool     []batcher.Tx // that wait, any order
	deposits []int        // that wait
	late     []int        // that wait for the next call of mine but one
	final    uint64       // how far behind the head
	changed  chan struct{}
}

func newForkL1() *forkL1 {
	m := &forkL1{changed: make(chan struct{}), final: 40}
	m.mine(1)
	return m
}

// l1Time is between blocks, in seconds.
const l1Time = 4

// mine makes blocks; the first holds what waits.
func (m *forkL1) mine(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		number := uint64(len(m.headers))
		h := &types.Header{
			Number: new(big.Int).SetUint64(number), Difficulty: new(big.Int), BaseFee: big.NewInt(1), Extra: []byte{m.fork},
			Time: 1_700_000_000 + l1Time*number + uint64(m.fork%3), MixDigest: common.Hash{m.fork, byte(number)},
		}
		if number > 0 {
			h.ParentHash = m.headers[number-1].Hash()
		}
		b := &l1.Block{Number: number, Hash: h.Hash(), ParentHash: h.ParentHash, Time: h.Time, BaseFee: h.BaseFee, BlobBaseFee: big.NewInt(1), PrevRandao: h.MixDigest}
		for i, id := range m.deposits {
			b.Logs = append(b.Logs, depositLog(id, uint(i)))
		}
		m.deposits, m.late = m.late, nil
		for nonce := m.nonce(); ; nonce++ {
			i := slices.IndexFunc(m.pool, func(tx batcher.Tx) bool { return tx.Nonce == nonce })
			if i < 0 {
				break
			}
			b.Batches = append(b.Batches, l1.BatchTx{From: batchOwner, Data: m.pool[i].Data, Hash: common.Hash{byte(nonce), byte(nonce >> 8)}})
			m.pool = slices.Delete(m.pool, i, i+1)
		}
		m.headers, m.blocks = append(m.headers, h), append(m.blocks, b)
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// Fates of what stood in blocks that are taken back.
const (
	waitsAgain = iota // it waits, and comes in the next block
	comesLate         // in the block behind that, deposits in another order
	isLost            // nobody sends it again by itself
)

// reorg takes blocks back and puts others in their place, one less than there were.
func (m *forkL1) reorg(depth, fate int) {
	m.mu.Lock()
	cut := len(m.blocks) - depth
	removed := m.blocks[cut:]
	m.headers, m.blocks = slices.Clone(m.headers[:cut]), slices.Clone(m.blocks[:cut])
	m.fork++
	nonce := m.nonce()
	for _, b := range removed {
		for _, log := range b.Logs {
			switch id := int(binary.BigEndian.Uint32(log.Topics[2][28:])); fate {
			case waitsAgain:
				m.deposits = append(m.deposits, id)
			case comesLate:
				m.late = append([]int{id}, m.late...)
			}
		}
		for _, tx := range b.Batches {
			if fate != isLost {
				m.pool = append(m.pool, batcher.Tx{Nonce: nonce, To: inbox, Data: tx.Data})
			}
			nonce++
		}
	}
	m.mu.Unlock()
	m.mine(max(1, depth-1))
}

func (m *forkL1) deposit(id int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deposits = append(m.deposits, id)
}

func depositLog(id int, index uint) *types.Log {
	opaque := make([]byte, 73)
	binary.BigEndian.PutUint64(opaque[24:], 1000)
	binary.BigEndian.PutUint64(opaque[56:], 1000)
	binary.BigEndian.PutUint64(opaque[64:], 100_000)
	data := append(common.LeftPadBytes([]byte{32}, 32), common.LeftPadBytes([]byte{byte(len(opaque))}, 32)...)
	data = append(data, common.RightPadBytes(opaque, (len(opaque)+31)/32*32)...)
	to := depositor(id)
	return &types.Log{Address: portal, Index: index, Data: data, Topics: []common.Hash{chain.DepositEventTopic, common.BytesToHash(to[:]), common.BytesToHash(to[:]), {}}}
}

// depositor is who the deposit belongs to.
func depositor(id int) (a common.Address) {
	a[0] = 0xdd
	binary.BigEndian.PutUint32(a[16:], uint32(id))
	return a
}

// nonce is the batcher's next one. m.mu is held.
func (m *forkL1) nonce() (n uint64) {
	for _, b := range m.blocks {
		n += uint64(len(b.Batches))
	}
	return n
}

func (m *forkL1) tip() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.blocks)) - 1
}

// at is a block as derivation reads it, nil if there is none.
func (m *forkL1) at(number uint64) *derive.L1Block {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.blocks)) {
		return nil
	}
	return l1feed.Convert(m.blocks[number])
}

func (m *forkL1) has(o chain.L1Origin) bool {
	b := m.at(o.Number)
	return b != nil && b.Hash == o.Hash
}

// HeaderByTag implements l1feed.L1.
func (m *forkL1) HeaderByTag(_ context.Context, tag l1.Tag) (*types.Header, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	number := uint64(len(m.headers)) - 1
	if tag != l1.Latest {
		number -= min(number, m.final)
	}
	return m.headers[number], nil
}

// HeaderByNumber implements l1feed.L1.
func (m *forkL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.headers)) {
		return nil, l1.ErrNotFound
	}
	return m.headers[number], nil
}

// Fetch implements l1feed.L1.
func (m *forkL1) Fetch(_ context.Context, number uint64, _ common.Address) (*l1.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.blocks)) {
		return nil, l1.ErrNotFound
	}
	return m.blocks[number], nil
}

// sender is the batcher's connection to a forkL1.
type sender struct{ *forkL1 }

// Head implements batcher.L1.
func (s sender) Head(context.Context) (uint64, error) { return s.tip(), nil }

// Nonces implements batcher.L1.
func (s sender) Nonces(context.Context) (latest, pending uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nonce(), s.pending(), nil
}

// pending is the next nonce behind those that the pool holds. s.mu is held.
func (s sender) pending() uint64 {
	pending := s.nonce()
	for slices.ContainsFunc(s.pool, func(tx batcher.Tx) bool { return tx.Nonce == pending }) {
		pending++
	}
	return pending
}

// Prices implements batcher.L1.
func (s sender) Prices(context.Context) (batcher.Prices, error) {
	return batcher.Prices{BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1e9)}, nil
}

// Send implements batcher.L1: as long as the transaction is neither in a block nor in the
// pool, it is sent again, and replaces another with its nonce.
func (s sender) Send(ctx context.Context, tx batcher.Tx) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		for i := len(s.blocks) - 1; i >= 0; i-- {
			for _, in := range s.blocks[i].Batches {
				if string(in.Data) == string(tx.Data) {
					s.mu.Unlock()
					return uint64(i), nil
				}
			}
		}
		if tx.Nonce < s.nonce() || tx.Nonce > s.pending() {
			s.mu.Unlock()
			return 0, fmt.Errorf("nonce %d is used, or there is a gap before it", tx.Nonce)
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
