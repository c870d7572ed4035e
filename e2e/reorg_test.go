package e2e

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// TestL1Reorganises: L1 takes three blocks back, with the batches in them, and forgets
// their transactions. The chain goes on, what was lost is posted again, and a follower
// that had derived it, with a bounded cache of the state, goes back and reaches the same
// hashes.
func TestL1Reorganises(t *testing.T) {
	t.Parallel()
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
	client, err := rpc.Dial(l1.url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// A follower that has not yet derived the blocks which L1 takes back has nowhere to go
	// back to, and one that has may be on its way again between two looks at its head: so
	// several times, until it says that it did.
	var before uint64
	for attempt := 1; ; attempt++ {
		if before, err = follower.BlockNumber(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err = client.CallContext(ctx, nil, "anvil_reorg", depth, []any{})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if wentBack(f, 10*time.Second) {
			break
		}
		if attempt == 6 {
			t.Fatalf("the follower never goes back: it is beyond %d: %s", before, f.stderr)
		}
	}
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

// wentBack waits for a follower to say that it went back.
func wentBack(f *follower, timeout time.Duration) bool {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(f.stderr.String(), "L1 reorganised; going back") {
			return true
		}
	}
	return false
}
