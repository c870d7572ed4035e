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

// CertificateVerifierMetaData contains all meta data concerning the CertificateVerifier contract.
var CertificateVerifierMetaData = bind.MetaData{
	ABI: "[{\"type\":\"constructor\",\"inputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"certify\",\"inputs\":[{\"name\":\"commitment\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[{\"name\":\"certificateHash\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"domain\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"initialize\",\"inputs\":[{\"name\":\"owner\",\"type\":\"address\",\"internalType\":\"address\"},{\"name\":\"registry_\",\"type\":\"address\",\"internalType\":\"contractOperatorRegistry\"},{\"name\":\"l2ChainId_\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"threshold_\",\"type\":\"uint16\",\"internalType\":\"uint16\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"l2ChainId\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"owner\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"address\",\"internalType\":\"address\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"registry\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"address\",\"internalType\":\"contractOperatorRegistry\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"renounceOwnership\",\"inputs\":[],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"setThreshold\",\"inputs\":[{\"name\":\"threshold_\",\"type\":\"uint16\",\"internalType\":\"uint16\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"threshold\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint16\",\"internalType\":\"uint16\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"transferOwnership\",\"inputs\":[{\"name\":\"newOwner\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"verify\",\"inputs\":[{\"name\":\"commitment\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[{\"name\":\"certificateHash\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"version\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"string\",\"internalType\":\"string\"}],\"stateMutability\":\"pure\"},{\"type\":\"event\",\"name\":\"BatchCertified\",\"inputs\":[{\"name\":\"certificateHash\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"batcher\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"commitment\",\"type\":\"bytes\",\"indexed\":false,\"internalType\":\"bytes\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Initialized\",\"inputs\":[{\"name\":\"version\",\"type\":\"uint64\",\"indexed\":false,\"internalType\":\"uint64\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"OwnershipTransferred\",\"inputs\":[{\"name\":\"previousOwner\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"newOwner\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"ThresholdChanged\",\"inputs\":[{\"name\":\"threshold\",\"type\":\"uint16\",\"indexed\":false,\"internalType\":\"uint16\"}],\"anonymous\":false},{\"type\":\"error\",\"name\":\"BelowThreshold\",\"inputs\":[{\"name\":\"signed\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"total\",\"type\":\"uint64\",\"internalType\":\"uint64\"}]},{\"type\":\"error\",\"name\":\"EpochOver\",\"inputs\":[{\"name\":\"epoch\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"validUntil\",\"type\":\"uint64\",\"internalType\":\"uint64\"}]},{\"type\":\"error\",\"name\":\"Expired\",\"inputs\":[{\"name\":\"expiry\",\"type\":\"uint64\",\"internalType\":\"uint64\"}]},{\"type\":\"error\",\"name\":\"InvalidInitialization\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"InvalidPoint\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"InvalidSignature\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"InvalidThreshold\",\"inputs\":[{\"name\":\"threshold\",\"type\":\"uint16\",\"internalType\":\"uint16\"}]},{\"type\":\"error\",\"name\":\"Malformed\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"NotInitializing\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"OwnableInvalidOwner\",\"inputs\":[{\"name\":\"owner\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"OwnableUnauthorizedAccount\",\"inputs\":[{\"name\":\"account\",\"type\":\"address\",\"internalType\":\"address\"}]}]",
	ID:  "CertificateVerifier",
	Bin: "0x6080604052348015600e575f5ffd5b5060156019565b60c9565b7ff0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00805468010000000000000000900460ff161560685760405163f92ee8a960e01b815260040160405180910390fd5b80546001600160401b039081161460c65780546001600160401b0319166001600160401b0390811782556040519081527fc7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d29060200160405180910390a15b50565b612190806100d65f395ff3fe608060405234801561000f575f5ffd5b50600436106100cf575f3560e01c80638da5cb5b1161007d578063d6ae3cd511610058578063d6ae3cd5146102c9578063dffbfa041461030d578063f2fde38b14610320575f5ffd5b80638da5cb5b146101d95780638e760afe14610216578063c2fb26a614610229575f5ffd5b8063715018a6116100ad578063715018a614610178578063793e6410146101825780637b10399914610195575f5ffd5b806342cde4e8146100d3578063507ac5431461011857806354fd4d5014610139575b5f5ffd5b5f54610100907c0100000000000000000000000000000000000000000000000000000000900461ffff1681565b60405161ffff90911681526020015b60405180910390f35b61012b61012636600461183d565b610333565b60405190815260200161010f565b604080518082018252600581527f302e312e300000000000000000000000000000000000000000000000000000006020820152905161010f91906118ab565b610180610397565b005b6101806101903660046118f6565b6103aa565b5f546101b49073ffffffffffffffffffffffffffffffffffffffff1681565b60405173ffffffffffffffffffffffffffffffffffffffff909116815260200161010f565b7f9016d09d72d40fdae2fd8ceac6b6234c7706214fd39c1cd1e609a0528c1993005473ffffffffffffffffffffffffffffffffffffffff166101b4565b61012b61022436600461183d565b6103be565b61012b5f8054604080517f82ebe1b68433b1303402543fceaec33e15fa4d30bc43e23427d6b5fa14329c5b6020820152469181019190915230606082015273ffffffffffffffffffffffffffffffffffffffff821660808201527401000000000000000000000000000000000000000090910467ffffffffffffffff1660a082015260c00160405160208183030381529060405280519060200120905090565b5f546102f49074010000000000000000000000000000000000000000900467ffffffffffffffff1681565b60405167ffffffffffffffff909116815260200161010f565b61018061031b36600461194c565b610840565b61018061032e3660046119a3565b610a19565b5f61033e83836103be565b90503373ffffffffffffffffffffffffffffffffffffffff16817f7493601289f287cf50603d3207e3c1cf2f61a3c1ae3eb8fc7d452aaa6723679c85856040516103899291906119be565b60405180910390a392915050565b61039f610a79565b6103a85f610b07565b565b6103b2610a79565b6103bb81610b9c565b50565b5f601782108061040f575082825f8181106103db576103db6119ec565b9050013560f81c60f81b7effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff1916600260f81b14155b15610446576040517f07b6ad3f00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f610455600960018587611a19565b61045e91611a40565b60c01c90505f610472601160098688611a19565b61047b91611a40565b60c01c90505f61048f601560118789611a19565b61049891611aa5565b60e01c90505f6104ac60176015888a611a19565b6104b591611b0a565b60f01c90505f6104c6603083611b9c565b6104d1906017611bb3565b90508115806104e05750604082115b8061050e57506201f00060016104f68286611bb3565b6105009190611bc6565b61050a9190611c06565b8214155b15610545576040517f07b6ad3f00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b8367ffffffffffffffff1642111561059a576040517f9569365300000000000000000000000000000000000000000000000000000000815267ffffffffffffffff851660048201526024015b60405180910390fd5b5f80546040517ffbb0cbd500000000000000000000000000000000000000000000000000000000815267ffffffffffffffff8816600482015273ffffffffffffffffffffffffffffffffffffffff9091169063fbb0cbd590602401602060405180830381865afa158015610610573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906106349190611c19565b90508067ffffffffffffffff1642111561068e576040517fb5556fe400000000000000000000000000000000000000000000000000000000815267ffffffffffffffff808816600483015282166024820152604401610591565b5f61072f5f8054604080517f82ebe1b68433b1303402543fceaec33e15fa4d30bc43e23427d6b5fa14329c5b6020820152469181019190915230606082015273ffffffffffffffffffffffffffffffffffffffff821660808201527401000000000000000000000000000000000000000090910467ffffffffffffffff1660a082015260c00160405160208183030381529060405280519060200120905090565b61073c8460018c8e611a19565b60405160200161074e93929190611c34565b60408051601f19818403018152919052805160209091012090506108186107778a85818e611a19565b5f546040517f33a53bfd00000000000000000000000000000000000000000000000000000000815267ffffffffffffffff8c16600482015273ffffffffffffffffffffffffffffffffffffffff909116906333a53bfd906024015f60405180830381865afa1580156107eb573d5f5f3e3d5ffd5b505050506040513d5f823e601f3d908101601f191682016040526108129190810190611cab565b84610c85565b8989604051610828929190611d3f565b60405180910390209750505050505050505b92915050565b5f610849610fab565b805490915060ff68010000000000000000820416159067ffffffffffffffff165f811580156108755750825b90505f8267ffffffffffffffff1660011480156108915750303b155b90508115801561089f575080155b156108d6576040517ff92ee8a900000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b84547fffffffffffffffffffffffffffffffffffffffffffffffff000000000000000016600117855583156109375784547fffffffffffffffffffffffffffffffffffffffffffffff00ffffffffffffffff16680100000000000000001785555b61094089610fd3565b5f805467ffffffffffffffff891674010000000000000000000000000000000000000000027fffffffff0000000000000000000000000000000000000000000000000000000090911673ffffffffffffffffffffffffffffffffffffffff8b16171790556109ad86610b9c565b8315610a0e5784547fffffffffffffffffffffffffffffffffffffffffffffff00ffffffffffffffff168555604051600181527fc7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d29060200160405180910390a15b505050505050505050565b610a21610a79565b73ffffffffffffffffffffffffffffffffffffffff8116610a70576040517f1e4fbdf70000000000000000000000000000000000000000000000000000000081525f6004820152602401610591565b6103bb81610b07565b33610ab87f9016d09d72d40fdae2fd8ceac6b6234c7706214fd39c1cd1e609a0528c1993005473ffffffffffffffffffffffffffffffffffffffff1690565b73ffffffffffffffffffffffffffffffffffffffff16146103a8576040517f118cdaa7000000000000000000000000000000000000000000000000000000008152336004820152602401610591565b7f9016d09d72d40fdae2fd8ceac6b6234c7706214fd39c1cd1e609a0528c19930080547fffffffffffffffffffffffff0000000000000000000000000000000000000000811673ffffffffffffffffffffffffffffffffffffffff848116918217845560405192169182907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0905f90a3505050565b610ba96002612710611c06565b8161ffff16111580610bc057506127108161ffff16115b15610bfd576040517f313cc5c100000000000000000000000000000000000000000000000000000000815261ffff82166004820152602401610591565b5f80547fffff0000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff167c010000000000000000000000000000000000000000000000000000000061ffff8416908102919091179091556040519081527fb2bee1572083ac4bd6640ac23c3a99683616e98568a8a8287a93fc44207faee09060200160405180910390a150565b5f60c860018451610c969190611bc6565b610ca09190611c06565b90505f6008610cb0836007611bb3565b610cba9190611c06565b610cc5906002611bb3565b9050610cd2606082611bb3565b85141580610cf8575081610ce960025f888a611a19565b610cf291611b0a565b60f01c14155b15610d2f576040517f07b6ad3f00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b610d3a600883611d4e565b15801590610d7b5750610d4e600883611d4e565b8686610d5b600185611bc6565b818110610d6a57610d6a6119ec565b60ff92013560f81c90921c16151590505b15610db2576040517f07b6ad3f00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f5f610dbc6117d5565b5f5b85811015610e9b575f610dd260c883611b9c565b610ddd906001611bb3565b90505f60c0610dec8b84610fe4565b901c9050610dfa8186611d61565b9450610e07600884611d4e565b8c8c610e14600887611c06565b610e1f906002611bb3565b818110610e2e57610e2e6119ec565b600192013560f81c90921c165f039050610e49575050610e93565b5f610e5e8b610e59856008611bb3565b611034565b905067ffffffffffffffff871615610e7f57610e7a85826110ec565b610e81565b805b9450610e8d8288611d61565b96505050505b600101610dbe565b505f54610ed6907c0100000000000000000000000000000000000000000000000000000000900461ffff1667ffffffffffffffff8416611b9c565b610eec61271067ffffffffffffffff8616611b9c565b1015610f38576040517f282cfb3500000000000000000000000000000000000000000000000000000000815267ffffffffffffffff808516600483015283166024820152604401610591565b610f75866040518060600160405280602b8152602001612165602b9139610f6f8c8c89908092610f6a93929190611a19565b611149565b84611220565b610a0e576040517f8baa579f00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f807ff0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a0061083a565b610fdb611277565b6103bb816112b5565b81515f90610ff3836020611bb3565b111561102b576040517fb8fedf8700000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b50016020015190565b61103c6117d5565b5f5b60048110156110e557608061106785611058846030611b9c565b6110629087611bb3565b610fe4565b8351911c90611077836002611b9c565b60088110611087576110876119ec565b60200201526110b08461109b836030611b9c565b6110a59086611bb3565b611062906010611bb3565b82516110bd836002611b9c565b6110c8906001611bb3565b600881106110d8576110d86119ec565b602002015260010161103e565b5092915050565b6110f46117d5565b60408051602081018252845184519192839261112d92600d9261111992908601611da9565b6040516020818303038152906040526112bd565b8060200190518101906111409190611dcb565b90529392505050565b6111516117ed565b5f5b60028110156110e557365f858561116b856030611b9c565b90611177866030611b9c565b611182906030611bb3565b9261118f93929190611a19565b90925090506111a160105f8385611a19565b6111aa91611e32565b845160809190911c906111be856002611b9c565b600481106111ce576111ce6119ec565b60200201526111e08160108185611a19565b6111e991611e97565b84516111f6856002611b9c565b611201906001611bb3565b60048110611211576112116119ec565b60200201525050600101611153565b5f5f611254600f855f0151611233611373565b5161123e8a8a611482565b5187516040516111199493929190602001611ef5565b90508080602001905181019061126a9190611f34565b6001149695505050505050565b61127f611769565b6103a8576040517fd7e6bcf800000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b610a21611277565b60605f5f8473ffffffffffffffffffffffffffffffffffffffff16846040516112e69190611f62565b5f60405180830381855afa9150503d805f811461131e576040519150601f19603f3d011682016040523d82523d5f602084013e611323565b606091505b509150915081158061133457508051155b1561136b576040517fb8fedf8700000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b949350505050565b61137b6117d5565b5060408051610120810182526f024aa2b2f08f0a91260805272dc51051602082019081527fc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8928201929092526f13e02b6052719f607dacd3a088274f6560608201527f596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e60808201526f0d1b3cc2c7027888be51d9ef691d77bc60a08201527fb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa60c08201526f13fa4d4a0ad8b1ce186ed5061789213d60e08201527f993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed61010082015290815290565b61148a6117ed565b5f82835160405160200161149f929190611f6d565b60408051808303601f1901815281835260608301825292505f9160029160208201818036833750506040516114e192915088906080905f908890602001611fac565b60408051601f19818403018152908290526114fb91611f62565b602060405180830381855afa158015611516573d5f5f3e3d5ffd5b5050506040513d601f19601f820116820180604052508101906115399190611f34565b90505f60028260018560405160200161155493929190612029565b60408051601f198184030181529082905261156e91611f62565b602060405180830381855afa158015611589573d5f5f3e3d5ffd5b5050506040513d601f19601f820116820180604052508101906115ac9190611f34565b90505f60028284186002866040516020016115c993929190612029565b60408051601f19818403018152908290526115e391611f62565b602060405180830381855afa1580156115fe573d5f5f3e3d5ffd5b5050506040513d601f19601f820116820180604052508101906116219190611f34565b90505f600282851860038760405160200161163e93929190612029565b60408051601f198184030181529082905261165891611f62565b602060405180830381855afa158015611673573d5f5f3e3d5ffd5b5050506040513d601f19601f820116820180604052508101906116969190611f34565b90505f60028286186004886040516020016116b393929190612029565b60408051601f19818403018152908290526116cd91611f62565b602060405180830381855afa1580156116e8573d5f5f3e3d5ffd5b5050506040513d601f19601f8201168201806040525081019061170b9190611f34565b90505f611738600b61171d8787611787565b6117278686611787565b60405160200161111992919061206e565b90506040518060200160405280828060200190518101906117599190612082565b90529a9950505050505050505050565b5f611772610fab565b5468010000000000000000900460ff16919050565b60605f6117c86005604060016040888860016040518060600160405280604081526020016121256040913960405160200161111997969594939291906120c3565b905061136b6010826112bd565b60405180602001604052806117e8611800565b905290565b60405180602001604052806117e861181f565b6040518061010001604052806008906020820280368337509192915050565b60405180608001604052806004906020820280368337509192915050565b5f5f6020838503121561184e575f5ffd5b823567ffffffffffffffff811115611864575f5ffd5b8301601f81018513611874575f5ffd5b803567ffffffffffffffff81111561188a575f5ffd5b85602082840101111561189b575f5ffd5b6020919091019590945092505050565b602081525f82518060208401528060208501604085015e5f604082850101526040601f19601f83011684010191505092915050565b803561ffff811681146118f1575f5ffd5b919050565b5f60208284031215611906575f5ffd5b61190f826118e0565b9392505050565b73ffffffffffffffffffffffffffffffffffffffff811681146103bb575f5ffd5b67ffffffffffffffff811681146103bb575f5ffd5b5f5f5f5f6080858703121561195f575f5ffd5b843561196a81611916565b9350602085013561197a81611916565b9250604085013561198a81611937565b9150611998606086016118e0565b905092959194509250565b5f602082840312156119b3575f5ffd5b813561190f81611916565b60208152816020820152818360408301375f818301604090810191909152601f909201601f19160101919050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b5f5f85851115611a27575f5ffd5b83861115611a33575f5ffd5b5050820193919092039150565b80357fffffffffffffffff00000000000000000000000000000000000000000000000081169060088410156110e5577fffffffffffffffff000000000000000000000000000000000000000000000000808560080360031b1b82161691505092915050565b80357fffffffff0000000000000000000000000000000000000000000000000000000081169060048410156110e5577fffffffff00000000000000000000000000000000000000000000000000000000808560040360031b1b82161691505092915050565b80357fffff00000000000000000000000000000000000000000000000000000000000081169060028410156110e5577fffff000000000000000000000000000000000000000000000000000000000000808560020360031b1b82161691505092915050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b808202811582820484141761083a5761083a611b6f565b8082018082111561083a5761083a611b6f565b8181038181111561083a5761083a611b6f565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601260045260245ffd5b5f82611c1457611c14611bd9565b500490565b5f60208284031215611c29575f5ffd5b815161190f81611937565b838152818360208301375f910160200190815292915050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b604051601f8201601f1916810167ffffffffffffffff81118282101715611ca357611ca3611c4d565b604052919050565b5f60208284031215611cbb575f5ffd5b815167ffffffffffffffff811115611cd1575f5ffd5b8201601f81018413611ce1575f5ffd5b805167ffffffffffffffff811115611cfb57611cfb611c4d565b611d0e6020601f19601f84011601611c7a565b818152856020838501011115611d22575f5ffd5b8160208401602083015e5f91810160200191909152949350505050565b818382375f9101908152919050565b5f82611d5c57611d5c611bd9565b500690565b67ffffffffffffffff818116838216019081111561083a5761083a611b6f565b805f5b6008811015611da3578151845260209384019390910190600101611d84565b50505050565b611db38184611d81565b611dc1610100820183611d81565b6102000192915050565b5f6101008284031215611ddc575f5ffd5b5f83601f840112611deb575f5ffd5b505f80610100611dfa81611c7a565b9250829150840185811115611e0d575f5ffd5b845b81811015611e27578051845260209384019301611e0f565b509095945050505050565b80357fffffffffffffffffffffffffffffffff0000000000000000000000000000000081169060108410156110e5577fffffffffffffffffffffffffffffffff00000000000000000000000000000000808560100360031b1b82161691505092915050565b8035602083101561083a577fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff602084900360031b1b1692915050565b805f5b6004811015611da3578151845260209384019390910190600101611ed6565b611eff8186611ed3565b611f0c6080820185611d81565b611f1a610180820184611ed3565b611f28610200820183611d81565b61030001949350505050565b5f60208284031215611f44575f5ffd5b5051919050565b5f81518060208401855e5f93019283525090919050565b5f61190f8284611f4b565b5f611f788285611f4b565b60f89390931b7fff000000000000000000000000000000000000000000000000000000000000001683525050600101919050565b5f611fb78288611f4b565b8681527fffff0000000000000000000000000000000000000000000000000000000000008660f01b1660208201527fff000000000000000000000000000000000000000000000000000000000000008560f81b16602282015261201d6023820185611f4b565b98975050505050505050565b8381527fff000000000000000000000000000000000000000000000000000000000000008360f81b1660208201525f6120656021830184611f4b565b95945050505050565b5f61136b61207c8386611f4b565b84611f4b565b5f60808284031215612092575f5ffd5b5f83601f8401126120a1575f5ffd5b505f806120ae6080611c7a565b90508091506080840185811115611e0d575f5ffd5b8781528660208201528560408201528460608201528360808201527fff000000000000000000000000000000000000000000000000000000000000008360f81b1660a08201525f61211760a1830184611f4b565b999850505050505050505056fe000000000000000000000000000000001a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab424c535f5349475f424c53313233383147315f584d443a5348412d3235365f535357555f524f5f504f505f",
}

// CertificateVerifier is an auto generated Go binding around an Ethereum contract.
type CertificateVerifier struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *CertificateVerifier) GetABI() abi.ABI {
	return c.abi
}

// NewCertificateVerifier creates a new instance of CertificateVerifier.
func NewCertificateVerifier() *CertificateVerifier {
	parsed, err := CertificateVerifierMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &CertificateVerifier{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *CertificateVerifier) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackCertify is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x507ac543.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function certify(bytes commitment) returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) PackCertify(commitment []byte) []byte {
	enc, err := certificateVerifier.abi.Pack("certify", commitment)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCertify is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x507ac543.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function certify(bytes commitment) returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) TryPackCertify(commitment []byte) ([]byte, error) {
	return certificateVerifier.abi.Pack("certify", commitment)
}

// UnpackCertify is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x507ac543.
//
// Solidity: function certify(bytes commitment) returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) UnpackCertify(data []byte) ([32]byte, error) {
	out, err := certificateVerifier.abi.Unpack("certify", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackDomain is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc2fb26a6.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function domain() view returns(bytes32)
func (certificateVerifier *CertificateVerifier) PackDomain() []byte {
	enc, err := certificateVerifier.abi.Pack("domain")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDomain is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc2fb26a6.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function domain() view returns(bytes32)
func (certificateVerifier *CertificateVerifier) TryPackDomain() ([]byte, error) {
	return certificateVerifier.abi.Pack("domain")
}

// UnpackDomain is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc2fb26a6.
//
// Solidity: function domain() view returns(bytes32)
func (certificateVerifier *CertificateVerifier) UnpackDomain(data []byte) ([32]byte, error) {
	out, err := certificateVerifier.abi.Unpack("domain", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackInitialize is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdffbfa04.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function initialize(address owner, address registry_, uint64 l2ChainId_, uint16 threshold_) returns()
func (certificateVerifier *CertificateVerifier) PackInitialize(owner common.Address, registry common.Address, l2ChainId uint64, threshold uint16) []byte {
	enc, err := certificateVerifier.abi.Pack("initialize", owner, registry, l2ChainId, threshold)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackInitialize is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdffbfa04.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function initialize(address owner, address registry_, uint64 l2ChainId_, uint16 threshold_) returns()
func (certificateVerifier *CertificateVerifier) TryPackInitialize(owner common.Address, registry common.Address, l2ChainId uint64, threshold uint16) ([]byte, error) {
	return certificateVerifier.abi.Pack("initialize", owner, registry, l2ChainId, threshold)
}

// PackL2ChainId is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd6ae3cd5.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function l2ChainId() view returns(uint64)
func (certificateVerifier *CertificateVerifier) PackL2ChainId() []byte {
	enc, err := certificateVerifier.abi.Pack("l2ChainId")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackL2ChainId is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd6ae3cd5.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function l2ChainId() view returns(uint64)
func (certificateVerifier *CertificateVerifier) TryPackL2ChainId() ([]byte, error) {
	return certificateVerifier.abi.Pack("l2ChainId")
}

// UnpackL2ChainId is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xd6ae3cd5.
//
// Solidity: function l2ChainId() view returns(uint64)
func (certificateVerifier *CertificateVerifier) UnpackL2ChainId(data []byte) (uint64, error) {
	out, err := certificateVerifier.abi.Unpack("l2ChainId", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8da5cb5b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function owner() view returns(address)
func (certificateVerifier *CertificateVerifier) PackOwner() []byte {
	enc, err := certificateVerifier.abi.Pack("owner")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8da5cb5b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function owner() view returns(address)
func (certificateVerifier *CertificateVerifier) TryPackOwner() ([]byte, error) {
	return certificateVerifier.abi.Pack("owner")
}

// UnpackOwner is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x8da5cb5b.
//
// Solidity: function owner() view returns(address)
func (certificateVerifier *CertificateVerifier) UnpackOwner(data []byte) (common.Address, error) {
	out, err := certificateVerifier.abi.Unpack("owner", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackRegistry is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7b103999.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function registry() view returns(address)
func (certificateVerifier *CertificateVerifier) PackRegistry() []byte {
	enc, err := certificateVerifier.abi.Pack("registry")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRegistry is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7b103999.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function registry() view returns(address)
func (certificateVerifier *CertificateVerifier) TryPackRegistry() ([]byte, error) {
	return certificateVerifier.abi.Pack("registry")
}

// UnpackRegistry is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x7b103999.
//
// Solidity: function registry() view returns(address)
func (certificateVerifier *CertificateVerifier) UnpackRegistry(data []byte) (common.Address, error) {
	out, err := certificateVerifier.abi.Unpack("registry", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackRenounceOwnership is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x715018a6.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function renounceOwnership() returns()
func (certificateVerifier *CertificateVerifier) PackRenounceOwnership() []byte {
	enc, err := certificateVerifier.abi.Pack("renounceOwnership")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRenounceOwnership is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x715018a6.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function renounceOwnership() returns()
func (certificateVerifier *CertificateVerifier) TryPackRenounceOwnership() ([]byte, error) {
	return certificateVerifier.abi.Pack("renounceOwnership")
}

// PackSetThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x793e6410.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setThreshold(uint16 threshold_) returns()
func (certificateVerifier *CertificateVerifier) PackSetThreshold(threshold uint16) []byte {
	enc, err := certificateVerifier.abi.Pack("setThreshold", threshold)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x793e6410.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setThreshold(uint16 threshold_) returns()
func (certificateVerifier *CertificateVerifier) TryPackSetThreshold(threshold uint16) ([]byte, error) {
	return certificateVerifier.abi.Pack("setThreshold", threshold)
}

// PackThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x42cde4e8.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function threshold() view returns(uint16)
func (certificateVerifier *CertificateVerifier) PackThreshold() []byte {
	enc, err := certificateVerifier.abi.Pack("threshold")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x42cde4e8.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function threshold() view returns(uint16)
func (certificateVerifier *CertificateVerifier) TryPackThreshold() ([]byte, error) {
	return certificateVerifier.abi.Pack("threshold")
}

// UnpackThreshold is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x42cde4e8.
//
// Solidity: function threshold() view returns(uint16)
func (certificateVerifier *CertificateVerifier) UnpackThreshold(data []byte) (uint16, error) {
	out, err := certificateVerifier.abi.Unpack("threshold", data)
	if err != nil {
		return *new(uint16), err
	}
	out0 := *abi.ConvertType(out[0], new(uint16)).(*uint16)
	return out0, nil
}

// PackTransferOwnership is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf2fde38b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transferOwnership(address newOwner) returns()
func (certificateVerifier *CertificateVerifier) PackTransferOwnership(newOwner common.Address) []byte {
	enc, err := certificateVerifier.abi.Pack("transferOwnership", newOwner)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransferOwnership is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf2fde38b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transferOwnership(address newOwner) returns()
func (certificateVerifier *CertificateVerifier) TryPackTransferOwnership(newOwner common.Address) ([]byte, error) {
	return certificateVerifier.abi.Pack("transferOwnership", newOwner)
}

// PackVerify is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8e760afe.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function verify(bytes commitment) view returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) PackVerify(commitment []byte) []byte {
	enc, err := certificateVerifier.abi.Pack("verify", commitment)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackVerify is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8e760afe.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function verify(bytes commitment) view returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) TryPackVerify(commitment []byte) ([]byte, error) {
	return certificateVerifier.abi.Pack("verify", commitment)
}

// UnpackVerify is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x8e760afe.
//
// Solidity: function verify(bytes commitment) view returns(bytes32 certificateHash)
func (certificateVerifier *CertificateVerifier) UnpackVerify(data []byte) ([32]byte, error) {
	out, err := certificateVerifier.abi.Unpack("verify", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackVersion is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x54fd4d50.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function version() pure returns(string)
func (certificateVerifier *CertificateVerifier) PackVersion() []byte {
	enc, err := certificateVerifier.abi.Pack("version")
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
func (certificateVerifier *CertificateVerifier) TryPackVersion() ([]byte, error) {
	return certificateVerifier.abi.Pack("version")
}

// UnpackVersion is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x54fd4d50.
//
// Solidity: function version() pure returns(string)
func (certificateVerifier *CertificateVerifier) UnpackVersion(data []byte) (string, error) {
	out, err := certificateVerifier.abi.Unpack("version", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// CertificateVerifierBatchCertified represents a BatchCertified event raised by the CertificateVerifier contract.
type CertificateVerifierBatchCertified struct {
	CertificateHash [32]byte
	Batcher         common.Address
	Commitment      []byte
	Raw             *types.Log // Blockchain specific contextual infos
}

const CertificateVerifierBatchCertifiedEventName = "BatchCertified"

// ContractEventName returns the user-defined event name.
func (CertificateVerifierBatchCertified) ContractEventName() string {
	return CertificateVerifierBatchCertifiedEventName
}

// UnpackBatchCertifiedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event BatchCertified(bytes32 indexed certificateHash, address indexed batcher, bytes commitment)
func (certificateVerifier *CertificateVerifier) UnpackBatchCertifiedEvent(log *types.Log) (*CertificateVerifierBatchCertified, error) {
	event := "BatchCertified"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != certificateVerifier.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(CertificateVerifierBatchCertified)
	if len(log.Data) > 0 {
		if err := certificateVerifier.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range certificateVerifier.abi.Events[event].Inputs {
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

// CertificateVerifierInitialized represents a Initialized event raised by the CertificateVerifier contract.
type CertificateVerifierInitialized struct {
	Version uint64
	Raw     *types.Log // Blockchain specific contextual infos
}

const CertificateVerifierInitializedEventName = "Initialized"

// ContractEventName returns the user-defined event name.
func (CertificateVerifierInitialized) ContractEventName() string {
	return CertificateVerifierInitializedEventName
}

// UnpackInitializedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Initialized(uint64 version)
func (certificateVerifier *CertificateVerifier) UnpackInitializedEvent(log *types.Log) (*CertificateVerifierInitialized, error) {
	event := "Initialized"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != certificateVerifier.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(CertificateVerifierInitialized)
	if len(log.Data) > 0 {
		if err := certificateVerifier.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range certificateVerifier.abi.Events[event].Inputs {
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

// CertificateVerifierOwnershipTransferred represents a OwnershipTransferred event raised by the CertificateVerifier contract.
type CertificateVerifierOwnershipTransferred struct {
	PreviousOwner common.Address
	NewOwner      common.Address
	Raw           *types.Log // Blockchain specific contextual infos
}

const CertificateVerifierOwnershipTransferredEventName = "OwnershipTransferred"

// ContractEventName returns the user-defined event name.
func (CertificateVerifierOwnershipTransferred) ContractEventName() string {
	return CertificateVerifierOwnershipTransferredEventName
}

// UnpackOwnershipTransferredEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)
func (certificateVerifier *CertificateVerifier) UnpackOwnershipTransferredEvent(log *types.Log) (*CertificateVerifierOwnershipTransferred, error) {
	event := "OwnershipTransferred"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != certificateVerifier.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(CertificateVerifierOwnershipTransferred)
	if len(log.Data) > 0 {
		if err := certificateVerifier.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range certificateVerifier.abi.Events[event].Inputs {
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

// CertificateVerifierThresholdChanged represents a ThresholdChanged event raised by the CertificateVerifier contract.
type CertificateVerifierThresholdChanged struct {
	Threshold uint16
	Raw       *types.Log // Blockchain specific contextual infos
}

const CertificateVerifierThresholdChangedEventName = "ThresholdChanged"

// ContractEventName returns the user-defined event name.
func (CertificateVerifierThresholdChanged) ContractEventName() string {
	return CertificateVerifierThresholdChangedEventName
}

// UnpackThresholdChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event ThresholdChanged(uint16 threshold)
func (certificateVerifier *CertificateVerifier) UnpackThresholdChangedEvent(log *types.Log) (*CertificateVerifierThresholdChanged, error) {
	event := "ThresholdChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != certificateVerifier.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(CertificateVerifierThresholdChanged)
	if len(log.Data) > 0 {
		if err := certificateVerifier.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range certificateVerifier.abi.Events[event].Inputs {
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
func (certificateVerifier *CertificateVerifier) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["BelowThreshold"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackBelowThresholdError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["EpochOver"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackEpochOverError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["Expired"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackExpiredError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["InvalidInitialization"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackInvalidInitializationError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["InvalidPoint"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackInvalidPointError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["InvalidSignature"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackInvalidSignatureError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["InvalidThreshold"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackInvalidThresholdError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["Malformed"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackMalformedError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["NotInitializing"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackNotInitializingError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["OwnableInvalidOwner"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackOwnableInvalidOwnerError(raw[4:])
	}
	if bytes.Equal(raw[:4], certificateVerifier.abi.Errors["OwnableUnauthorizedAccount"].ID.Bytes()[:4]) {
		return certificateVerifier.UnpackOwnableUnauthorizedAccountError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// CertificateVerifierBelowThreshold represents a BelowThreshold error raised by the CertificateVerifier contract.
type CertificateVerifierBelowThreshold struct {
	Signed uint64
	Total  uint64
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BelowThreshold(uint64 signed, uint64 total)
func CertificateVerifierBelowThresholdErrorID() common.Hash {
	return common.HexToHash("0x282cfb357ec7cf34ee5dfc38ace327f28ff8f7769ae6f277dd873f15d3b649b2")
}

// UnpackBelowThresholdError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BelowThreshold(uint64 signed, uint64 total)
func (certificateVerifier *CertificateVerifier) UnpackBelowThresholdError(raw []byte) (*CertificateVerifierBelowThreshold, error) {
	out := new(CertificateVerifierBelowThreshold)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "BelowThreshold", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierEpochOver represents a EpochOver error raised by the CertificateVerifier contract.
type CertificateVerifierEpochOver struct {
	Epoch      uint64
	ValidUntil uint64
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error EpochOver(uint64 epoch, uint64 validUntil)
func CertificateVerifierEpochOverErrorID() common.Hash {
	return common.HexToHash("0xb5556fe406fb7dedfcad8337efcf34e3ae74e61d33ddcf10cd835f738b69cff1")
}

// UnpackEpochOverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error EpochOver(uint64 epoch, uint64 validUntil)
func (certificateVerifier *CertificateVerifier) UnpackEpochOverError(raw []byte) (*CertificateVerifierEpochOver, error) {
	out := new(CertificateVerifierEpochOver)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "EpochOver", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierExpired represents a Expired error raised by the CertificateVerifier contract.
type CertificateVerifierExpired struct {
	Expiry uint64
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Expired(uint64 expiry)
func CertificateVerifierExpiredErrorID() common.Hash {
	return common.HexToHash("0x956936532b954ff74e062815c0174f8bd1500115ed3dd2adb3c66e2ac6109668")
}

// UnpackExpiredError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Expired(uint64 expiry)
func (certificateVerifier *CertificateVerifier) UnpackExpiredError(raw []byte) (*CertificateVerifierExpired, error) {
	out := new(CertificateVerifierExpired)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "Expired", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierInvalidInitialization represents a InvalidInitialization error raised by the CertificateVerifier contract.
type CertificateVerifierInvalidInitialization struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InvalidInitialization()
func CertificateVerifierInvalidInitializationErrorID() common.Hash {
	return common.HexToHash("0xf92ee8a957075833165f68c320933b1a1294aafc84ee6e0dd3fb178008f9aaf5")
}

// UnpackInvalidInitializationError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InvalidInitialization()
func (certificateVerifier *CertificateVerifier) UnpackInvalidInitializationError(raw []byte) (*CertificateVerifierInvalidInitialization, error) {
	out := new(CertificateVerifierInvalidInitialization)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "InvalidInitialization", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierInvalidPoint represents a InvalidPoint error raised by the CertificateVerifier contract.
type CertificateVerifierInvalidPoint struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InvalidPoint()
func CertificateVerifierInvalidPointErrorID() common.Hash {
	return common.HexToHash("0xb8fedf87e792a9d748e133fbebf786ae0bd441dc3d31476dd4f8b972707ef4b4")
}

// UnpackInvalidPointError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InvalidPoint()
func (certificateVerifier *CertificateVerifier) UnpackInvalidPointError(raw []byte) (*CertificateVerifierInvalidPoint, error) {
	out := new(CertificateVerifierInvalidPoint)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "InvalidPoint", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierInvalidSignature represents a InvalidSignature error raised by the CertificateVerifier contract.
type CertificateVerifierInvalidSignature struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InvalidSignature()
func CertificateVerifierInvalidSignatureErrorID() common.Hash {
	return common.HexToHash("0x8baa579fce362245063d36f11747a89dd489c54795634fc673cc0e0db51fedc5")
}

// UnpackInvalidSignatureError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InvalidSignature()
func (certificateVerifier *CertificateVerifier) UnpackInvalidSignatureError(raw []byte) (*CertificateVerifierInvalidSignature, error) {
	out := new(CertificateVerifierInvalidSignature)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "InvalidSignature", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierInvalidThreshold represents a InvalidThreshold error raised by the CertificateVerifier contract.
type CertificateVerifierInvalidThreshold struct {
	Threshold uint16
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InvalidThreshold(uint16 threshold)
func CertificateVerifierInvalidThresholdErrorID() common.Hash {
	return common.HexToHash("0x313cc5c172f7723a78a41474d6f6a0fb6532adc2e687c4d7cefbd0a38e36aa33")
}

// UnpackInvalidThresholdError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InvalidThreshold(uint16 threshold)
func (certificateVerifier *CertificateVerifier) UnpackInvalidThresholdError(raw []byte) (*CertificateVerifierInvalidThreshold, error) {
	out := new(CertificateVerifierInvalidThreshold)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "InvalidThreshold", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierMalformed represents a Malformed error raised by the CertificateVerifier contract.
type CertificateVerifierMalformed struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Malformed()
func CertificateVerifierMalformedErrorID() common.Hash {
	return common.HexToHash("0x07b6ad3ff7dbc4002539ae21306d8899743aedf933b34101681c6906979f10a5")
}

// UnpackMalformedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Malformed()
func (certificateVerifier *CertificateVerifier) UnpackMalformedError(raw []byte) (*CertificateVerifierMalformed, error) {
	out := new(CertificateVerifierMalformed)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "Malformed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierNotInitializing represents a NotInitializing error raised by the CertificateVerifier contract.
type CertificateVerifierNotInitializing struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotInitializing()
func CertificateVerifierNotInitializingErrorID() common.Hash {
	return common.HexToHash("0xd7e6bcf8597daa127dc9f0048d2f08d5ef140a2cb659feabd700beff1f7a8302")
}

// UnpackNotInitializingError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotInitializing()
func (certificateVerifier *CertificateVerifier) UnpackNotInitializingError(raw []byte) (*CertificateVerifierNotInitializing, error) {
	out := new(CertificateVerifierNotInitializing)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "NotInitializing", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierOwnableInvalidOwner represents a OwnableInvalidOwner error raised by the CertificateVerifier contract.
type CertificateVerifierOwnableInvalidOwner struct {
	Owner common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OwnableInvalidOwner(address owner)
func CertificateVerifierOwnableInvalidOwnerErrorID() common.Hash {
	return common.HexToHash("0x1e4fbdf7f3ef8bcaa855599e3abf48b232380f183f08f6f813d9ffa5bd585188")
}

// UnpackOwnableInvalidOwnerError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OwnableInvalidOwner(address owner)
func (certificateVerifier *CertificateVerifier) UnpackOwnableInvalidOwnerError(raw []byte) (*CertificateVerifierOwnableInvalidOwner, error) {
	out := new(CertificateVerifierOwnableInvalidOwner)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "OwnableInvalidOwner", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// CertificateVerifierOwnableUnauthorizedAccount represents a OwnableUnauthorizedAccount error raised by the CertificateVerifier contract.
type CertificateVerifierOwnableUnauthorizedAccount struct {
	Account common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OwnableUnauthorizedAccount(address account)
func CertificateVerifierOwnableUnauthorizedAccountErrorID() common.Hash {
	return common.HexToHash("0x118cdaa7a341953d1887a2245fd6665d741c67c8c50581daa59e1d03373fa188")
}

// UnpackOwnableUnauthorizedAccountError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OwnableUnauthorizedAccount(address account)
func (certificateVerifier *CertificateVerifier) UnpackOwnableUnauthorizedAccountError(raw []byte) (*CertificateVerifierOwnableUnauthorizedAccount, error) {
	out := new(CertificateVerifierOwnableUnauthorizedAccount)
	if err := certificateVerifier.abi.UnpackIntoInterface(out, "OwnableUnauthorizedAccount", raw); err != nil {
		return nil, err
	}
	return out, nil
}
