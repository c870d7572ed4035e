// Package attestor signs sealed blocks for SignedCheckpoints on L1, on whose word the pool
// of InstantExit pays withdrawals ahead. It signs a block when withdrawals were made since
// the one it signed last, and serves the newest signature; whoever wants to be paid hands
// it in.
//
// Two signatures of one height void all that an attestor signed, and cost the pool money.
// So a height is signed once and never gone back to: the signature is on disk before it is
// served, and after a rewind the next one is of a height above the highest signed. A
// signature of a block that the chain has left is not served any more.
package attestor
