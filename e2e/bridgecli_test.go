package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
)

// contractsOf reads the addresses in devnet.json.
func contractsOf(t *testing.T, info string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(info)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Contracts map[string]string }
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out.Contracts
}

// deployed creates a contract of solidity/ with forge.
func deployed(t *testing.T, url, contract, key string, args ...string) string {
	t.Helper()
	all := []string{"create", "solidity/" + contract, "--rpc-url", url, "--private-key", key, "--broadcast", "--json"}
	if len(args) > 0 {
		all = append(append(all, "--constructor-args"), args...)
	}
	var created struct {
		Address string `json:"deployedTo"`
	}
	if out := forge(t, all...); json.Unmarshal([]byte(out), &created) != nil || created.Address == "" {
		t.Fatalf("forge create %s: %s", contract, last(out))
	}
	return created.Address
}

// tryTool runs a program that may fail.
func tryTool(t *testing.T, name string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, last(string(out)))
	}
	return nil
}

// bridger runs `talaria bridge` for one of the ten accounts.
type bridger struct {
	t       *testing.T
	bin     string
	info    string
	account int
}

func newBridger(t *testing.T, info string, account int) *bridger {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return &bridger{t, bin, info, account}
}

func (b *bridger) args(args ...string) []string {
	return append(append([]string{"bridge"}, args...), "--devnet", b.info, "--account", fmt.Sprint(b.account), "--json")
}

// bridgeResult is what its commands print.
type bridgeResult struct {
	Withdrawal common.Hash     `json:"withdrawalHash"`
	State      string          `json:"state"`
	ETA        *hexutil.Uint64 `json:"eta"`
	Reason     string          `json:"reason"`
	Payout     *hexutil.Big    `json:"payout"`
	Repayment  string          `json:"repayment"`

	Arrived bool           `json:"arrived"`
	Refund  common.Hash    `json:"refundWithdrawal"`
	L2Token common.Address `json:"l2Token"`

	Cash, Outstanding, Worth, Collected *hexutil.Big
}

func (b *bridger) do(args ...string) bridgeResult {
	b.t.Helper()
	var r bridgeResult
	out := runTool(b.t, clientTimeout, b.bin, b.args(args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		b.t.Fatalf("talaria bridge %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return r
}

// refused expects an error of one line that says something.
func (b *bridger) refused(says string, args ...string) {
	b.t.Helper()
	code, text := exitOf(b.t, b.args(args...)...)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if end := lines[len(lines)-1]; code != 1 || !strings.HasPrefix(end, "talaria: ") || !strings.Contains(end, says) {
		b.t.Errorf("talaria bridge %s: exit code %d, %q, want %q", strings.Join(args, " "), code, text, says)
	}
}

// ether writes an amount as the flags take it.
func ether(wei *big.Int) string {
	whole, rest := new(big.Int).QuoRem(wei, big.NewInt(1e18), new(big.Int))
	return fmt.Sprintf("%s.%018s", whole, rest)
}

func balanceOf(t *testing.T, url string, owner common.Address) *big.Int {
	t.Helper()
	c, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, err := c.BalanceAt(t.Context(), owner, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBridgeCommand moves ether with `talaria bridge`, stops it on the way and goes on, and
// asks a replica, which has read L1 only, where the withdrawal stands.
func TestBridgeCommand(t *testing.T) {
	t.Parallel()
	d, info := bridgeDevnet(t)
	b := newBridger(t, info, 7)
	one := common.HexToAddress("0xbc1d000000000000000000000000000000000001")
	if r := b.do("deposit", "--amount", "1.5", "--to", one.Hex()); !r.Arrived || balanceOf(t, d.L2.HTTPURL, one).String() != "1500000000000000000" {
		t.Errorf("deposit: %+v", r)
	}
	trustsNoNode(t, b, d, one)
	if r := b.do("withdraw", "--amount", "0.25", "--to", one.Hex(), "--wait"); r.State != "finalized" || r.ETA != nil || balanceOf(t, d.L1.HTTPURL, one).String() != "250000000000000000" {
		t.Errorf("withdraw --wait: %+v", r)
	}

	// Ctrl-C in the middle of it.
	two := common.HexToAddress("0xbc1d000000000000000000000000000000000002")
	cmd := exec.CommandContext(t.Context(), b.bin, b.args("withdraw", "--amount", "2000", "--to", two.Hex(), "--wait")...)
	told := new(tail)
	cmd.Stderr = told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the withdrawal's hash", func() error {
		if !strings.Contains(told.String(), "not posted to L1 yet") {
			return errors.New(told.String())
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	_, after, _ := strings.Cut(told.String(), "go on with: talaria bridge finalize ")
	hash, _, _ := strings.Cut(after, " ")
	if err == nil || len(hash) != 66 {
		t.Fatalf("after Ctrl-C: %v, %s", err, told)
	}
	if r := b.do("status", hash); r.State == "finalized" || r.Reason == "" || r.Withdrawal.Hex() != hash {
		t.Errorf("status after Ctrl-C: %+v", r)
	}
	b.refused("cannot be finalised now", "finalize", hash)
	b.refused("cannot be proven now", "prove", hash)
	eventually(t, time.Minute, "a claim", func() error {
		if r := b.do("status", hash); r.State != "ready-to-prove" {
			return errors.New(r.State)
		} else if r.ETA == nil {
			t.Error("ready to prove, and no ETA")
		}
		return nil
	})
	if r := b.do("prove", hash); r.State != "proven" && r.State != "ready-to-finalize" {
		t.Errorf("proven: %+v", r)
	}
	// Whoever goes on need not be who proved it.
	if r := newBridger(t, info, 8).do("finalize", hash, "--wait"); r.State != "finalized" || balanceOf(t, d.L1.HTTPURL, two).Cmp(new(big.Int).Mul(big.NewInt(2000), big.NewInt(1e18))) != 0 {
		t.Errorf("finalize --wait: %+v", r)
	}
	b.refused("knows no withdrawal", "status", "0x"+strings.Repeat("ab", 32))

	// A replica, which has talked to L1 only, says the same.
	f := startReplica(t, t.TempDir(), d.L1.HTTPURL, d.L1.BeaconURL, d.Genesis)
	eventually(t, time.Minute, "the replica's answer", func() error {
		out, err := exec.CommandContext(t.Context(), b.bin, "bridge", "status", hash, "--l2-url", f.HTTPURL, "--l1-url", d.L1.HTTPURL, "--json").Output()
		var r bridgeResult
		if err != nil || json.Unmarshal(out, &r) != nil || r.State != "finalized" {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// trustsNoNode sends ether by an L2 node that is not named as one of this machine: only to
// the portal that the user or the genesis file names.
func trustsNoNode(t *testing.T, b *bridger, d *devnet, to common.Address) {
	t.Helper()
	away := strings.Replace(d.L2.HTTPURL, "127.0.0.1", "0.0.0.0", 1) // which is this machine, but not loopback
	portal := contractsOf(t, b.info)["portal"]
	before := balanceOf(t, d.L2.HTTPURL, to)
	args := []string{"bridge", "deposit", "--amount", "0.5", "--to", to.Hex(), "--l1-url", d.L1.HTTPURL, "--l2-url", away, "--account", "7", "--json"}
	if code, text := exitOf(t, args...); code != 2 || !strings.Contains(strings.ToLower(text), portal) || !strings.Contains(text, "--genesis") || !strings.Contains(text, "--trust-node") {
		t.Errorf("a node elsewhere is believed: exit code %d, %q", code, text)
	}
	if code, text := exitOf(t, append(args, "--portal", to.Hex())...); code != 1 || !strings.Contains(text, "no portal at "+to.Hex()) {
		t.Errorf("an address without a portal: exit code %d, %q", code, text)
	}
	for _, trust := range [][]string{{"--genesis", d.Genesis}, {"--portal", portal}, {"--trust-node"}} {
		var r bridgeResult
		if out := runTool(t, clientTimeout, b.bin, append(args, trust...)...); json.Unmarshal([]byte(out), &r) != nil || !r.Arrived {
			t.Errorf("deposit with %v: %s", trust, out)
		}
	}
	want := new(big.Int).Add(before, big.NewInt(15e17))
	if got := balanceOf(t, d.L2.HTTPURL, to); got.Cmp(want) != 0 {
		t.Errorf("after three deposits %s arrived, want %s", got, want)
	}
	if code, text := exitOf(t, "bridge", "pool", "deposit", "--amount", "1", "--l1-url", d.L1.HTTPURL, "--l2-url", away, "--account", "7", "--portal", portal); code != 1 || !strings.Contains(text, "genesis file") {
		t.Errorf("the pool of a node elsewhere: exit code %d, %q", code, text)
	}
}

// TestBridgeTakesTokensOrRefusesThemByName moves tokens that are not as the standard says.
func TestBridgeTakesTokensOrRefusesThemByName(t *testing.T) {
	t.Parallel()
	d, info := bridgeDevnet(t)
	b := newBridger(t, info, 1) // whose key is castKey
	c := newCaster(t, d, info, 1)
	onL1, onL2 := d.L1.HTTPURL, d.L2.HTTPURL
	owner, stranger := d.Accounts[1].Address.Hex(), "0x00000000000000000000000000000000000ca572"
	held := func(url, token, of string) string {
		return c.number(url, token, "balanceOf(address)(uint256)", of).String()
	}
	toll, silent, elastic := deployed(t, onL1, "Odd.sol:Toll", castKey), deployed(t, onL1, "Odd.sol:Silent", castKey), deployed(t, onL1, "Odd.sol:Elastic", castKey)

	// A fee on transfer: what arrived is credited, and the fee applies again on the way back.
	b.refused("--create", "deposit", "--amount", "1000", "--token", toll)
	r := b.do("deposit", "--amount", "1000", "--token", toll, "--create")
	if got := held(onL2, r.L2Token.Hex(), owner); !r.Arrived || got != "990000000000000000000" {
		t.Errorf("1000 with a fee of 1 %%: %+v, %s arrived", r, got)
	}
	back := b.do("withdraw", "--amount", "990", "--token", r.L2Token.Hex(), "--to", stranger)

	// No return values, six decimals, allowances that must be zero before they change.
	c.send(onL1, silent, "approve(address,uint256)", c.contracts["l1StandardBridge"], "1")
	r = b.do("deposit", "--amount", "12.5", "--token", silent, "--create")
	if got := held(onL2, r.L2Token.Hex(), owner); !r.Arrived || got != "12500000" {
		t.Errorf("12.5 without return values: %+v, %s arrived", r, got)
	}
	if r := b.do("withdraw", "--amount", "12.5", "--token", r.L2Token.Hex(), "--to", stranger, "--wait"); r.State != "finalized" || held(onL1, silent, stranger) != "12500000" {
		t.Errorf("without return values: %+v", r)
	}
	if r := b.do("finalize", back.Withdrawal.Hex(), "--wait"); r.State != "finalized" || held(onL1, toll, stranger) != "980100000000000000000" {
		t.Errorf("with a fee: %+v", r)
	}

	// Balances that shrink: no more is taken, and who governs refuses it by name.
	r = b.do("deposit", "--amount", "100", "--token", elastic, "--create")
	c.send(onL1, elastic, "rebase(uint256)", "90")
	b.refused("EscrowShort", "deposit", "--amount", "1", "--token", elastic)
	// What is there leaves in proportion: of 50, 45 that are worth 40.5.
	if r := b.do("withdraw", "--amount", "50", "--token", r.L2Token.Hex(), "--to", stranger, "--wait"); r.State != "finalized" || held(onL1, elastic, stranger) != "40500000000000000000" {
		t.Errorf("half of what shrank: %+v", r)
	}
	refuse(t, c, elastic)
	b.refused("TokenRefused", "deposit", "--amount", "1", "--token", elastic)
}

// refuse has the timelock name a token as one that cannot be bridged. The devnet's operator,
// who proposes, has the eleventh key of the mnemonic.
func refuse(t *testing.T, c *caster, token string) {
	t.Helper()
	operator := strings.TrimSpace(runTool(t, clientTimeout, c.cast, "wallet", "private-key", "test test test test test test test test test test test junk", "10"))
	data := strings.TrimSpace(runTool(t, clientTimeout, c.cast, "calldata", "setRefused(address,bool)", token, "true"))
	zero := common.Hash{}.Hex()
	// It posts batches, too: while one is pending, L1 takes nothing else of its account.
	eventually(t, time.Minute, "the operator's proposal", func() error {
		return tryTool(t, c.cast, "send", "--private-key", operator, c.contracts["timelock"], "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
			c.contracts["l1StandardBridge"], "0", data, zero, zero, "1", "--rpc-url", c.d.L1.HTTPURL)
	})
	eventually(t, time.Minute, "the timelock's delay", func() error {
		return tryTool(t, c.cast, "call", c.contracts["timelock"], "execute(address,uint256,bytes,bytes32,bytes32)", c.contracts["l1StandardBridge"], "0", data, zero, zero, "--rpc-url", c.d.L1.HTTPURL)
	})
	c.send(c.d.L1.HTTPURL, c.contracts["timelock"], "execute(address,uint256,bytes,bytes32,bytes32)", c.contracts["l1StandardBridge"], "0", data, zero, zero)
}

// TestThePoolPaysWithdrawalsAtOnce lends to withdrawals: they are paid in seconds, the
// portal repays the pool, and the fee grows with what is lent out.
func TestThePoolPaysWithdrawalsAtOnce(t *testing.T) {
	t.Parallel()
	d, info := bridgeDevnet(t)
	lender, user := newBridger(t, info, 8), newBridger(t, info, 9)
	to := common.HexToAddress("0xbc1d000000000000000000000000000000000003")
	user.refused("the pool has 0 wei", "withdraw", "--amount", "1", "--to", to.Hex(), "--instant")
	if p := lender.do("pool", "deposit", "--amount", "10"); p.Cash.ToInt().String() != "10000000000000000000" || p.Worth.ToInt().Cmp(big.NewInt(9_999_999_999)) <= 0 {
		t.Fatalf("pool after a deposit: %+v", p)
	}

	// 4 of 10: 0.05 % and 40 % of what is between that and 2 %.
	start := time.Now()
	first := user.do("withdraw", "--amount", "4", "--to", to.Hex(), "--instant")
	took := time.Since(start)
	want, _ := new(big.Int).SetString("3966800000000000000", 10) // 4 less 0.83 %
	if first.State != "paid-by-pool" || first.Payout.ToInt().Cmp(want) != 0 || balanceOf(t, d.L1.HTTPURL, to).Cmp(want) != 0 {
		t.Errorf("paid: %+v, balance %s", first, balanceOf(t, d.L1.HTTPURL, to))
	}
	if took > 10*time.Second || first.Repayment == "finalized" {
		t.Errorf("it took %s, and the portal was at %s", took, first.Repayment)
	}
	// More is lent out: the next one costs more. Too little is refused before it leaves L2.
	user.refused("less than", "withdraw", "--amount", "4", "--to", to.Hex(), "--instant", "--min-payout", "3.96")
	second := user.do("withdraw", "--amount", "4", "--to", to.Hex(), "--instant")
	if a, b := first.Payout.ToInt(), second.Payout.ToInt(); second.State != "paid-by-pool" || b.Cmp(a) >= 0 {
		t.Errorf("the second of two costs no more: %s, then %s", a, b)
	}

	// Half of the provider's part leaves: of what is lent out, half comes later.
	worth := lender.do("pool", "status").Worth.ToInt()
	half := new(big.Int).Div(worth, big.NewInt(2))
	p := lender.do("pool", "withdraw", "--amount", ether(half))
	if rest := new(big.Int).Sub(worth, half); new(big.Int).Abs(new(big.Int).Sub(p.Worth.ToInt(), rest)).Cmp(big.NewInt(1000)) > 0 {
		t.Errorf("pool after half of it left: %+v, want %s", p, rest)
	}
	if r := lender.do("pool", "collect"); r.Collected.ToInt().Sign() != 0 {
		t.Errorf("collected before anything came back: %s", r.Collected)
	}

	// The portal repays the pool, and its provider has the fees.
	for _, r := range []bridgeResult{first, second} {
		if r := lender.do("finalize", r.Withdrawal.Hex(), "--wait"); r.State != "finalized" {
			t.Errorf("repayment: %+v", r)
		}
	}
	gain := new(big.Int).Sub(big.NewInt(8e18), new(big.Int).Add(first.Payout.ToInt(), second.Payout.ToInt()))
	all := new(big.Int).Add(new(big.Int).Add(big.NewInt(9e18), big.NewInt(1e18)), gain)
	if p = lender.do("pool", "status"); p.Outstanding.ToInt().Sign() != 0 || gain.Sign() <= 0 || new(big.Int).Abs(new(big.Int).Sub(worth, all)).Cmp(big.NewInt(10_000)) > 0 {
		t.Errorf("pool after the repayments: %+v; it was worth %s, want %s", p, worth, all)
	}
	lent := big.NewInt(4e18) // half of 8
	if r := lender.do("pool", "collect"); new(big.Int).Abs(new(big.Int).Sub(r.Collected.ToInt(), lent)).Cmp(big.NewInt(10_000)) > 0 {
		t.Errorf("collected %s of two advances, want %s", r.Collected, lent)
	}
	if r := lender.do("pool", "collect"); r.Collected.ToInt().Sign() != 0 {
		t.Errorf("collected twice: %s", r.Collected)
	}
	if p := lender.do("pool", "withdraw"); p.Worth.ToInt().Sign() != 0 {
		t.Errorf("pool after its provider left: %+v", p)
	}
	if leftovers, err := filepath.Glob(filepath.Join(d.Datadir, "*.part")); err != nil || len(leftovers) > 0 {
		t.Errorf("files that were not finished: %v %v", leftovers, err)
	}
}
