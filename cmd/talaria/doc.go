// Command talaria is the whole system in one binary: `talaria devnet` runs a chain
// on its own L1, the other subcommands run one role or one tool each.
package main
