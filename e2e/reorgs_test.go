package e2e

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/chain"
)

// TestL1ReorganisesDeeply: L1 takes up to 20 blocks back and forgets what was in them:
// batches, deposits, and origins that the sequencer had built on. Before one of them the
// follower is killed, and reads after it. What is left on L1 is minted once, what is not
// is not, and everybody agrees.
func TestL1ReorganisesDeeply(t *testing.T) {
	t.Parallel()
	if os.Getenv("TALARIA_E2E_L1") == "talaria" {
		t.Skip("needs anvil_reorg")
	}
	l1 := startL1(t)
	d := startDevnet(t, t.TempDir(), "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--batch-ms", "1000")
	dir := t.TempDir()
	f := startReplica(t, dir, l1.url, l1.beacon, d.Genesis)
	anvil := dialEth(t, l1.url)
	eventually(t, time.Minute, "the follower derives blocks", func() error {
		n, err := dialEth(t, f.HTTPURL).BlockNumber(t.Context())
		if err == nil && n < 2 {
			err = fmt.Errorf("it is at %d: %s", n, f.stderr)
		}
		return err
	})
	begun, err := anvil.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[common.Address]*big.Int{}
	for _, depth := range []uint64{1, 6, 20} {
		eventually(t, time.Minute, "L1 is long enough", func() error {
			n, err := anvil.BlockNumber(t.Context())
			if err == nil && n < begun+depth {
				err = fmt.Errorf("it is at %d", n)
			}
			return err
		})
		deposits := newDepositor(t, d, l1.url)
		deposits.want = all
		deposits.send(t)
		if depth > 6 {
			time.Sleep(6 * time.Second) // until the sequencer has included it
		}
		if depth == 6 {
			f.kill()
		}
		if err := anvil.Client().CallContext(t.Context(), nil, "anvil_reorg", depth, []any{}); err != nil {
			t.Fatal(err)
		}
		if depth == 6 {
			f = startReplica(t, dir, l1.url, l1.beacon, d.Genesis)
		}
		deposits = newDepositor(t, d, l1.url)
		deposits.want = all
		deposits.send(t)
		agreeWithL1(t, anvil, d.L2.HTTPURL, f)
	}
	// Whoever went back did not go far.
	for _, line := range regexp.MustCompile(`going back.*l2Block=(\d+)`).FindAllStringSubmatch(f.stderr.String(), -1) {
		if n, err := strconv.Atoi(line[1]); err != nil || n == 0 {
			t.Errorf("the follower went back to genesis: %s", line[0])
		}
	}
	depositsAreMintedOnce(t, anvil, d, f, all)
}

// rollupHeads is what the test reads of optimism_syncStatus.
type rollupHeads struct {
	Current   l1Name   `json:"current_l1"`
	Unsafe    l2Header `json:"unsafe_l2"`
	Safe      l2Header `json:"safe_l2"`
	Finalized l2Header `json:"finalized_l2"`
}

type l1Name struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
}

type l2Header struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
	Origin l1Name      `json:"l1origin"`
}

// agreeWithL1 waits until what is unsafe now on the sequencer is safe on it and on the
// follower, and everything that either names is on L1.
func agreeWithL1(t *testing.T, anvil *ethclient.Client, sequencer string, f *follower) {
	t.Helper()
	ask := func(url string) (h rollupHeads, err error) {
		client, err := rpc.DialContext(t.Context(), url)
		if err != nil {
			return h, err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return h, client.CallContext(ctx, &h, "optimism_syncStatus")
	}
	has := func(l l1Name) error {
		h, err := anvil.HeaderByNumber(t.Context(), new(big.Int).SetUint64(l.Number))
		if err == nil && h.Hash() != l.Hash {
			err = fmt.Errorf("L1 block %d %s is gone", l.Number, l.Hash)
		}
		return err
	}
	var goal uint64
	eventually(t, 2*time.Minute, "the nodes agree with L1", func() error {
		own, err := ask(sequencer)
		if err != nil {
			return err
		}
		if goal == 0 {
			goal = own.Unsafe.Number
		}
		others, err := ask(f.HTTPURL)
		if err != nil {
			return err
		}
		for _, h := range []rollupHeads{own, others} {
			if h.Safe.Number > h.Unsafe.Number || h.Finalized.Number > h.Safe.Number {
				t.Fatalf("heads out of order: %+v", h)
			}
			for _, name := range []l1Name{h.Current, h.Unsafe.Origin, h.Safe.Origin, h.Finalized.Origin} {
				if err := has(name); err != nil {
					return err
				}
			}
			if h.Safe.Number < goal {
				return fmt.Errorf("safe is %d, want %d: %s", h.Safe.Number, goal, f.stderr)
			}
		}
		return nil
	})
	got, want := chainOf(t, f.HTTPURL, goal), chainOf(t, sequencer, goal)
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s", n, want[n], got[n])
		}
	}
}

// depositsAreMintedOnce compares L2's balances with the portal's events on L1.
func depositsAreMintedOnce(t *testing.T, anvil *ethclient.Client, d *devnet, f *follower, all map[common.Address]*big.Int) {
	t.Helper()
	logs, err := anvil.FilterLogs(t.Context(), ethereum.FilterQuery{
		FromBlock: new(big.Int), Addresses: []common.Address{d.Contracts.Portal}, Topics: [][]common.Hash{{chain.DepositEventTopic}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, lost := map[common.Address]*big.Int{}, 0
	for _, log := range logs {
		to := common.BytesToAddress(log.Topics[2][:])
		want[to] = all[to]
	}
	for to := range all {
		if want[to] == nil {
			want[to] = new(big.Int)
			lost++
		}
	}
	if lost == 0 || lost == len(all) {
		t.Fatalf("%d of %d deposits are gone", lost, len(all))
	}
	for _, url := range []string{d.L2.HTTPURL, f.HTTPURL} {
		client := dialEth(t, url)
		for to, value := range want {
			eventually(t, time.Minute, "the balance of "+to.Hex(), func() error {
				have, err := client.BalanceAt(t.Context(), to, nil)
				if err == nil && have.Cmp(value) != 0 {
					err = fmt.Errorf("it is %s, want %s", have, value)
				}
				return err
			})
		}
	}
}
