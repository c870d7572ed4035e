package node

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// TestWhatTheStoreDoesNotHoldYetIsFound in the open block and in those that wait to be
// written, and nothing else is.
func TestWhatTheStoreDoesNotHoldYetIsFound(t *testing.T) {
	hash := func(i byte) common.Hash { return common.Hash{i} }
	var h head
	for n := int64(4); n <= 5; n++ {
		r := &recentBlock{block: chain.NewBlock(&types.Header{Number: big.NewInt(n)}, nil, nil, nil), found: h.newIndex()}
		r.found.txs[hash(byte(n))], r.found.minis[hash(byte(n))] = uint64(10*n), uint64(100*n)
		h.recent = append(h.recent, r)
	}
	h.open = &openView{header: &types.Header{Number: big.NewInt(6)}, found: h.newIndex()}
	h.open.found.txs[hash(6)], h.open.found.minis[hash(6)] = 60, 600
	for n := uint64(4); n <= 6; n++ {
		if at, ok := h.tx(hash(byte(n))); !ok || at != (txPlace{n, 10 * n}) {
			t.Errorf("transaction of block %d is at %v (%t)", n, at, ok)
		}
		if number, ok := h.mini(hash(byte(n))); !ok || number != 100*n {
			t.Errorf("mini-block of block %d is %d (%t)", n, number, ok)
		}
	}
	h.recent = h.recent[1:]
	for _, n := range []byte{4, 7} {
		if at, ok := h.tx(hash(n)); ok {
			t.Errorf("transaction %d is at %v", n, at)
		}
		if number, ok := h.mini(hash(n)); ok {
			t.Errorf("mini-block of %d is %d", n, number)
		}
	}
}
