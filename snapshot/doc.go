// Package snapshot is the form in which one node hands the state after one block to
// another: pieces, and a manifest that names them (docs/spec/snapshot.md, ADR 0039).
//
// Nothing of a snapshot is believed for who sends it. A mini-block that the leader signed
// holds the hash of the block (EIP-2935), the block's header holds the root of the state,
// its transactions and receipts, and the hash of its last mini-block. Manifest.Check goes
// from the signature to the header, NewBase from the header to the block and its
// ancestors; from the header to the state goes whoever has loaded all pieces and computes
// the root. That a piece has the hash which the manifest says tells only who is at fault.
//
// The room holds codecs and checks. role/snapshots makes, serves and loads snapshots.
package snapshot
