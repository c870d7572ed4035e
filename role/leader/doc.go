// Package leader is the node that sequences, with all that it needs beside the
// sequencer: derivation, which tells what L1 holds of the chain and takes back what
// it does not, JSON-RPC, the raw way in for transactions, and where withdrawals stand.
//
// `talaria sequencer` is a leader on somebody else's L1; the devnet puts an L1, a
// batcher and a proposer around one. Who posts the chain is not its concern.
package leader
