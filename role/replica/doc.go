// Package replica is a node that sees only L1: it derives every block from batches
// and deposits, executes it, and serves it. It trusts nobody: what the batcher says of
// a block changes nothing.
package replica
