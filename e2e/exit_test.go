package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// startProposer starts `talaria proposer` with the key of an account, on a free port.
func startProposer(t *testing.T, l1 loneL1, genesis string, of Account) *follower {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(of.PrivateKey), 0o600); err != nil {
		t.Fatal(err)
	}
	var info struct {
		L2      L2Info `json:"l2"`
		Metrics string `json:"metricsUrl"`
	}
	p := startRole(t, &info, "proposer", "--metrics-port", "0", "--key-file", file, "--claim-interval", "2s", "--l1-url", l1.url, "--l1-beacon-url", l1.beacon,
		"--genesis", genesis, "--datadir", t.TempDir(), "--port", "0")
	if got := metric(t, info.Metrics, "talaria_claims_unchecked"); got != "0" {
		t.Errorf("claims that cannot be checked, by the proposer's metrics: %q", got)
	}
	return &follower{p, info.L2.HTTPURL}
}

// TestExitNeedsNoOperator: the sequencer, the batcher and the operator's proposer are gone
// for good. A user with L1 and the genesis file takes ether out: a withdrawal by a forced
// transaction, in the chain of a replica that derives everything anew, and a claim that
// somebody else makes.
func TestExitNeedsNoOperator(t *testing.T) {
	t.Parallel()
	a := startAnvil(t, "--chain-id", "7410", "--block-time", "1", "--hardfork", "osaka", "--slots-in-an-epoch", "1")
	l1 := loneL1{a.url, a.url}
	dir := t.TempDir()
	// 192 s of 12 s are 16 L1 blocks, which come every second here. Operators claim nothing.
	d := startDevnet(t, dir, "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--l1-confirmations", "0",
		"--batch-ms", "500", "--claim-ms", "0", "--inclusion-window", "192s")
	user := d.Accounts[3]
	in := deposit(t, d, l1.url, user, big.NewInt(2*params.Ether))
	onL1(t, d, in)
	raw, err := os.ReadFile(d.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	clients := multicall(t, d, l1.url)
	d.kill()
	// Nothing of the operators' is left but what is on L1, and the genesis file.
	genesis := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(genesis, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	replica := startReplica(t, t.TempDir(), l1.url, l1.beacon, genesis)
	somebody := startProposer(t, l1, genesis, d.Accounts[6])
	awaitBlock(t, replica, in)
	out := runTool(t, 2*time.Minute, "node", "clients/exit.mjs", clients, replica.HTTPURL)
	t.Logf("%s", strings.TrimSpace(out))
	for _, p := range []*follower{somebody, replica} {
		if err := p.interrupt(); err != nil {
			t.Error(err)
		}
	}
}

// deposit takes an account's ether to its own account on L2, waits for it, and returns the
// newest block then.
func deposit(t *testing.T, d *devnet, l1URL string, of Account, value *big.Int) uint64 {
	t.Helper()
	p, l2 := newSender(t, l1URL, of.PrivateKey), dialEth(t, d.L2.HTTPURL)
	before, err := l2.BalanceAt(t.Context(), of.Address, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := bindings.NewPortal().PackDepositTransaction(of.Address, value, 100_000, false, nil)
	if err := dialEth(t, l1URL).SendTransaction(t.Context(), p.sign(t, &d.Contracts.Portal, value, 500_000, data)); err != nil {
		t.Fatal(err)
	}
	want := new(big.Int).Add(before, value)
	eventually(t, time.Minute, "the deposit arrives", func() error {
		have, err := l2.BalanceAt(t.Context(), of.Address, nil)
		if err == nil && have.Cmp(want) != 0 {
			err = fmt.Errorf("balance %s, want %s", have, want)
		}
		return err
	})
	return openBlock(t, d)
}

// onL1 waits until L1 holds a block.
func onL1(t *testing.T, d *devnet, number uint64) {
	t.Helper()
	client := dialEth(t, d.L2.HTTPURL)
	eventually(t, time.Minute, fmt.Sprintf("block %d is safe", number), func() error {
		h, err := client.HeaderByNumber(t.Context(), big.NewInt(int64(rpc.SafeBlockNumber)))
		if err == nil && h.Number.Uint64() < number {
			err = fmt.Errorf("safe is %s: %s", h.Number, d.stderr)
		}
		return err
	})
}

// awaitBlock waits until a follower has a block.
func awaitBlock(t *testing.T, f *follower, number uint64) {
	t.Helper()
	client := dialEth(t, f.HTTPURL)
	eventually(t, time.Minute, fmt.Sprintf("the follower reaches block %d", number), func() error {
		n, err := client.BlockNumber(t.Context())
		if err == nil && n < number {
			err = fmt.Errorf("it is at %d: %s", n, f.stderr)
		}
		return err
	})
}

// multicall gives anvil the contract with which viem makes many calls in one, and returns a
// devnet.json for clients.
func multicall(t *testing.T, d *devnet, l1URL string) string {
	t.Helper()
	address := common.HexToAddress("0xcA11bde05977b3631167028862bE2a173976CA11")
	code, err := dialEth(t, d.L2.HTTPURL).CodeAt(t.Context(), address, nil)
	if err != nil || len(code) == 0 {
		t.Fatalf("%d bytes, %v", len(code), err)
	}
	client, err := rpc.Dial(l1URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.CallContext(ctx, nil, "anvil_setCode", address, hexutil.Bytes(code)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(d.Datadir, "devnet.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(raw) {
		t.Fatalf("%s", raw)
	}
	path := filepath.Join(t.TempDir(), "devnet.json")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
