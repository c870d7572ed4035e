// Package bindings holds the Go side of the L1 contracts: for each a type that packs
// calls and unpacks results, events and errors, and the code to deploy it
// (bind.MetaData). Use them with go-ethereum's accounts/abi/bind/v2.
//
// The other files of this directory are generated from contracts/ by
// `contracts/bindings.sh` and committed, so that a Go build needs neither Node nor a Solidity compiler;
// `contracts/bindings.sh --check` tells whether the committed files are current.
package bindings
