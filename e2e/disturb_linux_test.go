package e2e

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// burden has the load sent to the sequencer until stop is called.
func (n *network) burden(t *testing.T, load *mixedLoad, leader *rpc.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- load.runBy(ctx, leader, 0) }()
	return sync.OnceFunc(func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

// disturbed is for how long the long form disturbs.
func disturbed(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("TALARIA_NODES_TIME")
	if text == "" {
		return longTime
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TALARIA_NODES_TIME: %v", err)
	}
	return d
}

// settle waits until all are where the sequencer is now.
func (n *network) settle(t *testing.T, leader *rpc.Client) (last uint64) {
	t.Helper()
	last = sealedHead(t, leader)
	n.awaitHeight(t, last)
	return last
}

// disturb has each node away in another way, all at once: cut off, killed, killed and
// wiped; then some are stopped and started in order, or wiped. Of the replicas, and of the
// validators, some one is disturbed in each of the four ways, and after six rounds all were.
func (n *network) disturb(t *testing.T, leader *rpc.Client, round int) {
	t.Helper()
	at := func(i int) *party { return n.replicas[(i+round)%len(n.replicas)] }
	v := func(i int) *party { return n.validators[(i+round)%len(n.validators)] }
	away := sealedHead(t, leader)
	n.wire.cut(at(0).space, true)
	at(1).kill()
	at(2).wipe(t)
	n.wire.cut(v(0).space, true)
	v(1).kill()
	eventually(t, 30*time.Second, "the chain goes on", func() error {
		if head := sealedHead(t, leader); head < away+3 {
			return fmt.Errorf("it is at %d", head)
		}
		return nil
	})
	n.wire.cut(at(0).space, false)
	n.wire.cut(v(0).space, false)
	for _, p := range []*party{at(1), at(2), v(1)} {
		p.start(t)
	}
	n.awaitHeight(t, sealedHead(t, leader))
	for _, p := range []*party{at(0), v(1)} {
		if err := p.interrupt(); err != nil {
			t.Error(err)
		}
	}
	v(0).wipe(t)
	for _, p := range []*party{at(0), v(1), v(0)} {
		p.start(t)
	}
}

// disturbLeader cuts the sequencer off from all others, stops it in order or kills it, in
// turns. The load goes on, but where the sequencer would refuse it, and is over when all is
// as it was. Its disk is not wiped: what it has signed and nobody else has is there alone.
func (n *network) disturbLeader(t *testing.T, round int, stop func()) {
	t.Helper()
	switch round % 3 {
	case 0:
		n.wire.cut(n.leader.space, true)
		select {
		case <-t.Context().Done():
		case <-time.After(3 * time.Second):
		}
		n.wire.cut(n.leader.space, false)
		stop()
		return
	case 1:
		stop()
		if err := n.leader.interrupt(); err != nil {
			t.Error(err)
		}
	case 2:
		n.leader.kill()
		stop()
	}
	n.leader.start(t)
}
