package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// What lies between the nodes.
const (
	wireDelay = 20 * time.Millisecond
	wireLoss  = 0.01
)

// catchUp bounds how long a node takes back to the chain after it was away.
const catchUp = time.Minute

// TestNodesInNamespaces: a sequencer, its L1 and its batcher, and three replicas, each in
// a network namespace of its own, with 20 ms of delay and 1 % of loss between any two.
// Replicas that were cut off, stopped, killed and wiped come back by themselves, and all
// nodes answer alike at equal heights.
func TestNodesInNamespaces(t *testing.T) {
	n := newNetwork(t, 3, wireDelay, wireLoss)
	leader := n.leader.client(t)
	load := newMixedLoadBy(t, ethclient.NewClient(leader), n.accounts[:4])
	load.pause = 20 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- load.runBy(ctx, leader, 0) }()
	for _, f := range n.followers {
		f.start(t)
	}
	awaitHeight(t, n, 4)

	// Each is away in another way, and all at once.
	away := sealedHead(t, leader)
	n.wire.cut(n.followers[0].space, true)
	n.followers[1].kill()
	n.followers[2].wipe(t)
	eventually(t, 30*time.Second, "the chain goes on", func() error {
		if head := sealedHead(t, leader); head < away+3 {
			return fmt.Errorf("it is at %d", head)
		}
		return nil
	})
	n.wire.cut(n.followers[0].space, false)
	n.followers[1].start(t)
	n.followers[2].start(t)
	awaitHeight(t, n, sealedHead(t, leader))
	if err := n.followers[0].interrupt(); err != nil {
		t.Error(err)
	}
	n.followers[0].start(t)

	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	last := sealedHead(t, leader)
	awaitHeight(t, n, last)
	load.checkBy(t, leader)
	n.compare(t, load, last)
	t.Logf("%d blocks, %d transactions; %d packets, %d of them lost", last, load.acked.Load(), n.wire.sent.Load(), n.wire.lost.Load())
	for _, p := range append(n.followers, n.batcher, n.leader, n.l1) {
		if err := p.interrupt(); err != nil {
			t.Error(err)
		}
	}
}

// awaitHeight waits until every replica has sealed block number.
func awaitHeight(t *testing.T, n *network, number uint64) {
	t.Helper()
	for _, f := range n.followers {
		client := f.client(t)
		eventually(t, catchUp, fmt.Sprintf("%s reaches block %d", f.name, number), func() error {
			head, err := ethclient.NewClient(client).BlockNumber(t.Context())
			if err == nil && head < number {
				err = fmt.Errorf("it is at %d: %s", head, f.stderr)
			}
			return err
		})
	}
}

// compare holds the answers of all replicas about blocks up to last against the
// sequencer's.
func (n *network) compare(t *testing.T, load *mixedLoad, last uint64) {
	t.Helper()
	var accounts, tokens []common.Address
	for _, s := range load.senders {
		accounts = append(accounts, s.addr)
		if s.token != nil {
			tokens = append(tokens, *s.token)
		}
	}
	if len(tokens) == 0 {
		t.Error("the load has made no token")
	}
	accounts = append(accounts, common.HexToAddress("0xbeef0007"))
	blocks := []uint64{0, 1}
	for b := max(2, last-min(last, 8)); b <= last; b++ {
		blocks = append(blocks, b)
	}
	leader := n.leader.client(t)
	for _, f := range n.followers {
		client := f.client(t)
		sameAnswers(t, f.name, leader, client, blocks, accounts, tokens)
		sameChainBy(t, f.name, leader, client, last)
		load.checkBy(t, client)
	}
}

// sameChainBy compares the hashes of all blocks.
func sameChainBy(t *testing.T, name string, want, got *rpc.Client, last uint64) {
	t.Helper()
	for b := uint64(0); b <= last; b++ {
		a, err := blockHash(t.Context(), want, b)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := blockHash(t.Context(), got, b); err != nil || have != a {
			t.Fatalf("%s: block %d is %s, the sequencer's is %s: %v", name, b, have, a, err)
		}
	}
}
