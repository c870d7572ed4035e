package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// catchUp bounds how long a node takes back to the chain after it was away; a wiped one
// reads all of it, for which each block gives it more time.
func catchUp(blocks uint64) time.Duration {
	return time.Minute + time.Duration(blocks)*100*time.Millisecond
}

// Of the short form; in the long one of `make nodes` the machine must be quiet while
// trailing is measured.
const (
	shortWatch = 5 * time.Second
	longWatch  = time.Minute
	// longTime is for how long the long form disturbs, unless TALARIA_NODES_TIME says.
	longTime = 15 * time.Minute
	// trailMost is by how much replicas may trail in the long form: p99.
	trailMost = wireDelay + 15*time.Millisecond
)

// TestNodesInNamespaces: a sequencer with its L1 and batcher, three replicas and two
// validators, in a network namespace each, with 20 ms of delay and 1 % of loss between any
// two. Replicas trail the sequencer by little more than the delay. Nodes that were cut off,
// stopped, killed and wiped come back by themselves, and all answer alike at equal heights.
func TestNodesInNamespaces(t *testing.T) {
	long := os.Getenv("TALARIA_LONG") != ""
	n := newNetwork(t, 3, 2, wireDelay, wireLoss)
	leader := n.leader.client(t)
	load := newMixedLoadBy(t, ethclient.NewClient(leader), n.accounts[:4])
	load.pause = 20 * time.Millisecond // 200 transactions a second at the most
	stop := n.burden(t, load, leader)
	for _, p := range slices.Concat(n.replicas, n.validators) {
		p.start(t)
	}
	n.awaitHeight(t, 4)
	n.measureTrailing(t, long)

	disturbing := time.Now()
	for round := 0; round == 0 || long && time.Since(disturbing) < disturbed(t); round++ {
		n.disturb(t, leader, round)
		if long {
			n.disturbLeader(t, round, stop)
			stop = n.burden(t, load, leader)
			last := n.settle(t, leader)
			n.compare(t, load, last)
			t.Logf("round %d ended %v after the first began, at block %d", round, time.Since(disturbing).Round(time.Second), last)
		}
	}
	stop()
	last := n.settle(t, leader)
	load.checkBy(t, leader)
	n.compare(t, load, last)
	for _, r := range n.replicas {
		load.checkBy(t, r.client(t))
	}
	t.Logf("%d blocks, %d transactions; %d packets, %d of them lost", last, load.acked.Load(), n.wire.sent.Load(), n.wire.lost.Load())
	for _, p := range n.parties() {
		if err := p.interrupt(); err != nil {
			t.Error(err)
		}
	}
}

// measureTrailing watches mini-blocks at the sequencer and at every replica.
func (n *network) measureTrailing(t *testing.T, long bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	first := n.leader.watch(ctx, t)
	var seen []*sightings
	for _, r := range n.replicas {
		seen = append(seen, r.watch(ctx, t))
	}
	duration, most := shortWatch, time.Second
	if long {
		duration, most = longWatch, trailMost
	}
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
	for i, s := range seen {
		trailing := s.trailing(first)
		q := quantiles(trailing)
		t.Logf("%s trails by p50 %v, p90 %v, p99 %v, max %v (%d mini-blocks in %v)", n.replicas[i].name, q(0.5), q(0.9), q(0.99), q(1), len(trailing), duration)
		if len(trailing) < int(duration/time.Second)*20 {
			t.Errorf("%s told of %d mini-blocks in %v", n.replicas[i].name, len(trailing), duration)
		}
		if q(0.5) < wireDelay || q(0.99) > most {
			t.Errorf("%s trails by p50 %v, p99 %v: want at least %v and less than %v", n.replicas[i].name, q(0.5), q(0.99), wireDelay, most)
		}
	}
}

// awaitHeight waits until every replica has sealed block number, and every validator has
// checked it and found nothing wrong. It says how long each took.
func (n *network) awaitHeight(t *testing.T, number uint64) {
	t.Helper()
	begun := time.Now()
	took := make([]string, len(n.replicas)+len(n.validators))
	var missing atomic.Bool
	var wg sync.WaitGroup
	for i, p := range slices.Concat(n.replicas, n.validators) {
		height := p.height
		if i >= len(n.replicas) {
			height = p.checked
		}
		wg.Go(func() {
			at, err := uint64(0), error(nil)
			for time.Since(begun) < catchUp(number) && t.Context().Err() == nil {
				if at, err = height(t.Context()); at >= number || errors.Is(err, errFault) {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if at < number || errors.Is(err, errFault) {
				missing.Store(true)
				t.Errorf("%s is at block %d of %d after %v: %v: %s", p.name, at, number, time.Since(begun), err, p.stderr)
			}
			took[i] = fmt.Sprintf("%s %.1f s", p.name, time.Since(begun).Seconds())
		})
	}
	wg.Wait()
	t.Logf("block %d: %s", number, strings.Join(took, ", "))
	if missing.Load() {
		t.FailNow()
	}
}

// height is a replica's newest sealed block.
func (p *party) height(ctx context.Context) (uint64, error) {
	client, err := rpc.DialOptions(ctx, nodeURL, rpc.WithHTTPClient(p.http()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return ethclient.NewClient(client).BlockNumber(ctx)
}

// errFault says that a validator has found a block wrong, or could not decide.
var errFault = errors.New("a block is wrong, or was not decided")

// checked is the newest block that a validator has checked.
func (p *party) checked(ctx context.Context) (uint64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/status", validatorPort), nil)
	if err != nil {
		return 0, err
	}
	answer, err := p.http().Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var s struct {
		Checked, Faults, Undecided uint64
		WaitsFor                   string
	}
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return 0, err
	}
	if s.Faults+s.Undecided > 0 {
		return s.Checked, fmt.Errorf("%w: %+v", errFault, s)
	}
	if s.WaitsFor != "" {
		return s.Checked, fmt.Errorf("it waits for %s", s.WaitsFor)
	}
	return s.Checked, nil
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
	for _, f := range n.replicas {
		client := f.client(t)
		sameAnswers(t, f.name, leader, client, blocks, accounts, tokens)
		sameChainBy(t, f.name, leader, client, last)
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
