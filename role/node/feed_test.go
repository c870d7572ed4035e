package node

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
)

// TestWhatIsStoredGoesToTheFeedAsItWasPublished: a feed that catches up from the store
// holds the same bytes as one that was there.
func TestWhatIsStoredGoesToTheFeedAsItWasPublished(t *testing.T) {
	w := newNodeWorld(t)
	events := w.node.Subscribe(64)
	defer events.Close()
	w.begin([]*chain.Tx{w.put(0, 1, 7)}, []*chain.Tx{w.put(0, 2, 8)})
	w.seal()
	w.begin([]*chain.Tx{w.put(0, 1, 9)})
	var live [][]byte
	for len(live) < 3 {
		if ev := <-events.Events(); ev.MiniBlock != nil {
			m, err := w.node.ForFeed(t.Context(), ev.MiniBlock)
			if err != nil {
				t.Fatal(err)
			}
			live = append(live, m.Encode())
		}
	}
	if err := w.node.AfterWrites(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	for number := uint64(0); number < 3; {
		list, err := w.node.FeedMiniBlocks(t.Context(), number)
		if err != nil || len(list) == 0 {
			t.Fatalf("mini-block %d: %d, %v", number, len(list), err)
		}
		for _, m := range list {
			if !bytes.Equal(m.Encode(), live[number]) {
				t.Errorf("mini-block %d differs from what was published", number)
			}
			number++
		}
	}
	if list, err := w.node.FeedMiniBlocks(t.Context(), 3); err != nil || len(list) != 0 {
		t.Errorf("a mini-block that is not there: %d, %v", len(list), err)
	}
}

// TestNodesCatchUpByRPC: what the feed no longer holds is asked for by JSON-RPC.
func TestNodesCatchUpByRPC(t *testing.T) {
	w := newNodeWorld(t)
	for i := range byte(3) {
		w.begin([]*chain.Tx{w.put(0, 1, i)}, []*chain.Tx{w.put(0, 2, i)}, nil)
		w.seal()
	}
	w.begin([]*chain.Tx{w.put(0, 1, 9)})
	if err := w.node.AfterWrites(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	c := w.serve(rpc.Options{})
	var want [][]byte
	for number := uint64(0); number < 10; number++ {
		list, err := w.node.FeedMiniBlocks(t.Context(), number)
		if err != nil || len(list) == 0 {
			t.Fatalf("mini-block %d: %d, %v", number, len(list), err)
		}
		want = append(want, list[0].Encode())
	}
	for _, q := range []struct {
		params      string
		first, last int // from first until before last
	}{
		{`["0x0"]`, 0, 10}, {`["0x4"]`, 4, 10}, {`["0x2",5]`, 2, 7}, {`["0x9","0x1"]`, 9, 10}, {`["0x9",0]`, 9, 10}, {`["0xa"]`, 10, 10}, {`["0xffffffffffffffff"]`, 10, 10},
	} {
		got := result[[]hexutil.Bytes](c, "talaria_feedMiniBlocks", q.params)
		if len(got) != q.last-q.first {
			t.Fatalf("%s: %d mini-blocks, want %d", q.params, len(got), q.last-q.first)
		}
		for i, enc := range got {
			if !bytes.Equal(enc, want[q.first+i]) {
				t.Errorf("%s: mini-block %d differs", q.params, q.first+i)
			}
		}
	}
	size := len(want[0]) + len(want[1]) // and not one byte more
	if got, err := w.node.MiniBlockEncodings(t.Context(), 0, 100, size); err != nil || len(got) != 2 {
		t.Errorf("%d mini-blocks in %d bytes, %v", len(got), size, err)
	}
	if got, err := w.node.MiniBlockEncodings(t.Context(), 0, 100, 1); err != nil || len(got) != 1 {
		t.Errorf("%d mini-blocks in a byte, %v", len(got), err)
	}
	blocks := result[[]hexutil.Bytes](c, "talaria_feedBlocks", `["0x0"]`)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for i, enc := range blocks {
		b, err := feed.DecodeBlock(enc)
		if err != nil {
			t.Fatal(err)
		}
		h, err := w.node.HeaderByNumber(t.Context(), uint64(i+1))
		if err != nil || b.Header.Hash() != h.Hash() || b.LastMiniBlock != uint64(3*i+2) {
			t.Errorf("block %d: %d ends with %d, %v", i+1, b.Header.Number, b.LastMiniBlock, err)
		}
	}
	if got := result[[]hexutil.Bytes](c, "talaria_feedBlocks", `["0x2",1]`); len(got) != 1 || !bytes.Equal(got[0], blocks[1]) {
		t.Errorf("one block from 2 on: %d", len(got))
	}
	if r := c.ask("talaria_feedMiniBlocks", `[]`); r.Error == nil || r.Error.Code != rpc.CodeInvalidParams {
		t.Errorf("without a number: %+v", r.Error)
	}
}
