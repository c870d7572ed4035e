package replica

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/node"
)

// liveOn starts a live replica on the world's L1.
func (w *world) liveOn(source feed.Source) (*node.Node, *Live) {
	w.t.Helper()
	n := openNodeAt(w.t, filepath.Join(w.t.TempDir(), "live"), w.g)
	l, err := StartLive(n, LiveOptions{Feed: source, Signer: crypto.PubkeyToAddress(w.maker.key.PublicKey), L1: w.l1, Poll: 2 * time.Millisecond, Retry: 20 * time.Millisecond, Patience: 200 * time.Millisecond, Log: quiet()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		l.Close()
		if err := n.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return n, l
}

// Where feed and RPC have nothing the chain comes from L1, and what the feed tells
// afterwards goes on behind it.
func TestALiveReplicaFallsBackToL1(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		w.advance()
	}
	w.rest()
	source := newMemoryFeed()
	n, _ := w.liveOn(source)
	w.eventually("the chain comes from L1", func() error {
		safe, _ := n.Finality()
		if want := w.node.PublishedHead(); n.PublishedHead().Hash() != want.Hash() || safe != want.Number.Uint64() {
			return fmt.Errorf("at %d, safe %d, want %d", n.PublishedHead().Number, safe, want.Number)
		}
		return nil
	})

	// The feed holds the same and more, signed.
	w.maker.make(2)
	w.maker.mu.Lock()
	defer w.maker.mu.Unlock()
	for number := uint64(0); number < w.maker.node.Exec().NextMini(); {
		list, err := w.maker.node.FeedMiniBlocks(t.Context(), number)
		if err != nil || len(list) == 0 {
			t.Fatalf("mini-block %d: %v", number, err)
		}
		for _, m := range list {
			signed := &feed.MiniBlock{MiniBlock: &chain.MiniBlock{Header: m.Header, Txs: m.Txs, Receipts: m.Receipts, Diff: m.Diff}, Attributes: m.Attributes}
			if signed.Signature, err = m.Header.Sign(w.maker.key); err != nil {
				t.Fatal(err)
			}
			source.addMini(signed)
			number++
		}
	}
	head := w.maker.node.PublishedHead().Number.Uint64()
	for number := uint64(1); number <= head; number++ {
		b, err := w.maker.node.BlockByNumber(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		source.addBlock(&feed.Block{Header: b.Header, LastMiniBlock: b.MiniBlocks[len(b.MiniBlocks)-1].Number})
	}
	w.eventually("the feed goes on", func() error {
		if n.PublishedHead().Hash() != w.maker.node.PublishedHead().Hash() {
			return fmt.Errorf("at %d, want %d", n.PublishedHead().Number, head)
		}
		return nil
	})
}

// What the leader published and L1 does not hold gives way to what L1 holds.
func TestL1DecidesAgainstTheLeader(t *testing.T) {
	w := newWorld(t)
	source := newMemoryFeed()
	other := openNodeAt(t, filepath.Join(t.TempDir(), "other"), w.g)
	t.Cleanup(func() { _ = other.Close() })
	// Two blocks that nobody will post.
	c := other.Exec()
	for i := range uint64(2) {
		a := chain.Attributes{Timestamp: w.g.Timestamp + 1 + i}
		if err := c.Open(a); err != nil {
			t.Fatal(err)
		}
		if i, err := c.ApplyAll([]*chain.Tx{(&chain.L1Attributes{SequenceNumber: 1 + i, BaseFee: big7(), BlobBaseFee: big7()}).Tx()}); err != nil {
			t.Fatal(i, err)
		}
		m, version := c.Cut(chain.Micros(a.Timestamp * 1_000_000))
		var err error
		if m.Signature, err = m.Header.Sign(w.maker.key); err != nil {
			t.Fatal(err)
		}
		other.PublishMiniBlock(m, c.OpenHeader(), a, version)
		source.addMini(&feed.MiniBlock{MiniBlock: m, Attributes: a})
		block, diff, err := c.Seal()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.PublishBlock(block, diff, nil); err != nil {
			t.Fatal(err)
		}
		source.addBlock(&feed.Block{Header: block.Header, LastMiniBlock: m.Header.Number})
	}
	n, _ := w.liveOn(source)
	w.eventually("the feed is followed", func() error {
		if n.PublishedHead().Hash() != other.PublishedHead().Hash() {
			return fmt.Errorf("at %d", n.PublishedHead().Number)
		}
		return nil
	})
	for range 20 {
		w.advance()
	}
	w.rest()
	w.eventually("L1 has decided", func() error {
		if want := w.node.PublishedHead(); n.PublishedHead().Hash() != want.Hash() {
			return fmt.Errorf("at %d, want %d", n.PublishedHead().Number, want.Number)
		}
		return nil
	})
}
