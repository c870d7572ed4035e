package core

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
)

// fixtureArchive holds the gas benchmarks of ethereum/execution-spec-tests.
const fixtureArchive = "eest-gas-benchmarks.tar.gz"

// fixtureGas selects the cases that spend this much in one block; the others of a file
// do the same work longer.
const fixtureGas = "benchmark-gas-value_10M"

// fixtureCase is a blockchain test as far as it is needed here.
type fixtureCase struct {
	Network string             `json:"network"`
	Pre     types.GenesisAlloc `json:"pre"`
	Blocks  []struct {
		RLP hexutil.Bytes `json:"rlp"`
	} `json:"blocks"`
}

// gasBenchmarks reads the Osaka cases of the archive. Files that are not JSON are left
// out; the note says which, or that there is no archive.
func gasBenchmarks(dir string) (list []lazy, note string, err error) {
	file, err := os.Open(filepath.Join(dir, fixtureArchive))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Sprintf("no gas benchmarks: %s is not in %q; it holds blockchain tests of "+
			"github.com/ethereum/execution-spec-tests (benchmark/compute) and TALARIA_FIXTURES names its directory", fixtureArchive, dir), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("gas benchmarks: %w", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, "", fmt.Errorf("gas benchmarks: %w", err)
	}
	var damaged []string
	for archive := tar.NewReader(unzipped); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", fmt.Errorf("gas benchmarks: %w", err)
		}
		if !strings.HasSuffix(entry.Name, ".json") {
			continue
		}
		raw, err := io.ReadAll(archive)
		if err != nil {
			return nil, "", fmt.Errorf("gas benchmarks: %s: %w", entry.Name, err)
		}
		var cases map[string]json.RawMessage
		if json.Unmarshal(raw, &cases) != nil {
			damaged = append(damaged, path.Base(entry.Name))
			continue
		}
		list = append(list, fixtureWorkloads(cases)...)
	}
	if len(damaged) > 0 {
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
	var c fixtureCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	cfg := chain.DefaultConfig()
	cfg.ChainID = 1
	w := &Workload{Name: name, Group: GasBenchmarks, Config: &cfg, Alloc: c.Pre}
	for _, b := range c.Blocks {
		var block types.Block
		if err := rlp.DecodeBytes(b.RLP, &block); err != nil {
			return nil, fmt.Errorf("decode block: %w", err)
		}
		h := block.Header()
		out := Block{Env: &evm.Env{
			Number: h.Number.Uint64(), Timestamp: h.Time, GasLimit: h.GasLimit, BaseFee: h.BaseFee,
			PrevRandao: h.MixDigest, Coinbase: h.Coinbase, Config: &cfg,
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
