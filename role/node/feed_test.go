package node

import (
	"bytes"
	"testing"

	"github.com/talaria-l2/talaria/chain"
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
