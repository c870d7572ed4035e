package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// TestStartUp: from a built binary the L2 answers in under 2 s and everything is
// ready in under 5 s.
func TestStartUp(t *testing.T) {
	port := freePort(t)
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p, err := spawn(bin, "devnet", "--datadir", t.TempDir(), "--port", strconv.Itoa(port), "--l1-port", "0",
		"--web-port", "0", "--metrics-port", "0", "--ingest-port", "0", "--feed-port", "0", "--json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	awaitRPC(t, fmt.Sprintf("http://127.0.0.1:%d", port), startTimeout)
	answers := time.Since(start)
	if _, err := p.line(startTimeout); err != nil {
		t.Fatal(err)
	}
	ready := time.Since(start)
	t.Logf("RPC after %s, ready after %s", answers, ready)
	if answers > 2*time.Second {
		t.Errorf("the L2 answered RPC after %s, promised 2s", answers)
	}
	if ready > 5*time.Second {
		t.Errorf("everything was ready after %s, promised 5s", ready)
	}
	if err := p.interrupt(); err != nil {
		t.Error(err)
	}
}

// TestRestart: SIGINT exits with code 0, and the same data directory continues the
// same chain.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	d := startDevnet(t, dir)
	load := newMixedLoad(t, d, 4)
	var before []common.Hash
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		if err := load.run(ctx, d.L2.HTTPURL, uint64(round+1)*200); err != nil {
			t.Fatal(err)
		}
		cancel()
		before = chainOf(t, d.L2.HTTPURL, 0)
		if err := d.interrupt(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "devnet.json")); err != nil {
			t.Error(err)
		}
		d = startDevnet(t, dir)
		load.check(t, d.L2.HTTPURL)
		if !continues(t, d.L2.HTTPURL, before) {
			t.Fatalf("round %d: the chain of %d blocks changed over a restart", round, len(before))
		}
	}
	client := dialEth(t, d.L2.HTTPURL)
	eventually(t, time.Minute, "new blocks after the restart", func() error {
		n, err := client.BlockNumber(t.Context())
		if err == nil && n < uint64(len(before))+1 {
			err = fmt.Errorf("block %d", n)
		}
		return err
	})
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// minStateCache is the least that --state-cache allows besides 0.
const minStateCache = "16777216"

// TestKill: kill -9 at any moment under load loses nothing that was acknowledged.
// TALARIA_CRASH_ROUNDS sets how often, TALARIA_CRASH_SEED when. Every other time the
// node has a bounded cache of the state.
func TestKill(t *testing.T) {
	rounds, seed := number(t, "TALARIA_CRASH_ROUNDS", 8), number(t, "TALARIA_CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("TALARIA_CRASH_SEED=%d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	caches := []string{minStateCache, "0"}
	dir := t.TempDir()
	d := startDevnet(t, dir)
	load := newMixedLoad(t, d, 8)
	for round := range rounds {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- load.run(ctx, d.L2.HTTPURL, 0) }()
		first := load.acked.Load()
		eventually(t, time.Minute, "acknowledged transactions", func() error {
			if load.acked.Load() == first {
				return fmt.Errorf("none; the node says %s", d.stderr)
			}
			return nil
		})
		<-time.After(time.Duration(moments.IntN(1500)) * time.Millisecond)
		d.kill()
		// The senders of a dead node end by themselves; the watcher ends with ctx.
		cancel()
		if err := <-ended; err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		d = startDevnet(t, dir, "--state-cache", caches[round%2])
		load.check(t, d.L2.HTTPURL)
		t.Logf("round %d: %d acknowledged so far, all there; ready again after %s", round, load.acked.Load(), d.readyAfter)
	}
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// number reads an environment variable.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: must be a number", name, text)
	}
	return n
}
