package node

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

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

// TestDiffsOfMiniBlocksAreServed: of published ones and of those that are only on disk,
// by number and by hash.
func TestDiffsOfMiniBlocksAreServed(t *testing.T) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	client := w.serve(rpc.Options{})
	check := func() {
		t.Helper()
		b, err := w.node.BlockByNumber(context.Background(), 1)
		if err != nil || b == nil {
			t.Fatal(err)
		}
		for _, h := range b.MiniBlocks {
			for _, ref := range []string{hexutil.EncodeUint64(h.Number), h.Hash().Hex()} {
				r := client.ask("talaria_getMiniBlockDiff", `["`+ref+`"]`)
				var diff hexutil.Bytes
				if err := json.Unmarshal(r.Result, &diff); err != nil {
					t.Fatalf("mini-block %s: %v, %+v", ref, err, r.Error)
				}
				if crypto.Keccak256Hash(diff) != h.DiffHash {
					t.Errorf("mini-block %s: %d bytes are not those of diffHash", ref, len(diff))
				}
			}
		}
	}
	check()
	if err := w.node.AfterWrites(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	check()
	if r := client.ask("talaria_getMiniBlockDiff", `["0x10000000000"]`); string(r.Result) != "null" {
		t.Errorf("a mini-block that there is not has the diff %s, %+v", r.Result, r.Error)
	}
}
