package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// TestVoidBlocksLoseNoTransaction: L1 cannot be reached for longer than the inclusion
// window, so that derivation makes other blocks than the sequencer, which goes back and is
// killed over it. Every transaction that was acknowledged is in the chain again at the end.
func TestVoidBlocksLoseNoTransaction(t *testing.T) {
	t.Parallel()
	l1 := startDearBlobs(t, "--block-time", "0.5", "--base-fee", "100000")
	g := newGate(t, l1.url)
	dir := t.TempDir()
	// 384 s of 12 s are 32 L1 blocks, which come in 16 s here.
	start := func() *devnet {
		return startDevnet(t, dir, "--l1-url", g.url(), "--l1-beacon-url", g.url(), "--l1-confirmations", "0", "--batch-ms", "200", "--claim-ms", "0",
			"--inclusion-window", "384s")
	}
	d := start()
	user := &trickle{sender: newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)}
	live := func(of *devnet, until func() error, limit time.Duration, what string) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); user.run(ctx, t, of.L2.HTTPURL) }()
		defer func() { stop(); <-done }()
		eventually(t, limit, what, until)
	}
	onL1(t, d, 2)
	g.set(true)
	over := time.Now().Add(18 * time.Second)
	live(d, func() error {
		if left := time.Until(over); left > 0 {
			return fmt.Errorf("%s to go", left)
		}
		return nil
	}, time.Minute, "the window passes")
	acked, _ := user.state()
	g.set(false)
	live(d, func() error {
		if !strings.Contains(d.stderr.String(), "blocks of this sequencer are void; going back") {
			return fmt.Errorf("it does not go back: %s", d.stderr)
		}
		return nil
	}, 20*time.Second, "the sequencer goes back")
	d.kill()

	d = start()
	before, _ := user.state()
	live(d, func() error {
		if n, refusal := user.state(); n < before+20 {
			return fmt.Errorf("%d transactions since, the last one: %v", n-before, refusal)
		}
		return nil
	}, 30*time.Second, "transactions are taken again")
	user.check(t, d.L2.HTTPURL)
	client, err := rpc.Dial(d.L2.HTTPURL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, hash := range user.acked {
		var void any
		if err := client.CallContext(t.Context(), &void, "talaria_voidTransaction", hash); err != nil || void != nil {
			t.Fatalf("%s: %v, %v", hash, void, err)
		}
	}
	last := openBlock(t, d)
	t.Logf("%d transactions were acknowledged without L1, %d in all", acked, len(user.acked))
	user.check(t, sameChain(t, d, l1, last).HTTPURL)
}
