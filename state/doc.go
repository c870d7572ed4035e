// Package state holds the accounts, storage and code of the chain in memory.
//
// View is how anything reads state. A transaction changes nothing: it yields a
// Diff, the list of final values it wrote. DB is the flat state: it applies diffs
// and serves consistent views of any version that a reader still holds. Trie
// computes the Merkle-Patricia root (yellow paper, appendix D) from the same
// diffs. AccessList is the EIP-7928 encoding of a sequence of diffs.
//
// One goroutine writes: it executes on an Overlay over DB.Head, cuts the merged
// diff, gives it to DB.Apply and, block by block, to Trie.Apply. Everybody else
// reads Snapshots, which stay as they are until closed. Overlays, access lists and
// journals belong to one goroutine; DB snapshots and Trie are safe for many.
//
// Tables and trie hold no Go pointers, so that the garbage collector does not walk
// them. A Trie may follow some blocks behind the DB: Apply takes a diff's values and
// nothing else, so that the goroutine which computes the roots need not be the one
// that executes. Recorder notes what is read through it, for witnesses.
//
// The package never touches a disk: store keeps what must survive. With a Tier a DB
// reads back from there what it does not hold.
package state
