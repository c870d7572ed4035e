// Package derive rebuilds the inputs of every L2 block from L1 blocks alone
// (docs/spec/derivation.md), and holds the rules by which a sequencer chooses L1
// origins and deposits, so that both agree by construction.
//
// It promises that equal L1 blocks give equal outputs, whatever else was pushed
// before a reset; that nothing an L1 sender writes makes it panic, stop or grow
// beyond its limits; and that the deposits of every L1 block are included exactly
// once. It refuses to fetch, to execute and to decide what to do about a reorg: it
// names the place, and the caller resets it to a state from before.
//
//	L1 block → bank (frames → channels) → batch.DecodeChannel → rules → BlockInput
//
// Invalid content is dropped with a reason (TakeDrops); a batch that is ahead of
// the chain waits for more L1; an L1 reorg is a *ReorgError.
package derive
