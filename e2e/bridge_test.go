package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
