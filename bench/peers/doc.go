// Command peers measures anvil, go-ethereum's dev mode and a Talaria devnet with the
// same generator, in turns on the same machine, and prints one table with the medians
// and their ratios.
//
//	go build -o bin/talaria ./cmd/talaria
//	go run ./bench/peers -runs 3
//
// docs/bench.md says in which mode each of them runs, and why.
package main
