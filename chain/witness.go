package chain

import "github.com/ethereum/go-ethereum/core/types"

// Witness is what execution of a block needs of the chain before it, so that whoever
// holds no state can repeat it (debug_executionWitness). Its RLP is that of go-ethereum's
// stateless.ExtWitness. It proves nothing by itself: hashes do, from the parent's state
// root downwards.
type Witness struct {
	// Headers are the parent and, as far back as BLOCKHASH was asked for, its ancestors,
	// without a gap, ascending by number.
	Headers []*types.Header
	// Codes are those that execution looked at, each once, ascending.
	Codes [][]byte
	// State are the nodes of the account trie and of storage tries before the block that
	// lie on the way to what is read or changed, and those beside a way that deletions
	// join to another. Each once, ascending; a node within another is not listed.
	State [][]byte
}
