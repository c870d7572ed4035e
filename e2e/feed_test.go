package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
)

// TestTheFeedIsTheChain: over a clean stop, a kill and a relay the feed of a devnet is its
// chain, mini-block by mini-block and block by block, with everything that headers commit to.
func TestTheFeedIsTheChain(t *testing.T) {
	dir := t.TempDir()
	d := startDevnet(t, dir)
	var relay struct {
		Feed string `json:"feedUrl"`
	}
	copied := t.TempDir()
	startRole(t, &relay, "relay", "--datadir", copied, "--chain-id", fmt.Sprint(d.L2.ChainID), "--from", d.Feed, "--feed-port", "0")
	load := newMixedLoad(t, d, 4)
	burden := func(upTo uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := load.run(ctx, d.L2.HTTPURL, upTo); err != nil {
			t.Fatal(err)
		}
	}
	burden(200)
	feedIsChain(t, d, d.Feed)
	feedIsChain(t, d, relay.Feed)
	if err := d.interrupt(); err != nil {
		t.Fatal(err)
	}
	d = startDevnet(t, dir)
	burden(400)
	d.kill()
	d = startDevnet(t, dir)
	burden(600)
	feedIsChain(t, d, d.Feed)
}

// feedIsChain reads a feed from its begin to where the node is now, and compares.
func feedIsChain(t *testing.T, d *devnet, url string) {
	t.Helper()
	client := dialEth(t, d.L2.HTTPURL)
	height, err := client.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := feed.Dial(t.Context(), feed.ClientOptions{ChainID: d.L2.ChainID, URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enough := errors.New("enough")

	next, last := uint64(1), uint64(0) // block, and its last mini-block
	err = reader.Blocks(ctx, 1, func(b *feed.Block) error {
		h, err := client.HeaderByNumber(ctx, b.Header.Number)
		if err != nil {
			return err
		}
		if number := b.Header.Number.Uint64(); number != next || h.Hash() != b.Header.Hash() {
			return fmt.Errorf("the feed's block %d is %s, the node's block %d is %s", number, b.Header.Hash(), next, h.Hash())
		}
		if last, next = b.LastMiniBlock, next+1; next > height {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("blocks of the feed at %s: %v", url, err)
	}

	number, txs, parent := uint64(0), 0, common.Hash{}
	err = reader.MiniBlocks(ctx, 0, func(m *feed.MiniBlock) error {
		h := &m.Header
		if number > 0 && h.ParentHash != parent || h.Number != number {
			return fmt.Errorf("mini-block %d of epoch %d does not follow %d", h.Number, h.Epoch, number)
		}
		if chain.TxsHash(m.Txs) != h.TxsHash || chain.ReceiptsHash(m.Receipts) != h.ReceiptsHash || crypto.Keccak256Hash(m.Diff) != h.DiffHash {
			return fmt.Errorf("mini-block %d is not what its header says", h.Number)
		}
		if number%50 == 0 || number == last {
			var got struct {
				Hash common.Hash `json:"hash"`
			}
			if err := client.Client().CallContext(ctx, &got, "talaria_getMiniBlock", hexutil.Uint64(number)); err != nil {
				return err
			}
			if got.Hash != h.Hash() {
				return fmt.Errorf("mini-block %d is %s, the node's is %s", number, h.Hash(), got.Hash)
			}
		}
		parent, number, txs = h.Hash(), number+1, txs+len(m.Txs)
		if h.Number == last {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("mini-blocks of the feed at %s: %v", url, err)
	}
	t.Logf("%d blocks, %d mini-blocks, %d transactions", height, number, txs)
}
