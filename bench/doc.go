// Package bench loads an Ethereum node over JSON-RPC and tells what it measured
// together with what it verified.
//
// Two workloads, plain transfers and ERC-20 transfers, in two modes. In the closed
// loop every client sends its next transaction when the previous one has a receipt:
// latency as one user sees it. In the open loop transactions leave at a fixed rate
// whatever the node does, and latency counts from the moment at which a transaction
// was due, so that a stall is charged to everything it delayed.
//
// A presigned run ([Blocks]) measures throughput: every transaction is signed before
// the clock starts, leaves over JSON-RPC or raw ingest, and is looked for in blocks,
// not one by one; what a node sheds is sent again, in the order of nonces. Afterwards
// the chain is audited: each transaction exactly once, in order, with the right
// outcome, and every account and contract to the last unit.
//
// A number is reported only beside its proof. Every receipt is compared with the
// transaction that was sent; afterwards every receipt is read again from its sealed
// block, and nonces, balances and token balances of all accounts must add up to the
// last wei. [Report.OK] is false when anything does not.
//
// It promises to work against any node that speaks the standard methods, not only
// Talaria. It refuses to guess: a transaction whose outcome is unknown is counted
// as an error and takes its account out of the exact sums.
package bench
