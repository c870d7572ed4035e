// Package exec turns ordered transactions into mini-blocks and blocks.
//
// Chain is the executing end of the chain: it opens a block, applies transactions
// in the order given, cuts mini-blocks and seals the block with its roots. The
// sequencer, recovery after a crash and a node that derives the chain from L1 all
// use it, so that the same inputs give the same hashes by construction.
//
// It chooses nothing: order, timestamps and boundaries come from the caller. It is
// not safe for concurrent use; one goroutine owns a Chain. Readers use the views of
// its state.DB, which are safe.
package exec
