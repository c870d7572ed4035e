// Package devl1 runs an Ethereum L1 inside this process: go-ethereum with the Osaka
// rules active from genesis, blobs and all, driven by a small consensus driver of our
// own, and reachable from outside at one port.
//
// It promises what a development chain needs: it answers in a fraction of a second, a
// block comes every period with strictly increasing whole-second timestamps, a
// datadir continues the same chain after a clean stop and after kill -9 (a block is
// on disk before anybody can see it), blobs stay available over the standard beacon
// API on the same port, and Close leaves no goroutine behind.
//
// It refuses to be more than that: no peers, no validators, no reorganisations, no
// private transactions. Chain time never runs more than MaxAhead ahead of the clock.
//
// Heads. With no validators to vote, `safe` and `finalized` trail the head by fixed
// numbers of blocks (Options.SafeDepth, Options.FinalizedDepth), short enough for a
// person to watch finality happen.
//
// Slots. The beacon API counts one slot per second from the genesis timestamp
// whatever the block period is, so that a slot holds at most one block.
package devl1
