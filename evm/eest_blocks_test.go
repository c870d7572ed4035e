package evm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/fixtures"
)

// shortBenchmarkGas bounds the gas of the cases that `go test -short` runs.
const shortBenchmarkGas = 2_000_000

// TestEESTGasBenchmarks runs the blocks that Ethereum's clients are measured with.
func TestEESTGasBenchmarks(t *testing.T) {
	path := fixturesPath(t, fixtures.BenchmarkArchive)
	start := time.Now()
	ran, later, gas := 0, 0, uint64(0)
	damaged, err := fixtures.BlockTests(path, func(_ string, tests map[string]*fixtures.BlockTest) error {
		for name, c := range tests {
			f, ok := testForks[c.Network]
			if !ok {
				return fmt.Errorf("%s: rules of %q are unknown", name, c.Network)
			}
			if testing.Short() && benchmarkGas(t, c) > shortBenchmarkGas {
				later++
				continue
			}
			used, err := runBlocks(t, f, c)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			ran, gas = ran+1, gas+used
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases ran, %d Mgas in %v; left for the long form: %d; files that are not JSON: %d %v",
		ran, gas/1_000_000, time.Since(start).Round(time.Millisecond), later, len(damaged), damaged)
	if ran == 0 {
		t.Error("no case ran")
	}
}

func benchmarkGas(t *testing.T, c *fixtures.BlockTest) (gas uint64) {
	for i := range c.Blocks {
		block, err := c.Block(i)
		if err != nil {
			t.Fatal(err)
		}
		gas += block.GasUsed()
	}
	return gas
}

// runBlocks executes a case block by block and compares each with its header.
func runBlocks(t *testing.T, f fork, c *fixtures.BlockTest) (gas uint64, err error) {
	genesis, err := c.Genesis()
	if err != nil {
		return 0, fmt.Errorf("genesis: %w", err)
	}
	view := newMemoryFrom(c.Pre)
	if got := stateRoot(t, view); got != genesis.Root() {
		return 0, fmt.Errorf("state root before %v, want %v", got, genesis.Root())
	}
	m := NewMachine(mainnetConfig(f))
	m.setFork(f)
	defer m.Close()
	hashes := []common.Hash{genesis.Hash()} // by number
	for i := range c.Blocks {
		if c.Blocks[i].Exception != "" {
			return gas, fmt.Errorf("block %d is to be refused: %s", i, c.Blocks[i].Exception)
		}
		block, err := c.Block(i)
		if err != nil {
			return gas, fmt.Errorf("block %d: %w", i, err)
		}
		h := block.Header()
		env := &Env{
			Number: h.Number.Uint64(), Timestamp: h.Time, GasLimit: h.GasLimit, BaseFee: h.BaseFee, PrevRandao: h.MixDigest,
			Coinbase: h.Coinbase, BlobBaseFee: c.BlobBaseFee(h), Config: m.cfg,
			BlockHash: func(n uint64) common.Hash { return hashes[n] },
		}
		if err := runBlock(t, m, view, block, env); err != nil {
			return gas, fmt.Errorf("block %d: %w", i, err)
		}
		hashes = append(hashes, block.Hash())
		gas += h.GasUsed
	}
	return gas, nil
}

func runBlock(t *testing.T, m *Machine, view *memory, block *types.Block, env *Env) error {
	h := block.Header()
	system := func(to common.Address, data []byte) error {
		diff, err := m.SystemCall(view, env, to, data)
		view.apply(diff)
		return err
	}
	if err := system(BeaconRootsAddr, h.ParentBeaconRoot[:]); err != nil {
		return err
	}
	if m.fork >= prague {
		if err := system(HistoryAddr, h.ParentHash[:]); err != nil {
			return err
		}
	}
	var receipts types.Receipts
	used := uint64(0)
	for i, eth := range block.Transactions() {
		r, err := executeEth(m, view, eth, env)
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		view.apply(r.Diff)
		used += r.GasUsed
		receipt := &types.Receipt{Type: eth.Type(), Status: r.Status, CumulativeGasUsed: used, Logs: slices.Clone(r.Logs)}
		receipt.Bloom = types.CreateBloom(receipt)
		receipts = append(receipts, receipt)
	}
	for _, w := range block.Withdrawals() {
		m.begin(view, env, false)
		amount := uint256.NewInt(w.Amount)
		m.journal.AddBalance(w.Address, amount.Mul(amount, uint256.NewInt(params.GWei)))
		view.apply(m.journal.Diff())
	}
	if m.fork >= prague {
		for _, to := range []common.Address{params.WithdrawalQueueAddress, params.ConsolidationQueueAddress} {
			if err := system(to, nil); err != nil {
				return err
			}
		}
	}
	switch {
	case used != h.GasUsed:
		return fmt.Errorf("gas %d, want %d", used, h.GasUsed)
	case types.DeriveSha(receipts, trie.NewStackTrie(nil)) != h.ReceiptHash:
		return fmt.Errorf("receipts differ: %d with %d gas", len(receipts), used)
	case types.MergeBloom(receipts) != h.Bloom:
		return fmt.Errorf("bloom differs")
	}
	if got := stateRoot(t, view); got != h.Root {
		return fmt.Errorf("state root %v, want %v", got, h.Root)
	}
	return nil
}

// executeEth executes a transaction of any of Ethereum's types.
func executeEth(m *Machine, view *memory, eth *types.Transaction, env *Env) (*Result, error) {
	if eth.Type() == types.BlobTxType {
		return executeBlobTx(m, view, eth, env)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		return nil, err
	}
	tx, err := chain.DecodeTx(raw, m.cfg)
	if err != nil {
		return nil, err
	}
	return executeOn(m, view, tx, env)
}
