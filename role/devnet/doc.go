// Package devnet runs a whole chain in one process: an embedded L1 (or somebody
// else's, by URL), the contracts on it, the sequencer, the batcher, the watch over
// what L1 holds, JSON-RPC, a status page and metrics. It is wiring only: every part
// is the one that a network would run.
package devnet
