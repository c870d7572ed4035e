package e2e

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
)

// The chain's own limits, docs/spec/chain.md.
const (
	maxCode     = 524_288
	maxInitCode = 1_048_576
	maxTxGas    = 1_000_000_000
)

// TestLimits: a contract of 512 KB and a transaction of 1 Ggas go from `forge script`
// through the sequencer and L1 to a follower; one byte and one gas more are refused.
func TestLimits(t *testing.T) {
	d := startDevnet(t, t.TempDir())
	client := dialEth(t, d.L2.HTTPURL)

	large, burner := scriptLimits(t, d.L2.HTTPURL)
	checkLarge(t, client, large)
	last := spendAll(t, client, newSender(t, d.L2.HTTPURL, forgeKey), burner)
	if n := createWidest(t, client, newSender(t, d.L2.HTTPURL, castKey)); n > last {
		last = n
	}
	refuseMore(t, d.L2.HTTPURL, newSender(t, d.L2.HTTPURL, castKey), burner)

	eventually(t, 30*time.Second, fmt.Sprintf("block %d is sealed", last), func() error {
		_, err := client.HeaderByNumber(t.Context(), new(big.Int).SetUint64(last+1))
		return err
	})
	want := chainOf(t, d.L2.HTTPURL, last)
	f := startReplica(t, t.TempDir(), d.L1.HTTPURL, d.L1.BeaconURL, d.Genesis)
	follower := dialEth(t, f.HTTPURL)
	eventually(t, 2*time.Minute, fmt.Sprintf("the follower reaches block %d", last), func() error {
		n, err := follower.BlockNumber(t.Context())
		if err == nil && n < last {
			err = fmt.Errorf("it is at %d: %s", n, f.stderr)
		}
		return err
	})
	if got := chainOf(t, f.HTTPURL, last); got[last] != want[last] {
		t.Errorf("block %d: sequencer %s, follower %s", last, want[last], got[last])
	}
	checkLarge(t, follower, large)
	if err := f.interrupt(); err != nil {
		t.Error(err)
	}
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// scriptLimits lets forge estimate, sign and send both.
func scriptLimits(t *testing.T, url string) (large, burner common.Address) {
	t.Helper()
	// 14,650,000 turns are 97 % of the most gas.
	out := forge(t, "script", "solidity/Limits.s.sol:Limits", "--sig", "run(uint256,uint256)", fmt.Sprint(maxCode), "14650000",
		"--rpc-url", url, "--private-key", scriptKey, "--broadcast", "--slow", "--skip-simulation", "--gas-estimate-multiplier", "100",
		"--code-size-limit", fmt.Sprint(maxCode), "--gas-limit", "20000000000")
	if !strings.Contains(out, "ONCHAIN EXECUTION COMPLETE & SUCCESSFUL") {
		t.Fatalf("forge script: %s", last(out))
	}
	return returned(t, out, "large: address "), returned(t, out, "burner: contract Burner ")
}

// returned is the address that forge prints after a name.
func returned(t *testing.T, out, name string) common.Address {
	t.Helper()
	_, after, ok := strings.Cut(out, name)
	if !ok || len(after) < 42 || !common.IsHexAddress(after[:42]) {
		t.Fatalf("forge script returned no %q: %s", name, last(out))
	}
	return common.HexToAddress(after[:42])
}

// checkLarge reads the largest contract and calls it.
func checkLarge(t *testing.T, client *ethclient.Client, large common.Address) {
	t.Helper()
	code, err := client.CodeAt(t.Context(), large, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) != maxCode {
		t.Errorf("the contract has %d bytes, want %d", len(code), maxCode)
	}
	answer, err := client.CallContract(t.Context(), ethereum.CallMsg{To: &large}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := new(big.Int).SetBytes(answer); got.Uint64() != maxCode {
		t.Errorf("the contract answers %d, want the size of its code, %d", got, maxCode)
	}
}

// spendAll sends a transaction with the most gas, which spends nearly all of it, and
// returns its block. forge's own was checked by forge.
func spendAll(t *testing.T, client *ethclient.Client, s *sender, burner common.Address) uint64 {
	t.Helper()
	r := mined(t, client, s.sign(t, &burner, nil, maxTxGas, call("burnAllBut(uint256)", 100_000)))
	if r.Status != types.ReceiptStatusSuccessful || r.GasUsed < maxTxGas-200_000 {
		t.Errorf("status %d, %d gas of %d used", r.Status, r.GasUsed, maxTxGas)
	}
	return r.BlockNumber.Uint64()
}

// createWidest creates a contract with the longest initcode, none of which is zero,
// with the gas that the node estimates, and returns its block.
func createWidest(t *testing.T, client *ethclient.Client, s *sender) uint64 {
	t.Helper()
	data := padded(creation(100), maxInitCode)
	gas, err := client.EstimateGas(t.Context(), ethereum.CallMsg{From: s.addr, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if floor := uint64(21_000 + 40*(maxInitCode-1000)); gas < floor {
		t.Errorf("estimate %d, the floor of the calldata is about %d (EIP-7623)", gas, floor)
	}
	r := mined(t, client, s.sign(t, nil, nil, gas, data))
	if r.Status != types.ReceiptStatusSuccessful {
		t.Error("creation with the longest initcode failed")
	}
	return r.BlockNumber.Uint64()
}

// refuseMore tries one more of everything.
func refuseMore(t *testing.T, url string, s *sender, burner common.Address) {
	t.Helper()
	client := dialEth(t, url)
	oneByteMore := creation(maxCode + 1)

	tooWide := padded(creation(100), maxInitCode+1)
	tooWideErr := fmt.Sprintf("max initcode size exceeded: code size %d", maxInitCode+1)
	wantRefusal(t, "gas", client.SendTransaction(t.Context(), s.sign(t, &burner, nil, maxTxGas+1, nil)),
		fmt.Sprintf("transaction gas limit too high (cap: %d, tx: %d)", maxTxGas, maxTxGas+1))
	s.nonce--
	wantRefusal(t, "initcode", client.SendTransaction(t.Context(), s.sign(t, nil, nil, maxTxGas, tooWide)), tooWideErr)
	s.nonce--
	_, err := client.EstimateGas(t.Context(), ethereum.CallMsg{From: s.addr, Data: tooWide})
	wantRefusal(t, "estimate of initcode", err, tooWideErr)
	_, err = client.EstimateGas(t.Context(), ethereum.CallMsg{From: s.addr, Data: oneByteMore})
	wantRefusal(t, "estimate of code", err, "max code size exceeded")
	_, err = client.CallContract(t.Context(), ethereum.CallMsg{From: s.addr, Data: oneByteMore}, nil)
	wantRefusal(t, "call of code", err, "max code size exceeded")

	// Whether code is too large shows when it runs: the transaction is included and fails.
	r := mined(t, client, s.sign(t, nil, nil, 500_000_000, oneByteMore))
	if r.Status != types.ReceiptStatusFailed || r.GasUsed != 500_000_000 {
		t.Errorf("creation of %d bytes: status %d, %d gas used; want a failure that takes all", maxCode+1, r.Status, r.GasUsed)
	}
	r = mined(t, client, s.sign(t, nil, nil, 500_000_000, creation(maxCode)))
	if code, err := client.CodeAt(t.Context(), r.ContractAddress, nil); err != nil || r.Status != 1 || len(code) != maxCode {
		t.Errorf("creation of %d bytes: status %d, %d bytes of code, %v", maxCode, r.Status, len(code), err)
	}
}

func wantRefusal(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// mined sends a transaction and waits for its receipt.
func mined(t *testing.T, client *ethclient.Client, tx *types.Transaction) *types.Receipt {
	t.Helper()
	if err := client.SendTransaction(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	var r *types.Receipt
	eventually(t, 30*time.Second, "a receipt", func() (err error) {
		r, err = client.TransactionReceipt(t.Context(), tx.Hash())
		return err
	})
	return r
}

// creation is initcode that deploys size zero bytes, which are STOP: PUSH3 size, PUSH0,
// RETURN.
func creation(size int) []byte {
	return []byte{0x62, byte(size >> 16), byte(size >> 8), byte(size), 0x5f, 0xf3}
}

// padded appends bytes that are not zero and do not compress, up to size.
func padded(code []byte, size int) []byte {
	var out bytes.Buffer
	out.Write(code)
	word := crypto.Keccak256(code)
	for out.Len() < size {
		word = crypto.Keccak256(word)
		out.Write(bytes.ReplaceAll(word, []byte{0}, []byte{1}))
	}
	return out.Bytes()[:size]
}

// call encodes a call with one number.
func call(signature string, n int64) []byte {
	return append(crypto.Keccak256([]byte(signature))[:4], common.BigToHash(big.NewInt(n)).Bytes()...)
}
