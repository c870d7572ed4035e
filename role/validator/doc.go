// Package validator checks a chain without holding its state: it follows the feed, puts
// mini-blocks, sealed header and witness of each block together, and has package verify
// check them, several blocks at a time on all processors where it has to catch up.
//
// What it knows lies in one small file: the last block that it checked. Memory is bounded:
// followers of the feed wait while more than a budget of bytes waits to be checked, but
// never for the block that is to be checked next.
//
// A fault is an alarm: an error in the log, a metric, a line in the status, and an
// Evidence file that holds all that somebody else needs to find the same fault. Behind a
// fault nothing is attested any more until the chain was taken back before it. A witness
// that does not suffice is no fault of the block: another is asked for, and if there is
// none, the block stays undecided, which is told like a fault.
//
// With an L1 the validator also derives the inputs of blocks from there, without executing
// them, and compares these with what it checked: that is how deposits, L1 attributes and
// the sequencer's promises are held against L1.
//
// With a BLS key it signs the newest blocks that it checked, each height once, and
// publishes the signatures. Those of others it verifies and counts.
package validator
