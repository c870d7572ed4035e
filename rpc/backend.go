package rpc

import (
	"context"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Backend is the node as the RPC server sees it. All methods are safe for
// concurrent use, return quickly unless they take a context, and return values that
// nobody changes afterwards.
//
// An absent thing is nil without an error. An error of type *Error reaches the
// client with its own code and data; any other error becomes code -32000 with its
// message, so messages should be go-ethereum's where it has one ("nonce too low:
// next nonce 5, tx nonce 3").
//
// Context fields of logs (block, transaction, index) are ignored: the server derives
// them from where the log stands.
type Backend interface {
	Tracer
	Explorer

	Prover
	Simulator
	DevChain
	Accessor
	Witnesser
	TierTimes
	Rollup
	Exits
	BundleCaller

	TxPool
	VoidTransactions
	Streamer
	FeedHolder

	// Config is the chain's configuration.
	Config() *chain.Config
	// Head is the header of the last sealed block, never nil.
	Head() *types.Header
	// Pending is one consistent picture of the open block, or nil when the node has
	// none (a follower between blocks).
	Pending() *OpenBlock
	// Finality is the newest block posted to L1 and the newest that is L1-final.
	Finality() (safe, finalized uint64)
	// Sync tells how far the node is behind.
	Sync() SyncStatus
	// Ready is nil when the node can serve; else the reason, in one line.
	Ready() error

	// HeaderByNumber returns a sealed header.
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	// BlockByNumber returns a sealed block.
	BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error)
	// BlockByHash returns a sealed block of the canonical chain.
	BlockByHash(ctx context.Context, hash common.Hash) (*chain.Block, error)
	// TxByHash finds a published transaction, in a sealed block or the open one.
	TxByHash(ctx context.Context, hash common.Hash) (*TxInfo, error)
	// MiniBlockByNumber returns a published mini-block.
	MiniBlockByNumber(ctx context.Context, number uint64) (*MiniBlock, error)
	// MiniBlockByHash returns a published mini-block.
	MiniBlockByHash(ctx context.Context, hash common.Hash) (*MiniBlock, error)

	// Balance is the balance in wei; like its sisters it answers zero for an account
	// that does not exist, and an error when the state at ref is no longer kept.
	Balance(ctx context.Context, addr common.Address, ref StateRef) (*big.Int, error)
	// Nonce is the account's nonce.
	Nonce(ctx context.Context, addr common.Address, ref StateRef) (uint64, error)
	// Code is the account's code.
	Code(ctx context.Context, addr common.Address, ref StateRef) ([]byte, error)
	// Storage is the value of one slot.
	Storage(ctx context.Context, addr common.Address, slot common.Hash, ref StateRef) (common.Hash, error)

	// Call executes without effect. A failure inside the EVM is in CallResult.Err;
	// error is for a call that could not be made.
	Call(ctx context.Context, req *CallRequest) (*CallResult, error)
	// EstimateGas is the least gas limit with which the call succeeds. A revert is
	// RevertError(data).
	EstimateGas(ctx context.Context, req *CallRequest) (chain.Gas, error)
	// CreateAccessList is the EIP-2930 list the call touches.
	CreateAccessList(ctx context.Context, req *CallRequest) (*AccessListResult, error)

	// SubmitTxs hands signed transactions over for sequencing, in this order, and returns
	// a submission for each. It returns at once: ctx covers the hand-over only, and the
	// raw transactions may be kept. Transactions are ordered as the calls of one
	// goroutine return. A submission is resolved when its transaction's mini-block is
	// durable and published, or with the reason for its refusal. NonceGapError and
	// NotReadyError are the typed refusals of EIP-7966. The slice sends is not kept;
	// NewSubmissions makes what is returned.
	SubmitTxs(ctx context.Context, sends []Send) []*Submission

	// Subscribe starts a stream of what is published from now on.
	Subscribe(buffer int) *FeedReader
}

// Send is a signed transaction as a client handed it over.
type Send struct {
	Raw []byte // EIP-2718 encoding
	// Sender is who the client says signed it; zero: not said. It is trusted only where
	// Voucher is set, and checked all the same.
	Sender common.Address
	// Voucher is the trusted replica that says so; nil: it is nobody trusted.
	Voucher *Voucher
	// Group, if set, is told when the submission is settled.
	Group *Group
	// Caller names who sent it, for what only the sender may see; empty: nobody.
	Caller string
}

// StateRef selects a state: after a sealed block, or the newest mini-block.
type StateRef struct {
	// Newest selects the newest published mini-block; Number is then ignored.
	Newest bool
	// Number of a sealed block, at most Head's.
	Number uint64
}

// OpenBlock is the block being built, as far as it is published.
type OpenBlock struct {
	// Header so far: parent, number, timestamp, gas limit and used, base fee,
	// mixHash and the like. Roots, bloom and extraData are not known yet.
	Header     *types.Header
	Txs        []*chain.Tx
	Receipts   []*chain.Receipt
	MiniBlocks []chain.MiniBlockHeader
}

// TxInfo is a published transaction with its place and outcome.
type TxInfo struct {
	Tx      *chain.Tx
	Receipt *chain.Receipt

	BlockHash     common.Hash // zero while the block is open
	BlockNumber   uint64
	BlockTime     uint64   // seconds
	BaseFee       *big.Int // wei per gas, of the block
	Index         uint64   // in the block
	FirstLogIndex uint64   // index in the block of the transaction's first log
	MiniBlock     uint64   // number of the mini-block
}

// MiniBlock is a published mini-block with the context its JSON form needs.
type MiniBlock struct {
	*chain.MiniBlock
	Hash          common.Hash
	Attributes    chain.Attributes // of the block it is part of
	BlockTime     uint64           // seconds, of that block
	BaseFee       *big.Int         // wei per gas, of that block
	FirstLogIndex uint64           // index in the block of the mini-block's first log
	BlockHash     common.Hash      // zero while the block is open
}

// SyncStatus is how far a node is. Not Syncing means caught up.
type SyncStatus struct {
	Syncing  bool
	Starting uint64 // block at which syncing started
	Current  uint64 // newest block held
	Highest  uint64 // newest block known of
}

// Trailing is how far a node is behind another that it follows.
type Trailing struct {
	Age    time.Duration // of the newest mini-block: since it was cut, by the clock of who made it
	Blocks uint64        // that are known of and not held, the open one aside
}

// CallRequest is a call to simulate.
type CallRequest struct {
	Msg       CallMsg
	State     StateRef
	Overrides map[common.Address]AccountOverride // nil: none
	Block     BlockOverride
	// GasCap bounds Msg.Gas, and replaces it when it is zero.
	GasCap chain.Gas
}

// CallMsg is the message of a call; nil pointers were not given.
type CallMsg struct {
	From       common.Address
	To         *common.Address // nil creates a contract
	Gas        chain.Gas       // 0: not given
	GasPrice   *big.Int        // wei per gas, legacy
	GasFeeCap  *big.Int        // wei per gas, EIP-1559
	GasTipCap  *big.Int        // wei per gas, EIP-1559
	Value      *big.Int        // wei, never nil
	Nonce      *uint64
	Data       []byte
	AccessList types.AccessList
	AuthList   []types.SetCodeAuthorization
}

// AccountOverride replaces parts of an account during a call; nil leaves a part.
type AccountOverride struct {
	Nonce   *uint64
	Code    *[]byte
	Balance *big.Int
	// State replaces the whole storage, StateDiff single slots; at most one is set.
	State            map[common.Hash]common.Hash
	StateDiff        map[common.Hash]common.Hash
	MovePrecompileTo *common.Address
}

// BlockOverride replaces parts of the block environment during a call; nil leaves a part.
type BlockOverride struct {
	Number       *big.Int
	Time         *uint64 // seconds
	GasLimit     *uint64
	FeeRecipient *common.Address
	PrevRandao   *common.Hash
	BaseFee      *big.Int
	BlobBaseFee  *big.Int
}

// CallResult is the outcome of a call.
type CallResult struct {
	ReturnData []byte // also of a revert
	GasUsed    chain.Gas
	// Reverted tells a REVERT, whose ReturnData is the reason.
	Reverted bool
	// Err is any other failure inside the EVM ("out of gas"), else nil.
	Err error
}

// AccessListResult is the outcome of CreateAccessList.
type AccessListResult struct {
	AccessList types.AccessList
	GasUsed    chain.Gas // with the list
	Err        string    // failure inside the EVM, else empty
}
