package e2e

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestANewReplicaBeginsWithASnapshot: a process that was given a feed and any node's URL
// begins with that node's state while transactions go on, follows, says what it does not
// hold, and is what the next one begins with.
func TestANewReplicaBeginsWithASnapshot(t *testing.T) {
	t.Parallel()
	d := startDevnet(t, t.TempDir())
	load := newMixedLoad(t, d, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	busy, stop := context.WithCancel(ctx)
	defer stop()
	go func() { ended <- load.run(busy, d.L2.HTTPURL, 0) }()
	leader := dialEth(t, d.L2.HTTPURL)
	eventually(t, time.Minute, "block 4", func() error {
		n, err := leader.BlockNumber(ctx)
		if err == nil && n < 4 {
			err = fmt.Errorf("it is at %d", n)
		}
		return err
	})
	from := d.L2.HTTPURL
	for range 2 {
		var info struct {
			L2 L2Info `json:"l2"`
		}
		startRole(t, &info, "replica", "--datadir", t.TempDir(), "--genesis", d.Genesis, "--feed-url", d.Feed, "--leader-url", d.L2.HTTPURL,
			"--snapshot-url", from, "--snapshots", "--port", "0")
		from = info.L2.HTTPURL
		client := dialEth(t, from)
		var late any
		err := client.Client().CallContext(ctx, &late, "eth_getBlockByNumber", hexutil.Uint64(1), false)
		if err == nil || !strings.Contains(err.Error(), "pruned history unavailable") {
			t.Errorf("block 1: %v", err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	joined := dialEth(t, from)
	height, err := leader.BlockNumber(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, fmt.Sprintf("the replica reaches block %d", height), func() error {
		n, err := joined.BlockNumber(ctx)
		if err == nil && n < height {
			err = fmt.Errorf("it is at %d", n)
		}
		return err
	})
	var want, got map[string]any
	for client, into := range map[interface {
		CallContext(context.Context, any, string, ...any) error
	}]*map[string]any{leader.Client(): &want, joined.Client(): &got} {
		if err := client.CallContext(ctx, into, "eth_getBlockByNumber", hexutil.Uint64(height), false); err != nil {
			t.Fatal(err)
		}
	}
	if want["hash"] != got["hash"] || want["hash"] == nil {
		t.Errorf("block %d is %v, the leader's %v", height, got["hash"], want["hash"])
	}
	for _, a := range d.Accounts {
		w, err := leader.BalanceAt(ctx, a.Address, new(big.Int).SetUint64(height))
		if err != nil {
			t.Fatal(err)
		}
		if g, err := joined.BalanceAt(ctx, a.Address, new(big.Int).SetUint64(height)); err != nil || g.Cmp(w) != 0 {
			t.Errorf("balance of %s: %v (%v), the leader says %v", a.Address, g, err, w)
		}
	}
}
