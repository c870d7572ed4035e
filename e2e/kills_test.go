package e2e

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheBatcherIsKilledAtRandom: twenty times, in starts, between sending and inclusion,
// and before derivation has found what was included. At the end every acknowledged
// transaction is there, L1 holds every block once, so that nothing was paid for twice, and
// a follower derives the identical chain.
func TestTheBatcherIsKilledAtRandom(t *testing.T) {
	t.Parallel()
	const kills = 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	// Dear blobs make batches calldata, which take no second to prepare: so the kills fall on
	// all steps alike.
	l1 := startDearBlobs(t, "--block-time", "0.25", "--base-fee", "100000")
	dir := t.TempDir()
	args := []string{"--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--l1-confirmations", "0", "--batch-ms", "200", "--claim-ms", "0"}
	d := startDevnet(t, dir, args...)
	user := &trickle{sender: newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)}
	live := func(of *devnet, life time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), life)
		defer cancel()
		user.run(ctx, t, of.L2.HTTPURL)
	}
	starts := 0
	for range kills {
		life := time.Duration(random.IntN(2000)) * time.Millisecond
		if d != nil {
			live(d, life)
			d.kill()
		}
		if d = nil; random.IntN(4) == 0 { // in the start
			killedInStart(t, dir, life/4, args...)
			starts++
			continue
		}
		d = startDevnet(t, dir, args...)
	}
	if d == nil {
		d = startDevnet(t, dir, args...)
	}
	live(d, time.Second)
	user.check(t, d.L2.HTTPURL)
	last := openBlock(t, d)
	t.Logf("%d kills, %d of them in a start; %d transactions acknowledged", kills, starts, len(user.acked))
	if blobs, calldata := onceOnL1(t, d, l1.url, last); blobs+calldata < kills/4 {
		t.Errorf("%d batches: the batcher hardly lived", blobs+calldata)
	}
	user.check(t, sameChain(t, d, l1, last).HTTPURL)
}

// killedInStart starts a devnet and kills it after so long.
func killedInStart(t *testing.T, datadir string, life time.Duration, args ...string) {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p, err := spawn(bin, append([]string{"devnet", "--datadir", datadir, "--port", "0", "--l1-port", "0",
		"--web-port", "0", "--metrics-port", "0", "--ingest-port", "0", "--feed-port", "0", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(life)
	p.kill()
}
