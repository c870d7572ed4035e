// Package secp256k1 recovers the signers of Ethereum's signatures, many at a time.
//
// It accepts and refuses exactly what libsecp256k1 does. That s is low (EIP-2) is for the
// caller to check.
package secp256k1
