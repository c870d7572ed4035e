package predeploys

import (
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/invariant"
)

// MintableERC20 describes a token that stands for one of L1.
type MintableERC20 struct {
	Remote   common.Address // the token of L1
	Name     string
	Symbol   string
	Decimals uint8
}

// Ether is the token that stands for ether where the native currency is another.
var Ether = MintableERC20{Remote: chain.EtherToken, Name: "Ether", Symbol: "ETH", Decimals: 18}

// Addr is where the factory at MintableERC20FactoryAddr puts the token, by CREATE2.
func (m *MintableERC20) Addr() common.Address {
	salt := crypto.Keccak256Hash(pack("address,string,string,uint8", m.Remote, m.Name, m.Symbol, m.Decimals))
	initCode := append(embedded(mintableERC20Init), pack("address,address,string,string,uint8",
		StandardBridgeAddr, m.Remote, m.Name, m.Symbol, m.Decimals)...)
	return crypto.CreateAddress2(MintableERC20FactoryAddr, salt, crypto.Keccak256(initCode))
}

// CreateCall is the call of the factory that makes the token; anybody may send it, once.
func (m *MintableERC20) CreateCall() []byte {
	selector := crypto.Keccak256([]byte("createOptimismMintableERC20WithDecimals(address,string,string,uint8)"))[:4]
	return append(selector, pack("address,string,string,uint8", m.Remote, m.Name, m.Symbol, m.Decimals)...)
}

const mintableERC20Init = "OptimismMintableERC20.init"

// pack encodes values by the ABI; kinds are constants of this file.
func pack(kinds string, values ...any) []byte {
	var arguments abi.Arguments
	for _, kind := range strings.Split(kinds, ",") {
		typ, err := abi.NewType(kind, "", nil)
		invariant.Assert(err == nil, "ABI types are known")
		arguments = append(arguments, abi.Argument{Type: typ})
	}
	data, err := arguments.Pack(values...)
	invariant.Assert(err == nil, "values are of their ABI types")
	return data
}
