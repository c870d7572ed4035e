package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestL1IsDown: nothing of L1 can be reached. The chain goes on until its origin would lag
// by 30 minutes, of which an L1 whose clock is behind leaves some seconds; then it halts and
// says why; and it heals by itself. Ten minutes and half an hour in virtual time are in
// role/sequencer and role/batcher.
func TestL1IsDown(t *testing.T) {
	t.Parallel()
	const maxOriginLag = 1800 // s, of docs/spec/derivation.md
	behind := time.Duration(maxOriginLag-14) * time.Second
	a := startAnvil(t, "--chain-id", "7410", "--block-time", "1", "--hardfork", "osaka", "--timestamp", fmt.Sprint(time.Now().Add(-behind).Unix()))
	g := newGate(t, a.url)
	d := startDevnet(t, t.TempDir(), "--l1-url", g.url(), "--l1-beacon-url", g.url(), "--l1-confirmations", "0", "--batch-ms", "500", "--claim-ms", "500")
	user := &trickle{sender: newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); user.run(ctx, t, d.L2.HTTPURL) }()
	defer func() { stop(); <-done }()
	onL1(t, d, 2)

	g.set(true)
	before, _ := user.state()
	shut := time.Now()
	goesOn := func(than int) error {
		n, refusal := user.state()
		if n < than+50 {
			return fmt.Errorf("%d transactions since, the last one: %v", n-than, refusal)
		}
		return nil
	}
	eventually(t, 10*time.Second, "the chain goes on without L1", func() error { return goesOn(before) })
	eventually(t, 25*time.Second, "the chain halts", func() error {
		if _, refusal := user.state(); refusal == nil || !strings.Contains(refusal.Error(), "waiting for L1") {
			return fmt.Errorf("the user is told %v", refusal)
		}
		return nil
	})
	client := dialEth(t, d.L2.HTTPURL)
	halted, err := client.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := user.state()
	t.Logf("halted %s after L1 was gone: %v", time.Since(shut).Round(time.Second), refusal)
	r, err := http.Get(d.L2.HTTPURL + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil || r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(said), "waiting for L1") {
		t.Errorf("/ready is %d: %s, %v", r.StatusCode, said, err)
	}
	if balance, err := client.BalanceAt(t.Context(), user.addr, nil); err != nil || balance.Cmp(new(big.Int)) <= 0 {
		t.Errorf("what is there cannot be read: %v, %v", balance, err)
	}
	time.Sleep(2 * time.Second) // that nothing happens cannot be waited for
	if n, err := client.BlockNumber(t.Context()); err != nil || n > halted+1 {
		t.Errorf("block %d while halted at %d: %v", n, halted, err)
	}

	g.set(false)
	before, _ = user.state()
	eventually(t, 20*time.Second, "the chain goes on with L1", func() error { return goesOn(before) })
	stop()
	<-done
	last := openBlock(t, d)
	onceOnL1(t, d, a.url, last)
	user.check(t, sameChain(t, d, loneL1{a.url, a.url}, last).HTTPURL)
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}
