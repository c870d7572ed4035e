// Package secp256k1 recovers the public keys and addresses behind many ECDSA
// signatures at once, over the curve secp256k1 (SEC 2, section 2.4.1) and with the
// hash of Ethereum addresses.
//
// What is accepted and what is refused is what libsecp256k1 accepts and refuses, with
// one exception that says so: a V above 1.
package secp256k1
