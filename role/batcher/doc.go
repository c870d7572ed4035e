// Package batcher posts sealed blocks to L1, so that anyone can derive the chain. One
// channel is one L1 transaction, as far as blocks allow: it counts whole or not at all.
//
// What is posted is decided by what derivation has read of L1, never by what was sent:
// a restart, a lost transaction or a reorganisation of L1 leads back to the first block
// that L1 does not hold. Nothing is posted before L1 has been read up to where it stood
// at the start, and while transactions of an earlier run may still be included, so that
// a batcher that was killed pays for nothing twice.
package batcher
