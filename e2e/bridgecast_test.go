package e2e

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// Predeploys that the bridge's tests call.
const (
	passerAddr  = "0x4200000000000000000000000000000000000016"
	bridgeAddr  = "0x4200000000000000000000000000000000000010"
	factoryAddr = "0x4200000000000000000000000000000000000012"
)

// caster drives both layers with cast for one account.
type caster struct {
	t         *testing.T
	d         *devnet
	contracts map[string]string
	cast      string
	owner     string // the account, and its key
	key       string
}

func (c *caster) run(url string, args ...string) string {
	c.t.Helper()
	return strings.TrimSpace(runTool(c.t, clientTimeout, c.cast, append(args, "--rpc-url", url)...))
}

// castLog is a log in a receipt that cast prints.
type castLog struct {
	Address common.Address
	Topics  []common.Hash
	Data    hexutil.Bytes
}

// send sends a transaction, which must succeed, and gives its logs and its block.
func (c *caster) send(url string, args ...string) ([]castLog, uint64) {
	c.t.Helper()
	out := c.run(url, append([]string{"send", "--private-key", c.key, "--json"}, args...)...)
	var r struct {
		Status      hexutil.Uint64
		BlockNumber hexutil.Uint64
		Logs        []castLog
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Status != 1 {
		c.t.Fatalf("cast send %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return r.Logs, uint64(r.BlockNumber)
}

// number calls a function that gives a number.
func (c *caster) number(url, to, function string, args ...string) *big.Int {
	c.t.Helper()
	out := c.run(url, append([]string{"call", to, function}, args...)...)
	n, ok := new(big.Int).SetString(strings.Fields(out + " ")[0], 0)
	if !ok {
		c.t.Fatalf("cast call %s %s: %s", to, function, out)
	}
	return n
}

// castWithdrawal is one withdrawal as cast takes it.
type castWithdrawal struct {
	hash  common.Hash
	tuple string
	block uint64
}

// withdraw makes one withdrawal on L2.
func (c *caster) withdraw(args ...string) castWithdrawal {
	c.t.Helper()
	logs, block := c.send(c.d.L2.HTTPURL, args...)
	for _, l := range logs {
		if l.Address != common.HexToAddress(passerAddr) {
			continue
		}
		word := func(i int) *big.Int { return new(big.Int).SetBytes(l.Data[32*i : 32*i+32]) }
		data := l.Data[160 : 160+word(4).Uint64()]
		return castWithdrawal{
			hash: common.Hash(l.Data[96:128]), block: block,
			tuple: fmt.Sprintf("(%s,%s,%s,%s,%s,0x%x)", l.Topics[1].Big(), common.BytesToAddress(l.Topics[2][:]), common.BytesToAddress(l.Topics[3][:]), word(0), word(1), []byte(data)),
		}
	}
	c.t.Fatalf("cast send %s made no withdrawal", strings.Join(args, " "))
	return castWithdrawal{}
}

const castTuple = "(uint256,address,address,uint256,uint256,bytes)"

// claim waits for a claim that holds a block.
func (c *caster) claim(block uint64) (index, of uint64) {
	c.t.Helper()
	eventually(c.t, time.Minute, "a claim", func() error {
		count := c.number(c.d.L1.HTTPURL, c.contracts["disputeGameFactory"], "gameCount()(uint256)").Uint64()
		if count == 0 {
			return fmt.Errorf("no claims")
		}
		index = count - 1
		row := strings.Fields(c.run(c.d.L1.HTTPURL, "call", c.contracts["disputeGameFactory"], "gameAtIndex(uint256)(uint32,uint64,address)", fmt.Sprint(index)))
		of = c.number(c.d.L1.HTTPURL, row[len(row)-1], "l2BlockNumber()(uint256)").Uint64()
		if of < block {
			return fmt.Errorf("the newest claim is of block %d, want %d", of, block)
		}
		return nil
	})
	return index, of
}

// prove proves a withdrawal under a claim, in a later L1 block than the claim's.
func (c *caster) prove(w castWithdrawal, index, block uint64) {
	c.t.Helper()
	var output struct {
		Version, StateRoot, WithdrawalStorageRoot common.Hash
		BlockRef                                  struct{ Hash common.Hash }
	}
	if err := json.Unmarshal([]byte(c.run(c.d.L2.HTTPURL, "rpc", "optimism_outputAtBlock", hexutil.EncodeUint64(block))), &output); err != nil {
		c.t.Fatal(err)
	}
	slot := strings.TrimSpace(runTool(c.t, clientTimeout, c.cast, "index", "bytes32", w.hash.Hex(), "0"))
	var proof struct {
		StorageProof []struct{ Proof []string }
	}
	if err := json.Unmarshal([]byte(c.run(c.d.L2.HTTPURL, "proof", passerAddr, slot, "--block", fmt.Sprint(block))), &proof); err != nil || len(proof.StorageProof) != 1 {
		c.t.Fatalf("cast proof: %v", err)
	}
	root := fmt.Sprintf("(%s,%s,%s,%s)", output.Version, output.StateRoot, output.WithdrawalStorageRoot, output.BlockRef.Hash)
	call := []string{
		c.contracts["portal"], "proveWithdrawalTransaction(" + castTuple + ",uint256,(bytes32,bytes32,bytes32,bytes32),bytes[])",
		w.tuple, fmt.Sprint(index), root, "[" + strings.Join(proof.StorageProof[0].Proof, ",") + "]",
	}
	c.send(c.d.L1.HTTPURL, append(call, "--gas-limit", "2000000")...)
}

// finalize waits until a proven withdrawal can be paid, and has it paid.
func (c *caster) finalize(w castWithdrawal) {
	c.t.Helper()
	eventually(c.t, time.Minute, "the challenge period's end", func() error {
		return tryTool(c.t, c.cast, "call", c.contracts["portal"], "checkWithdrawal(bytes32,address)", w.hash.Hex(), c.owner, "--rpc-url", c.d.L1.HTTPURL)
	})
	c.send(c.d.L1.HTTPURL, c.contracts["portal"], "finalizeWithdrawalTransaction("+castTuple+")", w.tuple)
}

// TestBridgeWithCast takes ether and a token in and out with cast, by the plain ABIs.
func TestBridgeWithCast(t *testing.T) {
	t.Parallel()
	d, info := bridgeDevnet(t)
	newCaster(t, d, info, 1).inAndOut(common.Address{})
}

// newCaster is cast in the hands of one of a devnet's accounts.
func newCaster(t *testing.T, d *devnet, info string, account int) *caster {
	t.Helper()
	return &caster{t: t, d: d, contracts: contractsOf(t, info), cast: npmTool(t, "cast"), owner: d.Accounts[account].Address.Hex(), key: d.Accounts[account].PrivateKey}
}

// inAndOut takes the currency of L2 and a token in and out: ether, or an L1 token that is
// the currency, which comes in through its escrow.
func (c *caster) inAndOut(currency common.Address) {
	t := c.t
	const stranger, amount = "0x00000000000000000000000000000000000ca571", "1250000000000000000"
	onL1, onL2 := c.d.L1.HTTPURL, c.d.L2.HTTPURL

	// The currency in.
	deposit := []string{c.contracts["portal"], "depositTransaction(address,uint256,uint64,bool,bytes)", stranger, amount, "100000", "false", "0x", "--value", amount}
	if currency != (common.Address{}) {
		escrow := c.contracts["nativeTokenBridge"]
		c.send(onL1, currency.Hex(), "approve(address,uint256)", escrow, amount)
		deposit = []string{escrow, "depositERC20Transaction(address,uint256,uint256,uint64,bool,bytes)", stranger, amount, amount, "100000", "false", "0x", "--gas-limit", "1000000"}
	}
	c.send(onL1, deposit...)
	eventually(t, time.Minute, "the deposit", func() error {
		if got := c.run(onL2, "balance", stranger); got != amount {
			return fmt.Errorf("balance %s", got)
		}
		return nil
	})

	// A token in.
	silver := deployed(t, onL1, "Coin.sol:Coin", c.key, "Silver", "SLV")
	logs, _ := c.send(onL2, factoryAddr, "createOptimismMintableERC20(address,string,string)", silver, "Silver", "SLV")
	bridged := common.BytesToAddress(logs[len(logs)-1].Topics[1][:]).Hex()
	bridge := c.contracts["l1StandardBridge"]
	c.send(onL1, silver, "approve(address,uint256)", bridge, "1000")
	c.send(onL1, bridge, "depositERC20To(address,address,address,uint256,uint32,bytes)", silver, bridged, c.owner, "1000", "200000", "0x")
	held := func(url, token, owner string) string {
		return c.number(url, token, "balanceOf(address)(uint256)", owner).String()
	}
	eventually(t, time.Minute, "the token", func() error {
		if got := held(onL2, bridged, c.owner); got != "1000" {
			return fmt.Errorf("balance %s", got)
		}
		return nil
	})

	// Both out, under one claim.
	out := c.withdraw(passerAddr, "initiateWithdrawal(address,uint256,bytes)", stranger, "100000", "0x", "--value", amount)
	token := c.withdraw(bridgeAddr, "withdrawTo(address,address,uint256,uint32,bytes)", bridged, stranger, "600", "200000", "0x")
	index, block := c.claim(token.block)
	c.prove(out, index, block)
	c.prove(token, index, block)
	c.finalize(out)
	c.finalize(token)
	ether, want := c.run(onL1, "balance", stranger), amount
	if currency != (common.Address{}) {
		want = "0"
		if got := held(onL1, currency.Hex(), stranger); got != amount {
			t.Errorf("currency of the receiver on L1: %s", got)
		}
	}
	if ether != want {
		t.Errorf("ether of the receiver on L1: %s, want %s", ether, want)
	}
	if got, left := held(onL1, silver, stranger), held(onL1, silver, bridge); got != "600" || left != "400" {
		t.Errorf("tokens of the receiver on L1: %s, of the bridge: %s", got, left)
	}
}
