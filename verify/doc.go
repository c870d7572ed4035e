// Package verify checks sealed blocks without holding any state: a block, its mini-blocks
// and a witness go in, and either everything that the block claims follows from its parent
// or the first Fault comes out.
//
// It shares the machine of package evm with the sequencer, and what types and encodings
// say (package chain), but nothing of how package exec orders, stores, encodes and hashes:
// it executes one transaction after another, over a Merkle-Patricia trie of its own that
// is only as large as the witness, and has its own encoding of diffs, receipts' blooms and
// lists' roots. What the two agree on they agree on for two reasons.
//
// # What is checked, in this order
//
//  1. The header against its parent, which the witness brings: hash, number, timestamp,
//     base fee, gas limit, extraData, and what every header of the chain has.
//  2. The mini-blocks: links, numbers, epochs, timestamps, signatures of the leader.
//  3. The transactions: encodings, signatures, claimed senders, their hash per mini-block,
//     their root.
//  4. The L1-attributes deposit and the deposits behind it, as far as the block and the
//     state tell: which deposits L1 had, only L1 knows.
//  5. Each transaction, executed: its receipt; each mini-block: receipts, gas, diff.
//  6. The block: gas, bloom, receipts root, withdrawals root, state root.
//
// # Witnesses
//
// A node of the witness is found by its hash, beginning with the state root of the parent.
// Nothing else is believed of it: a changed node is one that is missing (KindWitnessNode,
// which names the path), and one that nothing leads to is never looked at. Such surplus
// nodes and codes prove nothing and cost only their bytes; they are ignored and counted in
// the Result.
//
// The package starts no goroutine, reads no clock and writes no log. A Verifier is for one
// goroutine; several verify several blocks at a time, since no block needs the one before.
package verify
