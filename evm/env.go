package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// Env is what a transaction can see of its block. It is only read.
type Env struct {
	Number     uint64
	Timestamp  uint64   // seconds
	GasLimit   uint64   // of the block
	BaseFee    *big.Int // wei per gas; nil is zero
	PrevRandao common.Hash
	Coinbase   common.Address // receives priority fees
	// BaseFeeRecipient receives base fees; zero burns them.
	BaseFeeRecipient common.Address
	ParentBeaconRoot common.Hash // argument of the EIP-4788 system call
	// BlobBaseFee is the price of blob gas in wei; nil is 1, that at zero excess.
	BlobBaseFee *big.Int
	// BlockHash returns the hash of one of the 256 blocks before this one; nil
	// answers zero.
	BlockHash func(number uint64) common.Hash
	// DeferCredits leaves balances that a transaction raised without reading them, fees
	// above all, out of Result.Diff and lists them in Result.Credits.
	DeferCredits bool
	// L1Fees are the L1 data fees; nil: those at the prices that L1Block holds when the
	// transaction begins. They go to chain.L1FeeVaultAddr.
	L1Fees *chain.L1FeeSchedule
	Config *chain.Config
}

// Result is what a transaction did. Execute fills it and reuses the memory that it
// holds: what a Result points to, code apart, is good until the next Execute with it.
type Result struct {
	Status  uint64 // 1 success, 0 failure
	GasUsed uint64 // after refunds and the calldata floor
	// Logs in order, with block number and transaction hash; their indexes and the
	// block's hash are for the caller to fill in.
	Logs []*types.Log
	// ContractAddress is where a creation would have put its code, also if it
	// failed; zero for a call.
	ContractAddress common.Address
	// ReturnData is what the call returned, the code of a creation, or the data of
	// a REVERT. It is only read.
	ReturnData []byte
	// Err is why the execution failed. The transaction is included all the same.
	Err error
	// DepositNonce is the sender's nonce before a deposit.
	DepositNonce      uint64
	EffectiveGasPrice uint256.Int // wei per gas; zero for a deposit
	// Diff is what the transaction changed, without Credits.
	Diff state.Diff
	// Credits are to be added after Diff, in order; only with Env.DeferCredits.
	Credits []state.Credit

	buffer state.DiffBuffer // backs Diff, Credits and Logs
	data   []byte           // backs ReturnData
}

// minBlobBaseFee is the price of blob gas at zero excess (EIP-4844), in wei.
const minBlobBaseFee = 1
