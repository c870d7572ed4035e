package devl1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// genesisFile holds the chain's genesis; it marks a directory as ours.
const genesisFile = "genesis.json"

// newGenesis is the first block of a new chain: Osaka from the start, with the system
// contracts that its block processing calls.
func newGenesis(opts *Options, timestamp uint64) *core.Genesis {
	zero := uint64(0)
	config := &params.ChainConfig{
		ChainID:        new(big.Int).SetUint64(opts.ChainID),
		HomesteadBlock: new(big.Int), EIP150Block: new(big.Int), EIP155Block: new(big.Int),
		EIP158Block: new(big.Int), ByzantiumBlock: new(big.Int), ConstantinopleBlock: new(big.Int),
		PetersburgBlock: new(big.Int), IstanbulBlock: new(big.Int), MuirGlacierBlock: new(big.Int),
		BerlinBlock: new(big.Int), LondonBlock: new(big.Int), ArrowGlacierBlock: new(big.Int),
		GrayGlacierBlock: new(big.Int), MergeNetsplitBlock: new(big.Int),
		TerminalTotalDifficulty: new(big.Int),
		ShanghaiTime:            &zero, CancunTime: &zero, PragueTime: &zero, OsakaTime: &zero,
		DepositContractAddress: params.MainnetChainConfig.DepositContractAddress,
		BlobScheduleConfig: &params.BlobScheduleConfig{
			Cancun: params.DefaultCancunBlobConfig,
			Prague: params.DefaultPragueBlobConfig, // Osaka inherits it (EIP-7892)
		},
	}
	alloc := types.GenesisAlloc{}
	maps.Copy(alloc, core.SystemContractAllocs())
	for _, key := range Keys(DevAccounts) {
		alloc[Address(key)] = types.Account{Balance: ether(DevBalance)}
	}
	maps.Copy(alloc, opts.Alloc)
	return &core.Genesis{
		Config: config, Timestamp: timestamp, GasLimit: opts.GasLimit,
		ExtraData: []byte("talaria devnet"),
		BaseFee:   big.NewInt(params.InitialBaseFee), Difficulty: new(big.Int), Alloc: alloc,
	}
}

func ether(n uint64) *big.Int {
	return new(big.Int).Mul(new(big.Int).SetUint64(n), big.NewInt(params.Ether))
}

// openGenesis returns the genesis that dir holds, or writes a new one into an empty
// or missing dir.
func openGenesis(dir string, opts *Options, timestamp uint64) (*core.Genesis, error) {
	path := filepath.Join(dir, genesisFile)
	raw, err := os.ReadFile(path)
	if err == nil {
		g := new(core.Genesis)
		if err := json.Unmarshal(raw, g); err != nil {
			return nil, fmt.Errorf("read L1 genesis %s: %w", path, err)
		}
		if g.Config == nil || g.Config.ChainID == nil || g.Config.ChainID.Uint64() != opts.ChainID {
			return nil, fmt.Errorf("%w: %s is not of L1 chain %d", ErrForeignDatadir, path, opts.ChainID)
		}
		return g, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read L1 genesis: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create L1 datadir: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read L1 datadir: %w", err)
	}
	for _, e := range entries {
		if e.Name() != genesisFile+".tmp" {
			return nil, fmt.Errorf("%w: %s holds %q but no %s; choose an empty directory", ErrForeignDatadir, dir, e.Name(), genesisFile)
		}
	}
	g := newGenesis(opts, timestamp)
	raw, err = json.MarshalIndent(g, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode L1 genesis: %w", err)
	}
	if err := writeFileSync(path, raw); err != nil {
		return nil, fmt.Errorf("write L1 genesis: %w", err)
	}
	return g, nil
}

// writeFileSync puts raw at path so that a crash leaves the old file or the new one.
func writeFileSync(path string, raw []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
