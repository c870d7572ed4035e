// Command opbatch measures how many bytes a transaction takes on L1 in span batches of
// the OP Stack, compressed by brotli, for the blocks that bench/batches wrote. It is a
// module of its own so that nothing else depends on the module compared with.
package main
