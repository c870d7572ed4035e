package e2e

import (
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
// and ether a token of L2.
func TestBridgeWithATokenAsCurrency(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startDevnet(t, dir, "--batch-ms", "1000", "--claim-ms", "2000", "--gas-token", "native")
	out := runTool(t, 3*time.Minute, "node", "clients/native.mjs", filepath.Join(dir, "devnet.json"))
	if !strings.Contains(out, `"locked":"12500000000000000000"`) {
		t.Errorf("native.mjs: %s", last(out))
	}
}
