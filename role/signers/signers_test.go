package signers

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	contract = common.Address{0x5c}
	first    = common.Address{1}
)

// memoryL1 has blocks that a test puts there.
type memoryL1 struct {
	mu      sync.Mutex
	blocks  []*l1.Block
	headers []*types.Header
	fork    byte
}

// mine adds a block, in which these become the signer, one after another.
func (m *memoryL1) mine(signers ...common.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := uint64(len(m.blocks))
	h := &types.Header{Number: new(big.Int).SetUint64(n), Difficulty: new(big.Int), Extra: []byte{m.fork}}
	if n > 0 {
		h.ParentHash = m.blocks[n-1].Hash
	}
	b := &l1.Block{Number: n, Hash: h.Hash(), ParentHash: h.ParentHash, BaseFee: new(big.Int), BlobBaseFee: new(big.Int)}
	for _, s := range signers {
		data := make([]byte, 96)
		data[31], data[63] = 32, 32
		copy(data[76:], s[:])
		var kind common.Hash
		binary.BigEndian.PutUint64(kind[24:], 3)
		b.Logs = append(b.Logs, &types.Log{Address: contract, Topics: []common.Hash{chain.ConfigUpdateTopic, {}, kind}, Data: data})
	}
	m.blocks, m.headers = append(m.blocks, b), append(m.headers, h)
}

// takeBack leaves as many blocks.
func (m *memoryL1) takeBack(left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks, m.headers, m.fork = slices.Clone(m.blocks[:left]), slices.Clone(m.headers[:left]), m.fork+1
}

func (m *memoryL1) HeaderByTag(context.Context, l1.Tag) (*types.Header, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.headers[len(m.headers)-1], nil
}

func (m *memoryL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.headers)) {
		return nil, l1.ErrNotFound
	}
	return m.headers[number], nil
}

func (m *memoryL1) Fetch(_ context.Context, number uint64, _ common.Address) (*l1.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.blocks)) {
		return nil, l1.ErrNotFound
	}
	return m.blocks[number], nil
}

func start(t *testing.T, m *memoryL1) *Signers {
	cfg := chain.DefaultConfig()
	cfg.SystemConfig, cfg.Sequencer = contract, first
	s := Start(Options{
		L1: m, Config: &cfg, Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		From: derive.Head{Origin: chain.L1Origin{Number: 0, Hash: m.blocks[0].Hash}, System: cfg.System()},
	})
	t.Cleanup(s.Close)
	return s
}

func at(t *testing.T, s *Signers, origin uint64) common.Address {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	signer, err := s.At(ctx, origin)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestTheSignerChangesWithTheBlockOfTheEvent(t *testing.T) {
	m := new(memoryL1)
	m.mine()
	m.mine()
	m.mine(common.Address{2})
	m.mine()
	m.mine(common.Address{3}, common.Address{4})
	m.mine()
	s := start(t, m)
	for origin, want := range []byte{1, 1, 2, 2, 4, 4} {
		if got := at(t, s, uint64(origin)); got != (common.Address{want}) {
			t.Errorf("origin %d: %s, want %d", origin, got, want)
		}
	}
	if signer, known := s.Known(6); known || signer != (common.Address{4}) {
		t.Errorf("a block that L1 does not have: %s, known %t", signer, known)
	}
	m.mine(common.Address{5})
	if got := at(t, s, 6); got != (common.Address{5}) {
		t.Errorf("origin 6: %s", got)
	}
}

func TestAChangeThatL1TakesBackIsNone(t *testing.T) {
	m := new(memoryL1)
	m.mine()
	m.mine()
	m.mine(common.Address{2})
	m.mine()
	s := start(t, m)
	if got := at(t, s, 3); got != (common.Address{2}) {
		t.Fatal(got)
	}
	m.takeBack(2)
	m.mine()
	m.mine()
	m.mine()
	m.mine(common.Address{3})
	if got := at(t, s, 5); got != (common.Address{3}) {
		t.Fatal(got)
	}
	for origin, want := range []byte{1, 1, 1, 1, 1, 3} {
		if got := at(t, s, uint64(origin)); got != (common.Address{want}) {
			t.Errorf("origin %d: %s, want %d", origin, got, want)
		}
	}
}

func TestWithoutAContractTheSignerIsTheConfigurations(t *testing.T) {
	cfg := chain.DefaultConfig()
	cfg.Sequencer = first
	s := Start(Options{Config: &cfg, From: derive.Head{System: cfg.System()}})
	defer s.Close()
	if got := at(t, s, 1000); got != first {
		t.Fatal(got)
	}
}
