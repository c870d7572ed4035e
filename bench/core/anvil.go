package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// anvilTimeout bounds one request, and the start of the process.
const anvilTimeout = time.Minute

// anvil is revm, in a process of its own. Only calls can be timed there: a call of the
// workload less a call that does nothing, both over the same connection. Anvil attaches
// its inspector to calls, so that revm alone is faster than this shows.
type anvil struct {
	process *exec.Cmd
	client  *rpc.Client
	call    *Call
	request map[string]any
	idle    map[string]any
	base    string // snapshot of the empty chain
}

// anvilPath is where `npm ci` in e2e/ puts the program.
func anvilPath(root string) string {
	return fmt.Sprintf("%s/e2e/node_modules/@foundry-rs/anvil-%s-%s/bin/anvil", root, runtime.GOOS, runtime.GOARCH)
}

// startAnvil returns nil, without an error, if there is no such program.
func startAnvil(path string) (*anvil, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("anvil: %w", err)
	}
	a := &anvil{process: exec.Command(path, "--silent", "--port", fmt.Sprint(port), "--chain-id", fmt.Sprint(newSuite().cfg.ChainID),
		"--hardfork", "prague", "--gas-limit", "10000000000", "--disable-code-size-limit", "--base-fee", "1000000", "--accounts", "1")}
	if err := a.process.Start(); err != nil {
		return nil, fmt.Errorf("anvil: %w", err)
	}
	if err := a.connect(fmt.Sprintf("http://127.0.0.1:%d", port)); err != nil {
		a.Close()
		return nil, fmt.Errorf("anvil: %w", err)
	}
	return a, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (a *anvil) connect(url string) error {
	client, err := rpc.Dial(url)
	if err != nil {
		return err
	}
	a.client = client
	for deadline := time.Now().Add(anvilTimeout); ; time.Sleep(20 * time.Millisecond) {
		if err = a.do(&a.base, "evm_snapshot"); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (a *anvil) do(result any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), anvilTimeout)
	defer cancel()
	if err := a.client.CallContext(ctx, result, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

func (a *anvil) Name() string { return "revm in anvil" }

// Load takes a workload that has a Call, executes its transaction as such and compares
// the receipt with want, and the call's answer.
func (a *anvil) Load(w *Workload, want Outcome) error {
	if err := a.do(nil, "evm_revert", a.base); err != nil {
		return err
	}
	if err := a.do(&a.base, "evm_snapshot"); err != nil {
		return err
	}
	for addr, account := range w.Alloc {
		if err := a.set(addr, &account); err != nil {
			return err
		}
	}
	a.call = w.Call
	a.request = map[string]any{
		"from": w.Call.From, "to": w.Call.To, "data": hexutil.Bytes(w.Call.Data), "gas": hexutil.Uint64(w.Call.Gas),
	}
	a.idle = map[string]any{"from": w.Call.From, "to": bystander(-1), "gas": hexutil.Uint64(w.Call.Gas)}
	var answer hexutil.Bytes
	if err := a.do(&answer, "eth_call", a.request, "latest"); err != nil {
		return err
	}
	if crypto.Keccak256Hash(answer) != want.Return {
		return errors.New("eth_call returns other data")
	}
	before := ""
	if err := a.do(&before, "evm_snapshot"); err != nil {
		return err
	}
	got, err := a.execute(w)
	if err != nil {
		return err
	}
	if got.Status != hexutil.Uint64(want.Status) || got.GasUsed != hexutil.Uint64(want.GasUsed) {
		return fmt.Errorf("status %d and %d, gas used %d and %d", got.Status, want.Status, got.GasUsed, want.GasUsed)
	}
	return a.do(nil, "evm_revert", before)
}

// anvilReceipt is what is compared.
type anvilReceipt struct {
	Status  hexutil.Uint64 `json:"status"`
	GasUsed hexutil.Uint64 `json:"gasUsed"`
}

func (a *anvil) execute(w *Workload) (r *anvilReceipt, err error) {
	var hash common.Hash
	if err := a.do(&hash, "eth_sendRawTransaction", hexutil.Bytes(w.Blocks[0].Txs[0].Raw())); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(anvilTimeout); r == nil; time.Sleep(5 * time.Millisecond) {
		if err := a.do(&r, "eth_getTransactionReceipt", hash); err != nil {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, errors.New("no receipt")
		}
	}
	return r, nil
}

func (a *anvil) set(addr common.Address, account *types.Account) error {
	balance := account.Balance
	if balance == nil {
		balance = new(big.Int)
	}
	if err := a.do(nil, "anvil_setBalance", addr, (*hexutil.Big)(balance)); err != nil {
		return err
	}
	if len(account.Code) > 0 {
		if err := a.do(nil, "anvil_setCode", addr, hexutil.Bytes(account.Code)); err != nil {
			return err
		}
	}
	for slot, value := range account.Storage {
		if err := a.do(nil, "anvil_setStorageAt", addr, slot, value); err != nil {
			return err
		}
	}
	return nil
}

// Time is how long the call took, less what a call takes that does nothing.
func (a *anvil) Time() (time.Duration, error) {
	var answer hexutil.Bytes
	idle := time.Duration(1 << 62)
	for range 3 {
		start := time.Now()
		if err := a.do(&answer, "eth_call", a.idle, "latest"); err != nil {
			return 0, err
		}
		idle = min(idle, time.Since(start))
	}
	start := time.Now()
	if err := a.do(&answer, "eth_call", a.request, "latest"); err != nil {
		return 0, err
	}
	return max(time.Since(start)-idle, time.Microsecond), nil
}

func (a *anvil) Close() {
	if a.client != nil {
		a.client.Close()
	}
	_ = a.process.Process.Kill()
	_ = a.process.Wait()
}
