// Package opinion is a second opinion on a block: go-ethereum's interpreter, state, trie
// and recovery of signatures execute it from the same witness, under the rules of Osaka,
// and what they come to is compared with what the block claims. Package verify and whoever
// made the block share a machine; this shares with them what types and encodings say.
//
// What the chain adds to Ethereum is written out here once more: deposits, the L1 data fee,
// the base fee's vault and the clock of mini-blocks. Blocks that use larger limits than
// Ethereum's for code and initcode are beyond go-ethereum: ErrBeyond.
package opinion
