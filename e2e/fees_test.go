package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFees compares what viem's op-stack actions, the oracle, receipts and eth_feeHistory
// tell with what is charged, also after L1 has changed the parameters.
func TestFees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startDevnet(t, dir, "--batch-ms", "1000", "--claim-ms", "0")
	out := runTool(t, 3*time.Minute, "node", "clients/fees.mjs", filepath.Join(dir, "devnet.json"))
	if !strings.Contains(out, `"charged":`) {
		t.Errorf("fees.mjs: %s", last(out))
	}
}
