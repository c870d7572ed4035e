package rpc

import (
	"context"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// streamFake is what streams need of the fake, guarded by its lock.
type streamFake struct {
	sync   SyncStatus
	stamps bool // mini-blocks have the present time
}

func (b *streamFake) stamp() chain.Micros {
	if !b.stamps {
		return 0
	}
	return chain.Micros(time.Now().UnixMicro())
}

func (b *fakeBackend) Sync() SyncStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streamFake.sync
}

func (b *fakeBackend) lastMini() common.Hash {
	if n := len(b.minis); n > 0 {
		return b.minis[n-1].Hash
	}
	return common.Hash{}
}

func (b *fakeBackend) MiniBlocksFrom(_ context.Context, n uint64) (list []*MiniBlock, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := n; i < uint64(len(b.minis)) && b.minis[i].Header.BlockNumber == b.minis[n].Header.BlockNumber; i++ {
		list = append(list, b.minis[i])
	}
	return list, nil
}

// MiniBlockDiff gives every mini-block the empty diff.
func (b *fakeBackend) MiniBlockDiff(context.Context, *MiniBlock) ([]byte, error) {
	return []byte{0xc0}, nil
}

// AccountChanges gives every mini-block two changed accounts.
func (b *fakeBackend) AccountChanges(_ context.Context, m *MiniBlock) ([]AccountChange, error) {
	nonce := m.Header.Number
	return []AccountChange{
		{Address: common.HexToAddress("0xaa"), Nonce: &nonce, Storage: []SlotChange{{Slot: common.Hash{1}, Value: common.Hash{2}}}},
		{Address: common.HexToAddress("0xbb"), Balance: new(big.Int).SetUint64(nonce), CodeHash: &common.Hash{3}},
	}, nil
}

// rewind takes the chain back to a sealed block.
func (b *fakeBackend) rewind(block uint64) {
	b.mu.Lock()
	b.blocks = b.blocks[:block+1]
	n := 0
	for n < len(b.minis) && b.minis[n].Header.BlockNumber <= block {
		n++
	}
	b.minis = b.minis[:n:n]
	b.startOpen(block + 1)
	b.mu.Unlock()
	b.Publish(Event{Rewound: &Rewound{Mini: uint64(n), Block: block + 1}})
}

// fakeDevControls makes the fake a development chain.
type fakeDevControls struct{ DevControls }
