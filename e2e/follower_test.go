package e2e

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// loneL1 is an L1 that outlives the sequencer.
type loneL1 struct{ url, beacon string }

// startL1 starts anvil with blobs and the beacon API that serves them, or, with
// TALARIA_E2E_L1=talaria, `talaria l1`.
func startL1(t *testing.T) loneL1 {
	t.Helper()
	if os.Getenv("TALARIA_E2E_L1") != "talaria" {
		a := startAnvil(t, "--chain-id", "7410", "--block-time", "1", "--hardfork", "osaka")
		return loneL1{a.url, a.url}
	}
	var info struct {
		L1 L1Info `json:"l1"`
	}
	startRole(t, &info, "l1", "--datadir", t.TempDir(), "--port", "0")
	if info.L1.HTTPURL == "" {
		t.Fatal("l1 does not say where it serves")
	}
	return loneL1{info.L1.HTTPURL, info.L1.BeaconURL}
}

// TestFollower: a process that sees only the L1 reaches the sequencer's block hashes
// after 10,000 mixed transactions, deposits among them, and after the sequencer was
// killed twice on the way, under load. The L1 is anvil: another implementation, by URL.
func TestFollower(t *testing.T) {
	t.Parallel()
	const goal, kills, depositsPerPart = 10_000, 2, 5
	l1 := startL1(t)
	dir := t.TempDir()
	start := func() *devnet {
		return startDevnet(t, dir, "--l1-url", l1.url, "--l1-beacon-url", l1.beacon)
	}
	d := start()
	if d.L1.ChainID != 7410 || d.L2.ChainID != 7411 {
		t.Errorf("chain ids %d and %d, want 7410 and 7411", d.L1.ChainID, d.L2.ChainID)
	}
	load := newMixedLoad(t, d, 8)
	deposits := newDepositor(t, d, l1.url)
	for part := range kills + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- load.run(ctx, d.L2.HTTPURL, 0) }()
		for range depositsPerPart {
			deposits.send(t)
		}
		eventually(t, 4*time.Minute, "enough transactions", func() error {
			if n := load.acked.Load(); n < goal*uint64(part+1)/(kills+1) {
				return fmt.Errorf("%d are acknowledged: %s", n, d.stderr)
			}
			return nil
		})
		if part < kills {
			d.kill() // under load
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if part < kills {
			d = start()
			load.check(t, d.L2.HTTPURL)
		}
	}
	if n := load.acked.Load(); n < goal {
		t.Fatalf("%d of %d transactions were acknowledged: %s", n, goal, d.stderr)
	}
	deposits.awaitAll(t, d.L2.HTTPURL)
	client := dialEth(t, d.L2.HTTPURL)
	last, err := client.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := chainOf(t, d.L2.HTTPURL, last)

	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis)
	begin := time.Now()
	follower := dialEth(t, f.HTTPURL)
	eventually(t, 4*time.Minute, fmt.Sprintf("the follower reaches block %d", last), func() error {
		n, err := follower.BlockNumber(t.Context())
		if err == nil && n < last {
			err = fmt.Errorf("it is at %d: %s", n, f.stderr)
		}
		return err
	})
	t.Logf("the follower derived %d blocks with %d acknowledged transactions and %d deposits in %s",
		last, load.acked.Load(), len(deposits.want), time.Since(begin))
	got := chainOf(t, f.HTTPURL, last)
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s", n, want[n], got[n])
		}
	}
	// The follower serves the promises of the sequencer.
	load.check(t, f.HTTPURL)
	deposits.awaitAll(t, f.HTTPURL)

	if err := f.interrupt(); err != nil {
		t.Error(err)
	}
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// TestAnvilAsL1: the same devnet on an L1 that somebody else wrote and runs.
func TestAnvilAsL1(t *testing.T) {
	t.Parallel()
	l1 := startL1(t)
	dir := t.TempDir()
	d := startDevnet(t, dir, "--l1-url", l1.url, "--l1-beacon-url", l1.beacon)
	deposits := newDepositor(t, d, l1.url)
	deposits.send(t)
	deposits.awaitAll(t, d.L2.HTTPURL)
	before := chainOf(t, d.L2.HTTPURL, 0)
	if err := d.interrupt(); err != nil {
		t.Fatal(err)
	}
	d = startDevnet(t, dir, "--l1-url", l1.url, "--l1-beacon-url", l1.beacon)
	if !continues(t, d.L2.HTTPURL, before) {
		t.Error("the chain changed over a restart")
	}
}

// depositor sends ETH from L1 to fresh L2 accounts through the portal.
type depositor struct {
	*sender
	portal common.Address
	l1     *ethclient.Client
	want   map[common.Address]*big.Int // wei on L2
}

func newDepositor(t *testing.T, d *devnet, l1URL string) *depositor {
	t.Helper()
	return &depositor{
		sender: newSender(t, l1URL, d.Accounts[8].PrivateKey), portal: d.Contracts.Portal,
		l1: dialEth(t, l1URL), want: map[common.Address]*big.Int{},
	}
}

// send deposits to a new account and waits for the L1 receipt.
func (p *depositor) send(t *testing.T) {
	t.Helper()
	value := new(big.Int).Add(big.NewInt(1e15), big.NewInt(int64(len(p.want))))
	to := common.BigToAddress(big.NewInt(int64(0xdeb0000 + len(p.want))))
	data := bindings.NewPortal().PackDepositTransaction(to, value, 100_000, false, nil)
	tx := p.sign(t, &p.portal, value, 500_000, data)
	if err := p.l1.SendTransaction(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	var receipt *types.Receipt
	eventually(t, time.Minute, "the deposit's receipt on L1", func() (err error) {
		receipt, err = p.l1.TransactionReceipt(t.Context(), tx.Hash())
		return err
	})
	if receipt.Status != types.ReceiptStatusSuccessful || len(receipt.Logs) != 1 {
		t.Fatalf("deposit %s: status %d, %d logs", tx.Hash(), receipt.Status, len(receipt.Logs))
	}
	p.want[to] = value
}

// awaitAll waits until every deposit has been minted on the L2 at url, once.
func (p *depositor) awaitAll(t *testing.T, url string) {
	t.Helper()
	client := dialEth(t, url)
	for addr, want := range p.want {
		eventually(t, 2*time.Minute, "deposit to "+addr.Hex(), func() error {
			have, err := client.BalanceAt(t.Context(), addr, nil)
			if err == nil && have.Cmp(want) != 0 {
				err = fmt.Errorf("balance %s, want %s: %w", have, want, ethereum.NotFound)
			}
			return err
		})
	}
}
