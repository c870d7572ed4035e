package gethevm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/state"
)

// Fork is a set of rules.
type Fork int

// The forks that can be compared.
const (
	Cancun Fork = iota
	Prague
	Osaka
)

// Config is a chain that has had the rules of a fork since its first block.
func Config(chainID uint64, fork Fork) *params.ChainConfig {
	zero, start := new(big.Int), uint64(0)
	cfg := &params.ChainConfig{
		ChainID:        new(big.Int).SetUint64(chainID),
		HomesteadBlock: zero, EIP150Block: zero, EIP155Block: zero, EIP158Block: zero,
		ByzantiumBlock: zero, ConstantinopleBlock: zero, PetersburgBlock: zero,
		IstanbulBlock: zero, MuirGlacierBlock: zero, BerlinBlock: zero, LondonBlock: zero,
		ArrowGlacierBlock: zero, GrayGlacierBlock: zero, MergeNetsplitBlock: zero,
		TerminalTotalDifficulty: zero,
		ShanghaiTime:            &start, CancunTime: &start,
		BlobScheduleConfig: params.DefaultBlobSchedule,
	}
	if fork >= Prague {
		cfg.PragueTime = &start
	}
	if fork >= Osaka {
		cfg.OsakaTime = &start
	}
	return cfg
}

// Block is what a transaction sees of its block.
type Block struct {
	Number, Time, GasLimit uint64 // Time in seconds
	BaseFee                *big.Int
	BlobBaseFee            *big.Int // nil is 1 wei
	Random                 common.Hash
	Coinbase               common.Address
	BlockHash              func(uint64) common.Hash // nil answers zero
	NoGasCap               bool                     // transactions may exceed EIP-7825's cap
	Hooks                  *tracing.Hooks           // nil: none
}

// Result is what a transaction did. Its memory is good until the next transaction.
type Result struct {
	GasUsed    uint64 // after refunds and the calldata floor
	ReturnData []byte
	Err        error // the execution's; nil is success
	Logs       []*types.Log
	Diff       state.Diff // by Flat only
}

// engine is an interpreter in a block.
type engine struct {
	config *params.ChainConfig
	signer types.Signer
	jumps  vm.JumpDestCache
	vm     *vm.EVM
	gas    *core.GasPool
	block  *Block
}

func newEngine(cfg *params.ChainConfig) engine {
	return engine{config: cfg, signer: types.NewPragueSigner(cfg.ChainID), jumps: core.NewJumpDestCache()}
}

// begin opens a block; b is kept.
func (e *engine) begin(b *Block, db vm.StateDB) {
	e.close()
	random, hash, blobBaseFee := b.Random, b.BlockHash, b.BlobBaseFee
	if hash == nil {
		hash = func(uint64) common.Hash { return common.Hash{} }
	}
	if blobBaseFee == nil {
		blobBaseFee = big.NewInt(params.BlobTxMinBlobGasprice)
	}
	e.vm = vm.NewEVM(vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, GetHash: hash, Coinbase: b.Coinbase, GasLimit: b.GasLimit,
		BlockNumber: new(big.Int).SetUint64(b.Number), Time: b.Time, Difficulty: new(big.Int),
		BaseFee: b.BaseFee, BlobBaseFee: blobBaseFee, Random: &random,
	}, db, e.config, vm.Config{Tracer: b.Hooks})
	e.vm.SetJumpDestCache(e.jumps)
	e.gas, e.block = core.NewGasPool(b.GasLimit), b
}

// apply runs a transaction, which may use all the gas of a block whatever was used
// before if fresh.
func (e *engine) apply(tx *types.Transaction, fresh bool) (*core.ExecutionResult, error) {
	msg, err := core.TransactionToMessage(tx, e.signer, e.block.BaseFee)
	if err != nil {
		return nil, err
	}
	if e.block.NoGasCap {
		msg = msg.SkipGasLimitCapCheck()
	}
	if fresh {
		*e.gas = *core.NewGasPool(e.block.GasLimit)
	}
	hooks := e.block.Hooks
	if hooks != nil && hooks.OnTxStart != nil {
		hooks.OnTxStart(e.vm.GetVMContext(), tx, msg.From)
	}
	out, err := core.ApplyMessage(e.vm, msg, e.gas)
	if hooks != nil && hooks.OnTxEnd != nil {
		var receipt *types.Receipt
		if err == nil {
			receipt = &types.Receipt{Type: tx.Type(), GasUsed: out.UsedGas, TxHash: tx.Hash()}
			if !out.Failed() {
				receipt.Status = types.ReceiptStatusSuccessful
			}
		}
		hooks.OnTxEnd(receipt, err)
	}
	return out, err
}

func (e *engine) close() {
	if e.vm != nil {
		e.vm.Release()
		e.vm = nil
	}
}
