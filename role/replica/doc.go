// Package replica is a node that sees only L1: it derives every block from batches
// and deposits, executes it, and serves it. It trusts nobody: a block that does not
// have the hash the batcher claims stops it.
package replica
