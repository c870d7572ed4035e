package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDepositsNeedNoOperator: the sequencer and the batcher are gone, and a deposit through
// the portal enters the chain of a follower all the same. When they come back, they go on
// from there, and the follower with them.
func TestDepositsNeedNoOperator(t *testing.T) {
	t.Parallel()
	var l1 struct {
		L1 L1Info `json:"l1"`
	}
	startRole(t, &l1, "l1", "--datadir", t.TempDir(), "--port", "0")
	dir := t.TempDir()
	start := func() *devnet { // 480 s of 12 s are 40 L1 blocks, which come every second here
		return startDevnet(t, dir, "--l1-url", l1.L1.HTTPURL, "--l1-beacon-url", l1.L1.BeaconURL, "--l1-confirmations", "0",
			"--batch-ms", "1000", "--inclusion-window", "480s")
	}
	d := start()
	f := startReplica(t, t.TempDir(), l1.L1.HTTPURL, l1.L1.BeaconURL, d.Genesis)
	follower := dialEth(t, f.HTTPURL)
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
	d.kill()

	deposits := newDepositor(t, d, l1.L1.HTTPURL)
	deposits.send(t)
	begin := time.Now()
	deposits.awaitAll(t, f.HTTPURL)
	t.Logf("the deposit was in the follower's chain after %s", time.Since(begin).Round(time.Second))
	if !strings.Contains(f.stderr.String(), "block made from deposits alone") {
		t.Error("the follower does not say that blocks are made from deposits alone")
	}

	d = start()
	sequencer := dialEth(t, d.L2.HTTPURL)
	deposits.awaitAll(t, d.L2.HTTPURL)
	deposits.send(t) // in time again
	deposits.awaitAll(t, d.L2.HTTPURL)
	user := newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)
	to := d.Accounts[1].Address
	tx := user.sign(t, &to, nil, 21_000, nil)
	eventually(t, 2*time.Minute, "a transaction is taken again", func() error { return sequencer.SendTransaction(t.Context(), tx) })
	last, err := sequencer.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reach(last + 5)
	deposits.awaitAll(t, f.HTTPURL)
	got, want := chainOf(t, f.HTTPURL, last+5), chainOf(t, d.L2.HTTPURL, last+5)
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s: %s", n, want[n], got[n], d.stderr)
		}
	}
}
