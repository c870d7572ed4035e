package predeploys

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Addresses of contracts that are the same on most chains.
var (
	// Create2DeployerAddr deploys by CREATE2 what it is called with: a salt of 32
	// bytes, then init code. Source: github.com/Arachnid/deterministic-deployment-proxy.
	Create2DeployerAddr = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")
	// SafeDeployerAddr is the same code, from which Safe deploys its contracts.
	SafeDeployerAddr = common.HexToAddress("0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7")
	// Multicall3Addr runs many calls in one. Source: github.com/mds1/multicall3.
	Multicall3Addr = common.HexToAddress("0xcA11bde05977b3631167028862bE2a173976CA11")
	// EntryPoint…Addr are the entry points of ERC-4337, by version.
	EntryPoint06Addr = common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	EntryPoint07Addr = common.HexToAddress("0x0000000071727De22E5E9d8BAf0edAc6f37da032")
	EntryPoint08Addr = common.HexToAddress("0x4337084D9E255Ff0702461CF8895CE9E3b5Ff108")
	// Safe…Addr are the singletons of Safe for a chain with events of every transaction.
	SafeL2v130Addr = common.HexToAddress("0x3E5c63644E683549055b9Be8653de26E0B4CD36E")
	SafeL2v141Addr = common.HexToAddress("0x29fcB43b46531BcA003ddC8FCB67FFE91900C762")
)

// preinstalled is a compressed genesis allocation: EntryPoints with their sender
// creators, Safe 1.3.0 and 1.4.1. docs/predeploys.md says from which packages.
//
//go:embed preinstalls.json.gz
var preinstalled []byte

// preinstalls returns accounts of its caller's own. It panics on what is malformed: what
// is embedded is tested.
func preinstalls() types.GenesisAlloc {
	var alloc types.GenesisAlloc
	z, err := gzip.NewReader(bytes.NewReader(preinstalled))
	if err == nil {
		err = json.NewDecoder(z).Decode(&alloc)
	}
	if err != nil {
		panic(fmt.Sprintf("preinstalled contracts: %v", err))
	}
	return alloc
}
