package exec

import (
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/chain"
)

// Any way to cut a list into parts gives the root that go-ethereum gives the whole.
func TestBodyRootsInParts(t *testing.T) {
	for _, n := range []int{0, 1, 2, 126, 127, 128, 129, 200, 300, 1000} {
		receipts := make([]*chain.Receipt, n)
		for i := range receipts {
			receipts[i] = &chain.Receipt{Type: uint8(i % 3), Status: uint64(i % 2), CumulativeGasUsed: chain.Gas(i * 21_000)}
		}
		want := types.DeriveSha(chain.Receipts(receipts), trie.NewStackTrie(nil))
		for _, part := range []int{1, 7, 127, 128, 1000} {
			var r bodyRoots
			for i := 0; i < n; i += part {
				r.add(nil, receipts[i:min(i+part, n)])
			}
			txs, got := r.sum()
			if got != want {
				t.Errorf("%d receipts by %d: root %v, want %v", n, part, got, want)
			}
			if txs != types.EmptyTxsHash {
				t.Errorf("root of no transactions: %v", txs)
			}
		}
	}
}
