// Package exec turns ordered transactions into mini-blocks and blocks.
//
// Chain is the executing end of the chain: it opens a block, applies transactions
// in the order given, cuts mini-blocks and seals the block with its roots. The
// sequencer, recovery after a crash and a node that derives the chain from L1 all
// use it, so that the same inputs give the same hashes by construction.
//
// Apply takes one transaction, ApplyBatch many. A batch is executed on several
// goroutines, optimistically: each transaction runs over what those before it have
// written so far, and is executed again if that turns out to have been wrong by the
// time it commits, in order. Receipts, diffs and roots do not depend on the number of
// goroutines or on how they interleave. What makes transactions independent of each
// other:
//
//   - memory holds a version of every key for every transaction that wrote it;
//   - fees, and value sent to accounts without code, are credits: they are added at the
//     commit and are no reads;
//   - reads are compared by value, so that a write of the same value is no conflict;
//   - the planner learns which calls conflict and lets one follow the other.
//
// A batch that does not pay, because everything conflicts or because the processors
// are busy with other things, is followed by plain execution for a while.
//
// The package chooses nothing: order, timestamps and boundaries come from the caller.
// A Chain is not safe for concurrent use; one goroutine owns it, and ApplyBatch and Cut
// have ended all goroutines that they started when they return. Readers use the views
// of its state.DB, which are safe.
package exec
