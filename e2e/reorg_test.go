package e2e

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// TestL1Reorganises: L1 takes three blocks back, with the batches in them, and forgets
// their transactions. The chain goes on, what was lost is posted again, and a follower
// that had derived it, with a bounded cache of the state, goes back and reaches the same
// hashes.
func TestL1Reorganises(t *testing.T) {
	if os.Getenv("TALARIA_E2E_L1") == "talaria" {
		t.Skip("needs anvil_reorg")
	}
	const depth = 3 // less than the four confirmations that deposits wait for
	l1 := startL1(t)
	d := startDevnet(t, t.TempDir(), "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--batch-ms", "1000")
	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis, "--state-cache", minStateCache)
	follower, sequencer := dialEth(t, f.HTTPURL), dialEth(t, d.L2.HTTPURL)
	reach := func(n uint64) {
		t.Helper()
		eventually(t, 2*time.Minute, fmt.Sprintf("the follower reaches block %d", n), func() error {
			at, err := follower.BlockNumber(t.Context())
			if err == nil && at < n {
				err = fmt.Errorf("it is at %d: %s", at, f.stderr)
			}
			return err
		})
	}
	reach(5)
	before, err := follower.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := rpc.Dial(l1.url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client.CallContext(ctx, nil, "anvil_reorg", depth, []any{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the follower goes back", func() error {
		at, err := follower.BlockNumber(t.Context())
		if err == nil && at >= before {
			err = fmt.Errorf("it is at %d, was at %d", at, before)
		}
		return err
	})
	reach(before + 20)
	last := before + 20
	got, want := chainOf(t, f.HTTPURL, last), chainOf(t, d.L2.HTTPURL, last)
	for n := range last + 1 {
		if got[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s", n, want[n], got[n])
		}
	}
	// Safe on the sequencer has moved on as well.
	eventually(t, time.Minute, "safe moves on", func() error {
		h, err := sequencer.HeaderByNumber(t.Context(), big.NewInt(int64(rpc.SafeBlockNumber)))
		if err == nil && h.Number.Uint64() < last {
			err = fmt.Errorf("safe is %s", h.Number)
		}
		return err
	})
}
