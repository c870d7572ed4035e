package predeploys

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// Addresses of contracts that are the same on most chains.
var (
	// Create2DeployerAddr deploys by CREATE2 what it is called with: a salt of 32
	// bytes, then init code. Source: github.com/Arachnid/deterministic-deployment-proxy.
	Create2DeployerAddr = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")
	// Multicall3Addr runs many calls in one. Source: github.com/mds1/multicall3.
	Multicall3Addr = common.HexToAddress("0xcA11bde05977b3631167028862bE2a173976CA11")
)

//go:embed L1Block.hex
var l1BlockHex string

//go:embed L2ToL1MessagePasser.hex
var messagePasserHex string

//go:embed Multicall3.hex
var multicall3Hex string

const create2DeployerHex = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" +
	"e03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"

// Alloc returns the genesis accounts with code: L1Block, L2ToL1MessagePasser, the
// contracts of EIP-4788 and EIP-2935, the CREATE2 deployer and multicall3. Each has
// nonce 1, as a contract has, no balance and empty storage. The result is the
// caller's own.
func Alloc() types.GenesisAlloc {
	return types.GenesisAlloc{
		chain.L1BlockAddr:            account(decode("L1Block", l1BlockHex)),
		chain.MessagePasserAddr:      account(decode("L2ToL1MessagePasser", messagePasserHex)),
		params.BeaconRootsAddress:    account(common.CopyBytes(params.BeaconRootsCode)),
		params.HistoryStorageAddress: account(common.CopyBytes(params.HistoryStorageCode)),
		Create2DeployerAddr:          account(decode("CREATE2 deployer", create2DeployerHex)),
		Multicall3Addr:               account(decode("Multicall3", multicall3Hex)),
	}
}

func account(code []byte) types.Account {
	return types.Account{Code: code, Nonce: 1, Balance: new(big.Int)}
}

// decode panics on malformed text: what is embedded is our own and tested.
func decode(name, text string) []byte {
	code, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		panic(fmt.Sprintf("code of %s: %v", name, err))
	}
	return code
}
