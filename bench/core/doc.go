// Package core measures the execution core beside its peers: the same transactions
// over the same state, in one process and in the same minute, by Talaria's machine, by
// go-ethereum's interpreter over Talaria's flat state, by go-ethereum with its own
// state database, and by revm where Anvil is there.
//
// A workload is data: a state, blocks of signed transactions, and what the result must
// be. Before anything is timed every peer executes it, and their receipts and the state
// root afterwards must be equal: a figure for work that came out differently would mean
// nothing.
//
// It measures on one core, in turns: each round runs every peer once, the ratio is
// taken within the round, and the median of the rounds is reported. Rounds end early
// when the ratios agree. Machines whose speed drifts from minute to minute therefore do
// not matter much. Times are of the execution and of making its changes visible to the
// next transaction, in processor time; signatures, block building and state roots are
// not in them. Talaria's machine leaves fees and credits to the commit, as the sequencer
// has it; their addition is in the time. Parallel execution
// is measured on a chain of its own for every number of workers, in elapsed time, and
// the trie beside go-ethereum's.
package core
