package predeploys

import (
	"encoding/binary"
	"maps"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// Addresses of contracts that the OP Stack's specification fixes ("Predeploys"), besides
// those that package chain names.
var (
	WETHAddr                 = common.HexToAddress("0x4200000000000000000000000000000000000006")
	CrossDomainMessengerAddr = common.HexToAddress("0x4200000000000000000000000000000000000007")
	GasPriceOracleAddr       = common.HexToAddress("0x420000000000000000000000000000000000000F")
	StandardBridgeAddr       = common.HexToAddress("0x4200000000000000000000000000000000000010")
	MintableERC20FactoryAddr = common.HexToAddress("0x4200000000000000000000000000000000000012")
	ProxyAdminAddr           = common.HexToAddress("0x4200000000000000000000000000000000000018")
)

// L1Addresses are the contracts of L1 that predeploys obey. They must be known before
// the genesis is made; a zero address makes the part that needs it inert.
type L1Addresses struct {
	Messenger common.Address // L1CrossDomainMessenger
	Bridge    common.Address // L1StandardBridge
	// Timelock owns the proxies through its alias: what it sends through the portal may
	// upgrade predeploys and set up vaults.
	Timelock common.Address
}

// FeeSettings say where the vaults' contents go.
type FeeSettings struct {
	Recipient     common.Address
	OnL2          bool     // the recipient is an account of L2, not of L1
	MinWithdrawal *big.Int // wei, least that is paid out; nil is 0
}

// Settings are all that differs between the predeploys of two chains.
type Settings struct {
	L1       L1Addresses
	Fees     FeeSettings
	GasToken chain.GasToken // zero is ether; one that Check accepts
}

// Alloc returns the genesis accounts with code: the predeploys of the OP Stack, the
// contracts of EIP-4788 and EIP-2935, and what tools expect at fixed addresses. Each has
// the nonce of a contract, 1, or one more for each contract that it made, and no
// balance. The result is the caller's own.
func Alloc(s Settings) types.GenesisAlloc {
	alloc := preinstalls()
	maps.Copy(alloc, types.GenesisAlloc{
		WETHAddr:                     account("WETH9"),
		chain.MessagePasserAddr:      account("L2ToL1MessagePasser"),
		ProxyAdminAddr:               account("PredeployAdmin"),
		chain.MiniBlockClockAddr:     account("MiniBlockClock"),
		params.BeaconRootsAddress:    {Code: common.CopyBytes(params.BeaconRootsCode), Nonce: 1, Balance: new(big.Int)},
		params.HistoryStorageAddress: {Code: common.CopyBytes(params.HistoryStorageCode), Nonce: 1, Balance: new(big.Int)},
		Create2DeployerAddr:          account("Create2Deployer"),
		SafeDeployerAddr:             account("Create2Deployer"),
		Multicall3Addr:               account("Multicall3"),
	})
	if s.L1.Timelock != (common.Address{}) {
		alloc[ProxyAdminAddr].Storage[slot(0)] = addressWord(chain.AliasOfL1(s.L1.Timelock))
	}
	proxied(alloc, CrossDomainMessengerAddr, "L2CrossDomainMessenger", map[common.Hash]common.Hash{
		slot(3): addressWord(s.L1.Messenger),
	})
	proxied(alloc, StandardBridgeAddr, "L2StandardBridge", map[common.Hash]common.Hash{
		slot(0): addressWord(CrossDomainMessengerAddr), slot(1): addressWord(s.L1.Bridge),
	})
	proxied(alloc, MintableERC20FactoryAddr, "OptimismMintableERC20Factory", map[common.Hash]common.Hash{
		slot(0): addressWord(StandardBridgeAddr),
	})
	proxied(alloc, GasPriceOracleAddr, "GasPriceOracle", nil)
	proxied(alloc, chain.L1BlockAddr, "L1Block", currency(s.GasToken))
	proxied(alloc, chain.SequencerFeeVaultAddr, "SequencerFeeVault", s.Fees.storage())
	proxied(alloc, chain.BaseFeeVaultAddr, "FeeVault", s.Fees.storage())
	proxied(alloc, chain.L1FeeVaultAddr, "FeeVault", s.Fees.storage())
	return alloc
}

// Slots of EIP-1967.
var (
	implementationSlot = common.HexToHash("0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc")
	adminSlot          = common.HexToHash("0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103")
)

// ImplementationOf is where genesis puts the code behind a proxied predeploy (OP Stack
// specification: the code namespace 0xc0D3…).
func ImplementationOf(predeploy common.Address) common.Address {
	addr := common.HexToAddress("0xc0D3C0d3C0d3C0D3c0d3C0d3c0D3C0d3c0d30000")
	copy(addr[18:], predeploy[18:])
	return addr
}

// proxied puts a proxy at addr and the contract's code behind it. Zero words are not
// part of a state and are left out.
func proxied(alloc types.GenesisAlloc, addr common.Address, contract string, storage map[common.Hash]common.Hash) {
	implementation := ImplementationOf(addr)
	alloc[implementation] = account(contract)
	proxy := account("PredeployProxy")
	proxy.Storage[implementationSlot] = addressWord(implementation)
	proxy.Storage[adminSlot] = addressWord(ProxyAdminAddr)
	for key, value := range storage {
		if value != (common.Hash{}) {
			proxy.Storage[key] = value
		}
	}
	alloc[addr] = proxy
}

// account is a fresh one with the embedded code of the contract.
func account(contract string) types.Account {
	return types.Account{
		Code: embedded(contract), Nonce: 1, Balance: new(big.Int), Storage: make(map[common.Hash]common.Hash),
	}
}

// storage is that of FeeVault.
func (f FeeSettings) storage() map[common.Hash]common.Hash {
	recipient := addressWord(f.Recipient)
	if f.OnL2 {
		recipient[11] = 1
	}
	s := map[common.Hash]common.Hash{slot(1): recipient}
	if f.MinWithdrawal != nil {
		s[slot(0)] = common.BigToHash(f.MinWithdrawal)
	}
	return s
}

// tokenDecimals are those of a native currency: wei of L2 are the token's smallest unit.
const tokenDecimals = 18

// currency is what L1Block holds of the native currency.
func currency(g chain.GasToken) map[common.Hash]common.Hash {
	if g.IsZero() {
		return nil
	}
	token := addressWord(g.Token)
	token[11] = tokenDecimals
	return map[common.Hash]common.Hash{
		chain.GasTokenSlot: token, chain.GasTokenNameSlot: textWord(g.Name), chain.GasTokenSymbolSlot: textWord(g.Symbol),
		chain.GasTokenRateSlot: g.Rate.Word(),
	}
}

func slot(n uint64) (h common.Hash) {
	binary.BigEndian.PutUint64(h[24:], n)
	return h
}

func addressWord(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
