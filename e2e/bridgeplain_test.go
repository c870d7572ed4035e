package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// artifacts compiles the tests' contracts and says where they are.
func artifacts(t *testing.T) string {
	t.Helper()
	forge(t, "build")
	out, err := filepath.Abs("out")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// bridgeDevnet is a devnet that claims often, and the path of its devnet.json.
func bridgeDevnet(t *testing.T) (*devnet, string) {
	t.Helper()
	dir := t.TempDir()
	d := startDevnet(t, dir, "--batch-ms", "1000", "--claim-ms", "2000")
	return d, filepath.Join(dir, "devnet.json")
}

// TestBridgeWithEthers takes ether and a token in and out by the plain ABIs.
func TestBridgeWithEthers(t *testing.T) {
	t.Parallel()
	_, info := bridgeDevnet(t)
	bridgeWithEthers(t, info)
}

// bridgeWithEthers takes the currency of L2 and a token in and out.
func bridgeWithEthers(t *testing.T, info string) {
	t.Helper()
	out := runTool(t, 3*time.Minute, "node", "clients/bridge-ethers.mjs", info, artifacts(t))
	if !strings.Contains(out, `"coins":600`) {
		t.Errorf("bridge-ethers.mjs: %s", last(out))
	}
}

// TestNobodyLosesByWhatFails sends messages and deposits that fail on the other layer: they
// are delivered again, stay their sender's, or go back.
func TestNobodyLosesByWhatFails(t *testing.T) {
	t.Parallel()
	_, info := bridgeDevnet(t)
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out := runTool(t, 3*time.Minute, "node", "clients/messages.mjs", info, artifacts(t), bin)
	if !strings.Contains(out, `"refunds":6`) {
		t.Errorf("messages.mjs: %s", last(out))
	}
}
