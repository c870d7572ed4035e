// Package keccak computes Keccak-256 (the Keccak of FIPS 202 with the padding of
// Ethereum's yellow paper, appendix H.3): Sum256 for one message, Batch for many.
//
// On amd64 with AVX-512 a Batch permutes eight states at once, and Sum256 uses the
// same rounds for one. Elsewhere both use go-ethereum's implementation; the results
// are the same everywhere. Nothing here allocates in steady state.
package keccak
