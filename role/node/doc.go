// Package node is what every process that holds the chain has in common: the data
// directory, the executing chain, the published head that readers see, the
// background writing of sealed blocks, recovery after a crash, and the answers to
// JSON-RPC.
//
// Two kinds of process drive it. The sequencer decides and publishes what its
// write-ahead log has made durable; a replica derives blocks from L1 and publishes
// them whole. Readers never see the difference.
//
// A head is published only after everything it names can be queried: first from
// memory (the open block and the sealed blocks that are still being written), then
// from the store.
package node
