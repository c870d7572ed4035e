// Command compare prints how Talaria's execution core does beside its peers; package
// bench/core says what is measured and how.
//
// It is a program of its own, so that the talaria binary does not hold the peers.
package main
