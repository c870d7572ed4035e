// Code generated via abigen V2 - DO NOT EDIT.
// This file is a generated binding and any manual changes will be lost.

package bindings

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Reference imports to suppress errors if they are not otherwise used.
var (
	_ = bytes.Equal
	_ = errors.New
	_ = big.NewInt
	_ = common.Big1
	_ = types.BloomLookup
	_ = abi.ConvertType
)

// PortalMetaData contains all meta data concerning the Portal contract.
var PortalMetaData = bind.MetaData{
	ABI: "[{\"type\":\"receive\",\"stateMutability\":\"payable\"},{\"type\":\"function\",\"name\":\"DEPOSIT_VERSION\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"MAX_BLOCK_GAS\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"MAX_DATA_BYTES\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"RECEIVE_DEFAULT_GAS_LIMIT\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"availableGas\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"depositTransaction\",\"inputs\":[{\"name\":\"_to\",\"type\":\"address\",\"internalType\":\"address\"},{\"name\":\"_value\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"_gasLimit\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"_isCreation\",\"type\":\"bool\",\"internalType\":\"bool\"},{\"name\":\"_data\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[],\"stateMutability\":\"payable\"},{\"type\":\"function\",\"name\":\"minimumGasLimit\",\"inputs\":[{\"name\":\"_byteCount\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"outputs\":[{\"name\":\"\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"pure\"},{\"type\":\"function\",\"name\":\"version\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"string\",\"internalType\":\"string\"}],\"stateMutability\":\"pure\"},{\"type\":\"event\",\"name\":\"TransactionDeposited\",\"inputs\":[{\"name\":\"from\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"to\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"version\",\"type\":\"uint256\",\"indexed\":true,\"internalType\":\"uint256\"},{\"name\":\"opaqueData\",\"type\":\"bytes\",\"indexed\":false,\"internalType\":\"bytes\"}],\"anonymous\":false},{\"type\":\"error\",\"name\":\"BlockGasExceeded\",\"inputs\":[{\"name\":\"requested\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"available\",\"type\":\"uint64\",\"internalType\":\"uint64\"}]},{\"type\":\"error\",\"name\":\"OptimismPortal_BadTarget\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"OptimismPortal_CalldataTooLarge\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"OptimismPortal_GasLimitTooLow\",\"inputs\":[]}]",
	ID:  "Portal",
	Bin: "0x6080604052348015600e575f5ffd5b506109508061001c5f395ff3fe60806040526004361061007c575f3560e01c80636cf325111161004c5780636cf325111461015c578063a35d99df14610170578063e9e05c421461018f578063f1d11a6c146101a2575f5ffd5b8063101b8171146100a557806313cdd8b7146100d957806349faccde146100fa57806354fd4d5014610111575f5ffd5b366100a15761009f3334620186a05f60405180602001604052805f8152506101b8565b005b5f5ffd5b3480156100b0575f5ffd5b506100bb620186a081565b60405167ffffffffffffffff90911681526020015b60405180910390f35b3480156100e4575f5ffd5b506100ec5f81565b6040519081526020016100d0565b348015610105575f5ffd5b506100bb6301312d0081565b34801561011c575f5ffd5b50604080518082018252600581527f302e312e30000000000000000000000000000000000000000000000000000000602082015290516100d09190610624565b348015610167575f5ffd5b506100bb61038e565b34801561017b575f5ffd5b506100bb61018a366004610659565b6103d5565b61009f61019d36600461069f565b6101b8565b3480156101ad575f5ffd5b506100ec6201d4c081565b8180156101da575073ffffffffffffffffffffffffffffffffffffffff851615155b15610211576040517fc5defbad00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b6201d4c08151111561024f576040517f5aa3bac900000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b61025981516103d5565b67ffffffffffffffff168367ffffffffffffffff1610156102a6576040517f70c8bdbd00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b6102af836103f3565b5f6102b933610507565b6102d95773111100000000000000000000000000000000111133016102db565b335b90505f8673ffffffffffffffffffffffffffffffffffffffff168273ffffffffffffffffffffffffffffffffffffffff167fb3813568d9991fc951961fcb4c784893574240a28925604d09fc577c55bb7c3234898989896040516020016103469594939291906107ee565b604080517fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe08184030181529082905261037e91610624565b60405180910390a4505050505050565b5f805467ffffffffffffffff1643146103aa57506301312d0090565b5f546103d09068010000000000000000900467ffffffffffffffff166301312d0061087a565b905090565b5f6103e182602861089a565b6103ed906152086108c4565b92915050565b5f805467ffffffffffffffff16431461040c575f610425565b5f5468010000000000000000900467ffffffffffffffff165b90505f610436826301312d0061087a565b90508067ffffffffffffffff168367ffffffffffffffff16111561049e576040517fb08f66d400000000000000000000000000000000000000000000000000000000815267ffffffffffffffff80851660048301528216602482015260440160405180910390fd5b5f80547fffffffffffffffffffffffffffffffffffffffffffffffff0000000000000000164367ffffffffffffffff161790556104db83836108c4565b5f60086101000a81548167ffffffffffffffff021916908367ffffffffffffffff160217905550505050565b5f3273ffffffffffffffffffffffffffffffffffffffff83160361052d57506001919050565b8173ffffffffffffffffffffffffffffffffffffffff163b60171461055357505f919050565b8173ffffffffffffffffffffffffffffffffffffffff16803b806020016040519081016040528181525f908060200190933c61058e906108e4565b7fffffff0000000000000000000000000000000000000000000000000000000000167fef010000000000000000000000000000000000000000000000000000000000001492915050565b5f81518084528060208401602086015e5f6020828601015260207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f83011685010191505092915050565b602081525f61063660208301846105d8565b9392505050565b803567ffffffffffffffff81168114610654575f5ffd5b919050565b5f60208284031215610669575f5ffd5b6106368261063d565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b5f5f5f5f5f60a086880312156106b3575f5ffd5b853573ffffffffffffffffffffffffffffffffffffffff811681146106d6575f5ffd5b9450602086013593506106eb6040870161063d565b9250606086013580151581146106ff575f5ffd5b9150608086013567ffffffffffffffff81111561071a575f5ffd5b86015f601f8201891361072b575f5ffd5b813567ffffffffffffffff81111561074557610745610672565b6040517fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0603f7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f8501160116810181811067ffffffffffffffff821117156107b1576107b1610672565b6040528181528382016020018b10156107c8575f5ffd5b816020850160208301375f60208383010152809250809450505050509295509295909350565b8581528460208201527fffffffffffffffff0000000000000000000000000000000000000000000000008460c01b16604082015282151560f81b60488201525f82518060208501604985015e5f92016049019182525095945050505050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b67ffffffffffffffff82811682821603908111156103ed576103ed61084d565b67ffffffffffffffff81811683821602908116908181146108bd576108bd61084d565b5092915050565b67ffffffffffffffff81811683821601908111156103ed576103ed61084d565b805160208201517fffffff0000000000000000000000000000000000000000000000000000000000811691906003821015610949577fffffff0000000000000000000000000000000000000000000000000000000000808360030360031b1b82161692505b505091905056",
}

// Portal is an auto generated Go binding around an Ethereum contract.
type Portal struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *Portal) GetABI() abi.ABI {
	return c.abi
}

// NewPortal creates a new instance of Portal.
func NewPortal() *Portal {
	parsed, err := PortalMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &Portal{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *Portal) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackDEPOSITVERSION is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x13cdd8b7.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function DEPOSIT_VERSION() view returns(uint256)
func (portal *Portal) PackDEPOSITVERSION() []byte {
	enc, err := portal.abi.Pack("DEPOSIT_VERSION")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDEPOSITVERSION is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x13cdd8b7.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function DEPOSIT_VERSION() view returns(uint256)
func (portal *Portal) TryPackDEPOSITVERSION() ([]byte, error) {
	return portal.abi.Pack("DEPOSIT_VERSION")
}

// UnpackDEPOSITVERSION is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x13cdd8b7.
//
// Solidity: function DEPOSIT_VERSION() view returns(uint256)
func (portal *Portal) UnpackDEPOSITVERSION(data []byte) (*big.Int, error) {
	out, err := portal.abi.Unpack("DEPOSIT_VERSION", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackMAXBLOCKGAS is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x49faccde.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function MAX_BLOCK_GAS() view returns(uint64)
func (portal *Portal) PackMAXBLOCKGAS() []byte {
	enc, err := portal.abi.Pack("MAX_BLOCK_GAS")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMAXBLOCKGAS is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x49faccde.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function MAX_BLOCK_GAS() view returns(uint64)
func (portal *Portal) TryPackMAXBLOCKGAS() ([]byte, error) {
	return portal.abi.Pack("MAX_BLOCK_GAS")
}

// UnpackMAXBLOCKGAS is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x49faccde.
//
// Solidity: function MAX_BLOCK_GAS() view returns(uint64)
func (portal *Portal) UnpackMAXBLOCKGAS(data []byte) (uint64, error) {
	out, err := portal.abi.Unpack("MAX_BLOCK_GAS", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackMAXDATABYTES is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf1d11a6c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function MAX_DATA_BYTES() view returns(uint256)
func (portal *Portal) PackMAXDATABYTES() []byte {
	enc, err := portal.abi.Pack("MAX_DATA_BYTES")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMAXDATABYTES is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf1d11a6c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function MAX_DATA_BYTES() view returns(uint256)
func (portal *Portal) TryPackMAXDATABYTES() ([]byte, error) {
	return portal.abi.Pack("MAX_DATA_BYTES")
}

// UnpackMAXDATABYTES is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xf1d11a6c.
//
// Solidity: function MAX_DATA_BYTES() view returns(uint256)
func (portal *Portal) UnpackMAXDATABYTES(data []byte) (*big.Int, error) {
	out, err := portal.abi.Unpack("MAX_DATA_BYTES", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackRECEIVEDEFAULTGASLIMIT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x101b8171.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function RECEIVE_DEFAULT_GAS_LIMIT() view returns(uint64)
func (portal *Portal) PackRECEIVEDEFAULTGASLIMIT() []byte {
	enc, err := portal.abi.Pack("RECEIVE_DEFAULT_GAS_LIMIT")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRECEIVEDEFAULTGASLIMIT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x101b8171.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function RECEIVE_DEFAULT_GAS_LIMIT() view returns(uint64)
func (portal *Portal) TryPackRECEIVEDEFAULTGASLIMIT() ([]byte, error) {
	return portal.abi.Pack("RECEIVE_DEFAULT_GAS_LIMIT")
}

// UnpackRECEIVEDEFAULTGASLIMIT is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x101b8171.
//
// Solidity: function RECEIVE_DEFAULT_GAS_LIMIT() view returns(uint64)
func (portal *Portal) UnpackRECEIVEDEFAULTGASLIMIT(data []byte) (uint64, error) {
	out, err := portal.abi.Unpack("RECEIVE_DEFAULT_GAS_LIMIT", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackAvailableGas is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6cf32511.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function availableGas() view returns(uint64)
func (portal *Portal) PackAvailableGas() []byte {
	enc, err := portal.abi.Pack("availableGas")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAvailableGas is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6cf32511.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function availableGas() view returns(uint64)
func (portal *Portal) TryPackAvailableGas() ([]byte, error) {
	return portal.abi.Pack("availableGas")
}

// UnpackAvailableGas is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x6cf32511.
//
// Solidity: function availableGas() view returns(uint64)
func (portal *Portal) UnpackAvailableGas(data []byte) (uint64, error) {
	out, err := portal.abi.Unpack("availableGas", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackDepositTransaction is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe9e05c42.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function depositTransaction(address _to, uint256 _value, uint64 _gasLimit, bool _isCreation, bytes _data) payable returns()
func (portal *Portal) PackDepositTransaction(to common.Address, value *big.Int, gasLimit uint64, isCreation bool, data []byte) []byte {
	enc, err := portal.abi.Pack("depositTransaction", to, value, gasLimit, isCreation, data)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDepositTransaction is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe9e05c42.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function depositTransaction(address _to, uint256 _value, uint64 _gasLimit, bool _isCreation, bytes _data) payable returns()
func (portal *Portal) TryPackDepositTransaction(to common.Address, value *big.Int, gasLimit uint64, isCreation bool, data []byte) ([]byte, error) {
	return portal.abi.Pack("depositTransaction", to, value, gasLimit, isCreation, data)
}

// PackMinimumGasLimit is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa35d99df.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function minimumGasLimit(uint64 _byteCount) pure returns(uint64)
func (portal *Portal) PackMinimumGasLimit(byteCount uint64) []byte {
	enc, err := portal.abi.Pack("minimumGasLimit", byteCount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMinimumGasLimit is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa35d99df.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function minimumGasLimit(uint64 _byteCount) pure returns(uint64)
func (portal *Portal) TryPackMinimumGasLimit(byteCount uint64) ([]byte, error) {
	return portal.abi.Pack("minimumGasLimit", byteCount)
}

// UnpackMinimumGasLimit is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa35d99df.
//
// Solidity: function minimumGasLimit(uint64 _byteCount) pure returns(uint64)
func (portal *Portal) UnpackMinimumGasLimit(data []byte) (uint64, error) {
	out, err := portal.abi.Unpack("minimumGasLimit", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackVersion is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x54fd4d50.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function version() pure returns(string)
func (portal *Portal) PackVersion() []byte {
	enc, err := portal.abi.Pack("version")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackVersion is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x54fd4d50.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function version() pure returns(string)
func (portal *Portal) TryPackVersion() ([]byte, error) {
	return portal.abi.Pack("version")
}

// UnpackVersion is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x54fd4d50.
//
// Solidity: function version() pure returns(string)
func (portal *Portal) UnpackVersion(data []byte) (string, error) {
	out, err := portal.abi.Unpack("version", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// PortalTransactionDeposited represents a TransactionDeposited event raised by the Portal contract.
type PortalTransactionDeposited struct {
	From       common.Address
	To         common.Address
	Version    *big.Int
	OpaqueData []byte
	Raw        *types.Log // Blockchain specific contextual infos
}

const PortalTransactionDepositedEventName = "TransactionDeposited"

// ContractEventName returns the user-defined event name.
func (PortalTransactionDeposited) ContractEventName() string {
	return PortalTransactionDepositedEventName
}

// UnpackTransactionDepositedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData)
func (portal *Portal) UnpackTransactionDepositedEvent(log *types.Log) (*PortalTransactionDeposited, error) {
	event := "TransactionDeposited"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != portal.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PortalTransactionDeposited)
	if len(log.Data) > 0 {
		if err := portal.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range portal.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (portal *Portal) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], portal.abi.Errors["BlockGasExceeded"].ID.Bytes()[:4]) {
		return portal.UnpackBlockGasExceededError(raw[4:])
	}
	if bytes.Equal(raw[:4], portal.abi.Errors["OptimismPortal_BadTarget"].ID.Bytes()[:4]) {
		return portal.UnpackOptimismPortalBadTargetError(raw[4:])
	}
	if bytes.Equal(raw[:4], portal.abi.Errors["OptimismPortal_CalldataTooLarge"].ID.Bytes()[:4]) {
		return portal.UnpackOptimismPortalCalldataTooLargeError(raw[4:])
	}
	if bytes.Equal(raw[:4], portal.abi.Errors["OptimismPortal_GasLimitTooLow"].ID.Bytes()[:4]) {
		return portal.UnpackOptimismPortalGasLimitTooLowError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// PortalBlockGasExceeded represents a BlockGasExceeded error raised by the Portal contract.
type PortalBlockGasExceeded struct {
	Requested uint64
	Available uint64
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BlockGasExceeded(uint64 requested, uint64 available)
func PortalBlockGasExceededErrorID() common.Hash {
	return common.HexToHash("0xb08f66d4cf3a6e2d318ae5db0e8e1b472d8e92a0a795dcea9ba193e68f53c131")
}

// UnpackBlockGasExceededError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BlockGasExceeded(uint64 requested, uint64 available)
func (portal *Portal) UnpackBlockGasExceededError(raw []byte) (*PortalBlockGasExceeded, error) {
	out := new(PortalBlockGasExceeded)
	if err := portal.abi.UnpackIntoInterface(out, "BlockGasExceeded", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PortalOptimismPortalBadTarget represents a OptimismPortal_BadTarget error raised by the Portal contract.
type PortalOptimismPortalBadTarget struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OptimismPortal_BadTarget()
func PortalOptimismPortalBadTargetErrorID() common.Hash {
	return common.HexToHash("0xc5defbadfc82123c06d9be3cab0d0e172a0f34091e235e2f1e309fea84b84c6a")
}

// UnpackOptimismPortalBadTargetError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OptimismPortal_BadTarget()
func (portal *Portal) UnpackOptimismPortalBadTargetError(raw []byte) (*PortalOptimismPortalBadTarget, error) {
	out := new(PortalOptimismPortalBadTarget)
	if err := portal.abi.UnpackIntoInterface(out, "OptimismPortal_BadTarget", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PortalOptimismPortalCalldataTooLarge represents a OptimismPortal_CalldataTooLarge error raised by the Portal contract.
type PortalOptimismPortalCalldataTooLarge struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OptimismPortal_CalldataTooLarge()
func PortalOptimismPortalCalldataTooLargeErrorID() common.Hash {
	return common.HexToHash("0x5aa3bac9d8300dad568614c187e4b6b59476fddbf302d1be1f59e48a463eb29c")
}

// UnpackOptimismPortalCalldataTooLargeError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OptimismPortal_CalldataTooLarge()
func (portal *Portal) UnpackOptimismPortalCalldataTooLargeError(raw []byte) (*PortalOptimismPortalCalldataTooLarge, error) {
	out := new(PortalOptimismPortalCalldataTooLarge)
	if err := portal.abi.UnpackIntoInterface(out, "OptimismPortal_CalldataTooLarge", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PortalOptimismPortalGasLimitTooLow represents a OptimismPortal_GasLimitTooLow error raised by the Portal contract.
type PortalOptimismPortalGasLimitTooLow struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OptimismPortal_GasLimitTooLow()
func PortalOptimismPortalGasLimitTooLowErrorID() common.Hash {
	return common.HexToHash("0x70c8bdbdbf53af52983b9bb6c7a87e362527b8ce3768296c009421a1cd4e741b")
}

// UnpackOptimismPortalGasLimitTooLowError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OptimismPortal_GasLimitTooLow()
func (portal *Portal) UnpackOptimismPortalGasLimitTooLowError(raw []byte) (*PortalOptimismPortalGasLimitTooLow, error) {
	out := new(PortalOptimismPortalGasLimitTooLow)
	if err := portal.abi.UnpackIntoInterface(out, "OptimismPortal_GasLimitTooLow", raw); err != nil {
		return nil, err
	}
	return out, nil
}
