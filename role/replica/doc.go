// Package replica is a node that follows a chain which others make.
//
// Replica sees only L1: it derives every block from batches and deposits, executes it,
// and serves it. It trusts nobody: what the batcher says of a block changes nothing.
//
// Live follows the leader's feed within milliseconds: it applies diffs, or executes, and
// holds every block against its root (docs/adr/0037-replicas.md). What the feed lacks it
// asks the leader for, and then L1, which decides. What contradicts what the leader signed
// stops the node, with evidence.
//
// Gateway takes transactions for the leader, and answers when the node has what they did.
package replica
