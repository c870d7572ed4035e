package e2e

import (
	"encoding/json"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// clientTimeout bounds one run of a client program.
const clientTimeout = 2 * time.Minute

// The well-known test accounts, by index, that the clients use. Each client has its
// own, so that their nonces do not meet.
const (
	castKey   = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
	forgeKey  = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
	scriptKey = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
	viemKey   = "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"
	ethersKey = "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"
	gethKey   = "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"
)

// target is a node to drive, Talaria or not.
type target struct{ http, ws string }

// TestClients drives the devnet with clients that nobody here wrote.
func TestClients(t *testing.T) {
	d := sharedDevnet(t)
	driveClients(t, target{d.L2.HTTPURL, d.L2.WSURL})
}

// TestClientsAgainstAnvil shows that the clients themselves are right.
func TestClientsAgainstAnvil(t *testing.T) {
	a := startAnvil(t)
	driveClients(t, target{a.url, "ws" + strings.TrimPrefix(a.url, "http")})
}

func driveClients(t *testing.T, to target) {
	for name, drive := range map[string]func(*testing.T, target){
		"cast": driveCast, "forge create": driveForgeCreate, "forge script": driveForgeScript,
		"viem": driveViem, "ethers": driveEthers, "ethclient": driveEthclient,
	} {
		t.Run(name, func(t *testing.T) { drive(t, to) })
	}
}

func driveCast(t *testing.T, to target) {
	cast := func(args ...string) string {
		return strings.TrimSpace(runTool(t, clientTimeout, npmTool(t, "cast"), append(args, "--rpc-url", to.http)...))
	}
	const other = "0x0000000000000000000000000000000000ca5700"
	before, ok := new(big.Int).SetString(cast("balance", other), 10)
	if !ok {
		t.Fatal("cast balance is not a number")
	}
	var sent struct {
		Hash   string `json:"transactionHash"`
		Status string `json:"status"`
	}
	out := cast("send", other, "--value", "1ether", "--private-key", castKey, "--json")
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.Status != "0x1" {
		t.Fatalf("cast send: %v: %s", err, out)
	}
	want := new(big.Int).Add(before, big.NewInt(1e18)).String()
	if got := cast("balance", other); got != want {
		t.Errorf("balance %s, want %s", got, want)
	}
	if got := cast("receipt", sent.Hash, "status"); !strings.HasPrefix(got, "1") && !strings.HasPrefix(got, "true") {
		t.Errorf("cast receipt: status %q", got)
	}
	// The identity precompile answers with what it is asked.
	if got := cast("call", "0x0000000000000000000000000000000000000004", "0x1234"); got != "0x1234" {
		t.Errorf("cast call: %q", got)
	}
	if got := cast("tx", sent.Hash, "value"); !strings.HasPrefix(got, "1000000000000000000") {
		t.Errorf("cast tx: value %q", got)
	}
	for _, command := range []string{"chain-id", "gas-price", "block-number"} {
		if got, ok := new(big.Int).SetString(cast(command), 10); !ok || got.Sign() < 0 {
			t.Errorf("cast %s: %v", command, got)
		}
	}
	// The node's own eth_sendRawTransactionSync, as cast asks for it.
	if out := cast("send", other, "--value", "1", "--private-key", castKey, "--sync", "--json"); !strings.Contains(out, `"0x1"`) {
		t.Errorf("cast send --sync: %s", out)
	}
}

func forge(t *testing.T, args ...string) string {
	t.Helper()
	return runTool(t, clientTimeout, npmTool(t, "forge"), args...)
}

func driveForgeCreate(t *testing.T, to target) {
	out := forge(t, "create", "solidity/Coin.sol:Coin", "--rpc-url", to.http, "--private-key", forgeKey,
		"--broadcast", "--json", "--constructor-args", "Gold", "GLD")
	var created struct {
		Deployer string `json:"deployer"`
		Address  string `json:"deployedTo"`
	}
	if err := json.Unmarshal([]byte(out), &created); err != nil || created.Address == "" {
		t.Fatalf("forge create: %v: %s", err, out)
	}
	supply := strings.TrimSpace(runTool(t, clientTimeout, npmTool(t, "cast"), "call", created.Address,
		"balanceOf(address)(uint256)", created.Deployer, "--rpc-url", to.http))
	if !strings.HasPrefix(supply, "1000000000000000000000000") {
		t.Errorf("balance of the deployer: %s", supply)
	}
}

// driveForgeScript deploys two OpenZeppelin tokens and Uniswap v2, adds liquidity
// and swaps; solidity/Swap.s.sol checks the amounts in simulation, this test on chain.
func driveForgeScript(t *testing.T, to target) {
	// Uniswap's pair does more in a later second than in the one of the last update, and
	// the simulation runs all in one: twice its estimate is enough for both.
	out := forge(t, "script", "solidity/Swap.s.sol:Swap", "--rpc-url", to.http, "--private-key", scriptKey, "--broadcast", "--slow", "--gas-estimate-multiplier", "200")
	if !strings.Contains(out, "ONCHAIN EXECUTION COMPLETE & SUCCESSFUL") {
		t.Fatalf("forge script: %s", last(out))
	}
	_, after, ok := strings.Cut(out, "pair: address ")
	if !ok || len(after) < 42 {
		t.Fatalf("forge script returned no pair: %s", last(out))
	}
	pair := after[:42]
	reserves := strings.Fields(runTool(t, clientTimeout, npmTool(t, "cast"), "call", pair,
		"getReserves()(uint112,uint112,uint32)", "--rpc-url", to.http))
	// 10,000 of each; 100 of one paid, 98.7158… of the other bought.
	var joined = strings.Join(reserves, " ")
	if !strings.Contains(joined, "10100000000000000000000") || !strings.Contains(joined, "9901284196560293870115") {
		t.Errorf("reserves of the pair: %s", joined)
	}
}

func driveScript(t *testing.T, to target, script, key string) {
	t.Helper()
	forge(t, "build")
	artifact, err := filepath.Abs("out/Coin.sol/Coin.json")
	if err != nil {
		t.Fatal(err)
	}
	out := runTool(t, clientTimeout, "node", script, to.http, to.ws, key, artifact)
	if !strings.Contains(out, `"ok":true`) {
		t.Errorf("%s: %s", script, last(out))
	}
}

func driveViem(t *testing.T, to target)   { driveScript(t, to, "clients/viem.mjs", viemKey) }
func driveEthers(t *testing.T, to target) { driveScript(t, to, "clients/ethers.mjs", ethersKey) }

// driveEthclient uses go-ethereum's client: heads, logs, blocks and receipts that
// its own types and hashes must agree with.
func driveEthclient(t *testing.T, to target) {
	ctx := t.Context()
	overHTTP, overWS := dialEth(t, to.http), dialEth(t, to.ws)
	s := newSender(t, to.http, gethKey)

	heads := make(chan *types.Header, 64)
	sub, err := overWS.SubscribeNewHead(ctx, heads)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	other := common.HexToAddress("0x00000000000000000000000000000000006e7468")
	tx := s.sign(t, &other, big.NewInt(7), 21_000, nil)
	if err := overHTTP.SendTransaction(ctx, tx); err != nil {
		t.Fatal(err)
	}
	var receipt *types.Receipt
	eventually(t, clientTimeout, "a receipt in a sealed block", func() (err error) {
		if receipt, err = overHTTP.TransactionReceipt(ctx, tx.Hash()); err == nil && receipt.BlockHash == (common.Hash{}) {
			err = ethereum.NotFound
		}
		return err
	})
	if receipt.Status != types.ReceiptStatusSuccessful || receipt.GasUsed != 21_000 {
		t.Errorf("receipt %+v", receipt)
	}
	select {
	case head := <-heads:
		got, err := overHTTP.HeaderByNumber(ctx, head.Number)
		if err != nil || got.Hash() != head.Hash() {
			t.Errorf("announced head %d cannot be queried: %v", head.Number, err)
		}
	case err := <-sub.Err():
		t.Fatalf("newHeads: %v", err)
	case <-time.After(clientTimeout):
		t.Fatal("no head was announced")
	}
	// A header must hash to the hash that the node gives it, also when the block's
	// transactions are of types that go-ethereum does not decode.
	header, err := overHTTP.HeaderByHash(ctx, receipt.BlockHash)
	if err != nil || header.Hash() != receipt.BlockHash {
		t.Fatalf("header of %s: %v", receipt.BlockHash, err)
	}
	if crypto.Keccak256Hash(mustRLP(t, header)) != receipt.BlockHash {
		t.Error("the header's RLP does not hash to the block's hash")
	}
	logs, err := overHTTP.FilterLogs(ctx, ethereum.FilterQuery{FromBlock: receipt.BlockNumber, ToBlock: receipt.BlockNumber})
	if err != nil {
		t.Errorf("eth_getLogs: %v %v", err, logs)
	}
	if _, err := overHTTP.SuggestGasTipCap(ctx); err != nil {
		t.Errorf("eth_maxPriorityFeePerGas: %v", err)
	}
	if history, err := overHTTP.FeeHistory(ctx, 2, nil, []float64{50}); err != nil || len(history.BaseFee) == 0 {
		t.Errorf("eth_feeHistory: %v", err)
	}
	if progress, err := overHTTP.SyncProgress(ctx); err != nil || progress != nil {
		t.Errorf("eth_syncing: %v %v", progress, err)
	}
	if id, err := overHTTP.NetworkID(ctx); err != nil || id.Sign() <= 0 {
		t.Errorf("net_version: %v %v", id, err)
	}
}
