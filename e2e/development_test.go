package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

// TestDevelopmentChain drives a development chain as test suites for local nodes do.
func TestDevelopmentChain(t *testing.T) {
	dir := t.TempDir()
	d := startDevnet(t, dir, "--dev")
	if !d.Development {
		t.Error("devnet.json does not say that this is a development chain")
	}
	for _, mode := range []string{"anvil", "hardhat"} {
		t.Run("viem's test client for "+mode, func(t *testing.T) { driveTestClient(t, d.L2.HTTPURL, mode) })
	}
	t.Run("cast", func(t *testing.T) { driveDevelopmentCast(t, d.L2.HTTPURL) })
	t.Run("streams", func(t *testing.T) {
		if out := runTool(t, clientTimeout, "node", "clients/streams.mjs", d.L2.HTTPURL, d.L2.WSURL); !strings.Contains(out, `"ok":true`) {
			t.Errorf("streams: %s", last(out))
		}
	})
	restart := func() *devnet { return startDevnet(t, dir, "--dev") }
	t.Run("kill -9", func(t *testing.T) {
		before := castRPC(t, d.L2.HTTPURL, "eth_getBlockByNumber", "latest", "false")
		castRPC(t, d.L2.HTTPURL, "anvil_setBalance", richAddress, "0x1234")
		d.kill()
		d = restart()
		if after := castRPC(t, d.L2.HTTPURL, "eth_getBlockByNumber", "latest", "false"); after != before {
			t.Errorf("after kill -9 the newest block is %s, was %s", after, before)
		}
		if got := castRPC(t, d.L2.HTTPURL, "eth_getBalance", richAddress, "latest"); got != `"0x1234"` {
			t.Errorf("after kill -9 the balance that was set is %s", got)
		}
		if safe := castRPC(t, d.L2.HTTPURL, "talaria_syncStatus"); !strings.Contains(safe, `"safe":"0x0"`) || !strings.Contains(safe, `"finalized":"0x0"`) {
			t.Errorf("something is safe or final: %s", safe)
		}
	})
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
	if code, out := exitOf(t, "devnet", "--datadir", dir, "--port", "0", "--l1-port", "0", "--web-port", "0", "--metrics-port", "0"); code != 1 || !strings.Contains(out, "start with --dev") {
		t.Errorf("without --dev: exit code %d, %q", code, out)
	}
}

// TestDevelopmentClientAgainstAnvil shows that the script itself is right.
func TestDevelopmentClientAgainstAnvil(t *testing.T) { driveTestClient(t, startAnvil(t).url, "anvil") }

func driveTestClient(t *testing.T, url, mode string) {
	t.Helper()
	forge(t, "build")
	artifact, err := filepath.Abs("out/Coin.sol/Coin.json")
	if err != nil {
		t.Fatal(err)
	}
	if out := runTool(t, clientTimeout, "node", "clients/testclient.mjs", url, mode, artifact); !strings.Contains(out, `"ok":true`) {
		t.Errorf("test client: %s", last(out))
	}
}

// richAddress has no key that anybody knows.
const richAddress = "0x000000000000000000000000000000000000f00d"

// castRPC is `cast rpc`.
func castRPC(t *testing.T, url string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(runTool(t, clientTimeout, npmTool(t, "cast"), append(append([]string{"rpc"}, args...), "--rpc-url", url)...))
}

// driveDevelopmentCast sends for an account without a key, deploys and writes for one
// of the node's, and goes back.
func driveDevelopmentCast(t *testing.T, url string) {
	cast := func(args ...string) string {
		return strings.TrimSpace(runTool(t, clientTimeout, npmTool(t, "cast"), append(args, "--rpc-url", url)...))
	}
	var accounts []common.Address
	if err := json.Unmarshal([]byte(castRPC(t, url, "eth_accounts")), &accounts); err != nil || len(accounts) != 10 {
		t.Fatalf("%d accounts: %v", len(accounts), err)
	}
	id := strings.Trim(castRPC(t, url, "evm_snapshot"), `"`)
	head := cast("block-number")
	castRPC(t, url, "anvil_setBalance", richAddress, "0x8ac7230489e80000")
	castRPC(t, url, "anvil_impersonateAccount", richAddress)
	out := cast("send", "0x00000000000000000000000000000000000ca5d0", "--value", "3", "--unlocked", "--from", richAddress, "--json")
	var sent struct{ Status, From string }
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.Status != "0x1" || sent.From != richAddress {
		t.Fatalf("cast send --unlocked: %v: %s", err, out)
	}
	if got := cast("balance", "0x00000000000000000000000000000000000ca5d0"); got != "3" {
		t.Errorf("balance %s, want 3", got)
	}
	created := forge(t, "create", "solidity/Coin.sol:Coin", "--rpc-url", url, "--unlocked", "--from", accounts[3].Hex(), "--broadcast", "--json", "--constructor-args", "Gold", "GLD")
	var coin struct {
		Address string `json:"deployedTo"`
	}
	if err := json.Unmarshal([]byte(created), &coin); err != nil || coin.Address == "" {
		t.Fatalf("forge create --unlocked: %v: %s", err, created)
	}
	if got := cast("call", coin.Address, "balanceOf(address)(uint256)", accounts[3].Hex()); !strings.HasPrefix(got, "1000000000000000000000000") {
		t.Errorf("deployer holds %s", got)
	}
	castRPC(t, url, "evm_increaseTime", "86400")
	castRPC(t, url, "evm_mine")
	if got := castRPC(t, url, "evm_revert", id); got != "true" {
		t.Fatalf("evm_revert: %s", got)
	}
	if got := cast("block-number"); got != head {
		t.Errorf("block %s after going back, want %s", got, head)
	}
	if got := cast("code", coin.Address); got != "0x" {
		t.Error("the contract is still there")
	}
}
