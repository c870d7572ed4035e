package feed

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// MiniBlock is a mini-block as it is published: header, signature, transactions with
// their senders, receipts and diff are all set. A decoded one's receipts have the fields
// of consensus and TxHash, GasUsed and ContractAddress; what depends on the block
// (EffectiveGasPrice, L1Prices, the place of logs) is for who knows the block.
//
// Senders are what the publisher says: the decoder does not recover them.
type MiniBlock struct {
	*chain.MiniBlock
	Attributes chain.Attributes // of the block that it is part of
}

// RawMiniBlock is a mini-block whose parts were not decoded, for who checks them anyway.
type RawMiniBlock struct {
	chain.RawMiniBlock        // receipts as they are stored
	Encoded            []byte // of all of it; its parts are parts of this
}

// Block is a sealed block. Its mini-blocks come before it.
type Block struct {
	Header        *types.Header
	LastMiniBlock uint64 // number of its last mini-block
}

// Witness is what execution of a block needs of the chain before it.
type Witness struct {
	Number  uint64
	Hash    common.Hash // of the block
	Witness *chain.Witness
}

// Attestation says that a validator found a block right.
type Attestation struct {
	Number    uint64
	Hash      common.Hash // of the block
	Key       [192]byte   // BLS12-381 public key in G2, as package bls encodes it
	Signature [96]byte    // in G1
}

// Limits of what is encoded and decoded.
const (
	// MaxBytes bounds an encoding. Decoding takes up to some ten times as much.
	MaxBytes = 256 << 20
	// MaxWitnessNodes and MaxWitnessCodes bound the lists of a witness; its headers are
	// 257 at most, as far as BLOCKHASH sees.
	MaxWitnessNodes = 1 << 22
	MaxWitnessCodes = 1 << 16

	maxWitnessHeaders = 257
)
