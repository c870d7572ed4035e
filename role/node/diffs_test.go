package node

import (
	"context"
	"testing"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// TestReplaysOfSeveralBlocksByTurnsExecuteEachOnce: the diffs of a block are kept while
// other blocks are asked for, but not of all blocks for ever.
func TestReplaysOfSeveralBlocksByTurnsExecuteEachOnce(t *testing.T) {
	w := newNodeWorld(t)
	for i := range uint64(maxDiffBlocks + 2) {
		w.block([]*chain.Tx{w.put(0, 1, byte(i+1))})
	}
	if err := w.node.AfterWrites(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	ask := func(number uint64) []byte {
		b, err := w.node.BlockByNumber(ctx, number)
		if err != nil || b == nil {
			t.Fatalf("block %d: %v", number, err)
		}
		diff, err := w.node.diffAgain(ctx, &rpc.MiniBlock{MiniBlock: &chain.MiniBlock{Header: b.MiniBlocks[0]}, BlockHash: b.Hash()})
		if err != nil || len(diff) == 0 {
			t.Fatalf("block %d: %d bytes, %v", number, len(diff), err)
		}
		return diff
	}
	first, second := ask(1), ask(2)
	if again := ask(1); &again[0] != &first[0] {
		t.Error("block 1 was executed again because of block 2")
	}
	if again := ask(2); &again[0] != &second[0] {
		t.Error("block 2 was executed again because of block 1")
	}
	for number := range uint64(maxDiffBlocks) {
		ask(number + 3)
	}
	if n := len(w.node.diffs.blocks); n != maxDiffBlocks {
		t.Errorf("%d blocks are kept, the bound is %d", n, maxDiffBlocks)
	}
}
