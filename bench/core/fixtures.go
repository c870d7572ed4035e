package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/internal/fixtures"
)

// fixtureGas selects the cases that spend this much in one block; the others of a file
// do the same work longer.
const fixtureGas = "benchmark-gas-value_10M"

// gasBenchmarks reads the Osaka cases of the archive. Files that are not JSON are left
// out; the note says which, or that there is no archive.
func gasBenchmarks(o Options) (list []lazy, note string, err error) {
	archive := fixtures.Path(o.Root, fixtures.BenchmarkArchive)
	if o.Fixtures != "" {
		archive = filepath.Join(o.Fixtures, fixtures.BenchmarkArchive)
	}
	damaged, err := fixtures.Cases(archive, func(_ string, cases map[string]json.RawMessage) error {
		list = append(list, fixtureWorkloads(cases)...)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Sprintf("no gas benchmarks: there is no %s; it holds blockchain tests of "+
			"github.com/ethereum/execution-spec-tests (benchmark/compute) and TALARIA_FIXTURES names its directory", archive), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("gas benchmarks: %w", err)
	}
	if len(damaged) > 0 {
		for i := range damaged {
			damaged[i] = path.Base(damaged[i])
		}
		note = "gas benchmarks that are not readable: " + strings.Join(damaged, ", ")
	}
	return list, note, nil
}

func fixtureWorkloads(cases map[string]json.RawMessage) []lazy {
	var list []lazy
	for _, key := range slices.Sorted(maps.Keys(cases)) {
		if !strings.Contains(key, fixtureGas) || !strings.Contains(key, "fork_Osaka") {
			continue
		}
		name := fixtureName(key)
		if strings.HasPrefix(name, "blobhash") && !strings.HasSuffix(name, "no_blobs") {
			continue // a blob transaction, which the chain does not have
		}
		list = append(list, lazy{name, GasBenchmarks, func() (*Workload, error) { return fixtureWorkload(name, cases[key]) }})
	}
	return list
}

// fixtureName shortens a case's key to its test and what is particular about it.
func fixtureName(key string) string {
	name := key[strings.LastIndex(key, "::")+2:]
	name, params, _ := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	var kept []string
	for _, p := range strings.Split(params, "-") {
		switch p {
		case "fork_Osaka", "blockchain_test", "benchmark", "gas", "value_10M":
		default:
			kept = append(kept, p)
		}
	}
	name = strings.TrimPrefix(name, "test_")
	if len(kept) > 0 {
		name += " " + strings.Join(kept, " ")
	}
	return name
}

func fixtureWorkload(name string, raw json.RawMessage) (*Workload, error) {
	var c fixtures.BlockTest
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	cfg := chain.DefaultConfig()
	cfg.ChainID = 1
	w := &Workload{Name: name, Group: GasBenchmarks, Config: &cfg, Alloc: c.Pre}
	for i := range c.Blocks {
		block, err := c.Block(i)
		if err != nil {
			return nil, fmt.Errorf("decode block: %w", err)
		}
		h := block.Header()
		out := Block{Env: &evm.Env{
			Number: h.Number.Uint64(), Timestamp: h.Time, GasLimit: h.GasLimit, BaseFee: h.BaseFee,
			PrevRandao: h.MixDigest, Coinbase: h.Coinbase, L1Fees: new(chain.L1FeeSchedule), Config: &cfg,
		}}
		for _, eth := range block.Transactions() {
			encoded, err := eth.MarshalBinary()
			if err != nil {
				return nil, err
			}
			tx, err := chain.DecodeTx(encoded, &cfg)
			if err != nil {
				return nil, err
			}
			out.Txs = append(out.Txs, tx)
		}
		w.Blocks = append(w.Blocks, out)
	}
	return w, nil
}
