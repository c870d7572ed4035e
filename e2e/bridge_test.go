package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// TestBridge takes ether and a token in and out with viem's op-stack actions as they are:
// deposits, claims of the proposer, proofs, and payments by the portal.
func TestBridge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startDevnet(t, dir, "--batch-ms", "1000", "--claim-ms", "2000")
	forge(t, "build")
	artifact, err := filepath.Abs("out/Coin.sol/Coin.json")
	if err != nil {
		t.Fatal(err)
	}
	out := runTool(t, 3*time.Minute, "node", "clients/bridge.mjs", filepath.Join(dir, "devnet.json"), artifact)
	if !strings.Contains(out, `"coins":1000`) {
		t.Errorf("bridge.mjs: %s", last(out))
	}
}

// TestBridgeWithATokenAsCurrency does the same where the native currency is a token of L1,
// and ether a token of L2. A follower derives the same blocks, a change of the rate among
// them, and refuses a genesis with another currency.
func TestBridgeWithATokenAsCurrency(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := startDevnet(t, dir, "--batch-ms", "1000", "--claim-ms", "2000", "--gas-token", "native")
	out := runTool(t, 3*time.Minute, "node", "clients/native.mjs", filepath.Join(dir, "devnet.json"))
	if !strings.Contains(out, `"locked":"12500000000000000000"`) {
		t.Errorf("native.mjs: %s", last(out))
	}

	// The same with other tools, each of an account of its own.
	t.Run("tools", func(t *testing.T) {
		info := filepath.Join(dir, "devnet.json")
		t.Run("cast", func(t *testing.T) {
			t.Parallel()
			newCaster(t, d, info, 2).inAndOut(*d.L2.Currency.L1Token)
		})
		t.Run("ethers", func(t *testing.T) {
			t.Parallel()
			bridgeWithEthers(t, info)
		})
		t.Run("talaria bridge", func(t *testing.T) {
			t.Parallel()
			bridgeTheCurrency(t, d, dir)
		})
	})

	want := chainOf(t, d.L2.HTTPURL, 0)
	f := startReplica(t, t.TempDir(), d.L1.HTTPURL, d.L1.BeaconURL, d.Genesis)
	follower, reached := dialEth(t, f.HTTPURL), uint64(len(want)-1)
	eventually(t, time.Minute, fmt.Sprintf("the follower reaches block %d", reached), func() error {
		n, err := follower.BlockNumber(t.Context())
		if err == nil && n < reached {
			err = fmt.Errorf("it is at %d: %s", n, f.stderr)
		}
		return err
	})
	for n, hash := range chainOf(t, f.HTTPURL, reached) {
		if hash != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s", n, want[n], hash)
		}
	}

	raw, err := os.ReadFile(d.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		change func(config map[string]any)
		says   string
	}{
		{"ether in the configuration", func(config map[string]any) { delete(config, "gasToken") }, "L1Block's storage"},
		{"another escrow", func(config map[string]any) {
			config["gasToken"].(map[string]any)["bridge"] = "0x00000000000000000000000000000000000000e5"
		}, "the native currency is another on L1"},
	} {
		var genesis map[string]any
		if err := json.Unmarshal(raw, &genesis); err != nil {
			t.Fatal(err)
		}
		c.change(genesis["config"].(map[string]any))
		bad, err := json.Marshal(genesis)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "genesis.json")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		code, stderr := exitOf(t, "replica", "--l1-url", d.L1.HTTPURL, "--genesis", path, "--datadir", t.TempDir(), "--port", "0")
		if code != 1 {
			t.Errorf("%s: exit code %d, want 1", c.what, code)
		}
		oneLine(t, stderr, c.says)
	}
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
	oneLine(t, refused(t, "--datadir", dir, "--port", "0", "--gas-token", "eth"), "Talaria", "--gas-token")
}

// bridgeTheCurrency takes ether in as a token with talaria bridge, and the currency in, and
// out at once.
func bridgeTheCurrency(t *testing.T, d *devnet, dir string) {
	cli := func(args ...string) string {
		bin, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		return runTool(t, 2*time.Minute, bin, append(append([]string{"bridge"}, args...), "--devnet", dir, "--account", "1", "--json")...)
	}
	if out := cli("deposit", "--amount", "2", "--token", chain.EtherToken.Hex()); !strings.Contains(out, `"arrived":true`) || !strings.Contains(strings.ToLower(out), strings.ToLower(d.L2.Currency.L2Ether.Hex())) {
		t.Errorf("ether by talaria bridge: %s", last(out))
	}
	if out := cli("deposit", "--amount", "3"); !strings.Contains(out, `"arrived":true`) {
		t.Errorf("the currency by talaria bridge: %s", last(out))
	}
	cli("pool", "deposit", "--amount", "100")
	if out := cli("withdraw", "--amount", "1", "--instant"); !strings.Contains(out, `"state":"paid-by-pool"`) {
		t.Errorf("a withdrawal paid by the pool: %s", last(out))
	}
}

// TestATokenOfL1AsCurrency: a chain on an L1 that runs by itself, with a token that is there.
func TestATokenOfL1AsCurrency(t *testing.T) {
	t.Parallel()
	var l1 struct {
		L1 L1Info `json:"l1"`
	}
	startRole(t, &l1, "l1", "--datadir", t.TempDir(), "--port", "0")
	key := "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80" // the first of the ten accounts
	s := newSender(t, l1.L1.HTTPURL, key)
	client := dialEth(t, l1.L1.HTTPURL)
	code := append(common.FromHex(bindings.DevTokenMetaData.Bin), bindings.NewDevToken().PackConstructor("Moon", "MOO", []common.Address{s.addr}, big.NewInt(1e18))...)
	tx := s.sign(t, nil, new(big.Int), 3_000_000, code)
	if err := client.SendTransaction(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	token := crypto.CreateAddress(s.addr, tx.Nonce())
	eventually(t, time.Minute, "the token", func() error {
		code, err := client.CodeAt(t.Context(), token, nil)
		if err == nil && len(code) == 0 {
			err = errors.New("no code")
		}
		return err
	})

	dir := t.TempDir()
	flags := []string{"--l1-url", l1.L1.HTTPURL, "--l1-beacon-url", l1.L1.BeaconURL, "--l1-confirmations", "0"}
	stderr := refused(t, append([]string{"--datadir", dir, "--port", "0", "--gas-token", s.addr.Hex()}, flags...)...)
	oneLine(t, stderr, s.addr.Hex(), "there is no contract")
	d := startDevnet(t, dir, append(flags, "--gas-token", token.Hex(), "--gas-token-rate", "2000")...)
	if c := d.L2.Currency; c.Name != "Moon" || c.Symbol != "MOO" || c.L1Token == nil || *c.L1Token != token || c.L2Ether == nil {
		t.Errorf("currency %+v", c)
	}
	eventually(t, time.Minute, "ether's token on L2", func() error {
		code, err := dialEth(t, d.L2.HTTPURL).CodeAt(t.Context(), *d.L2.Currency.L2Ether, nil)
		if err == nil && len(code) == 0 {
			err = errors.New("no code")
		}
		return err
	})
	before := chainOf(t, d.L2.HTTPURL, 0)
	if err := d.interrupt(); err != nil {
		t.Fatal(err)
	}
	d = startDevnet(t, dir, flags...) // whatever it was made with
	if !continues(t, d.L2.HTTPURL, before) {
		t.Error("the chain changed over a restart")
	}
	if c := d.L2.Currency; c.Symbol != "MOO" {
		t.Errorf("currency %+v after a restart", c)
	}
}
