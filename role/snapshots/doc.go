// Package snapshots hands the state of a chain from node to node (docs/spec/snapshot.md,
// ADR 0039).
//
// A Server makes a snapshot when somebody asks for one: it streams what the store holds
// after its newest block from a database snapshot of the store into files of compressed
// pieces, resting as long as it works, and waits for the mini-block that confirms the
// block. Nobody waits for it. What is served are the files: a database snapshot pins
// files of the database only while a snapshot is made.
//
// Load fills a new data directory from such a server, and believes it nothing: see
// package snapshot for what is checked. The directory holds no chain before everything is.
package snapshots
