package exec

import (
	"bytes"
	"math/rand"
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
			txs, got, _ := r.sum()
			if got != want {
				t.Errorf("%d receipts by %d: root %v, want %v", n, part, got, want)
			}
			if txs != types.EmptyTxsHash {
				t.Errorf("root of no transactions: %v", txs)
			}
		}
	}
}

// blobs is a list of byte strings.
type blobs [][]byte

func (b blobs) Len() int                           { return len(b) }
func (b blobs) EncodeIndex(i int, w *bytes.Buffer) { w.Write(b[i]) }

// Lists of every length and of elements so short that nodes are embedded give
// go-ethereum's root.
func TestListRootsAreGoEthereums(t *testing.T) {
	random := rand.New(rand.NewSource(5))
	sizes := []int{1000, 4095, 4096, 4097, 65_535, 65_536, 65_537, 65_600}
	if testing.Short() {
		sizes = sizes[:3]
	}
	for n := range 400 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for _, most := range []int{1, 3, 30, 40, 300} {
			if n > 400 && most != 3 && most != 40 {
				continue
			}
			list := make(blobs, n)
			for i := range list {
				list[i] = make([]byte, 1+random.Intn(most))
				random.Read(list[i])
			}
			want := types.DeriveSha(list, trie.NewStackTrie(nil))
			var l listRoot
			for i := 0; i < n; {
				part := min(n-i, 1+random.Intn(700))
				l.add(part, func(k int, out []byte) []byte { return append(out, list[i+k]...) })
				i += part
			}
			if got := l.sum(); got != want {
				t.Fatalf("%d elements of up to %d bytes: root %v, want %v", n, most, got, want)
			}
		}
	}
}
